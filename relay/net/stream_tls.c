/* SPDX-License-Identifier: ISC
 *
 * TLS under a stream: OpenSSL on the stream's own socket calls.
 *
 * OpenSSL's socket BIO writes without MSG_NOSIGNAL and past struct sock_ops,
 * so the BIO is ours.
 */
#include <errno.h>
#include <openssl/err.h>

#include "relay/base/mem.h"
#include "relay/net/stream_int.h"

static ssize_t take_ahead(struct stream *s, char *to, size_t room)
{
	struct ahead *a = s->ahead;
	size_t n = a->n - a->at < room ? a->n - a->at : room;

	memcpy(to, a->bytes + a->at, n);
	a->at += n;
	if (a->at == a->n) {
		mem_free(a);
		s->ahead = NULL;
	}
	return (ssize_t)n;
}

static int bio_read(BIO *b, char *to, int room)
{
	struct stream *s = BIO_get_data(b);
	ssize_t n = s->ahead != NULL ? take_ahead(s, to, (size_t)room)
		: s->c.sock->recv(s->io.fd, to, (size_t)room);

	BIO_clear_retry_flags(b);
	if (n < 0) {
		s->sys_errno = errno;
		if (stream_would_block(errno))
			BIO_set_retry_read(b);
	}
	s->sock_eof = n == 0;
	return (int)n;
}

static int bio_write(BIO *b, const char *p, int count)
{
	struct stream *s = BIO_get_data(b);
	ssize_t n = s->c.sock->send(s->io.fd, p, (size_t)count);

	BIO_clear_retry_flags(b);
	if (n < 0) {
		s->sys_errno = errno;
		if (stream_would_block(errno))
			BIO_set_retry_write(b);
	}
	return (int)n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	const struct stream *s = BIO_get_data(b);

	(void)num;
	(void)ptr;
	if (cmd == BIO_CTRL_FLUSH)
		return 1;
	if (cmd == BIO_CTRL_EOF)
		return s->sock_eof;
	return 0;
}

BIO_METHOD *stream_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");

	BIO_meth_set_read(m, bio_read);
	BIO_meth_set_write(m, bio_write);
	BIO_meth_set_ctrl(m, bio_ctrl);
	return m;
}

static bool begin(struct stream *s, SSL *ssl)
{
	BIO *b;

	if ((s->kept > 0 && !s->showing) || stream_pending(s) > 0 ||
	    s->tls != TLS_OFF || s->over || s->failed) {
		SSL_free(ssl);
		return false;
	}
	b = BIO_new(s->c.scratch->bio);
	BIO_set_data(b, s);
	BIO_set_init(b, 1);
	SSL_set_bio(ssl, b, b);
	s->ssl = ssl;
	s->tls = TLS_ASKED;
	loop_defer(s->c.loop, &s->kick);
	return true;
}

bool stream_tls_accept(struct stream *s, SSL *ssl)
{
	SSL_set_accept_state(ssl);
	return begin(s, ssl);
}

bool stream_tls_accept_rest(struct stream *s, SSL *ssl)
{
	if (!stream_tls_accept(s, ssl))
		return false;
	s->rest = true;
	return true;
}

void stream_tls_ahead(struct stream *s)
{
	s->ahead = mem_new(sizeof(*s->ahead) + s->kept);
	s->ahead->n = s->kept;
	memcpy(s->ahead->bytes, s->keep, s->kept);
	mem_free(s->keep);
	s->keep = NULL;
	s->kept = 0;
	s->full = false;
}

bool stream_tls_connect(struct stream *s, SSL *ssl)
{
	SSL_set_connect_state(ssl);
	return begin(s, ssl);
}

/* Translates the outcome of an OpenSSL call: 0 (end of the stream), or -1 and
 * errno as a socket call would leave it. */
static int outcome(struct stream *s, int rc)
{
	char why[200];

	s->tls_wants = 0;
	switch (SSL_get_error(s->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		s->tls_wants = IO_READ;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_WANT_WRITE:
		s->tls_wants = IO_WRITE;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		stream_set_errno(s, s->sys_errno, "TLS");
		break;
	default:
		tls_reason(s->ssl, why, sizeof(why));
		stream_set_error(s, why);
	}
	s->tls = TLS_BROKEN;
	errno = EPROTO;
	return -1;
}

ssize_t stream_tls_write(struct stream *s, struct slice bytes)
{
	int rc, wants = s->tls_wants;
	size_t done = 0;

	if (s->tls != TLS_UP) {
		errno = EPROTO; /* never the bytes in the clear */
		return -1;
	}
	ERR_clear_error();
	rc = SSL_write_ex(s->ssl, bytes.p, bytes.n, &done);
	if (rc == 1)
		return (ssize_t)done;
	if (outcome(s, rc) == 0) {
		stream_set_error(s, "send: closed by the peer");
		s->tls = TLS_BROKEN;
		errno = EPIPE;
	}
	s->tls_wants = wants; /* is of the input alone; see watch() */
	return -1;
}

/* Fills `room` as far as records are there. A record may be held by OpenSSL
 * alone, and so may the end: unless it said "wait", it is asked again. */
ssize_t stream_tls_read(struct stream *s, char *to, size_t room)
{
	size_t got = 0, n;
	int rc;

	s->more = false;
	if (s->tls != TLS_UP) {
		errno = EPROTO;
		return -1;
	}
	do {
		ERR_clear_error();
		rc = SSL_read_ex(s->ssl, to + got, room - got, &n);
		if (rc == 1)
			got += n;
	} while (rc == 1 && got < room);
	if (rc == 1) {
		s->more = SSL_has_pending(s->ssl) != 0;
		return (ssize_t)got;
	}
	rc = outcome(s, rc);
	if (got == 0)
		return rc;
	s->more = rc == 0 || errno != EAGAIN;
	return (ssize_t)got;
}

bool stream_tls_shake(struct stream *s)
{
	char text[TLS_TEXT];
	int rc;

	ERR_clear_error();
	s->tls_wants = 0;
	rc = SSL_do_handshake(s->ssl);
	if (rc == 1) {
		s->tls = TLS_UP;
		tls_describe(s->ssl, text);
		s->tls_text = mem_strdup(text);
		return true;
	}
	rc = outcome(s, rc);
	if (rc < 0 && errno == EAGAIN)
		return false;
	if (rc == 0)
		stream_set_error(s, "connection closed in the handshake");
	s->tls = TLS_BROKEN;
	stream_end(s, STREAM_TLS);
	return false;
}

void stream_tls_fini(struct stream *s)
{
	mem_free(s->ahead);
	s->ahead = NULL;
	if (s->ssl == NULL)
		return;
	ERR_clear_error();
	/* Once: we do not wait for the peer's. A session that is freed
	 * without it is not resumed. */
	if (s->tls == TLS_UP)
		(void)SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
	s->ssl = NULL;
	ERR_clear_error();
}
