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

static bool would_block(int no)
{
	return no == EAGAIN || no == EWOULDBLOCK || no == EINTR;
}

static bool alive(const struct stream *s)
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

/* What the descriptor is watched for follows from the state, here alone. */
static void watch(struct stream *s)
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
	if (s->more && !s->paused && !s->full && alive(s))
		loop_defer(s->c.loop, &s->kick);
}

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
		watch(s);
}

void stream_end(struct stream *s, enum stream_end why)
{
	s->over = true;
	watch(s);
	timer_del(&s->timer);
	defer_cancel(&s->kick);
	s->c.ops->ended(s->c.arg, why);
}

/* Found inside a call of the owner's: told later. */
static void fail(struct stream *s, enum stream_end why)
{
	if (s->failed || s->over)
		return;
	s->failed = true;
	s->fail_as = why;
	strbuf_fini(&s->out);
	s->sent = 0;
	s->blocked = false;
	loop_defer(s->c.loop, &s->kick);
	watch(s);
}

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
		fail(s, STREAM_RESET);
	}
	while (!s->failed && stream_pending(s) > 0) {
		struct slice rest = slice_from(strbuf_view(&s->out), s->sent);
		ssize_t n = transport_send(s, rest);

		if (n >= 0) {
			s->sent += (size_t)n;
			s->blocked = (size_t)n < rest.n && s->ssl == NULL;
		} else if (would_block(errno)) {
			s->blocked = true;
		} else {
			if (s->ssl == NULL)
				stream_set_errno(s, errno, "send");
			fail(s, STREAM_RESET);
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
	watch(s);
}

size_t stream_pending(const struct stream *s)
{
	return s->out.n - s->sent;
}

static void on_writable(struct stream *s)
{
	if (!s->blocked)
		return;
	write_some(s);
	if (!s->failed && !s->blocked && s->c.ops->drained != NULL)
		s->c.ops->drained(s->c.arg);
}

/* ---- input ---- */

static void keep_rest(struct stream *s, struct slice rest)
{
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
	size_t taken;

	s->showing = true;
	s->again = false;
	taken = s->c.ops->input(s->c.arg, bytes);
	s->showing = false;
	if (!alive(s))
		return;
	keep_rest(s, slice_from(bytes, taken));
	s->again = s->again && s->kept > 0;
	if (s->tls == TLS_ASKED && s->kept > 0) {
		stream_set_error(s, "plaintext ahead of the handshake");
		stream_end(s, STREAM_TLS);
	} else if (s->full && taken > 0) {
		loop_defer(s->c.loop, &s->kick);
	}
}

static void show_kept(struct stream *s)
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
	if (n < 0 && !would_block(errno))
		stream_set_errno(s, errno, "receive");
	return n;
}

static void read_some(struct stream *s)
{
	char *buf = s->c.scratch->bytes;
	size_t limit = s->c.scratch->limit, kept = s->kept;
	size_t room = SCRATCH_BYTES - kept;
	ssize_t n;

	if (kept > 0)
		memcpy(buf, s->keep, kept);
	n = transport_recv(s, buf + kept,
	    limit != 0 && limit < room ? limit : room);
	if (n > 0) {
		s->bytes_in += (size_t)n;
		show(s, slice_of(buf, kept + (size_t)n));
	} else if (n == 0) {
		stream_end(s, s->failed ? s->fail_as : STREAM_EOF);
	} else if (!would_block(errno)) {
		stream_end(s, STREAM_RESET);
	}
}

void stream_pause(struct stream *s)
{
	s->paused = true;
	watch(s);
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
	watch(s);
}

/* ---- handlers ---- */

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
	if (alive(s))
		stream_flush(s);
}

static void shake(struct stream *s)
{
	if (!stream_tls_shake(s))
		return;
	s->more = SSL_has_pending(s->ssl) != 0;
	s->c.ops->ready(s->c.arg);
	if (alive(s))
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
			on_writable(s);
		/* TLS may have waited to write before it could read. */
		if (alive(s) && !s->failed && !s->paused && !s->full &&
		    !s->again &&
		    ((what & IO_READ) || (s->tls_wants & what)))
			read_some(s);
	}
	leave(s);
}

/* A peer that hangs up often says why first ("421 …"): what it sent is shown
 * before its end is told. */
static void last_words(struct stream *s)
{
	if (s->fail_as == STREAM_RESET && !s->full)
		read_some(s);
	if (alive(s))
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
		show_kept(s);
	} else if (!s->paused && s->more && !s->full) {
		s->more = false;
		read_some(s);
	} else if (!s->paused && s->kept > 0) {
		show_kept(s);
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
	watch(s);
	return s;
}

static void connect_failed(struct stream *s, const char *what)
{
	stream_set_errno(s, errno, what);
	s->connecting = false;
	fail(s, STREAM_CONNECT);
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
	watch(s);
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
	mem_free(s->keep);
	mem_free(s->tls_text);
	mem_free(s->error);
	s->freed = true;
	if (!s->busy)
		mem_free(s);
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
