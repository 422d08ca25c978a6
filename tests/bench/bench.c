/* SPDX-License-Identifier: ISC
 *
 * Shared by the sender and the receiver of the benchmark.
 */
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *bench_option(int argc, char **argv, const char *name,
    const char *def)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return argv[i + 1];
	return def;
}

long bench_number(int argc, char **argv, const char *name, long def)
{
	const char *s = bench_option(argc, argv, name, NULL);

	return s == NULL ? def : strtol(s, NULL, 10);
}

double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void bench_die(const char *what)
{
	perror(what);
	exit(1);
}

int bench_socket(bool listening, int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		bench_die("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!listening) {
		/* No listener at a free port: TCP may connect us to
		 * ourselves. */
		if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
		    bench_port(fd) != port)
			return fd;
		close(fd);
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		bench_die("bind");
	if (listen(fd, 1024) < 0)
		bench_die("listen");
	return fd;
}

int bench_port(int fd)
{
	struct sockaddr_in at;
	socklen_t n = sizeof(at);

	if (getsockname(fd, (struct sockaddr *)&at, &n) < 0)
		bench_die("getsockname");
	return ntohs(at.sin_port);
}

/* One a process. */
static SSL_CTX *tls_context(const char *certificate)
{
	static SSL_CTX *ctx;

	if (ctx != NULL)
		return ctx;
	signal(SIGPIPE, SIG_IGN); /* SSL_write() has no MSG_NOSIGNAL */
	ctx = SSL_CTX_new(certificate != NULL ? TLS_server_method()
					      : TLS_client_method());
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	if (certificate != NULL &&
	    (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1 ||
		SSL_CTX_use_PrivateKey_file(ctx, certificate,
		    SSL_FILETYPE_PEM) != 1))
		bench_die(certificate);
	return ctx;
}

bool bench_tls(struct bench_conn *c, const char *certificate)
{
	c->tls = SSL_new(tls_context(certificate));
	SSL_set_fd(c->tls, c->fd);
	if ((certificate != NULL ? SSL_accept(c->tls) : SSL_connect(c->tls)) !=
	    1)
		return false;
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	return true;
}

void bench_close(struct bench_conn *c)
{
	SSL_free(c->tls);
	c->tls = NULL;
	close(c->fd);
	c->n = 0;
}

bool bench_pending(const struct bench_conn *c)
{
	return c->tls != NULL && SSL_pending(c->tls) > 0;
}

static bool read_tls(struct bench_conn *c)
{
	while (c->n < BENCH_BUFFER) {
		int n = SSL_read(c->tls, c->buffer + c->n,
		    (int)(BENCH_BUFFER - c->n));

		if (n <= 0)
			return SSL_get_error(c->tls, n) ==
			       SSL_ERROR_WANT_READ;
		c->n += (size_t)n;
	}
	return true;
}

/* As send() does. */
static ssize_t write_some(struct bench_conn *c, const char *p, size_t n)
{
	int w;

	if (c->tls == NULL)
		return send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	w = SSL_write(c->tls, p, (int)n);
	if (w > 0)
		return w;
	errno = SSL_get_error(c->tls, w) == SSL_ERROR_WANT_WRITE ? EAGAIN
								 : EIO;
	return -1;
}

bool bench_read(struct bench_conn *c)
{
	ssize_t n;

	if (c->tls != NULL)
		return read_tls(c);
	n = recv(c->fd, c->buffer + c->n, BENCH_BUFFER - c->n, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->n += (size_t)n;
	return n > 0;
}

void bench_consume(struct bench_conn *c, size_t n)
{
	memmove(c->buffer, c->buffer + n, c->n - n);
	c->n -= n;
}

bool bench_write(struct bench_conn *c, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write_some(c, p, n);
		struct pollfd pf = {.fd = c->fd, .events = POLLOUT};

		if (w < 0 && errno != EAGAIN)
			return false;
		if (w < 0) {
			poll(&pf, 1, 1000);
			continue;
		}
		p += w;
		n -= (size_t)w;
	}
	return true;
}
