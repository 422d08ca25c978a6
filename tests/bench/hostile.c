/* SPDX-License-Identifier: ISC
 *
 * Legs that misbehave, each on a port of its own, and that keep count of what
 * they took: none lost, none double without a reason.
 *
 *   hostile --legs N --messages M [--limit SECONDS] [--ids PREFIX] [--modes]
 *
 * Says its ports first, one a line, then takes orders on standard input:
 *
 *   LEG MODE [ACTS [EVERY]]   from now on leg LEG (0, 1 ...) does MODE, ACTS
 *                             times (0: for ever), then it is honest; with
 *                             EVERY n, each n-th connection is honest
 *   count                     a line of JSON with what each leg did so far
 *
 * --modes lists them. End of input: ends; each id that leg k took and how
 * often is in PREFIX.k.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum stage { GREETING, EHLO, STARTTLS, MAIL, RCPT, DATA, BODY, DOT, QUIT };

/* The act in place of the answer of that stage. */
enum act {
	SAY,	  /* this text, and on as if all were well */
	STUCK,	  /* this text, then nothing any more */
	SLOWLY,	  /* this text, a byte a second, then nothing any more */
	FLOOD,	  /* this text, then FLOOD_BYTES without an end of line */
	ENDLESS,  /* this text, again and again */
	RESET,	  /* the connection is reset */
	CLOSE,	  /* it is closed */
	TAKE_DIE, /* the message is taken, and it dies before it says so */
	SAID_DIE, /* ... after it has said so */
};

enum { FLOOD_BYTES = 8 << 20, SLOW_MS = 1000, BLOCK = 16384 };

struct mode {
	const char *name;
	enum stage stage;
	enum act act;
	const char *text;
	size_t n;	   /* of text, where it has a NUL */
	const char *match; /* only of senders with this in their address */
};

#define NULS "250 2.0.0 \0\0\0\0 Ok\r\n"
#define CONNECTOR \
	"550 5.7.64 TenantAttribution; Relay Access Denied " \
	"[ABC01FT001.mail.example.net]\r\n"
#define DIRECT_SEND \
	"550 5.7.68 TenantInboundAttribution; Direct Send not allowed for " \
	"this organization from unauthorized sources\r\n"

static const struct mode modes[] = {
    {"greeting-554", GREETING, SAY, "554 5.3.2 Go away\r\n", 0, NULL},
    {"greeting-early", GREETING, SAY,
	"220 leg.test ESMTP\r\n250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n", 0, NULL},
    {"greeting-slow", GREETING, SLOWLY, "220 leg.test ESMTP\r\n", 0, NULL},
    {"greeting-silence", GREETING, STUCK, "", 0, NULL},
    {"greeting-reset", GREETING, RESET, "", 0, NULL},
    {"greeting-flood", GREETING, FLOOD, "220 ", 0, NULL},
    {"ehlo-flood", EHLO, FLOOD, "250 ", 0, NULL},
    {"ehlo-endless", EHLO, ENDLESS, "250-X-AND-ON\r\n", 0, NULL},
    {"ehlo-reset", EHLO, RESET, "", 0, NULL},
    {"starttls-silence", STARTTLS, STUCK, "", 0, NULL},
    {"starttls-220-silence", STARTTLS, STUCK, "220 2.0.0 Go on\r\n", 0, NULL},
    {"mail-endless", MAIL, ENDLESS, "250-and on\r\n", 0, NULL},
    {"mail-nul", MAIL, SAY, NULS, sizeof(NULS) - 1, NULL},
    {"mail-no-crlf", MAIL, STUCK, "250 2.1.0 Ok", 0, NULL},
    {"mail-354", MAIL, SAY, "354 Go on\r\n", 0, NULL},
    {"mail-000", MAIL, SAY, "000 What\r\n", 0, NULL},
    {"mail-999", MAIL, SAY, "999 What\r\n", 0, NULL},
    {"mail-1yz", MAIL, SAY, "150 Wait\r\n", 0, NULL},
    {"mail-reset", MAIL, RESET, "", 0, NULL},
    {"rcpt-slow", RCPT, SLOWLY, "250 2.1.5 Ok\r\n", 0, NULL},
    {"rcpt-reset", RCPT, RESET, "", 0, NULL},
    {"data-250", DATA, SAY, "250 2.0.0 Ok\r\n", 0, NULL},
    {"data-reset", DATA, RESET, "", 0, NULL},
    {"data-354-reset", BODY, RESET, "", 0, NULL},
    {"dot-nul", DOT, SAY, NULS, sizeof(NULS) - 1, NULL},
    {"dot-flood", DOT, FLOOD, "250 ", 0, NULL},
    {"dot-1yz", DOT, SAY, "150 Wait\r\n", 0, NULL},
    {"dot-silence", DOT, STUCK, "", 0, NULL},
    {"dot-taken-dies", DOT, TAKE_DIE, "", 0, NULL},
    {"dot-said-dies", DOT, SAID_DIE, "", 0, NULL},
    {"quit-reset", QUIT, RESET, "", 0, NULL},
    /* Last: a leg that says so gets fewer connections for a while. */
    {"mail-421", MAIL, SAY, "421 4.3.2 Going down\r\n", 0, NULL},
    {"body-421", BODY, SAY, "421 4.3.2 Going down\r\n", 0, NULL},
    {"dot-421", DOT, SAY, "421 4.3.2 Going down\r\n", 0, NULL},
    /* not hostile, but broken as a platform is */
    {"connector", RCPT, SAY, CONNECTOR, 0, NULL},
    {"forged", RCPT, SAY, DIRECT_SEND, 0, "forged"},
    {"dot-defers", DOT, SAY, "451 4.3.0 Not now\r\n", 0, NULL},
};
enum { MODES = sizeof(modes) / sizeof(modes[0]) };

