/* SPDX-License-Identifier: ISC
 *
 * The bytes of a stream, out and in, in the clear or under TLS.
 */
#include <errno.h>

#include "relay/base/mem.h"
#include "relay/net/stream_int.h"

/* ---- output ---- */

static ssize_t transport_send(struct stream *s, struct slice bytes)
{
	if (s->ssl != NULL)
		return stream_tls_write(s, bytes);
	return s->c.sock->send(s->io.fd, bytes.p, bytes.n);
}

static void forget_sent(struct stream *s)
{
	if (s->sent == s->out.n) {
		strbuf_fini(&s->out);
		s->sent = 0;
	} else if (s->sent >= s->out.n / 2) {
		/* At most one move of a byte for each byte sent. */
		strbuf_drop_front(&s->out, s->sent);
		s->sent = 0;
	}
}

static void write_some(struct stream *s)
{
	s->blocked = false;
	if (!strbuf_ok(&s->out)) {
		stream_set_error(s, "the peer does not read");
		stream_fail(s, STREAM_RESET);
	}
	while (!s->failed && stream_pending(s) > 0) {
		struct slice rest = slice_from(strbuf_view(&s->out), s->sent);
		ssize_t n = transport_send(s, rest);

		if (n >= 0) {
			s->sent += (size_t)n;
			s->blocked = (size_t)n < rest.n && s->ssl == NULL;
		} else if (stream_would_block(errno)) {
			s->blocked = true;
		} else {
			if (s->ssl == NULL)
				stream_set_errno(s, errno, "send");
			stream_fail(s, STREAM_RESET);
		}
		if (s->blocked)
			break;
	}
	if (!s->failed)
		forget_sent(s);
}

void stream_write(struct stream *s, struct slice bytes)
{
	strbuf_addsl(&s->out, bytes);
}

struct strbuf *stream_out(struct stream *s)
{
	return &s->out;
}

void stream_flush(struct stream *s)
{
	if (s->over || s->failed || s->connecting || s->blocked ||
	    s->tls == TLS_ASKED || s->tls == TLS_SHAKING)
		return;
	write_some(s);
	stream_watch(s);
}

void stream_writable(struct stream *s)
{
	if (!s->blocked)
		return;
	write_some(s);
	if (!s->failed && !s->blocked && s->c.ops->drained != NULL)
		s->c.ops->drained(s->c.arg);
}

/* ---- input ---- */

static void keep_rest(struct stream *s, struct slice rest, bool secret)
{
	/* A block that grows may move, and leave its bytes behind. */
	if (secret && s->keep != NULL) {
		explicit_bzero(s->keep, s->kept);
		mem_free(s->keep);
		s->keep = NULL;
	}
	if (rest.n == 0) {
		mem_free(s->keep);
		s->keep = NULL;
	} else {
		s->keep = mem_resize(s->keep, rest.n);
		memcpy(s->keep, rest.p, rest.n);
	}
	s->kept = rest.n;
	s->full = rest.n >= s->c.keep_max;
}

/* `bytes` stand in the scratch. */
static void show(struct stream *s, struct slice bytes)
{
	bool secret = s->secret;
	size_t taken;

	s->showing = true;
	s->again = false;
	taken = s->c.ops->input(s->c.arg, bytes);
	s->showing = false;
	if (stream_alive(s))
		keep_rest(s, slice_from(bytes, taken), secret);
	if (secret)
		explicit_bzero(s->c.scratch->bytes, bytes.n);
	if (!stream_alive(s))
		return;
	s->again = s->again && s->kept > 0;
	if (s->tls == TLS_ASKED && s->kept > 0 && s->rest)
		stream_tls_ahead(s);
	if (s->tls == TLS_ASKED && s->kept > 0) {
		stream_set_error(s, "plaintext ahead of the handshake");
		stream_end(s, STREAM_TLS);
	} else if (s->full && taken > 0) {
		loop_defer(s->c.loop, &s->kick);
	}
}

void stream_show_kept(struct stream *s)
{
	memcpy(s->c.scratch->bytes, s->keep, s->kept);
	show(s, slice_of(s->c.scratch->bytes, s->kept));
}

static ssize_t transport_recv(struct stream *s, char *to, size_t room)
{
	ssize_t n;

	if (s->ssl != NULL)
		return stream_tls_read(s, to, room);
	n = s->c.sock->recv(s->io.fd, to, room);
	if (n < 0 && !stream_would_block(errno))
		stream_set_errno(s, errno, "receive");
	return n;
}

void stream_read_some(struct stream *s)
{
	char *buf = s->c.scratch->bytes;
	size_t limit = s->c.scratch->limit, kept = s->kept;
	size_t room = SCRATCH_BYTES - kept;
	ssize_t n;

	io_settled(&s->io);
	if (kept > 0)
		memcpy(buf, s->keep, kept);
	n = transport_recv(s, buf + kept,
	    limit != 0 && limit < room ? limit : room);
	if (n > 0) {
		s->bytes_in += (size_t)n;
		show(s, slice_of(buf, kept + (size_t)n));
	} else if (n == 0) {
		stream_end(s, s->failed ? s->fail_as : STREAM_EOF);
	} else if (!stream_would_block(errno)) {
		stream_end(s, STREAM_RESET);
	}
}

void stream_secret(struct stream *s, bool secret, size_t keep_max)
{
	s->secret = secret;
	s->c.keep_max = keep_max;
	s->full = s->kept >= keep_max;
}

void stream_patient(struct stream *s)
{
	io_patient(&s->io);
}

void stream_pause(struct stream *s)
{
	s->paused = true;
	stream_watch(s);
}

void stream_again(struct stream *s)
{
	s->paused = false;
	if (s->over)
		return;
	/* Inside input() it is not known yet what will be left. */
	s->again = s->showing || s->kept > 0;
	if (s->again || s->failed)
		loop_defer(s->c.loop, &s->kick);
	stream_watch(s);
}
