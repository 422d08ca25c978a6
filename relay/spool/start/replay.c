/* SPDX-License-Identifier: ISC
 *
 * Replays the main lane in order of generation, with the same functions that
 * applied it when it was written.
 *
 * A batch that is not whole is either the tail, which was never acknowledged,
 * or damage. It is damage when a later batch of the generation, or the next
 * segment, says that it was synced: then what can be read of it is used,
 * the rest is named and set aside. Else it is the tail, and is cut.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "relay/spool/start/recover.h"

enum { SET_ASIDE_MAX = 4 << 20 };

static void set_aside(struct spool_recovery *r, struct segment *seg,
    uint64_t from, uint64_t to)
{
	struct spool *s = r->s;
	struct diskio *io = s->c.io;
	size_t n = to - from < SET_ASIDE_MAX ? to - from : SET_ASIDE_MAX;
	char name[64], *raw;
	struct strbuf path;
	int fd;

	if (s->c.look_only)
		return;
	snprintf(name, sizeof(name), "damaged.%" PRIu64 ".%" PRIu64,
	    seg->generation, from);
	strbuf_init(&path, 4096);
	spool_path(s, name, &path);
	fd = io->open(io, path.p, O_WRONLY | O_CREAT | O_EXCL, 0600);
	strbuf_fini(&path);
	if (fd < 0)
		return; /* best effort; most often it is there already */
	raw = mem_new(n);
	if (segment_read(s, seg, raw, n, from) == 0 &&
	    io->pwrite(io, fd, raw, n, 0) == (ssize_t)n)
		io->fsync(io, fd);
	io->close(io, fd);
	mem_free(raw);
}