struct leg {
	int number, port, listener;
	bool listens;
	const struct mode *mode;    /* NULL: it is honest */
	long acts_left, every;
	long connections, acts, taken, distinct, doubled, foreign;
	unsigned char *seen;
};

struct session {
	struct bench_conn c;
	struct leg *leg;
	struct session *next, **prev;
	const struct mode *mode; /* what this connection will meet */
	bool in_body, mute, gone, matched, has_rcpt;
	const char *slow; /* rest of what is said slowly */
	double slow_at;
	long flood; /* bytes left; -1: without end */
	size_t flood_at;
};

static struct {
	int epoll;
	long messages, legs;
	struct leg *leg;
	struct session *sessions;
	bool over;
} g;

/* ---- connections ---- */

static void session_free(struct session *s)
{
	*s->prev = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	close(s->c.fd);
	free(s->c.buffer);
	free(s);
}

static void reset(struct session *s)
{
	struct linger now = {.l_onoff = 1};

	setsockopt(s->c.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	s->gone = true;
}

static void watch(const struct session *s, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = (void *)s};

	epoll_ctl(g.epoll, EPOLL_CTL_MOD, s->c.fd, &ev);
}

static void say(struct session *s, const char *text)
{
	bench_write(&s->c, text, strlen(text));
}

/* ---- what it took ---- */

static void take(struct session *s, size_t n)
{
	const char *p = memmem(s->c.buffer, n, "X-Bench-Id: ", 12);
	long id = p == NULL ? 0 : strtol(p + 12, NULL, 10);
	struct leg *l = s->leg;

	l->taken++;
	if (id < 1 || id > g.messages) {
		l->foreign++;
		return;
	}
	if (l->seen[id] == 0)
		l->distinct++;
	else
		l->doubled++;
	if (l->seen[id] < 255)
		l->seen[id]++;
}

/* ---- what it does instead ---- */

/* One block at a time: the others have their turn. */
static void flood(struct session *s)
{
	static char block[BLOCK];
	const char *text = s->flood < 0 ? s->mode->text : "x";
	size_t unit = strlen(text), all = BLOCK - BLOCK % unit;
	ssize_t n;

	for (size_t i = s->flood_at; i < all; i++)
		block[i] = text[i % unit];
	n = send(s->c.fd, block + s->flood_at, all - s->flood_at,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0) {
		s->gone = errno != EAGAIN;
		return;
	}
	s->flood_at = (s->flood_at + (size_t)n) % all;
	if (s->flood > 0)
		s->flood -= n < s->flood ? n : s->flood;
	if (s->flood == 0)
		watch(s, EPOLLIN);
}

