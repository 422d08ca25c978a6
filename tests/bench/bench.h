/* SPDX-License-Identifier: ISC
 *
 * Shared by the sender and the receiver of the benchmark: a connection on
 * epoll with a read buffer. They are their own programs because smtp-source
 * and smtp-sink are the bottleneck at the rates that are measured.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_BUFFER = 256 << 10 };

struct bench_conn {
	int fd;
	void *tls; /* NULL: none */
	size_t n; /* bytes in buffer */
	char *buffer;
};

/* The value of "--name VALUE" in argv, or `def`. */
const char *bench_option(int argc, char **argv, const char *name,
    const char *def);
long bench_number(int argc, char **argv, const char *name, long def);
double bench_now(void); /* monotonic seconds */
void bench_die(const char *what);
/* At 127.0.0.1; port 0 is any free one. -1: the connection is refused. */
int bench_socket(bool listening, int port);
int bench_port(int fd);
/* Holds the handshake of TLS 1.3; a server with a file of certificate and key,
 * a client (NULL) with none, which believes any. False: it failed. */
bool bench_tls(struct bench_conn *c, const char *certificate);
void bench_close(struct bench_conn *c);
/* Is there something to read that the kernel does not know of? */
bool bench_pending(const struct bench_conn *c);
/* Reads what is there. False: the peer is gone. */
bool bench_read(struct bench_conn *c);
void bench_consume(struct bench_conn *c, size_t n);
/* All of it, waiting when the socket is full (bounded by the kernel). */
bool bench_write(struct bench_conn *c, const char *p, size_t n);

#endif
