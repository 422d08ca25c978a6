/* SPDX-License-Identifier: ISC
 *
 * The record of the outside world.
 */
#include "tests/sim/sim_witness.h"

#include <stdio.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "tests/sim/sim_leg.h"
#include "tests/sim/sim_task.h"
#include "tests/sim/sim_trace.h"

enum { HEAD = 1500 };
/* From the look at the table to the connection: a question to the resolver,
 * and a connect. */
#define BEFORE_US INT64_C(8000000)

static struct witness_mail *mails[WITNESS_MAILS];
static unsigned mail_count;
static struct witness_route routes[WITNESS_ROUTES];
static unsigned route_count;
static bool sync_failed;
static int64_t refused_us[SIM_LEGS][SIM_USERS + 1]; /* … 0: all */
static int64_t unknown_us[SIM_LEGS][SIM_USERS + 1];
static int64_t clock_set_us;
static int64_t trouble_us[TROUBLES];

struct witness_mail *witness_new(void)
{
	struct witness_mail *m = NEW(struct witness_mail);

	if (mail_count == WITNESS_MAILS)
		sim_fail("more mails than the simulation holds");
	mails[mail_count] = m;
	m->tag = mail_count++;
	return m;
}

struct witness_mail *witness_mail(unsigned tag)
{
	return tag < mail_count ? mails[tag] : NULL;
}

unsigned witness_mails(void)
{
	return mail_count;
}

void witness_address(int user, char out[40])
{
	if (user < SIM_USERS)
		snprintf(out, 40, "u%d@corp.example", user);
	else
		snprintf(out, 40, "o%d@far.example", user);
}

int witness_user(const char *address)
{
	int user = address[0] == '\0' ? -1 : atoi(address + 1);
	char text[40];

	if (user < 0)
		return -1;
	witness_address(user, text);
	return strcmp(text, address) == 0 ? user : -1;
}

void witness_sync_failed(void)
{
	sync_failed = true;
}

void witness_doubt(int64_t since_us)
{
	for (unsigned i = 0; i < mail_count; i++)
		for (unsigned k = 0; k < mails[i]->rcpts; k++)
			for (int leg = 0; leg < SIM_LEGS; leg++)
				if (mails[i]->rcpt[k].got_us[leg] >= since_us)
					mails[i]->rcpt[k].doubtful[leg] = true;
}

/* ---- refusals, and calm ---- */

void witness_refused(int leg, const char *address, bool unknown)
{
	int user = address[0] == '\0' ? -1 : witness_user(address);

	if (user >= SIM_USERS)
		return;
	if (unknown)
		unknown_us[leg][user + 1] = sim_now_us();
	else
		refused_us[leg][user + 1] = sim_now_us();
}

bool witness_was_unknown(int leg, int user, int64_t since_us)
{
	return user >= 0 && user < SIM_USERS &&
	       unknown_us[leg][user + 1] >= since_us &&
	       refused_us[leg][user + 1] < since_us &&
	       refused_us[leg][0] < since_us;
}

bool witness_was_refused(int leg, int user, int64_t since_us)
{
	return user < 0 || user >= SIM_USERS ||
	       unknown_us[leg][user + 1] >= since_us ||
	       refused_us[leg][user + 1] >= since_us ||
	       refused_us[leg][0] >= since_us;
}

