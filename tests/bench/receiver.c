/* SPDX-License-Identifier: ISC
 *
 * Receives messages and keeps count of their ids: none lost, none double.
 *
 *   receiver --messages N [--first ID] [--port P] [--limit SECONDS]
 *            [--ids FILE] [--tls FILE]
 *
 * Says its port first. Ends when each id came at least once (then waits
 * --linger milliseconds for doubles), on SIGTERM, or at the limit. --ids:
 * each id that came and how often, one a line. --tls: offers STARTTLS, TLS 1.3,
 * by the certificate and key of that file. Delays are from the sender's
 * writing the content (X-Bench-Sent) to its whole receipt.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define END "\r\n.\r\n"

enum { END_BYTES = 5, HEAD_BYTES = 4096 };

struct session {
	struct bench_conn c;
	bool data, head; /* in a message; and its head was read */
	long id;
	double sent;
};

static struct {
	int epoll;
	long first, messages, received, distinct, doubled, foreign;
	unsigned char *seen;
	double start, last;
	const char *tls;
	double *delay; /* seconds, of each first receipt */
} g;

static volatile sig_atomic_t stop;

static void on_signal(int signo)
{
	(void)signo;
	stop = 1;
}

/* The fields of the sender's stand in front, in the first bytes that come. */
static void read_head(struct session *s)
{
	const char *id = memmem(s->c.buffer, s->c.n, "X-Bench-Id: ", 12);
	const char *sent = memmem(s->c.buffer, s->c.n, "X-Bench-Sent: ", 14);

	s->id = id == NULL ? -1 : strtol(id + 12, NULL, 10) - g.first;
	s->sent = sent == NULL ? 0 : strtod(sent + 14, NULL);
	s->head = true;
}

static void count(const struct session *s)
{
	g.received++;
	g.last = bench_now();
	if (g.start == 0)
		g.start = g.last;
	if (s->id < 0 || s->id >= g.messages) {
		g.foreign++;
		return;
	}
	if (g.seen[s->id] == 0)
		g.delay[g.distinct++] = s->sent == 0 ? 0 : g.last - s->sent;
	else
		g.doubled++;
	if (g.seen[s->id] < 255)
		g.seen[s->id]++;
}

/* The end of a message? Then answer it. Else what came of it is let go, but
 * for the bytes that an end may begin with. */
static bool take_data(struct session *s)
{
	char *end = memmem(s->c.buffer, s->c.n, END, END_BYTES);

	if (!s->head && (end != NULL || s->c.n >= HEAD_BYTES))
		read_head(s);
	if (end == NULL) {
		if (s->head && s->c.n >= END_BYTES)
			bench_consume(&s->c, s->c.n - (END_BYTES - 1));
		return false;
	}
	count(s);
	bench_consume(&s->c, (size_t)(end - s->c.buffer) + END_BYTES);
	s->data = s->head = false;
	bench_write(&s->c, "250 2.0.0 Ok\r\n", 14);
	return true;
}

#define EHLO "250-receiver.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n"

static const char *answer(const char *line)
{
	static const struct {
		const char *verb, *reply;
	} rows[] = {
		{"EHLO", EHLO "250 ENHANCEDSTATUSCODES\r\n"},
		{"HELO", "250 receiver.example\r\n"},
		{"MAIL", "250 2.1.0 Ok\r\n"}, {"RCPT", "250 2.1.5 Ok\r\n"},
		{"DATA", "354 Go on\r\n"}, {"RSET", "250 2.0.0 Ok\r\n"},
		{"NOOP", "250 2.0.0 Ok\r\n"}, {"QUIT", "221 2.0.0 Bye\r\n"},
	};

	if (g.tls != NULL && strncasecmp(line, "EHLO", 4) == 0)
		return EHLO "250-STARTTLS\r\n250 ENHANCEDSTATUSCODES\r\n";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strncasecmp(line, rows[i].verb, 4) == 0)
			return rows[i].reply;
	return "500 5.5.1 What?\r\n";
}

/* One command; false when there is no whole line. Replies of one read leave
 * in one write. */