void replay_damage(struct spool_recovery *r, const char *fmt, ...)
{
	char line[300];
	va_list ap;

	r->start->damaged++;
	if (r->told->damage == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	r->told->damage(r->told->arg, line);
}

void replay_gone(struct spool_recovery *r, uint64_t generation)
{
	struct spool_start *st = r->start;
	unsigned at = st->gones;

	while (at > 0 && st->gone[at - 1] > generation)
		at--;
	if (at > 0 && st->gone[at - 1] == generation)
		return;
	if (st->gones == SPOOL_GONE_MAX) {
		st->more_gone = true;
		return;
	}
	memmove(&st->gone[at + 1], &st->gone[at],
	    (st->gones - at) * sizeof(st->gone[0]));
	st->gone[at] = generation;
	st->gones++;
}

static void damage_at(struct spool_recovery *r, struct segment *seg,
    uint64_t from, uint64_t to, const char *what)
{
	if (r->sc.bad_blocks > 0)
		return; /* not damage: the start is refused */
	replay_gone(r, seg->generation);
	replay_damage(r, "seg.%04u (generation %" PRIu64 "), bytes %" PRIu64
	    " to %" PRIu64 ": %s; set aside",
	    (unsigned)seg->slot, seg->generation, from, to, what);
	set_aside(r, seg, from, to);
}

/* The records say all that a summary says: nothing is lost with it. */
static void summary_spoilt(struct spool_recovery *r, const struct segment *seg,
    uint64_t at)
{
	char line[300];

	if (r->sc.bad_blocks > 0 || r->told->spoilt == NULL)
		return;
	snprintf(line, sizeof(line), "seg.%04u (generation %" PRIu64 "), the "
	    "summary at byte %" PRIu64 ": its records were read instead",
	    (unsigned)seg->slot, seg->generation, at);
	r->told->spoilt(r->told->arg, line);
}

/* A bulk segment whose head is damaged is known by the extents that name it;
 * those of a former life, whose mail was settled, have lower generations. */
static void adopt(struct spool *s, const struct extent *e)
{
	struct segment *seg = e->slot < s->segs ? s->seg[e->slot] : NULL;

	if (seg == NULL)
		return;
	if (seg->state == SEG_DIRTY && seg->soiled) {
		segment_move(s, seg, SEG_BULK);
		segment_identity(s, seg, LANE_BULK, e->generation);
		seg->adopted = true;
	} else if (seg->adopted && e->generation > seg->generation) {
		segment_identity(s, seg, LANE_BULK, e->generation);
	}
}

void replay_adopt_bulk(struct spool_recovery *r, const struct body_place *y)
{
	struct spool *s = r->s;

	for (unsigned i = 0; i < y->extents; i++) {
		if (y->extent[i].generation > s->bulk.generation)
			s->bulk.generation = y->extent[i].generation;
		adopt(s, &y->extent[i]);
	}
}

static void replay_accept(struct spool_recovery *r, struct rec_place at)
{
	struct rec_accept *a = &r->record.accept;

	if (a->id > r->start->highest_id)
		r->start->highest_id = a->id;
	replay_adopt_bulk(r, &a->body);
	index_stage_accept(r->s, &r->record, at);
}

void replay_facts(struct spool_recovery *r)
{
	if (r->record.all_facts)
		facts_clear(r->s);
	for (unsigned i = 0; i < r->record.facts; i++) {
		const struct fact *f = &r->record.fact[i];

		fact_set(r->s, f->key, f->value);
		if (steady_take(r->s, f->key, f->value))
			steady_replay(r->s, r->s->steady.wall_us,
			    r->before_us);
	}
}

static void replay_totals(struct spool_recovery *r)
{
	uint64_t(*t)[TOTALS] = r->s->index.total_next;

	memset(t, 0, sizeof(r->s->index.total_next));
	if (record_totals(r->record.totals, t, r->s->c.names) < 0)
		replay_damage(r, "a totals record is not one");
}

static void apply(struct spool_recovery *r, struct rec_place at)
{
	struct record *rec = &r->record;

	switch (rec->type) {
	case REC_GROUP:
		index_stage_update(r->s, &rec->update, at);
		replay_accept(r, at);
		break;
	case REC_ACCEPTED:
	case REC_CARRY:
		replay_accept(r, at);
		break;
	case REC_REVIVE:
		replay_adopt_bulk(r, &rec->accept.body);
		index_stage_revive(r->s, rec, at);
		break;
	case REC_UPDATE:
		index_stage_update(r->s, &rec->update, at);
		break;
	case REC_FACTS:
		replay_facts(r);
		break;
	case REC_TOTALS:
		replay_totals(r);
		break;
	case REC_SUMMARY:
		r->met_summary = true;
		break;
	default:
		break;
	}
}

static void replay_record(struct spool_recovery *r, struct segment *seg,
    const struct scan_record *rec)
{
	struct rec_place at = {seg, (uint32_t)rec->off,
	    (uint32_t)rec->frame.n, NULL};

	if (!record_known(rec->head.type)) {
		if ((rec->head.flags & RECORD_MAY_SKIP) == 0)
			scan_unknown(&r->sc, rec);
		return;
	}
	if (record_parse(&r->record, &rec->head, rec->payload, seg->format,
		r->s->c.names) < 0) {
		damage_at(r, seg, rec->off, rec->off + rec->frame.n,
		    "not a record");
		return;
	}
	r->clean = r->clean || rec->head.type == REC_CLEAN;
	apply(r, at);
}

/* `named`: what is no record here was named already. True: all are. */
static bool replay_range(struct spool_recovery *r, struct segment *seg,
    struct scan_range range, bool named)
{
	struct scan_record rec;
	uint64_t from = range.at;
	bool whole = true;
	int rc;

	r->clean = false;
	while ((rc = scan_record(&r->sc, &range, &rec)) != 0) {
		whole = whole && rc > 0;
		if (rc < 0 && !named)
			damage_at(r, seg, from, range.at,
			    "bytes that are no record");
		else if (rc > 0)
			replay_record(r, seg, &rec);
		from = range.at;
	}
	index_commit(r->s);
	return whole;
}

static bool body_whole(struct spool_recovery *r, const struct scan_record *rec)
{
	const struct body_place *y = &r->record.accept.body;
	const char *p;

	if (rec->head.type != REC_ACCEPTED && rec->head.type != REC_CARRY &&
	    rec->head.type != REC_GROUP)
		return true;
	if (record_parse(&r->record, &rec->head, rec->payload,
		r->sc.seg->format, r->s->c.names) < 0)
		return false;
	if (y->bytes == 0)
		return true;
	p = scan_bytes(&r->sc, y->off, y->bytes);
	return p != NULL &&
	    sum_bytes(r->sc.seg->secret, p, y->bytes) == y->sum;
}

/* Is every byte of the batch there that matters? */
static bool batch_whole(struct spool_recovery *r, uint64_t off,
    const struct batch_head *h)
{
	struct scan_range range = scan_range_of(off, h);
	struct scan_record rec;
	uint32_t n = 0;
	int rc;

	while ((rc = scan_record(&r->sc, &range, &rec)) > 0) {
		if (!body_whole(r, &rec))
			return false;
		n++;
	}
	return rc == 0 && n == h->records;
}

/* How far a segment's batches are known to count. */
struct vouch {
	uint64_t end;	 /* so many were synced; UINT64_MAX: unknown */
	bool sealed;	 /* a later generation exists                */
};

static bool vouched(struct spool_recovery *r, uint64_t off,
    const struct batch_head *h, const struct vouch *v)
{
	struct batch_head next;

	if (v->end != UINT64_MAX)
		return h->number < v->end;
	if (v->sealed)
		return true;
	return scan_find(&r->sc, off + batch_span(h), h->number + 1, &next) !=
	    0;
}

static void replay_batch(struct spool_recovery *r, struct segment *seg,
    uint64_t off, const struct batch_head *h)
{
	bool alone; /* what may be spoilt is a summary */

	r->before_us = r->s->steady.now_us;
	steady_replay(r->s, h->time_us, r->before_us);
	if ((h->flags & BATCH_UNCLEAN) != 0)
		index_mark_uncertain(r->s);
	if ((h->flags & BATCH_RESTORED) != 0)
		index_mark_restored(r->s);
	if (h->number == 0)
		seg->first_us = h->time_us;
	r->met_summary = false;
	alone = only_summary_spoilt(r, off, h);
	if (!replay_range(r, seg, scan_range_of(off, h), alone) && alone)
		summary_spoilt(r, seg, off);
	if (r->met_summary && seg->summary == 0)
		seg->summary = off;
	seg->end = off + batch_span(h);
	seg->batches = h->number + 1;
}

/* No head where batch `number` should be. Returns where to go on, 0 at the
 * end of what counts. */
static uint64_t cross_gap(struct spool_recovery *r, struct segment *seg,
    uint64_t at, uint64_t number, const struct vouch *v)
{
	struct batch_head h = {0};
	uint64_t next = scan_find(&r->sc, at + BLOCK, number + 1, &h);
	uint64_t past = next != 0 ? h.number : v->end;
	uint64_t to = next != 0 ? next : r->sc.limit;

	if (next != 0 && v->end != UINT64_MAX && h.number > v->end)
		past = v->end;
	if (past <= number || past == UINT64_MAX)
		return 0; /* the tail */
	damage_at(r, seg, at, to, "a batch whose head cannot be read");
	summarize_begin(r->s, false);
	replay_range(r, seg, (struct scan_range){at, to, number, past}, true);
	seg->end = to;
	seg->batches = past;
	return next;
}

static void replay_segment(struct spool_recovery *r, struct segment *seg,
    const struct vouch *v)
{
	uint64_t limit = seg->end, at = 0, number = 0;
	struct batch_head h;

	if (seg->generation == r->from) {
		at = r->from_offset;
		number = r->from_number;
	}
	summarize_begin(r->s, at == 0 && seg->format == FORMAT_VERSION);
	scan_open(&r->sc, seg, limit);
	seg->summary = 0;
	seg->end = at;
	seg->batches = number;
	while (at < limit && number < v->end) {
		if (!scan_head(&r->sc, at, &h) || h.number < number) {
			at = cross_gap(r, seg, at, number, v);
			if (at == 0)
				return;
			number = seg->batches;
			continue;
		}
		if (!vouched(r, at, &h, v) && !batch_whole(r, at, &h))
			return; /* the tail */
		replay_batch(r, seg, at, &h);
		number = h.number + 1;
		at += batch_span(&h);
	}
	if (v->end == UINT64_MAX || number >= v->end)
		return;
	replay_gone(r, seg->generation);
	replay_damage(r, "seg.%04u (generation %" PRIu64 "): batches %" PRIu64
	    " to %" PRIu64 " are missing at its end", (unsigned)seg->slot,
	    seg->generation, number, v->end - 1);
}

static void check_gap(struct spool_recovery *r, const struct segment *seg,
    const struct segment *next)
{
	const struct spool *s = r->s;

	/* A restored spool begins with a gap. */
	if (next == NULL || next->before.generation <= seg->generation ||
	    key_id(s, LANE_MAIN, seg->generation) !=
		key_id(s, LANE_MAIN, next->generation))
		return;
	/* One that was opened and never got a batch leaves no trace; the map
	 * of slots has named those that did. */
	if (r->s->slotmap.known ||
	    (next->before.generation == seg->generation + 1 &&
		next->before.batches == 0))
		return;
	replay_damage(r, "generations %" PRIu64 " to %" PRIu64 " are missing",
	    seg->generation + 1, next->before.generation);
	for (uint64_t g = seg->generation + 1; g <= next->before.generation &&
	     g - seg->generation <= SPOOL_GONE_MAX; g++)
		replay_gone(r, g);
}

/* As the next segment says of this one. */
static struct vouch vouch_for(const struct spool *s, const struct segment *seg,
    const struct segment *next)
{
	struct vouch v = {UINT64_MAX,
	    seg->generation < s->journal.generation};

	if (next == NULL || next->before.generation > seg->generation)
		return v;
	if (next->before.generation == seg->generation)
		v.end = next->before.batches;
	else if (!next->before.leap)
		v.end = 0;
	return v;
}

int replay_all(struct spool_recovery *r, struct error *err)
{
	struct spool *s = r->s;

	list_each(n, &s->mains) {
		struct segment *seg = LIST_ENTRY(n, struct segment, node);
		struct segment *next = n->next == &s->mains ? NULL :
		    LIST_ENTRY(n->next, struct segment, node);
		struct vouch v = vouch_for(s, seg, next);

		r->start->segments++;
		if (seg->generation < r->from)
			continue;
		check_gap(r, seg, next);
		if (next == NULL || v.end == UINT64_MAX ||
		    (seg->generation == r->from && r->from_offset > 0) ||
		    !take_summary(r, seg, v.end))
			replay_segment(r, seg, &v);
		if (scan_all_known(&r->sc, err) < 0)
			return -1;
		if (seg->batches == 0)
			r->clean = false;
	}
	return 0;
}
