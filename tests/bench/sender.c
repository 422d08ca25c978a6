/* SPDX-License-Identifier: ISC
 *
 * Sends messages over many sessions at once, each with an id of its own in a
 * header field, and reports how long it took and what was answered.
 *
 *   sender --port P --messages N [--sessions 100] [--size 4096] [--keep 1]
 *          [--domain D] [--users 1000] [--first ID] [--ids FILE]
 *          [--rate N] [--limit SECONDS] [--senders 1] [--forged ID]
 *          [--proxy 0] [--each 0] [--author 0] [--tls 0]
 *          [--stride 1] [--client 0]
 *
 * Recipients are user0@D, user1@D ... in turn, or in steps of --stride modulo
 * --users, as if at random. --keep 0: one message a
 * connection. --ids: the ids that got 250, one a line. --rate: messages a
 * second at most (0: as fast as it goes). A server that refuses connections
 * is gone: what was under way is counted as failed and the run ends.
 * --senders: of so many domains in turn. --forged: the message with this id
 * is from forged@D. --proxy 1: each session is a client of its own, named by
 * PROXY; --client N: all are of the Nth one. --each: so many messages of a
 * session are of one sender domain, the next ones of another, which no other
 * session has. --author 1: From is that sender, and there is a field as a
 * signature of its domain. --tls 1: TLS 1.3 by STARTTLS.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum { FROM_BYTES = 300, HEAD_MAX = 1000 };
enum stage { GREETING, EHLO, STARTTLS, PAUSE, ENVELOPE, CONTENT, QUIT };

struct session {
	struct bench_conn c;
	enum stage stage;
	int replies; /* still due in this stage */
	long id, begun; /* messages so far */
	double began;
	bool open;
	char from[FROM_BYTES]; /* of the message under way */
};

static struct {
	int epoll, port, keep;
	long messages, next, last, done, failed, size, rate, users;
	long senders, forged, proxy, each, author, tls, stride, client;
	struct session *sessions;
	const char *domain;
	bool gone;
	char *body, *wire;
	FILE *ids;
	double start, *wait;
	long waits;
} g;

static void session_close(struct session *s)
{
	if (!s->open)
		return;
	bench_close(&s->c);
	s->open = false;
}

static void say_client(struct session *s)
{
	long i = g.client > 0 ? g.client - 1 : s - g.sessions;
	char text[100];
	int n = snprintf(text, sizeof(text),
	    "PROXY TCP4 203.0.%ld.%ld 127.0.0.1 4000 25\r\n",
	    113 + i / 250, 1 + i % 250);

	bench_write(&s->c, text, (size_t)n);
}

static void session_open(struct session *s)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};

	s->c.fd = bench_socket(false, g.port);
	if (s->c.fd < 0) {
		g.gone = true;
		return;
	}
	s->c.n = 0;
	s->stage = GREETING;
	s->replies = 1;
	s->open = true;
	if (g.proxy != 0 || g.client != 0)
		say_client(s);
	if (epoll_ctl(g.epoll, EPOLL_CTL_ADD, s->c.fd, &ev) < 0)
		bench_die("epoll_ctl");
}

static bool may_begin(void)
{
	return g.next < g.last && !g.gone &&
	       (g.rate == 0 ||
		   (double)(g.next - (g.last - g.messages)) <
		       (bench_now() - g.start) * (double)g.rate);
}

static void from_address(const struct session *s, char *out, size_t n)
{
	long id = s->id;

	if (g.each != 0)
		snprintf(out, n, "sender@s%ld-%ld.example",
		    (long)(s - g.sessions), s->begun / g.each);
	else if (id == g.forged)
		snprintf(out, n, "forged@%s", g.domain);
	else if (id % g.senders == 0)
		snprintf(out, n, "sender@sender.example");
	else
		snprintf(out, n, "sender@sender%ld.example", id % g.senders);
}

static long recipient_of(const struct session *s)
{
	return s->id * g.stride % g.users;
}