void witness_trouble(int what, bool lasts)
{
	trouble_us[what] = lasts ? INT64_MAX : sim_now_us();
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t witness_calm_since(void)
{
	return later(trouble_us[TROUBLE_START],
	    later(trouble_us[TROUBLE_DISK], trouble_us[TROUBLE_DNS]));
}

int64_t witness_leg_calm_since(int leg)
{
	return later(trouble_us[TROUBLE_LEG + leg],
	    trouble_us[TROUBLE_GATE + leg]);
}

/* ---- routes ---- */

void witness_routed(const struct witness_route *r)
{
	if (route_count == WITNESS_ROUTES)
		sim_fail("more changes than the simulation holds");
	routes[route_count++] = *r;
}

/* The last word on that row before `end`, if there is one. */
static const struct witness_route *word(int user, unsigned end)
{
	for (unsigned i = end; i-- > 0;)
		if (routes[i].user == user)
			return &routes[i];
	return NULL;
}

static const struct witness_route *effective(int user, unsigned end)
{
	const struct witness_route *r = word(user, end);

	return r != NULL && r->row ? r : word(-1, end);
}

static bool names(const struct witness_route *r, int leg)
{
	return r != NULL && !r->held && (r->leg[0] == leg || r->leg[1] == leg);
}

bool witness_named(int user, int leg, int64_t since_us)
{
	unsigned end = route_count;

	for (;; end--) {
		if (names(effective(user, end), leg))
			return true;
		if (end == 0 || routes[end - 1].at_us < since_us)
			return false;
	}
}

bool witness_route_since(int user, int64_t since_us,
    struct witness_route *route_out)
{
	const struct witness_route *now = effective(user, route_count);

	if (now == NULL)
		return false;
	*route_out = *now;
	for (unsigned end = route_count; end > 0; end--) {
		if (routes[end - 1].at_us < since_us)
			break;
		if (routes[end - 1].user == user || routes[end - 1].user < 0)
			return false;
	}
	return true;
}

bool witness_has_row(int user)
{
	const struct witness_route *r = word(user, route_count);

	return r != NULL && r->row;
}

void witness_clock_set(void)
{
	clock_set_us = sim_now_us();
}

bool witness_flipped(int user, int64_t since_us)
{
	const struct witness_route *now = word(user, route_count);

	since_us = clock_set_us > since_us ? clock_set_us : since_us;
	for (unsigned end = route_count; end > 0; end--) {
		const struct witness_route *r = word(user, end);

		if (r == NULL)
			return now != NULL && now->at_us >= since_us;
		if (r->leg[0] != now->leg[0] || r->leg[1] != now->leg[1])
			return true;
		if (r->at_us < since_us)
			return false;
	}
	return false;
}

bool witness_refuses(int user, int64_t since_us)
{
	struct witness_route r;

	return witness_route_since(user, since_us, &r) && r.leg[0] < 0 &&
	       !r.held;
}

/* ---- what legs take ---- */

static bool tag_in(struct slice s, unsigned *tag_out)
{
	static const char key[] = "X-Sim-Tag: ";

	for (size_t i = 0; i + sizeof(key) < s.n; i++)
		if (memcmp(s.p + i, key, sizeof(key) - 1) == 0) {
			*tag_out = (unsigned)atoi(s.p + i + sizeof(key) - 1);
			return true;
		}
	return false;
}

static bool is_notice(struct slice content)
{
	return slice_case_has(slice_head(content, HEAD),
	    SLICE("multipart/report"));
}

static struct witness_rcpt *rcpt_of(struct witness_mail *m, int user)
{
	for (unsigned i = 0; i < m->rcpts; i++)
		if (m->rcpt[i].user == user)
			return &m->rcpt[i];
	return NULL;
}

static void took_rcpt(const struct leg_took *t, struct witness_mail *m,
    const char *address)
{
	int user = witness_user(address);
	struct witness_rcpt *r = rcpt_of(m, user);
	int64_t since = t->since_us - BEFORE_US;

	if (r == NULL || !r->taken)
		sim_fail("mail %u came to %s, who was not taken", m->tag,
		    address);
	if (!witness_named(user, t->leg, since))
		sim_fail("mail %u for %s came to %s, which its route did not "
		    "name", m->tag, address, leg_name(t->leg));
	/* A slow leg may take last what came first, over a connection that is
	 * gone: the relay did not know, and sent it again meanwhile. */
	if (r->got[t->leg] > 0 && !r->doubtful[t->leg] && t->sure)
		sim_fail("mail %u for %s came to %s twice without a doubt",
		    m->tag, address, leg_name(t->leg));
	r->got[t->leg]++;
	r->got_us[t->leg] = sim_now_us();
	r->doubtful[t->leg] = r->doubtful[t->leg] || !t->sure;
}

static void took_mail(const struct leg_took *t)
{
	struct witness_mail *m;
	struct slice want;
	unsigned tag = 0;

	if (!tag_in(t->content, &tag) || witness_mail(tag) == NULL)
		sim_fail("%s got a content that nobody sent",
		    leg_name(t->leg));
	m = witness_mail(tag);
	want = strbuf_view(&m->content);
	if (t->content.n < want.n ||
	    memcmp(t->content.p + t->content.n - want.n, want.p, want.n) != 0)
		sim_fail("mail %u came to %s with other bytes", tag,
		    leg_name(t->leg));
	if (m->promise == PROMISE_NONE && !sync_failed)
		sim_fail("mail %u came to %s, but it was refused", tag,
		    leg_name(t->leg));
	for (unsigned i = 0; i < t->rcpts; i++)
		took_rcpt(t, m, t->rcpt[i]);
	trace_line("%s has mail %u for %u%s", leg_name(t->leg), tag, t->rcpts,
	    t->sure ? "" : ", in doubt");
}

/* ---- notices ---- */

static enum notice_kind kind_of(struct slice block)
{
	if (slice_case_has(block, SLICE("Action: failed")))
		return NOTICE_FAILED;
	if (slice_case_has(block, SLICE("Action: delayed")))
		return NOTICE_DELAYED;
	return NOTICE_DONE;
}

static void told_rcpt(struct witness_mail *m, struct slice block)
{
	struct slice line;
	char address[40];
	struct witness_rcpt *r;
	enum notice_kind kind = kind_of(block);

	slice_next(&block, '\r', &line);
	line = slice_trim(line);
	snprintf(address, sizeof(address), "%.*s", (int)line.n, line.p);
	r = rcpt_of(m, witness_user(address));
	if (r == NULL || !r->taken)
		sim_fail("a notice tells of %s, mail %u was not for it",
		    address, m->tag);
	r->told[kind]++;
	trace_line("told of mail %u: %s %d", m->tag, address, (int)kind);
}

/* One block for each recipient, from its Final-Recipient on. */
static void took_notice(const struct leg_took *t)
{
	static const char key[] = "Final-Recipient: rfc822; ";
	struct slice rest = t->content;
	struct witness_mail *m;
	unsigned tag = 0;

	if (!tag_in(t->content, &tag) || witness_mail(tag) == NULL)
		sim_fail("a notice of a mail that nobody sent");
	m = witness_mail(tag);
	if (m->sender < 0 || m->never)
		sim_fail("a notice of mail %u, whose sender wants none", tag);
	if (t->rcpts != 1 || witness_user(t->rcpt[0]) != m->sender)
		sim_fail("a notice of mail %u goes to %s", tag, t->rcpt[0]);
	for (size_t i = 0; i + sizeof(key) < rest.n; i++)
		if (memcmp(rest.p + i, key, sizeof(key) - 1) == 0)
			told_rcpt(m, slice_head(slice_from(rest,
			    i + sizeof(key) - 1), 400));
}

void witness_took(const struct leg_took *t)
{
	if (is_notice(t->content))
		took_notice(t);
	else
		took_mail(t);
}
