/* SPDX-License-Identifier: ISC
 *
 * Legs of the worker's tests.
 */
#include "tests/unit/rig_leg.h"

#include <errno.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/base/strbuf.h"
#include "tests/sim/sim_peer.h"
#include "tests/unit/worker_rig.h"

enum { RULES = 16, SAID_MAX = 1 << 20, CONTENT_MAX = 16 << 20 };

static const char *const ips[SIM_LEGS] = {
	SIM_LEGACY_IP, SIM_CLOUD_IP, SIM_OUTSIDE_IP};

static const struct rig_rule none[] = {{NULL, NULL, 0}};
static const struct rig_rule good[] = {
	{"CONNECT", "220 leg.sim ready", 0},
	{"EHLO", "250-leg.sim\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-DSN\r\n"
		 "250 SIZE 50000000", 0},
	{"HELO", "250 leg.sim", 0},
	{"MAIL", "250 2.1.0 sender ok", 0},
	{"RCPT", "250 2.1.5 recipient ok", 0},
	{"DATA", "354 go on", 0},
	{"BDAT", "250 2.0.0 chunk", 0},
	{".", "250 2.0.0 taken", 0},
	{"RSET", "250 2.0.0 reset", 0},
	{"NOOP", "250 2.0.0 here", 0},
	{"QUIT", "221 2.0.0 bye" RIG_CLOSE, 0},
	{NULL, NULL, 0},
};

static struct leg {
	const struct rig_rule *rules;
	int used[RULES];
	bool down;
	int connections, taken;
	struct strbuf said, content;
} legs[SIM_LEGS];

struct conn {
	struct peer peer;
	struct leg *leg;
	struct strbuf content;
};

static const char *answer_of(struct leg *g, const char *what)
{
	const struct rig_rule *r;

	for (r = g->rules; r->what != NULL; r++) {
		long i = r - g->rules;

		if (!slice_case_starts(slice_str(what), slice_str(r->what)) ||
		    (r->times > 0 && g->used[i] >= r->times))
			continue;
		g->used[i]++;
		return r->answer;
	}
	for (r = good; r->what != NULL; r++)
		if (slice_case_starts(slice_str(what), slice_str(r->what)))
			return r->answer;
	return "500 5.5.1 what";
}

/* False: the connection is over. */
static bool answers(struct conn *c, const char *what, const char **answer_out)
{
	const char *text = answer_of(c->leg, what);
	size_t n = strlen(text);
	bool closes = n > 0 && text[n - 1] == RIG_CLOSE[0];

	if (answer_out != NULL)
		*answer_out = text;
	n -= closes;
	if (n > 0 && (!peer_say(&c->peer, slice_of(text, n)) ||
			 !peer_say(&c->peer, SLICE("\r\n"))))
		return false;
	return !closes;
}

static bool content_over(struct conn *c)
{
	const char *answer;
	bool on = answers(c, ".", &answer);

	if (answer[0] == '2') {
		strbuf_addsl(&c->leg->content, strbuf_view(&c->content));
		c->leg->taken++;
	}
	strbuf_reset(&c->content);
	return on;
}

static bool on_data(struct conn *c)
{
	const char *answer;
	char line[PEER_LINE];

	if (!answers(c, "DATA", &answer))
		return false;
	if (answer[0] != '3')
		return true;
	while (peer_line(&c->peer, line)) {
		if (strcmp(line, ".") == 0)
			return content_over(c);
		strbuf_adds(&c->content, line + (line[0] == '.'));
		strbuf_addc(&c->content, '\n');
	}
	return false;
}

static bool on_bdat(struct conn *c, const char *line)
{
	size_t n = strtoul(line + 5, NULL, 10);

	if (!peer_bytes(&c->peer, n, &c->content))
		return false;
	return strstr(line, "LAST") != NULL ? content_over(c)
					     : answers(c, "BDAT", NULL);
}

static bool on_line(struct conn *c, const char *line)
{
	strbuf_adds(&c->leg->said, line);
	strbuf_addc(&c->leg->said, '\n');
	if (strcmp(line, "DATA") == 0)
		return on_data(c);
	if (strncmp(line, "BDAT", 4) == 0)
		return on_bdat(c, line);
	return answers(c, line, NULL);
}

static void *serve(void *arg)
{
	struct conn *c = arg;
	char line[PEER_LINE];
	bool on = answers(c, "CONNECT", NULL);

	while (on && peer_line(&c->peer, line))
		on = on_line(c, line);
	peer_close(&c->peer, false);
	strbuf_fini(&c->content);
	mem_free(c);
	return NULL;
}

/* ---- connections ---- */

static int fate(const struct netaddr *to, bool *hangs_out)
{
	struct netaddr leg;

	*hangs_out = false;
	for (int i = 0; i < SIM_LEGS; i++) {
		netaddr_parse(&leg, slice_str(ips[i]), 25);
		if (netaddr_same_ip(&leg, to))
			return legs[i].down ? ECONNREFUSED : 0;
	}
	return 0;
}

static void *accepts(void *arg)
{
	struct leg *g = arg;
	int fd = sim_socket();
	struct netaddr at, peer;

	netaddr_parse(&at, slice_str(ips[g - legs]), 25);
	sim_bind(fd, &at);
	sim_listen(fd);
	for (;;) {
		int got = sim_accept(fd, &peer);
		struct conn *c;

		if (got < 0) {
			sim_fd_wait(fd, INT64_MAX);
			continue;
		}
		c = NEW(struct conn);
		c->leg = g;
		g->connections++;
		strbuf_init(&c->content, CONTENT_MAX);
		peer_take(&c->peer, got);
		task_new(SIDE_WORLD, "leg", serve, c);
	}
	return NULL;
}

void rig_legs_begin(void)
{
	sim_on_connect(fate);
	for (int i = 0; i < SIM_LEGS; i++) {
		strbuf_init(&legs[i].said, SAID_MAX);
		strbuf_init(&legs[i].content, CONTENT_MAX);
		rig_leg_script(i, NULL);
		task_new(SIDE_WORLD, "legs", accepts, &legs[i]);
	}
}

/* ---- for the test ---- */

void rig_leg_script(int leg, const struct rig_rule *rules)
{
	struct leg *g = &legs[leg];

	g->rules = rules == NULL ? none : rules;
	memset(g->used, 0, sizeof(g->used));
	g->taken = 0;
	strbuf_reset(&g->said);
	strbuf_reset(&g->content);
}

void rig_leg_down(int leg, bool down)
{
	legs[leg].down = down;
}

const char *rig_leg_said(int leg)
{
	return strbuf_cstr(&legs[leg].said);
}

const char *rig_leg_content(int leg)
{
	return strbuf_cstr(&legs[leg].content);
}

int rig_leg_taken(int leg)
{
	return legs[leg].taken;
}

int rig_leg_connections(int leg)
{
	return legs[leg].connections;
}

struct wanted {
	int leg, n;
};

static bool has_taken(void *arg)
{
	struct wanted *w = arg;

	return legs[w->leg].taken >= w->n;
}

void rig_leg_takes(int leg, int n)
{
	rig_until(has_taken, &(struct wanted){leg, n});
	CHECK(legs[leg].taken == n);
}