static void perform(struct session *s, size_t body)
{
	const struct mode *m = s->mode;

	switch (m->act) {
	case SAY:
		bench_write(&s->c, m->text,
		    m->n > 0 ? m->n : strlen(m->text));
		break;
	case STUCK:
		say(s, m->text);
		s->mute = true;
		break;
	case SLOWLY:
		s->slow = m->text;
		s->slow_at = bench_now();
		s->mute = true;
		break;
	case FLOOD:
		say(s, m->text);
		s->flood = FLOOD_BYTES;
		break;
	case ENDLESS:
		s->flood = -1;
		break;
	case RESET:
		reset(s);
		break;
	case CLOSE:
		s->gone = true;
		break;
	case TAKE_DIE:
		take(s, body);
		reset(s);
		break;
	case SAID_DIE:
		take(s, body);
		say(s, "250 2.0.0 Ok\r\n");
		s->gone = true;
		break;
	}
	if (s->flood != 0)
		watch(s, EPOLLIN | EPOLLOUT);
}

static bool deaf(const struct session *s)
{
	return s->mute || s->gone || s->flood != 0;
}

/* Is it time to misbehave? Then it is done, instead of the answer. */
static bool plays(struct session *s, enum stage stage, size_t body)
{
	const struct mode *m = s->mode;
	struct leg *l = s->leg;

	if (m == NULL || m != l->mode || m->stage != stage ||
	    (m->match != NULL && !s->matched))
		return false;
	if (l->acts_left > 0 && --l->acts_left == 0)
		l->mode = NULL;
	l->acts++;
	perform(s, body);
	return true;
}

/* ---- the protocol ---- */

static void answer_ehlo(struct session *s)
{
	bool tls = s->mode != NULL && s->mode->stage == STARTTLS;

	say(s, "250-leg.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n");
	if (tls)
		say(s, "250-STARTTLS\r\n");
	say(s, "250 ENHANCEDSTATUSCODES\r\n");
}

static const struct command {
	const char *verb, *reply; /* NULL: answer_ehlo() */
	enum stage stage;
} commands[] = {
    {"EHLO", NULL, EHLO},
    {"HELO", "250 leg.test\r\n", EHLO},
    {"STARTTLS", "454 4.7.0 Not now\r\n", STARTTLS},
    {"MAIL", "250 2.1.0 Ok\r\n", MAIL},
    {"RCPT", "250 2.1.5 Ok\r\n", RCPT},
    {"DATA", "354 Go on\r\n", DATA},
    {"RSET", "250 2.0.0 Ok\r\n", EHLO},
    {"NOOP", "250 2.0.0 Ok\r\n", EHLO},
    {"QUIT", "221 2.0.0 Bye\r\n", QUIT},
};

static const struct command *command_of(const char *line)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strncasecmp(line, commands[i].verb,
			strlen(commands[i].verb)) == 0)
			return &commands[i];
	return NULL;
}

static void obey(struct session *s, const struct command *c)
{
	if (c->stage == DATA && !s->has_rcpt) {
		say(s, "503 5.5.1 RCPT first\r\n");
		return;
	}
	if (c->reply == NULL)
		answer_ehlo(s);
	else
		say(s, c->reply);
	s->in_body = c->stage == DATA;
	s->has_rcpt = c->stage == RCPT || (s->has_rcpt && c->stage == DATA);
}

