/* SPDX-License-Identifier: ISC
 *
 * The state of a stream: what its descriptor is watched for, its end, and what
 * its owner may ask. Below all its other files.
 */
#include <errno.h>

#include "relay/base/mem.h"
#include "relay/net/stream_int.h"

bool stream_would_block(int no)
{
	return no == EAGAIN || no == EWOULDBLOCK || no == EINTR;
}

bool stream_alive(const struct stream *s)
{
	return !s->freed && !s->over;
}

void stream_set_error(struct stream *s, const char *text)
{
	mem_free(s->error);
	s->error = mem_strdup(text);
}

void stream_set_errno(struct stream *s, int no, const char *what)
{
	struct error err;

	error_sys(&err, no, "%s", what);
	stream_set_error(s, err.text);
}

void stream_watch(struct stream *s)
{
	int what = 0;

	if (s->over || s->failed || s->tls == TLS_ASKED)
		what = 0;
	else if (s->connecting)
		what = IO_WRITE;
	else if (s->tls == TLS_SHAKING)
		what = s->tls_wants;
	else
		what = (s->paused || s->full ? 0 : IO_READ | s->tls_wants) |
		       (s->blocked ? IO_WRITE : 0);
	if (what != s->io.wanted)
		io_want(&s->io, what);
	if (s->more && !s->paused && !s->full && stream_alive(s))
		loop_defer(s->c.loop, &s->kick);
}

void stream_end(struct stream *s, enum stream_end why)
{
	s->over = true;
	stream_watch(s);
	timer_del(&s->timer);
	defer_cancel(&s->kick);
	s->c.ops->ended(s->c.arg, why);
}

void stream_fail(struct stream *s, enum stream_end why)
{
	if (s->failed || s->over)
		return;
	s->failed = true;
	s->fail_as = why;
	strbuf_fini(&s->out);
	s->sent = 0;
	s->blocked = false;
	loop_defer(s->c.loop, &s->kick);
	stream_watch(s);
}

size_t stream_pending(const struct stream *s)
{
	return s->out.n - s->sent;
}

SSL *stream_ssl(const struct stream *s)
{
	return s->tls == TLS_UP ? s->ssl : NULL;
}

const char *stream_tls(const struct stream *s)
{
	return s->tls_text == NULL ? "" : s->tls_text;
}

const char *stream_error(const struct stream *s)
{
	return s->error == NULL ? "" : s->error;
}

const struct netaddr *stream_peer(const struct stream *s)
{
	return &s->peer;
}

const struct netaddr *stream_local(const struct stream *s)
{
	return &s->local;
}

uint64_t stream_bytes_in(const struct stream *s)
{
	return s->bytes_in;
}

struct slice stream_kept(const struct stream *s)
{
	return slice_of(s->keep, s->kept);
}
