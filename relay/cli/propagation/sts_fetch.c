/* SPDX-License-Identifier: ISC
 *
 * One connection of OpenSSL on a socket that does not block, with one deadline
 * over all of it.
 */
#include "relay/cli/propagation/sts_fetch.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/net/tls.h"

enum { REQUEST_BYTES = 600, CHUNK = 4096, REASON_BYTES = 200 };

struct sts_call {
	int fd;
	SSL *ssl;
	int64_t until_ms;
};

static int late(struct error *err)
{
	return error_set(err, "no answer in %d s", STS_FETCH_MS / 1000);
}

static int wait_for(const struct sts_call *k, short events, struct error *err)
{
	int64_t left = k->until_ms - clock_mono_ms(&clock_system);
	struct pollfd p = {.fd = k->fd, .events = events};

	if (left <= 0 || poll(&p, 1, (int)left) == 0)
		return late(err);
	return 0;
}

static int dial(struct sts_call *k, const struct netaddr *to,
    struct error *err)
{
	socklen_t n = sizeof(int);
	int no = 0;

	k->fd = socket(to->sa.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (k->fd < 0)
		return error_sys(err, errno, "socket");
	if (connect(k->fd, &to->sa, to->len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return error_sys(err, errno, "connect");
	if (wait_for(k, POLLOUT, err) < 0)
		return -1;
	if (getsockopt(k->fd, SOL_SOCKET, SO_ERROR, &no, &n) != 0)
		no = errno;
	return no == 0 ? 0 : error_sys(err, no, "connect");
}

/* A call of OpenSSL returned `rc`: 0 to call it again, 1 at the end of what the
 * server sends, -1. */
static int again(const struct sts_call *k, int rc, struct error *err)
{
	char reason[REASON_BYTES];

	switch (SSL_get_error(k->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(k, POLLIN, err);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(k, POLLOUT, err);
	case SSL_ERROR_ZERO_RETURN:
		return 1;
	default:
		tls_reason(k->ssl, reason, sizeof(reason));
		return error_set(err, "TLS: %s", reason);
	}
}

static int shake_hands(struct sts_call *k, struct error *err)
{
	int rc;

	while ((rc = SSL_connect(k->ssl)) != 1)
		if (again(k, rc, err) != 0)
			return -1;
	return 0;
}

static int ask(struct sts_call *k, const char *host, struct error *err)
{
	char request[REQUEST_BYTES];
	int n = snprintf(request, sizeof(request),
	    "GET /.well-known/mta-sts.txt HTTP/1.0\r\nHost: %s\r\n"
	    "Connection: close\r\n\r\n", host);
	int rc;

	while ((rc = SSL_write(k->ssl, request, n)) <= 0)
		if (again(k, rc, err) != 0)
			return -1;
	return 0;
}

static int take_all(struct sts_call *k, struct strbuf *out, struct error *err)
{
	char piece[CHUNK];
	int rc, end = 0;

	while (end == 0 && strbuf_ok(out)) {
		rc = SSL_read(k->ssl, piece, sizeof(piece));
		if (rc > 0)
			strbuf_add(out, piece, (size_t)rc);
		else
			end = again(k, rc, err);
	}
	if (!strbuf_ok(out))
		return error_set(err, "the reply is longer than 64 KiB");
	return end > 0 ? 0 : -1;
}

static int talk(struct sts_call *k, SSL_CTX *ctx, const char *host,
    struct strbuf *out, struct error *err)
{
	k->ssl = SSL_new(ctx);
	if (k->ssl == NULL || SSL_set_fd(k->ssl, k->fd) != 1 ||
	    SSL_set_tlsext_host_name(k->ssl, host) != 1 ||
	    SSL_set1_host(k->ssl, host) != 1)
		return error_set(err, "TLS cannot be set up");
	if (shake_hands(k, err) < 0 || ask(k, host, err) < 0)
		return -1;
	return take_all(k, out, err);
}

/* Some servers end without a close_notify; a body of a length is whole all the
 * same, which the reader of the reply looks at. */
static SSL_CTX *context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_set_default_verify_paths(ctx) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* OpenSSL writes to a socket that a server may have closed. */
static void ignore_pipe(struct sigaction *had_out)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGPIPE, &ignore, had_out);
}

int sts_fetch(const struct sts_source *s, struct strbuf *out,
    struct error *err)
{
	struct sigaction had;
	struct sts_call k = {.fd = -1,
	    .until_ms = clock_mono_ms(&clock_system) + STS_FETCH_MS};
	SSL_CTX *ctx = context();
	int rc = error_set(err, "its name has no address");

	ignore_pipe(&had);
	for (size_t i = 0; i < s->n && rc < 0 && ctx != NULL; i++) {
		strbuf_reset(out);
		rc = dial(&k, &s->address[i], err);
		if (rc == 0)
			rc = talk(&k, ctx, s->host, out, err);
		SSL_free(k.ssl);
		k.ssl = NULL;
		if (k.fd >= 0)
			close(k.fd);
		k.fd = -1;
	}
	sigaction(SIGPIPE, &had, NULL);
	SSL_CTX_free(ctx);
	return rc;
}
