/* SPDX-License-Identifier: ISC
 *
 * Reads the journal beside the daemon.
 */
#include "tests/sim/sim_recount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/map.h"
#include "relay/daemon/app.h"
#include "relay/mail/envelope.h"
#include "relay/spool/tail/tail.h"
#include "tests/sim/sim_admin.h"
#include "tests/sim/sim_recount_int.h"
#include "tests/sim/sim_leg.h"
#include "tests/sim/sim_task.h"
#include "tests/sim/sim_trace.h"

enum { MESSAGES = 2000 };

static struct {
	struct spool_tail *tail;
	struct spool_pos pos;
	struct read_message *m[MESSAGES];
	unsigned n;
	struct map by_id;
	bool blind;
	/* The last update: a notice in one group with it tells of it. */
	struct spool_pos update_at;
	struct read_message *updated;
} j;

void recount_setup(void)
{
	map_init(&j.by_id);
}

const struct read_message *recount_message(unsigned i)
{
	return i < j.n ? j.m[i] : NULL;
}

bool recount_blind(void)
{
	return j.blind;
}

static int leg_of(uint16_t number)
{
	const char *name = names_text(daemon_app()->shared.names, number);

	for (int i = 0; i < SIM_LEGS; i++)
		if (strcmp(name, leg_name(i)) == 0)
			return i;
	return -1;
}

static void broken(const struct read_message *m, unsigned number,
    const char *why)
{
	char id[ID_TEXT];

	id_text(m->id, id);
	sim_fail("journal: message %s, delivery %u: %s", id, number, why);
}

/* ---- the life of a delivery ---- */

/* A state that is an end stays; a parked one may be taken up again. */
static bool may_become(enum dstate from, enum dstate to)
{
	if (from == D_NONE || dstate_open(from))
		return to != D_NONE;
	if (from == D_PARKED)
		return to != D_NONE;
	return from == to;
}

static bool stands(const struct read_message *m, uint32_t rcpt)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->d[i].d.rcpt == rcpt &&
		    m->d[i].d.state != D_SUPERSEDED)
			return true;
	return false;
}

/* D3: once it was delivered as primary, nothing else is. */
static void check_primary(const struct read_message *m, uint32_t rcpt,
    unsigned number)
{
	unsigned delivered = 0, bounced = 0;

	for (unsigned i = 0; i < m->n; i++) {
		const struct spool_delivery *d = &m->d[i].d;

		if (d->rcpt != rcpt || d->role != ROLE_PRIMARY)
			continue;
		delivered += d->state == D_DELIVERED;
		bounced += d->state == D_BOUNCED;
	}
	if (delivered + bounced > 1)
		broken(m, number, "two primaries came to an end (D3)");
}

static uint8_t mark_of(const struct read_message *m,
    const struct spool_delivery *d)
{
	uint8_t mark = UNC_NO;

	for (unsigned i = 0; i < m->n; i++)
		if (m->d[i].d.rcpt == d->rcpt && m->d[i].d.leg == d->leg &&
		    m->d[i].d.uncertain > mark)
			mark = m->d[i].d.uncertain;
	return mark;
}

/* A refusal at RCPT is on record when the dialog is over: the leg may be silent
 * about the content of the other recipients (data_done_timeout), and records
 * are read a moment after they are made. */
enum { BOUNCE_S = 180, GRACE_S = 600 };
#define S_US INT64_C(1000000)

/* D4: only a refusal of this recipient or this mail is the end of it; D5: not
 * that a leg does not have it yet. */
static void check_bounce(const struct read_message *m, unsigned number,
    int leg)
{
	int64_t now = sim_now_us(), since = now - BOUNCE_S * S_US;
	uint32_t rcpt = m->d[number].d.rcpt;
	int user = rcpt < m->rcpts && rcpt < MAIL_RCPTS ? m->user[rcpt] : -1;

	if (leg < 0 || m->notice)
		return;
	if (!witness_was_refused(leg, user, since))
		broken(m, number, "bounced, and its leg did not refuse it "
		    "(D4)");
	if (witness_was_unknown(leg, user, since) && witness_has_row(user) &&
	    witness_flipped(user, now - (GRACE_S - 2 * BOUNCE_S) * S_US))
		broken(m, number, "bounced as unknown so soon after a flip "
		    "(D5)");
}