static bool take_command(struct session *s, char *out, size_t *out_n)
{
	char *eol = memchr(s->c.buffer, '\n', s->c.n);
	const char *reply;

	if (eol == NULL || *out_n > 3000)
		return false;
	if (g.tls != NULL && strncasecmp(s->c.buffer, "STARTTLS", 8) == 0) {
		bench_write(&s->c, "220 2.0.0 Go on\r\n", 17);
		s->c.n = 0;
		if (!bench_tls(&s->c, g.tls))
			bench_die("STARTTLS");
		return false;
	}
	reply = answer(s->c.buffer);
	s->data = strncasecmp(s->c.buffer, "DATA", 4) == 0;
	memcpy(out + *out_n, reply, strlen(reply));
	*out_n += strlen(reply);
	bench_consume(&s->c, (size_t)(eol - s->c.buffer) + 1);
	return true;
}

/* Of both kinds, until what was read has no more. */
static void take_input(struct session *s)
{
	bool more = true;
	char out[4096];
	size_t out_n = 0;

	while (more) {
		if (!s->data) {
			more = take_command(s, out, &out_n);
			continue;
		}
		bench_write(&s->c, out, out_n);
		out_n = 0;
		more = take_data(s);
	}
	bench_write(&s->c, out, out_n);
}

static void on_input(struct session *s)
{
	bool alive;

	do {
		alive = bench_read(&s->c);
		take_input(s);
	} while (alive && bench_pending(&s->c));
	if (alive)
		return;
	bench_close(&s->c);
	free(s->c.buffer);
	free(s);
}

static void on_client(int listener)
{
	struct session *s;
	struct epoll_event ev = {.events = EPOLLIN};
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	s = calloc(1, sizeof(*s));
	s->c.fd = fd;
	s->c.buffer = malloc(BENCH_BUFFER);
	ev.data.ptr = s;
	epoll_ctl(g.epoll, EPOLL_CTL_ADD, fd, &ev);
	bench_write(&s->c, "220 receiver.example ESMTP\r\n", 28);
}

static void serve(int listener, double limit, double linger)
{
	double end = bench_now() + limit;
	struct epoll_event ev[64];

	while (!stop && bench_now() < end) {
		int n = epoll_wait(g.epoll, ev, 64, 50);

		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr == NULL)
				on_client(listener);
			else
				on_input(ev[i].data.ptr);
		}
		if (g.distinct == g.messages && end > g.last + linger)
			end = g.last + linger;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double delay_ms(double part)
{
	if (g.distinct == 0)
		return 0;
	return g.delay[(long)(part * (double)(g.distinct - 1))] * 1e3;
}

static void report(void)
{
	qsort(g.delay, (size_t)g.distinct, sizeof(double), by_value);
	printf("{\"received\":%ld,\"distinct\":%ld,\"lost\":%ld,"
	       "\"double\":%ld,\"foreign\":%ld,\"seconds\":%.3f,"
	       "\"last\":%.6f,\"delay_ms_p50\":%.3f,"
	       "\"delay_ms_p99\":%.3f,\"delay_ms_max\":%.3f}\n",
	    g.received, g.distinct, g.messages - g.distinct, g.doubled,
	    g.foreign, g.last - g.start, g.last, delay_ms(0.5), delay_ms(0.99),
	    delay_ms(1));
}

static void list_ids(const char *path)
{
	FILE *f = fopen(path, "we");

	if (f == NULL)
		bench_die(path);
	for (long i = 0; i < g.messages; i++)
		if (g.seen[i] > 0)
			fprintf(f, "%ld %d\n", g.first + i, g.seen[i]);
	if (fclose(f) != 0)
		bench_die(path);
}

int main(int argc, char **argv)
{
	int port = (int)bench_number(argc, argv, "--port", 0);
	int listener = bench_socket(true, port);
	const char *ids = bench_option(argc, argv, "--ids", NULL);
	struct epoll_event ev = {.events = EPOLLIN};

	g.messages = bench_number(argc, argv, "--messages", 1000);
	g.tls = bench_option(argc, argv, "--tls", NULL);
	g.first = bench_number(argc, argv, "--first", 1);
	g.seen = calloc((size_t)g.messages, 1);
	g.delay = calloc((size_t)g.messages, sizeof(double));
	g.epoll = epoll_create1(EPOLL_CLOEXEC);
	signal(SIGTERM, on_signal);
	epoll_ctl(g.epoll, EPOLL_CTL_ADD, listener, &ev);
	printf("%d\n", bench_port(listener));
	fflush(stdout);
	serve(listener, (double)bench_number(argc, argv, "--limit", 600),
	    (double)bench_number(argc, argv, "--linger", 300) / 1e3);
	report();
	if (ids != NULL)
		list_ids(ids);
	return g.distinct == g.messages ? 0 : 1;
}