static void begin_message(struct session *s)
{
	char text[900];
	int n;

	if (g.next >= g.last) {
		bench_write(&s->c, "QUIT\r\n", 6);
		s->stage = QUIT;
		s->replies = 1;
		return;
	}
	s->id = g.next++;
	from_address(s, s->from, sizeof(s->from));
	s->begun++;
	n = snprintf(text, sizeof(text), "MAIL FROM:<%s>\r\n"
	    "RCPT TO:<user%ld@%s>\r\nDATA\r\n", s->from, recipient_of(s),
	    g.domain);
	s->stage = ENVELOPE;
	s->replies = 3;
	s->began = bench_now();
	bench_write(&s->c, text, (size_t)n);
}

static void next_message(struct session *s)
{
	s->stage = PAUSE; /* until the rate has room for it */
	if (g.next >= g.last || may_begin())
		begin_message(s);
}

/* As long as one of RSA-2048. */
static int print_signature(const struct session *s, char *out, size_t n)
{
	return snprintf(out, n, "DKIM-Signature: v=1; a=rsa-sha256; "
	    "c=relaxed/relaxed; d=%s; s=bench;\r\n h=from:to:subject:date:"
	    "message-id; bh=%043d=;\r\n b=%0342d==\r\n",
	    strchr(s->from, '@') + 1, 0, 0);
}

static void send_content(struct session *s)
{
	int head = g.author ? print_signature(s, g.wire, HEAD_MAX) : 0;
	size_t body;

	head += snprintf(g.wire + head, HEAD_MAX, "From: %s\r\n"
	    "To: user%ld@%s\r\nSubject: benchmark\r\n"
	    "Message-ID: <%ld@bench.example>\r\nX-Bench-Id: %ld\r\n"
	    "X-Bench-Sent: %.6f\r\n\r\n",
	    g.author ? s->from : "sender@sender.example",
	    recipient_of(s), g.domain, s->id, s->id, bench_now());
	body = g.size > head ? (size_t)(g.size - head) : 0;

	memcpy(g.wire + head, g.body, body);
	memcpy(g.wire + (size_t)head + body, "\r\n.\r\n", 5);
	s->stage = CONTENT;
	s->replies = 1;
	s->began = bench_now(); /* the wait is from the dot */
	bench_write(&s->c, g.wire, (size_t)head + body + 5);
}

static void message_over(struct session *s, int code)
{
	g.done++;
	if (code != 250)
		g.failed++;
	else if (g.ids != NULL)
		fprintf(g.ids, "%ld\n", s->id);
	g.wait[g.waits++] = bench_now() - s->began;
	if (g.keep)
		next_message(s);
	else {
		bench_write(&s->c, "QUIT\r\n", 6);
		s->stage = QUIT;
		s->replies = 1;
	}
}

static void say_ehlo(struct session *s)
{
	bench_write(&s->c, "EHLO bench.example\r\n", 20);
	s->stage = EHLO;
	s->replies = 1;
}

static void after_ehlo(struct session *s)
{
	if (g.tls == 0 || s->c.tls != NULL) {
		next_message(s);
		return;
	}
	bench_write(&s->c, "STARTTLS\r\n", 10);
	s->stage = STARTTLS;
	s->replies = 1;
}

static void on_reply(struct session *s, int code)
{
	if (--s->replies > 0 && code < 400)
		return;
	switch (s->stage) {
	case GREETING:
		say_ehlo(s);
		break;
	case EHLO:
		after_ehlo(s);
		break;
	case STARTTLS:
		if (code != 220 || !bench_tls(&s->c, NULL))
			bench_die("STARTTLS");
		say_ehlo(s);
		break;
	case PAUSE:
		session_close(s); /* a reply to nothing */
		break;
	case ENVELOPE:
		if (code == 354)
			send_content(s);
		else {
			g.done++;
			g.failed++;
			session_close(s);
		}
		break;
	case CONTENT:
		message_over(s, code);
		break;
	case QUIT:
		session_close(s);
		break;
	}
}

