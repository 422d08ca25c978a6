/* SPDX-License-Identifier: ISC
 *
 * Recounts what the rig's journal says.
 */
#include "tests/unit/drig_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/map.h"
#include "relay/spool/tail/tail.h"

struct known_message {
	uint64_t id;
	struct spool_delivery *d;
	unsigned n;
	uint64_t flies; /* a bit a number: it was reported, not synced yet */
};

struct drig_model {
	struct drig *r;
	struct spool_tail *tail;
	struct spool_pos pos;
	struct map map; /* id: struct known_message */
	bool blind; /* a part of the journal was not seen */
};

struct drig_model *drig_model_new(struct drig *r)
{
	struct drig_model *m = NEW(struct drig_model);

	m->r = r;
	map_init(&m->map);
	r->read = true;
	drig_restart(r, false);
	return m;
}

void drig_model_pause(struct drig_model *m)
{
	if (m->tail != NULL)
		spool_tail_close(m->tail);
	m->tail = NULL;
}

void drig_model_free(struct drig_model *m)
{
	struct known_message *k;
	size_t at = 0;

	drig_model_pause(m);
	while ((k = map_next(&m->map, &at, NULL)) != NULL) {
		mem_free(k->d);
		mem_free(k);
	}
	map_fini(&m->map);
	mem_free(m);
}

static struct known_message *message_of(struct drig_model *m, uint64_t id)
{
	struct known_message *k = map_get(&m->map, id);

	if (k != NULL)
		return k;
	k = NEW(struct known_message);
	k->id = id;
	map_put(&m->map, id, k);
	return k;
}

static void broken(const struct known_message *k,
    const struct spool_delivery *d, const char *promise)
{
	fail_msg("message %llu, recipient %u, leg %u, %s at change %llu: %s",
	    (unsigned long long)k->id, (unsigned)d->rcpt, (unsigned)d->leg,
	    dstate_text((enum dstate)d->state),
	    (unsigned long long)d->change, promise);
}

/* ---- the promises ---- */

static bool has_leg(const struct known_message *k, uint32_t rcpt, uint16_t leg)
{
	for (unsigned i = 0; i < k->n; i++)
		if (k->d[i].rcpt == rcpt && k->d[i].leg == leg)
			return true;
	return false;
}

static void check_bears(const struct drig_model *m,
    const struct known_message *k, const struct spool_delivery *d)
{
	const struct table_word *word;

	if (drig_message(m->r, k->id) == NULL) /* a notice of ours */
		return;
	assert_true(d->change <= m->r->change);
	word = &m->r->said[d->change];
	for (unsigned i = 0; word->route.kind == ROUTE_LEGS && !word->held &&
	     i < word->route.legs; i++)
		if (!has_leg(k, d->rcpt, word->route.leg[i]))
			broken(k, d, "a leg of that change has no delivery");
}

static void check_stands(const struct known_message *k,
    const struct spool_delivery *d)
{
	for (unsigned i = 0; i < k->n; i++)
		if (k->d[i].rcpt == d->rcpt && k->d[i].state != D_SUPERSEDED)
			return;
	broken(k, d, "nothing stands for the recipient");
}

static uint8_t mark_of(const struct known_message *k,
    const struct spool_delivery *d)
{
	uint8_t mark = UNC_NO;

	for (unsigned i = 0; i < k->n; i++)
		if (k->d[i].rcpt == d->rcpt && k->d[i].leg == d->leg &&
		    k->d[i].uncertain > mark)
			mark = k->d[i].uncertain;
	return mark;
}

/* ---- records ---- */

static uint64_t bit(uint32_t number)
{
	return number < 64 ? UINT64_C(1) << number : 0;
}

static void take_accepted(struct drig_model *m, const struct spool_record *rec)
{
	struct known_message *k = message_of(m, rec->id);

	if (k->d != NULL) /* a carry */
		return;
	k->d = mem_dup(rec->delivery, rec->deliveries * sizeof(*k->d));
	k->n = rec->deliveries;
}

static void put(struct known_message *k, const struct spool_update *u)
{
	if (u->delivery == k->n) {
		k->d = mem_resize(k->d, (k->n + 1) * sizeof(*k->d));
		k->d[k->n++] = (struct spool_delivery){.rcpt = u->to.rcpt,
		    .leg = u->to.leg};
	}
	if (u->delivery >= k->n)
		broken(k, &u->to, "a number is left out");
	if (u->to.uncertain < mark_of(k, &u->to))
		broken(k, &u->to, "its mark was lost");
	k->d[u->delivery] = u->to;
	k->flies &= ~bit(u->delivery);
}

static void take_update(struct drig_model *m, const struct spool_record *rec)
{
	struct known_message *k = message_of(m, rec->id);

	for (unsigned i = 0; i < rec->updates; i++)
		put(k, &rec->update[i]);
	for (unsigned i = 0; i < rec->updates; i++) {
		const struct spool_delivery *to = &rec->update[i].to;

		check_stands(k, to);
		if (to->reason == WHY_ATTEMPT && rec->old_state[i] != D_NONE)
			check_bears(m, k, to);
	}
}

void drig_model_read(struct drig_model *m)
{
	struct spool_record rec;
	struct spool_gap gap;
	enum tail_got got;

	if (m->blind)
		return;
	if (m->tail == NULL)
		m->tail = spool_tail_open(m->r->shared.spool, m->pos);
	while ((got = spool_tail_next(m->tail, &rec, &gap)) == TAIL_RECORD) {
		m->pos = rec.next;
		if (rec.type == REC_ACCEPTED || rec.type == REC_CARRY)
			take_accepted(m, &rec);
		else if (rec.type == REC_UPDATE)
			take_update(m, &rec);
	}
	/* Where space is short, as after a disk that failed, mail wins: what
	 * was recycled unread cannot be held against anything. */
	m->blind = m->blind || got == TAIL_GAP;
	spool_tail_done(m->r->shared.spool, m->pos);
}

/* ---- a kill ---- */

void drig_model_flies(struct drig_model *m, const struct worker_job *j,
    unsigned row)
{
	if (j->kind == JOB_ATTEMPT)
		message_of(m, j->id)->flies |= bit(j->row[row].ref.number);
}

void drig_model_kill(struct drig_model *m)
{
	struct known_message *k;
	size_t at = 0;

	for (unsigned i = 0; i < m->r->jobs; i++)
		for (unsigned row = 0; row < m->r->job[i]->n; row++)
			drig_model_flies(m, m->r->job[i], row);
	drig_model_read(m);
	while ((k = map_next(&m->map, &at, NULL)) != NULL) {
		for (unsigned i = 0; i < k->n; i++)
			if ((k->flies & bit(i)) != 0 &&
			    k->d[i].uncertain == UNC_NO)
				k->d[i].uncertain = UNC_POSSIBLE;
		k->flies = 0;
	}
}

bool drig_model_served(const struct drig_model *m, uint64_t id, uint32_t rcpt)
{
	const struct known_message *k = map_get(&m->map, id);

	for (unsigned i = 0; k != NULL && i < k->n; i++)
		if (k->d[i].rcpt == rcpt && k->d[i].role == ROLE_PRIMARY &&
		    k->d[i].state == D_DELIVERED)
			return true;
	return false;
}
