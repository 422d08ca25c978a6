/* SPDX-License-Identifier: ISC
 *
 * Clients of the relay.
 */
#include "tests/sim/sim_sender.h"

#include <stdio.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "tests/sim/sim_witness.h"
#include "tests/sim/sim_admin.h"
#include "tests/sim/sim_peer.h"
#include "tests/sim/sim_trace.h"

enum { MESSAGES = 4, SMALL = 2000, LARGE = 40000, BODY_MAX = 1 << 20 };

struct sender {
	struct peer peer;
	struct rng_seeded rng;
	bool smuggles; /* this content */
	bool pipelines, chunks, gives_up, slow;
};

static unsigned open_sessions;

unsigned senders_open(void)
{
	return open_sessions;
}

static uint64_t below(struct sender *s, uint64_t n)
{
	return rng_below(&s->rng.rng, n);
}

/* ---- what is sent ---- */

static void add_recipients(struct sender *s, struct witness_mail *m)
{
	unsigned n = 1 + (unsigned)below(s, below(s, 3) == 0 ? MAIL_RCPTS : 2);

	for (unsigned i = 0; i < n; i++) {
		int user = (int)below(s, SIM_USERS);
		bool twice = false;

		if (below(s, 30) == 0)
			user = SIM_USERS + 1; /* elsewhere: no relay */
		for (unsigned k = 0; k < m->rcpts; k++)
			twice = twice || m->rcpt[k].user == user;
		if (!twice)
			m->rcpt[m->rcpts++].user = user;
	}
}

static void add_content(struct sender *s, struct witness_mail *m)
{
	size_t n = below(s, 8) == 0 ? below(s, LARGE) : below(s, SMALL);

	strbuf_init(&m->content, BODY_MAX);
	strbuf_addf(&m->content, "Message-ID: <%u@sim>\r\nX-Sim-Tag: %u\r\n"
	    "Subject: mail %u\r\n\r\n", m->tag, m->tag, m->tag);
	for (size_t i = 0; m->content.n < n; i++)
		strbuf_addf(&m->content, "%sline %zu of %u %llx\r\n",
		    i % 7 == 3 ? "." : "", i, m->tag,
		    (unsigned long long)rng_u64(&s->rng.rng));
}

static struct witness_mail *mail_drawn(struct sender *s)
{
	struct witness_mail *m = witness_new();
	uint64_t who = below(s, 10);

	m->sender = who < 2 ? -1 : who < 5 ? (int)below(s, 5)
					    : SIM_USERS + (int)below(s, 3);
	m->never = below(s, 10) == 0;
	add_recipients(s, m);
	add_content(s, m);
	return m;
}

/* ---- a dialog ---- */

/* The code of a whole reply; 0: the connection is over. */
static int reply(struct sender *s, char last[PEER_LINE])
{
	while (peer_line(&s->peer, last))
		if (strlen(last) < 4 || last[3] != '-')
			return atoi(last);
	return 0;
}

static void put_mail(const struct witness_mail *m, struct strbuf *out)
{
	char text[40] = "";

	if (m->sender >= 0)
		witness_address(m->sender, text);
	strbuf_addf(out, "MAIL FROM:<%s>\r\n", text);
}

static void put_rcpt(const struct witness_mail *m, unsigned i,
    struct strbuf *out)
{
	char text[40];

	witness_address(m->rcpt[i].user, text);
	strbuf_addf(out, "RCPT TO:<%s>%s\r\n", text,
	    m->never ? " NOTIFY=NEVER" : "");
}

/* T4, T5, R1: a recipient that is answered 250. The answer may be older than
 * a change that was made meanwhile. */
static void check_taken(int user, int64_t asked_us)
{
	if (user >= SIM_USERS)
		sim_fail("the relay takes mail for others (T4)");
	if (witness_refuses(user, asked_us))
		sim_fail("u%d was taken, its route refuses it (R1)", user);
	if (daemon_refuses_unknown() && user >= SIM_ROWS)
		sim_fail("u%d was taken, and has no row (T5)", user);
}

/* MAIL and each RCPT with its answer; how many are taken, or -1. */
static int envelope(struct sender *s, struct witness_mail *m)
{
	char line[PEER_LINE];
	int64_t asked_us = sim_now_us();
	struct strbuf out;
	int taken = 0, code = 0;

	strbuf_init(&out, 4000);
	put_mail(m, &out);
	for (unsigned i = 0; s->pipelines && i < m->rcpts; i++)
		put_rcpt(m, i, &out);
	peer_say(&s->peer, strbuf_view(&out));
	code = reply(s, line);
	for (unsigned i = 0; code != 0 && i < m->rcpts; i++) {
		strbuf_reset(&out);
		if (!s->pipelines)
			put_rcpt(m, i, &out);
		asked_us = s->pipelines ? asked_us : sim_now_us();
		peer_say(&s->peer, strbuf_view(&out));
		code = reply(s, line);
		m->rcpt[i].taken = code == 250;
		if (code == 250)
			check_taken(m->rcpt[i].user, asked_us);
		taken += code == 250;
	}
	strbuf_fini(&out);
	return code == 0 ? -1 : taken;
}

