/* SPDX-License-Identifier: ISC
 *
 * One non-blocking connection on a loop.
 *
 * libevent's buffers read 4 KiB a call, which costs ten times the CPU on
 * message bodies; here is recv() into a borrowed 64 KiB and nothing between.
 *
 * Everything that calls the owner starts in one of three handlers: on_io,
 * on_kick, on_timer. Public functions only change state, send, and leave the
 * rest to the kick. That is why no callback comes from inside a call.
 */
#include "relay/net/stream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "relay/base/fd.h"
#include "relay/base/mem.h"
#include "relay/net/stream_int.h"

static ssize_t sys_recv(int fd, void *p, size_t n)
{
	return recv(fd, p, n, 0);
}

static ssize_t sys_send(int fd, const void *p, size_t n)
{
	return send(fd, p, n, MSG_NOSIGNAL);
}

static int sys_connect(int fd, const struct netaddr *to)
{
	return connect(fd, &to->sa, to->len);
}

static int sys_close(int fd)
{
	return close(fd);
}

const struct sock_ops sock_system = {
	sys_recv, sys_send, sys_connect, sys_close
};

struct stream_scratch *stream_scratch_new(void)
{
	struct stream_scratch *s = NEW(struct stream_scratch);

	s->bio = stream_bio_method();
	return s;
}

void stream_scratch_free(struct stream_scratch *s)
{
	if (s == NULL)
		return;
	BIO_meth_free(s->bio);
	mem_free(s);
}

void stream_scratch_limit(struct stream_scratch *s, size_t bytes)
{
	s->limit = bytes;
}

/* ---- handlers ---- */

/* Every handler runs between these two. */
static void enter(struct stream *s)
{
	s->busy = true;
}

static void leave(struct stream *s)
{
	s->busy = false;
	if (s->freed)
		mem_free(s);
	else
		stream_watch(s);
}

static void connect_done(struct stream *s)
{
	int no = 0;
	socklen_t len = sizeof(no);

	s->connecting = false;
	if (getsockopt(s->io.fd, SOL_SOCKET, SO_ERROR, &no, &len) < 0)
		no = errno;
	if (no != 0) {
		stream_set_errno(s, no, "connect");
		stream_end(s, STREAM_CONNECT);
		return;
	}
	netaddr_local(&s->local, s->io.fd);
	s->c.ops->ready(s->c.arg);
	if (stream_alive(s))
		stream_flush(s);
}

static void shake(struct stream *s)
{
	if (!stream_tls_shake(s))
		return;
	s->more = SSL_has_pending(s->ssl) != 0;
	s->c.ops->ready(s->c.arg);
	if (stream_alive(s))
		stream_flush(s);
}

static void on_io(void *arg, int what)
{
	struct stream *s = arg;

	enter(s);
	if (s->connecting) {
		connect_done(s);
	} else if (s->tls == TLS_SHAKING) {
		shake(s);
	} else {
		if (what & IO_WRITE)
			stream_writable(s);
		/* TLS may have waited to write before it could read. */
		if (stream_alive(s) && !s->failed && !s->paused && !s->full &&
		    !s->again &&
		    ((what & IO_READ) || (s->tls_wants & what)))
			stream_read_some(s);
	}
	leave(s);
}

/* A peer that hangs up often says why first ("421 …"): what it sent is shown
 * before its end is told. */
static void last_words(struct stream *s)
{
	if (s->fail_as == STREAM_RESET && !s->full)
		stream_read_some(s);
	if (stream_alive(s))
		stream_end(s, s->fail_as);
}

static void on_kick(void *arg)
{
	struct stream *s = arg;

	enter(s);
	if (s->tls == TLS_ASKED && !s->failed) {
		s->tls = TLS_SHAKING;
		shake(s);
	} else if (s->failed && (!s->paused || s->fail_as != STREAM_RESET)) {
		last_words(s);
	} else if (!s->paused && s->again) {
		stream_show_kept(s);
	} else if (!s->paused && s->more && !s->full) {
		s->more = false;
		stream_read_some(s);
	} else if (!s->paused && s->kept > 0) {
		stream_show_kept(s);
	}
	leave(s);
}