static void put(struct read_message *m, const struct spool_update *u)
{
	struct read_delivery *r;

	if (u->delivery > m->n)
		broken(m, u->delivery, "a number is left out");
	if (u->delivery == m->n) {
		m->d = mem_resize(m->d, (m->n + 1) * sizeof(*m->d));
		m->d[m->n++] = (struct read_delivery){.d.rcpt = u->to.rcpt,
		    .d.leg = u->to.leg, .leg = leg_of(u->to.leg)};
	}
	r = &m->d[u->delivery];
	if (r->d.leg != u->to.leg || r->d.rcpt != u->to.rcpt)
		broken(m, u->delivery, "another leg or recipient");
	if (!may_become((enum dstate)r->d.state, (enum dstate)u->to.state))
		broken(m, u->delivery, "it was over, and is not");
	if (u->to.uncertain < mark_of(m, &u->to))
		broken(m, u->delivery, "its mark was lost (D8)");
	if (u->to.state == D_BOUNCED && u->to.reason == WHY_ATTEMPT &&
	    r->d.state != D_BOUNCED)
		check_bounce(m, u->delivery, r->leg);
	r->d = u->to;
	r->by_admin = u->to.reason == WHY_ADMIN;
}

static void take_update(const struct spool_record *rec)
{
	struct read_message *m = map_get(&j.by_id, rec->id);

	if (m == NULL)
		sim_fail("journal: an update of an unknown message");
	j.update_at = rec->pos;
	j.updated = m;
	for (unsigned i = 0; i < rec->updates; i++)
		put(m, &rec->update[i]);
	for (unsigned i = 0; i < rec->updates; i++) {
		uint32_t rcpt = rec->update[i].to.rcpt;

		if (!stands(m, rcpt))
			broken(m, rec->update[i].delivery,
			    "nothing stands for the recipient (A2)");
		check_primary(m, rcpt, rec->update[i].delivery);
	}
}

/* ---- messages ---- */

/* A notice of ours, or one that a leg brought back, has an id of its own. */
static void link_mail(struct read_message *m, const struct envelope *e)
{
	const char *tag = e->message_id;

	m->notice = e->listen[0] == '\0' || strstr(tag, "@sim>") == NULL;
	if (m->notice)
		return;
	m->mail = witness_mail((unsigned)atoi(tag + 1));
	if (m->mail == NULL)
		broken(m, 0, "it is on record, and was never sent");
}

static void take_accepted(const struct spool_record *rec)
{
	struct read_message *m = map_get(&j.by_id, rec->id);
	struct arena *a;
	struct envelope e;

	if (m != NULL) /* a carry, or seen before a crash */
		return;
	if (j.n == MESSAGES)
		sim_fail("more messages than the simulation holds");
	m = j.m[j.n++] = NEW(struct read_message);
	m->id = rec->id;
	map_put(&j.by_id, rec->id, m);
	a = arena_new();
	if (envelope_unpack(rec->envelope, a, &e) < 0)
		broken(m, 0, "no envelope");
	link_mail(m, &e);
	if (m->notice && j.updated != NULL &&
	    spool_pos_together(j.update_at, rec->pos))
		m->tells_of = j.updated;
	m->rcpts = e.rcpts;
	for (unsigned i = 0; i < e.rcpts && i < MAIL_RCPTS; i++)
		m->user[i] = witness_user(e.rcpt[i].to);
	arena_free(a);
	m->n = rec->deliveries;
	m->d = NEW_ARRAY(struct read_delivery, m->n);
	for (unsigned i = 0; i < m->n; i++) {
		m->d[i].d = rec->delivery[i];
		m->d[i].leg = leg_of(rec->delivery[i].leg);
	}
	for (unsigned i = 0; i < m->rcpts; i++)
		if (!stands(m, i))
			broken(m, 0, "nothing stands for a recipient (A2)");
}

/* ---- reading ---- */

void recount_read(void)
{
	struct spool_record rec;
	struct spool_gap gap;
	enum tail_got got;

	if (!daemon_up() || j.blind)
		return;
	if (j.tail == NULL)
		j.tail = spool_tail_open(daemon_app()->shared.spool, j.pos);
	while ((got = spool_tail_next(j.tail, &rec, &gap)) == TAIL_RECORD) {
		j.pos = rec.next;
		if (rec.type == REC_ACCEPTED || rec.type == REC_CARRY)
			take_accepted(&rec);
		else if (rec.type == REC_UPDATE)
			take_update(&rec);
	}
	if (got == TAIL_GAP) {
		trace_line("the journal has a gap: not judged any more");
		j.blind = true;
	}
}

void recount_pause(void)
{
	if (j.tail != NULL)
		spool_tail_close(j.tail);
	j.tail = NULL;
}

void recount_forget(void)
{
	j.tail = NULL;
}

unsigned recount_open_deliveries(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < j.n; i++)
		for (unsigned k = 0; k < j.m[i]->n; k++)
			n += dstate_open((enum dstate)j.m[i]->d[k].d.state);
	return n;
}
