/* SPDX-License-Identifier: ISC
 *
 * Reads the whole state of a message: its record, and the last update of each
 * delivery that had one. The index keeps only what is asked for often.
 *
 * Of a message that is over and kept still (R4) nothing is in memory but the
 * lowest and the highest id that each segment names; of those segments whose
 * range has its id the summaries are read, or all records where there is none,
 * from the oldest on.
 */
#include <errno.h>

#include "relay/base/id.h"
#include "relay/spool/summary_read.h"

/* Several deliveries have their state in one record, as a rule. */
struct update_reader {
	struct spool *s;
	struct windows *by;
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
	struct rec_place at = {u->s->seg[d->slot], d->rec, 0, u->by};

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

static int take_states(struct spool *s, struct windows *by, struct stored *m,
    const struct version *v)
{
	struct update_reader u = {.s = s, .by = by};
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

int stored_read(struct spool *s, struct windows *by, const struct version *v,
    struct stored *out, struct error *err)
{
	struct rec_place at = {v->seg, v->rec, v->rec_bytes, by};

	*out = (struct stored){0};
	record_init(&out->record);
	if (read_record(s, at, &out->record, &out->mem, err) < 0) {
		record_fini(&out->record);
		return -1;
	}
	out->arena = arena_new();
	if (take_states(s, by, out, v) == 0)
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

/* ---- over, and kept ---- */

struct kept_search {
	struct spool *s;
	uint64_t id;
	struct scan sc;
	struct record record;
	struct version *found;
	unsigned summaries;
};

static void pin_all(struct spool *s, uint64_t id, struct retained *r)
{
	unsigned n = 0;

	pthread_mutex_lock(&s->lock);
	list_each(at, &s->mains)
		n++;
	r->pin = NEW_ARRAY(struct segment *, n);
	list_each(at, &s->mains) {
		struct segment *seg = LIST_ENTRY(at, struct segment, node);

		if (id < seg->id_min || id > seg->id_max)
			continue;
		seg->pins++;
		r->pin[r->pins++] = seg;
	}
	pthread_mutex_unlock(&s->lock);
}

void retained_let_go(struct spool *s, struct retained *r)
{
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < r->pins; i++)
		r->pin[i]->pins--;
	pthread_mutex_unlock(&s->lock);
	if (r->pins > 0)
		space_wake(s);
	mem_free(r->pin);
	version_free(r->version);
	*r = (struct retained){0};
}

static void become(struct kept_search *f, struct version *v)
{
	if (v == NULL)
		return;
	version_free(f->found);
	f->found = v;
}

/* The id stands first in all but a revival and the second part of a group. */
static bool may_name(const struct kept_search *f, const struct scan_record *rec)
{
	struct unpack u;

	if (rec->head.type == REC_GROUP || rec->head.type == REC_REVIVE)
		return true;
	unpack_init(&u, rec->payload);
	return (rec->head.type == REC_ACCEPTED ||
		   rec->head.type == REC_CARRY ||
		   rec->head.type == REC_UPDATE) &&
	    unpack_u64(&u) == f->id;
}

static void look_at(struct kept_search *f, struct segment *seg,
    const struct scan_record *rec)
{
	struct rec_place at = {seg, (uint32_t)rec->off,
	    (uint32_t)rec->frame.n, NULL};
	struct record *r = &f->record;

	if (!may_name(f, rec) ||
	    record_parse(r, &rec->head, rec->payload, seg->format,
		f->s->c.names) < 0)
		return;
	if ((r->type == REC_UPDATE || r->type == REC_GROUP) &&
	    r->update.id == f->id && f->found != NULL)
		become(f, version_after(f->found, &r->update, at));
	if (r->type != REC_UPDATE && r->accept.id == f->id)
		become(f, version_of(f->s, r, at));
}

static void read_segment(struct kept_search *f, struct segment *seg,
    uint64_t end)
{
	struct batch_head h;
	struct scan_record rec;
	uint64_t off = 0;

	scan_open(&f->sc, seg, end);
	while (off < end) {
		struct scan_range range;
		int rc;

		if (!scan_head(&f->sc, off, &h)) {
			off = scan_find(&f->sc, off + BLOCK, 0, &h);
			if (off == 0)
				return;
		}
		range = scan_range_of(off, &h);
		while ((rc = scan_record(&f->sc, &range, &rec)) != 0)
			if (rc > 0)
				look_at(f, seg, &rec);
		off += batch_span(&h);
	}
}

/* False: its summary is not whole, and nothing was found. */
static bool read_summary(struct kept_search *f, struct segment *seg,
    uint64_t at, uint64_t end)
{
	struct version *before = f->found == NULL ? NULL :
	    version_dup(f->found, f->found->n);
	struct summary_reader r;
	int rc;

	summary_reader_open(&r, f->s, seg, at, end);
	while ((rc = summary_reader_next(&r)) > 0) {
		if (r.row.id != f->id)
			continue;
		if (r.row.whole)
			become(f, version_of_row(f->s, seg, &r.row));
		else if (f->found != NULL)
			become(f, version_after_row(f->found, &r.row));
	}
	summary_reader_close(&r);
	if (rc == 0) {
		version_free(before);
		f->summaries++;
		return true;
	}
	version_free(f->found);
	f->found = before;
	return false;
}

static int search(struct kept_search *f, struct segment *seg,
    struct error *err)
{
	uint64_t at, end;

	pthread_mutex_lock(&f->s->lock);
	at = seg->summary;
	end = seg->end;
	pthread_mutex_unlock(&f->s->lock);
	if (at != 0 && read_summary(f, seg, at, end))
		return 0;
	read_segment(f, seg, end);
	return scan_all_known(&f->sc, err);
}

struct version *retained_find(struct spool *s, uint64_t id,
    struct retained *out, struct error *err)
{
	struct kept_search f = {.s = s, .id = id};
	int rc = 0;

	*out = (struct retained){0};
	pin_all(s, id, out);
	scan_init(&f.sc, s);
	record_init(&f.record);
	for (unsigned i = 0; i < out->pins && rc == 0; i++)
		rc = search(&f, out->pin[i], err);
	scan_fini(&f.sc);
	record_fini(&f.record);
	out->version = f.found;
	out->summaries = f.summaries;
	if (rc == 0 && f.found == NULL)
		error_set(err, "no such message is in the queue, or kept");
	if (rc == 0 && f.found != NULL)
		return f.found;
	retained_let_go(s, out);
	return NULL;
}
