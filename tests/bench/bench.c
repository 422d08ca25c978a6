/* SPDX-License-Identifier: ISC
 *
 * Shared by the sender and the receiver of the benchmark.
 */
#include "tests/bench/bench.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
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

bool bench_read(struct bench_conn *c)
{
	ssize_t n = recv(c->fd, c->buffer + c->n, BENCH_BUFFER - c->n,
	    MSG_DONTWAIT);

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
		ssize_t w = send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
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