/* One command; false when there is no whole line. */
static bool take_command(struct session *s)
{
	char *eol = memchr(s->c.buffer, '\n', s->c.n);
	const struct command *c;

	if (eol == NULL)
		return false;
	*eol = '\0';
	c = command_of(s->c.buffer);
	if (c != NULL && c->stage == MAIL)
		s->matched = s->mode != NULL && s->mode->match != NULL &&
			     strstr(s->c.buffer, s->mode->match) != NULL;
	bench_consume(&s->c, (size_t)(eol - s->c.buffer) + 1);
	if (c == NULL)
		say(s, "500 5.5.1 What?\r\n");
	else if (plays(s, c->stage, 0))
		return !deaf(s);
	else
		obey(s, c);
	return true;
}

/* The content; false: more of it must come. */
static bool take_body(struct session *s)
{
	char *end = memmem(s->c.buffer, s->c.n, "\r\n.\r\n", 5);
	size_t n;

	if (s->c.n > 0 && plays(s, BODY, 0)) {
		s->mute = true; /* once is enough */
		return false;
	}
	if (end == NULL)
		return false;
	n = (size_t)(end - s->c.buffer) + 5;
	s->in_body = false;
	if (!plays(s, DOT, n)) {
		take(s, n);
		say(s, "250 2.0.0 Ok\r\n");
	}
	bench_consume(&s->c, n);
	return true;
}

static void on_input(struct session *s)
{
	bool alive = bench_read(&s->c), more = true;

	if (deaf(s))
		s->c.n = 0;
	while (more && !deaf(s))
		more = s->in_body ? take_body(s) : take_command(s);
	if (!alive)
		s->gone = true;
}

/* ---- the door ---- */

static void on_client(struct leg *l)
{
	struct session *s;
	struct epoll_event ev = {.events = EPOLLIN};
	int fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	s = calloc(1, sizeof(*s));
	s->c.fd = fd;
	s->c.buffer = malloc(BENCH_BUFFER);
	s->leg = l;
	l->connections++;
	if (l->every == 0 || l->connections % l->every != 0)
		s->mode = l->mode;
	s->next = g.sessions;
	s->prev = &g.sessions;
	if (s->next != NULL)
		s->next->prev = &s->next;
	g.sessions = s;
	ev.data.ptr = s;
	epoll_ctl(g.epoll, EPOLL_CTL_ADD, fd, &ev);
	if (!plays(s, GREETING, 0))
		say(s, "220 leg.test ESMTP\r\n");
	if (s->gone)
		session_free(s);
}

/* At a port that stays ours without a listener: only one that was asked for by
 * its number stays so over shutdown(). */
static int bind_door(struct leg *l)
{
	int any = bench_socket(true, 0);

	l->port = bench_port(any);
	close(any);
	return bench_socket(true, l->port);
}

static void open_door(struct leg *l)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = l};

	if (l->listens)
		return;
	if (l->port == 0)
		l->listener = bind_door(l);
	else if (listen(l->listener, 1024) < 0)
		bench_die("listen");
	l->listens = true;
	epoll_ctl(g.epoll, EPOLL_CTL_ADD, l->listener, &ev);
}

/* Stops listening and closes the connections there are. */
static void shut_door(struct leg *l)
{
	struct session *s, *next;

	if (!l->listens)
		return;
	epoll_ctl(g.epoll, EPOLL_CTL_DEL, l->listener, NULL);
	shutdown(l->listener, SHUT_RDWR);
	l->listens = false;
	for (s = g.sessions; s != NULL; s = next) {
		next = s->next;
		if (s->leg != l)
			continue;
		reset(s);
		session_free(s);
	}
}

/* ---- orders ---- */

static void count_json(void)
{
	printf("[");
	for (long i = 0; i < g.legs; i++) {
		const struct leg *l = &g.leg[i];

		printf("%s{\"connections\":%ld,\"acts\":%ld,\"taken\":%ld,"
		       "\"distinct\":%ld,\"double\":%ld,\"foreign\":%ld}",
		    i > 0 ? "," : "", l->connections, l->acts, l->taken,
		    l->distinct, l->doubled, l->foreign);
	}
	printf("]\n");
	fflush(stdout);
}

