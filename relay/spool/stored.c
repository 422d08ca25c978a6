/* SPDX-License-Identifier: ISC
 *
 * Reads the whole state of a live message: its record, and the last update of
 * each delivery that had one. The index keeps only what is asked for often.
 */
#include <errno.h>

#include "relay/base/id.h"
#include "relay/spool/spool_int.h"

/* Several deliveries have their state in one record, as a rule. */
struct update_reader {
	struct spool *s;
	struct record record;
	char *mem;
	uint32_t slot, rec;
};

static void forget(struct update_reader *u)
{
	mem_free(u->mem);
	u->mem = NULL;
}

static int read_update(struct update_reader *u, const struct live_state *d,
    struct error *err)
{
	struct rec_place at = {u->s->seg[d->slot], d->rec, 0, NULL};

	if (u->mem != NULL && u->slot == d->slot && u->rec == d->rec)
		return 0;
	forget(u);
	if (at.seg == NULL)
		return error_sys(err, ENODATA, "its segment is gone");
	if (read_record(u->s, at, &u->record, &u->mem, err) < 0)
		return -1;
	u->slot = d->slot;
	u->rec = d->rec;
	return 0;
}

/* Of a record of format 1, by what the wall clock showed when it was
 * stamped. */
static int64_t ahead_then(struct spool *s, int64_t stamped_us)
{
	return steady_now_us(s) - spool_age_us(s, stamped_us) - stamped_us;
}

static int64_t ahead_of_update(struct update_reader *u)
{
	if (u->s->seg[u->slot]->format > 1)
		return u->record.update.ahead_us;
	return ahead_then(u->s, u->record.update.time_us);
}

static int64_t ahead_of_accept(struct spool *s, const struct version *v,
    const struct record *r)
{
	if (v->seg->format > 1)
		return r->accept.ahead_us;
	return ahead_then(s, r->type == REC_CARRY ? v->seg->first_us
						  : r->accept.accepted_us);
}

struct spool_delivery stored_guess(struct spool *s, uint64_t id,
    const struct live_state *d)
{
	return (struct spool_delivery){.rcpt = d->rcpt, .leg = d->leg,
	    .role = d->role, .state = d->state, .uncertain = d->uncertain,
	    .attempts = d->tried, .due_us = d->due_us,
	    .created_us = id_wall_ms(id) * 1000 + spool_ahead_us(s)};
}

/* The last one of the record counts. */
static const struct spool_update *find(const struct rec_update *u,
    unsigned number)
{
	const struct spool_update *found = NULL;

	for (unsigned i = 0; i < u->updates; i++)
		if (u->update[i].delivery == number)
			found = &u->update[i];
	return found;
}

/* By its own record, when the update is damaged. */
static void fall_back(struct spool *s, struct stored *m, unsigned i,
    const struct version *v)
{
	struct spool_delivery guess = stored_guess(s, v->id, &v->d[i]);

	m->detail[i] = slice_of("", 0);
	if (i < m->record.accept.deliveries) {
		guess.created_us = m->delivery[i].created_us;
		guess.change = m->delivery[i].change;
		guess.hash = m->delivery[i].hash;
	}
	m->delivery[i] = guess;
}

/* Its state stands in the record that revived the message. */
static int take_revived(struct update_reader *u, struct stored *m, unsigned i,
    const struct version *v)
{
	const struct rec_accept *a = &u->record.accept;

	if (a->id != v->id || i >= a->deliveries) {
		fall_back(u->s, m, i, v);
		return 0;
	}
	m->delivery[i] = a->delivery[i];
	steady_move(&m->delivery[i], a->ahead_us);
	m->detail[i] = slice_of(arena_slicedup(m->arena, a->detail[i]),
	    a->detail[i].n);
	return 0;
}

static int take_update(struct update_reader *u, struct stored *m, unsigned i,
    const struct version *v)
{
	const struct spool_update *up = NULL;
	struct error err;
	uint64_t hash;

	if (read_update(u, &v->d[i], &err) == 0) {
		if (u->record.type == REC_REVIVE)
			return take_revived(u, m, i, v);
		up = find(&u->record.update, i);
	} else if (err.no != EBADMSG && err.no != ENODATA)
		return -1;
	if (up == NULL || u->record.update.id != v->id) {
		fall_back(u->s, m, i, v);
		return 0;
	}
	hash = i < m->record.accept.deliveries ? m->delivery[i].hash : 0;
	m->delivery[i] = up->to;
	steady_move(&m->delivery[i], ahead_of_update(u));
	if (m->delivery[i].hash == 0)
		m->delivery[i].hash = hash;
	m->detail[i] = slice_of(arena_slicedup(m->arena, up->detail),
	    up->detail.n);
	return 0;
}

/* The deliveries as the record of the message has them. */
static void take_accept(struct spool *s, struct stored *m,
    const struct version *v)
{
	const struct rec_accept *a = &m->record.accept;
	int64_t ahead_us = ahead_of_accept(s, v, &m->record);

	m->n = v->n;
	m->delivery = arena_alloc(m->arena, v->n * sizeof(*m->delivery));
	m->detail = arena_alloc(m->arena, v->n * sizeof(*m->detail));
	for (unsigned i = 0; i < v->n; i++) {
		m->detail[i] = slice_of("", 0);
		if (i >= a->deliveries)
			continue;
		m->delivery[i] = a->delivery[i];
		steady_move(&m->delivery[i], ahead_us);
		m->detail[i] = a->detail[i];
	}
}

/* Without a record an unclean end marks deliveries, and a restore freezes
 * them. */
static void mark(struct spool_delivery *d, const struct live_state *is)
{
	d->uncertain = is->uncertain;
	if (is->state != D_FROZEN || d->state == D_FROZEN)
		return;
	d->state = D_FROZEN;
	d->reason = WHY_RESTORED;
	d->due_us = is->due_us;
}

static int take_states(struct spool *s, struct stored *m,
    const struct version *v)
{
	struct update_reader u = {.s = s};
	int rc = 0;

	record_init(&u.record);
	take_accept(s, m, v);
	for (unsigned i = 0; i < v->n && rc == 0; i++) {
		if (v->d[i].rec != 0)
			rc = take_update(&u, m, i, v);
		else if (i >= m->record.accept.deliveries)
			fall_back(s, m, i, v);
		mark(&m->delivery[i], &v->d[i]);
	}
	forget(&u);
	record_fini(&u.record);
	return rc;
}

int stored_read(struct spool *s, const struct version *v, struct stored *out,
    struct error *err)
{
	struct rec_place at = {v->seg, v->rec, v->rec_bytes, NULL};

	*out = (struct stored){0};
	record_init(&out->record);
	if (read_record(s, at, &out->record, &out->mem, err) < 0) {
		record_fini(&out->record);
		return -1;
	}
	out->arena = arena_new();
	if (take_states(s, out, v) == 0)
		return 0;
	error_sys(err, EIO, "the state of a delivery cannot be read");
	stored_fini(out);
	return -1;
}

void stored_fini(struct stored *m)
{
	arena_free(m->arena);
	mem_free(m->mem);
	record_fini(&m->record);
}
