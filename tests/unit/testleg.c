/* SPDX-License-Identifier: ISC
 *
 * A leg that says what a script tells it.
 */
#include "tests/unit/testleg.h"

#include <stdlib.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/mail/cmd.h"

enum { BUFFER_MAX = 64 * 1024 * 1024 };

struct conn {
	struct list node;
	struct leg *leg;
	struct stream *s;
	bool data;	/* in DATA */
	bool content;	/* CONTENT was met in this body */
	uint64_t chunk; /* bytes of BDAT still to come */
	bool chunked;
	unsigned tail; /* of "\r\n.\r\n", bytes met */
	bool dead, reset;
};

/* Closing resets: struct sock_ops has no argument to say which. */
static bool resetting;

static int leg_close(int fd)
{
	static const struct linger hard = {1, 0};

	if (resetting)
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	return sock_system.close(fd);
}

static const struct leg_rule good[] = {
    {"CONNECT", "220 leg.test ESMTP\r\n", 0},
    {"EHLO",
	"250-leg.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
	"250 SIZE 10000000\r\n",
	0},
    {"LHLO", "250-leg.test\r\n250 PIPELINING\r\n", 0},
    {"HELO", "250 leg.test\r\n", 0},
    {"STARTTLS", "220 2.0.0 go\r\n" LEG_TLS, 0},
    {"MAIL", "250 2.1.0 ok\r\n", 0},
    {"RCPT", "250 2.1.5 ok\r\n", 0},
    {"DATA", "354 go on\r\n", 0},
    {".", "250 2.0.0 taken\r\n", 0},
    {"BDAT", "250 2.0.0 chunk taken\r\n", 0},
    {"RSET", "250 2.0.0 ok\r\n", 0},
    {"QUIT", "221 2.0.0 bye\r\n" LEG_CLOSE, 0},
    {"CONTENT", "", 0},
    {NULL, NULL, 0},
};

static const char *answer_of(struct leg *g, struct slice what)
{
	const struct leg_rule *r;

	for (r = g->rules; r->what != NULL; r++) {
		long i = r - g->rules;

		if (!slice_case_starts(what, slice_str(r->what)) ||
		    (r->times > 0 && g->used[i] >= r->times))
			continue;
		g->used[i]++;
		return r->answer;
	}
	for (r = good; r->what != NULL; r++)
		if (slice_case_starts(what, slice_str(r->what)))
			return r->answer;
	return "500 5.5.1 what?\r\n";
}

static void conn_free(struct conn *c)
{
	c->leg->open--;
	list_remove(&c->node);
	resetting = c->reset;
	stream_free(c->s);
	resetting = false;
	mem_free(c);
}

static void write_text(struct stream *s, struct slice text)
{
	struct slice part;

	if (text.n == 0)
		return;
	while (slice_next(&text, LEG_NUL[0], &part)) {
		stream_write(s, part);
		if (text.p != NULL)
			stream_write(s, slice_of("", 1));
	}
}

/* `c` is dead after a closing answer; it is freed by its caller. */
static void say(struct conn *c, const char *text)
{
	size_t n = strlen(text);
	char last = n > 0 ? text[n - 1] : '\0';

	if (last >= LEG_CLOSE[0] && last <= LEG_TLS[0])
		n--;
	write_text(c->s, slice_of(text, n));
	stream_flush(c->s);
	if (last == LEG_TLS[0] &&
	    !stream_tls_accept(c->s, tls_server_session(c->leg->tls)))
		abort();
	if (last == LEG_DEAF[0])
		stream_pause(c->s);
	c->reset = last == LEG_RESET[0];
	c->dead = last == LEG_CLOSE[0] || last == LEG_RESET[0];
}

static void met_content(struct conn *c)
{
	if (c->content)
		return;
	c->content = true;
	say(c, answer_of(c->leg, SLICE("CONTENT")));
}

static void end_content(struct conn *c, const char *what)
{
	c->data = c->chunked = false;
	if (c->dead)
		return;
	c->leg->bodies++;
	say(c, answer_of(c->leg, slice_str(what)));
}

static void on_bdat(struct conn *c, struct slice arg)
{
	bool last;

	if (bdat_parse(arg, &c->chunk, &last) != 0 || !last)
		abort();
	c->chunked = true;
	c->content = false;
	if (c->chunk == 0)
		end_content(c, "BDAT");
}

static void on_command(struct conn *c, struct slice line)
{
	struct smtp_cmd cmd;
	const char *why, *answer;

	strbuf_addsl(&c->leg->said, line);
	strbuf_addc(&c->leg->said, '\n');
	if (smtp_cmd_parse(line, &cmd, &why) != 0) {
		say(c, "500 5.5.2 what?\r\n");
		return;
	}
	if (slice_case_eq(cmd.verb, SLICE("BDAT"))) {
		on_bdat(c, cmd.arg);
		return;
	}
	answer = answer_of(c->leg, line);
	if (slice_case_eq(cmd.verb, SLICE("DATA")) && answer[0] == '3') {
		c->data = true;
		c->content = false;
		c->tail = 2; /* as if a line had ended */
	}
	say(c, answer);
}