/* Replies are short: none is left behind. */
static void on_input(struct session *s)
{
	bool alive = bench_read(&s->c);
	char *eol;

	while (s->open &&
	       (eol = memchr(s->c.buffer, '\n', s->c.n)) != NULL) {
		size_t n = (size_t)(eol - s->c.buffer) + 1;
		int code = (int)strtol(s->c.buffer, NULL, 10);
		bool last = n > 4 && s->c.buffer[3] != '-';

		bench_consume(&s->c, n);
		if (last)
			on_reply(s, code);
	}
	if (alive || !s->open)
		return;
	if (s->stage == ENVELOPE || s->stage == CONTENT) {
		g.done++;
		g.failed++;
	}
	session_close(s);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double part(double p)
{
	long i = (long)(p * (double)(g.waits - 1));

	return g.waits == 0 ? 0 : g.wait[i] * 1e3;
}

static void report(double seconds)
{
	qsort(g.wait, (size_t)g.waits, sizeof(double), by_value);
	printf("{\"sent\":%ld,\"failed\":%ld,\"seconds\":%.3f,\"per_s\":%.0f,"
	       "\"began\":%.6f,\"wait_ms_p50\":%.3f,\"wait_ms_p99\":%.3f,"
	       "\"wait_ms_p999\":%.3f,\"wait_ms_max\":%.3f}\n",
	    g.done, g.failed, seconds, (double)g.done / seconds, g.start,
	    part(0.5),
	    part(0.99), part(0.999), part(1));
}

static void turn(struct session *sessions, long n)
{
	struct epoll_event ev[64];
	int got = epoll_wait(g.epoll, ev, 64, g.rate != 0 ? 1 : 200);

	for (int i = 0; i < got; i++)
		on_input(ev[i].data.ptr);
	for (long i = 0; i < n && may_begin(); i++)
		if (!sessions[i].open)
			session_open(&sessions[i]);
		else if (sessions[i].stage == PAUSE)
			begin_message(&sessions[i]);
}

static long under_way(const struct session *sessions, long n)
{
	long open = 0;

	for (long i = 0; i < n; i++)
		open += sessions[i].open;
	return open;
}

int main(int argc, char **argv)
{
	long n = bench_number(argc, argv, "--sessions", 100);
	const char *ids = bench_option(argc, argv, "--ids", NULL);
	struct session *sessions = calloc((size_t)n, sizeof(*sessions));
	double limit = (double)bench_number(argc, argv, "--limit", 600);

	g.port = (int)bench_number(argc, argv, "--port", 0);
	g.messages = bench_number(argc, argv, "--messages", 1000);
	g.next = bench_number(argc, argv, "--first", 1);
	g.last = g.next + g.messages;
	g.size = bench_number(argc, argv, "--size", 4096);
	g.keep = (int)bench_number(argc, argv, "--keep", 1);
	g.rate = bench_number(argc, argv, "--rate", 0);
	g.users = bench_number(argc, argv, "--users", 1000);
	g.senders = bench_number(argc, argv, "--senders", 1);
	g.forged = bench_number(argc, argv, "--forged", 0);
	g.proxy = bench_number(argc, argv, "--proxy", 0);
	g.each = bench_number(argc, argv, "--each", 0);
	g.author = bench_number(argc, argv, "--author", 0);
	g.tls = bench_number(argc, argv, "--tls", 0);
	g.client = bench_number(argc, argv, "--client", 0);
	g.stride = bench_number(argc, argv, "--stride", 1);
	g.sessions = sessions;
	g.domain = bench_option(argc, argv, "--domain", "example.com");
	g.ids = ids == NULL ? NULL : fopen(ids, "we");
	g.epoll = epoll_create1(EPOLL_CLOEXEC);
	g.body = malloc((size_t)g.size + 1024);
	g.wire = malloc((size_t)g.size + 2048);
	g.wait = calloc((size_t)g.messages + 1, sizeof(double));
	if (g.port == 0 || g.body == NULL || g.wire == NULL || g.wait == NULL)
		bench_die("sender: --port is wanted");
	for (long i = 0; i < g.size + 1024; i++)
		g.body[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n'
						     : (char)('a' + i % 26);
	for (long i = 0; i < n; i++)
		sessions[i].c.buffer = malloc(BENCH_BUFFER);
	g.start = bench_now();
	for (long i = 0; i < n && (g.keep || g.rate == 0); i++)
		session_open(&sessions[i]);
	while (g.done < g.messages && bench_now() - g.start < limit &&
	       !(g.gone && under_way(sessions, n) == 0))
		turn(sessions, n);
	report(bench_now() - g.start);
	if (g.ids != NULL && fclose(g.ids) != 0)
		bench_die(ids);
	return g.done == g.messages ? 0 : 1;
}