static const struct mode *mode_of(const char *name)
{
	for (int i = 0; i < MODES; i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	return NULL;
}

static void order(char *line)
{
	char name[32] = "";
	long number = -1, acts = 0, every = 0;
	struct leg *l;

	if (strncmp(line, "count", 5) == 0) {
		count_json();
		return;
	}
	if (sscanf(line, "%ld %31s %ld %ld", &number, name, &acts, &every) <
		2 || number < 0 || number >= g.legs)
		return;
	l = &g.leg[number];
	l->mode = mode_of(name);
	l->acts_left = acts;
	l->every = every;
	for (struct session *s = g.sessions; every == 0 && s; s = s->next)
		if (s->leg == l)
			s->mode = l->mode;
	if (strcmp(name, "refuse") == 0)
		shut_door(l);
	else
		open_door(l);
}

static void on_orders(void)
{
	static char buffer[4096];
	static size_t n;
	ssize_t got = read(0, buffer + n, sizeof(buffer) - 1 - n);
	char *eol;

	if (got <= 0) {
		g.over = true;
		return;
	}
	n += (size_t)got;
	while ((eol = memchr(buffer, '\n', n)) != NULL) {
		size_t line = (size_t)(eol - buffer) + 1;

		*eol = '\0';
		order(buffer);
		memmove(buffer, buffer + line, n - line);
		n -= line;
	}
}

/* ---- the loop ---- */

static void say_slowly(void)
{
	double now = bench_now();

	for (struct session *s = g.sessions; s != NULL; s = s->next) {
		if (s->slow == NULL || now < s->slow_at)
			continue;
		bench_write(&s->c, s->slow, 1);
		s->slow_at = now + SLOW_MS / 1e3;
		if (*++s->slow == '\0')
			s->slow = NULL;
	}
}

static void on_event(const struct epoll_event *ev)
{
	struct session *s = ev->data.ptr;

	if (s->flood != 0 && (ev->events & EPOLLOUT))
		flood(s);
	if (ev->events & ~(uint32_t)EPOLLOUT)
		on_input(s);
	if (s->gone)
		session_free(s);
}

static bool is_leg(const void *p)
{
	return (const struct leg *)p >= g.leg &&
	       (const struct leg *)p < g.leg + g.legs;
}

/* One at a time: an order may end sessions that have an event, too. */
static void serve(double limit)
{
	double end = bench_now() + limit;
	struct epoll_event ev;

	while (!g.over && bench_now() < end) {
		if (epoll_wait(g.epoll, &ev, 1, 50) == 1) {
			if (ev.data.ptr == NULL)
				on_orders();
			else if (is_leg(ev.data.ptr))
				on_client(ev.data.ptr);
			else
				on_event(&ev);
		}
		say_slowly();
	}
}

static void list_ids(const char *prefix, const struct leg *l)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s.%d", prefix, l->number);
	f = fopen(path, "we");
	if (f == NULL)
		bench_die(path);
	for (long i = 1; i <= g.messages; i++)
		if (l->seen[i] > 0)
			fprintf(f, "%ld %d\n", i, l->seen[i]);
	if (fclose(f) != 0)
		bench_die(path);
}

static void begin(long legs)
{
	struct epoll_event ev = {.events = EPOLLIN};

	g.legs = legs;
	g.leg = calloc((size_t)legs, sizeof(*g.leg));
	g.epoll = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(g.epoll, EPOLL_CTL_ADD, 0, &ev);
	for (int i = 0; i < legs; i++) {
		g.leg[i].number = i;
		g.leg[i].seen = calloc((size_t)g.messages + 1, 1);
		open_door(&g.leg[i]);
		printf("%d\n", g.leg[i].port);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *ids = bench_option(argc, argv, "--ids", NULL);

	if (argc == 2 && strcmp(argv[1], "--modes") == 0) {
		for (int i = 0; i < MODES; i++)
			puts(modes[i].name);
		return 0;
	}
	g.messages = bench_number(argc, argv, "--messages", 1000);
	begin(bench_number(argc, argv, "--legs", 1));
	serve((double)bench_number(argc, argv, "--limit", 3600));
	for (long i = 0; ids != NULL && i < g.legs; i++)
		list_ids(ids, &g.leg[i]);
	return 0;
}