static void dotted(const struct witness_mail *m, struct strbuf *out)
{
	struct slice rest = strbuf_view(&m->content), line;

	while (rest.n > 0 && slice_next(&rest, '\n', &line)) {
		if (line.n > 0 && line.p[0] == '.')
			strbuf_addc(out, '.');
		strbuf_addsl(out, line);
		strbuf_addc(out, '\n');
	}
}

/* The content, whole or not; true: whole. */
static bool content(struct sender *s, struct witness_mail *m)
{
	bool whole = !s->gives_up || below(s, 2) == 0;
	char line[PEER_LINE];
	struct strbuf out;

	s->smuggles = !s->chunks && below(s, 25) == 0;
	strbuf_init(&out, 2 * BODY_MAX);
	if (s->chunks) {
		strbuf_addf(&out, "BDAT %zu LAST\r\n", m->content.n);
		strbuf_addsl(&out, strbuf_view(&m->content));
	} else {
		peer_say(&s->peer, SLICE("DATA\r\n"));
		if (reply(s, line) != 354)
			whole = false;
		else
			dotted(m, &out);
		if (s->smuggles)
			strbuf_adds(&out, "\n.\r\nMAIL FROM:<evil@sim>\r\n");
		strbuf_adds(&out, ".\r\n");
	}
	if (s->slow)
		task_sleep_us((int64_t)below(s, 20000000));
	/* From the moment that the end is under way it may be taken. */
	if (whole && out.n > 3)
		m->promise = PROMISE_OPEN;
	if (whole)
		peer_say(&s->peer, strbuf_view(&out));
	else if (out.n > 3)
		peer_say(&s->peer,
		    slice_head(strbuf_view(&out), below(s, out.n - 2)));
	strbuf_fini(&out);
	return whole;
}

static void answered(const struct sender *s, struct witness_mail *m, int code,
    const char *line)
{
	const char *as = strstr(line, "queued as ");

	m->answered_us = sim_now_us();
	if (code == 250 && s->smuggles)
		sim_fail("mail %u ended in the midst of it (T6)", m->tag);
	if (code == 250) {
		m->promise = PROMISE_TAKEN;
		if (as != NULL)
			snprintf(m->id, sizeof(m->id), "%s", as + 10);
	} else if (code != 0) {
		m->promise = PROMISE_NONE;
	}
	trace_line("mail %u: %d %s", m->tag, code, m->id);
}

/* False: the session is over. */
static bool one_mail(struct sender *s)
{
	struct witness_mail *m = mail_drawn(s);
	char line[PEER_LINE] = "";
	int taken = envelope(s, m), code;

	if (taken < 0)
		return false;
	if (taken == 0) {
		peer_say(&s->peer, SLICE("RSET\r\n"));
		return reply(s, line) == 250;
	}
	if (!content(s, m))
		return false;
	if (s->gives_up && below(s, 2) == 0)
		return false; /* without hearing the answer */
	code = reply(s, line);
	answered(s, m, code, line);
	return code != 0;
}

static void talk(struct sender *s)
{
	unsigned n = 1 + (unsigned)below(s, MESSAGES);
	char line[PEER_LINE];

	if (reply(s, line) != 220)
		return;
	peer_say(&s->peer, SLICE("EHLO client.sim\r\n"));
	if (reply(s, line) != 250)
		return;
	for (unsigned i = 0; i < n; i++) {
		if (!one_mail(s))
			return;
		if (s->slow)
			task_sleep_us((int64_t)below(s, 5000000));
	}
	peer_say(&s->peer, SLICE("QUIT\r\n"));
	reply(s, line);
}

static void *session(void *arg)
{
	struct sender *s = arg;
	char ip[20];

	snprintf(ip, sizeof(ip), "198.51.100.%u", (unsigned)below(s, 250));
	s->pipelines = below(s, 3) != 0;
	s->chunks = below(s, 4) == 0;
	s->gives_up = below(s, 8) == 0;
	s->slow = below(s, 6) == 0;
	if (peer_connect(&s->peer, ip, SIM_RELAY_IP)) {
		talk(s);
		peer_close(&s->peer, below(s, 5) == 0);
	}
	open_sessions--;
	mem_free(s);
	return NULL;
}

void senders_begin(uint64_t seed)
{
	struct sender *s = NEW(struct sender);

	rng_seeded_init(&s->rng, seed);
	open_sessions++;
	task_new(SIDE_WORLD, "sender", session, s);
}