static void on_timer(void *arg)
{
	struct stream *s = arg;
	int64_t left = s->deadline_ms - loop_now_ms(s->c.loop);

	if (s->deadline_ms == 0)
		return;
	if (left > 0) {
		s->armed_ms = s->deadline_ms;
		timer_set(&s->timer, left);
		return;
	}
	enter(s);
	stream_set_error(s, "timeout");
	stream_end(s, STREAM_TIMEOUT);
	leave(s);
}

void stream_deadline(struct stream *s, int64_t ms)
{
	if (ms == 0 || s->over) {
		s->deadline_ms = 0;
		return;
	}
	s->deadline_ms = loop_now_ms(s->c.loop) + ms;
	if (s->timer.set && s->armed_ms <= s->deadline_ms)
		return;
	s->armed_ms = s->deadline_ms;
	timer_set(&s->timer, ms);
}

/* ---- birth and death ---- */

static struct stream *stream_new(const struct stream_config *c, int fd)
{
	struct stream *s = NEW(struct stream);

	s->c = *c;
	/* A full keep buffer must leave room to read. */
	if (s->c.keep_max == 0 || s->c.keep_max > SCRATCH_BYTES / 2)
		s->c.keep_max = SCRATCH_BYTES / 2;
	io_init(&s->io, c->loop, fd, on_io, s);
	timer_init(&s->timer, c->loop, on_timer, s);
	defer_init(&s->kick, on_kick, s);
	strbuf_init(&s->out, STREAM_OUT_MAX);
	return s;
}

static void no_delay(int fd)
{
	int on = 1;

	/* Output is gathered, so Nagle only costs; not a TCP socket: fine. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

struct stream *stream_accept(const struct stream_config *c, int fd)
{
	struct stream *s = stream_new(c, fd);

	no_delay(fd);
	netaddr_peer(&s->peer, fd);
	netaddr_local(&s->local, fd);
	stream_watch(s);
	return s;
}

static void connect_failed(struct stream *s, const char *what)
{
	stream_set_errno(s, errno, what);
	s->connecting = false;
	stream_fail(s, STREAM_CONNECT);
}

static void begin_connect(struct stream *s, const struct netaddr *source)
{
	int on = 1, fd = s->io.fd;

	if (source != NULL) {
		/* The port is chosen at connect(): one a peer, not in all. */
		(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
		    sizeof(on));
		if (bind(fd, &source->sa, source->len) < 0) {
			connect_failed(s, "bind to the source address");
			return;
		}
	}
	if (s->c.sock->connect(fd, &s->peer) < 0 && errno != EINPROGRESS)
		connect_failed(s, "connect");
}

struct stream *stream_connect(const struct stream_config *c,
    const struct netaddr *to, const struct netaddr *source)
{
	int fd = fd_for_peer(socket(to->sa.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	int no = errno;
	struct stream *s = stream_new(c, fd);

	s->peer = *to;
	s->connecting = true;
	if (fd < 0) {
		errno = no;
		connect_failed(s, "socket");
		return s;
	}
	no_delay(fd);
	begin_connect(s, source);
	stream_watch(s);
	return s;
}

void stream_free(struct stream *s)
{
	if (s == NULL || s->freed)
		return;
	stream_tls_fini(s);
	io_fini(&s->io);
	timer_fini(&s->timer);
	defer_cancel(&s->kick);
	if (s->io.fd >= 0)
		s->c.sock->close(s->io.fd);
	strbuf_fini(&s->out);
	if (s->secret && s->keep != NULL)
		explicit_bzero(s->keep, s->kept);
	mem_free(s->keep);
	mem_free(s->tls_text);
	mem_free(s->error);
	s->freed = true;
	if (!s->busy)
		mem_free(s);
}