static bool ends_data(struct conn *c, char byte)
{
	static const char end[] = "\r\n.\r\n";

	if (byte != end[c->tail])
		c->tail = 0;
	if (byte == end[c->tail])
		c->tail++;
	return c->tail == sizeof(end) - 1;
}

static size_t take_data(struct conn *c, struct slice in)
{
	size_t i = 0;

	bool end = false;

	met_content(c);
	while (i < in.n && !end)
		end = ends_data(c, in.p[i++]);
	strbuf_add(&c->leg->body, in.p, i);
	if (end)
		end_content(c, ".");
	return i;
}

static size_t take_chunk(struct conn *c, struct slice in)
{
	size_t n = in.n < c->chunk ? in.n : (size_t)c->chunk;

	met_content(c);
	strbuf_add(&c->leg->body, in.p, n);
	c->chunk -= n;
	if (c->chunk == 0)
		end_content(c, "BDAT");
	return n;
}

static size_t take_line(struct conn *c, struct slice in)
{
	long lf = slice_find(in, '\n');

	if (lf < 1)
		return 0;
	on_command(c, slice_head(in, (size_t)lf - 1));
	return (size_t)lf + 1;
}

static size_t on_input(void *arg, struct slice in)
{
	struct conn *c = arg;
	struct slice rest = in;
	size_t n = 1;

	while (n > 0 && rest.n > 0 && !c->dead) {
		if (c->chunked)
			n = take_chunk(c, rest);
		else if (c->data)
			n = take_data(c, rest);
		else
			n = take_line(c, rest);
		rest = slice_from(rest, n);
	}
	if (c->dead)
		conn_free(c);
	return in.n - rest.n;
}

static void on_ended(void *arg, enum stream_end why)
{
	(void)why;
	conn_free(arg);
}

static void on_ready(void *arg)
{
	(void)arg;
}

static void on_accept(void *arg, int what)
{
	static const struct stream_ops ops = {
	    on_input, NULL, on_ready, on_ended};
	struct leg *g = arg;
	struct sock_ops *sock = &g->sock;
	int fd = accept4(g->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c;

	(void)what;
	if (fd < 0)
		return;
	c = NEW(struct conn);
	c->leg = g;
	c->s = stream_accept(&(struct stream_config){.loop = g->loop,
				 .scratch = g->scratch,
				 .sock = sock,
				 .ops = &ops,
				 .arg = c},
	    fd);
	list_push_back(&g->conns, &c->node);
	netaddr_ip(stream_peer(c->s), g->peer);
	g->connected++;
	g->open++;
	say(c, answer_of(g, SLICE("CONNECT")));
	if (c->dead)
		conn_free(c);
}

struct leg *leg_new(struct loop *l, struct stream_scratch *s)
{
	struct leg *g = NEW(struct leg);
	struct netaddr a;

	g->loop = l;
	g->scratch = s;
	g->sock = sock_system;
	g->sock.close = leg_close;
	list_init(&g->conns);
	strbuf_init(&g->said, BUFFER_MAX);
	strbuf_init(&g->body, BUFFER_MAX);
	leg_script(g, good);
	g->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (netaddr_parse(&a, SLICE("127.0.0.1"), 0) != 0 ||
	    bind(g->fd, &a.sa, a.len) < 0 || listen(g->fd, 64) < 0 ||
	    getsockname(g->fd, &a.sa, &a.len) < 0)
		abort();
	g->port = netaddr_port(&a);
	io_init(&g->io, l, g->fd, on_accept, g);
	io_want(&g->io, IO_READ);
	return g;
}

void leg_refuse(struct leg *g)
{
	if (g->fd < 0)
		return;
	io_fini(&g->io);
	close(g->fd);
	g->fd = -1;
}

void leg_free(struct leg *g)
{
	leg_refuse(g);
	while (!list_empty(&g->conns))
		conn_free(LIST_FIRST(&g->conns, struct conn, node));
	strbuf_fini(&g->said);
	strbuf_fini(&g->body);
	mem_free(g);
}

void leg_script(struct leg *g, const struct leg_rule *rules)
{
	g->rules = rules;
	memset(g->used, 0, sizeof(g->used));
	strbuf_reset(&g->said);
	strbuf_reset(&g->body);
	g->bodies = g->connected = 0;
}

void leg_say(struct leg *g, const char *text)
{
	list_each_safe(n, &g->conns) {
		struct conn *c = LIST_ENTRY(n, struct conn, node);

		say(c, text);
		if (c->dead)
			conn_free(c);
	}
}
