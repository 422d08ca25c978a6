/* SPDX-License-Identifier: ISC
 *
 * The projector's view: the synced records of the main lane in order. Reads
 * the files in runs of 256 KiB, past the bodies, and never beyond what the
 * writer has synced. The segment that is being read is pinned. One thread a
 * tail.
 *
 * A group is one record but two parts; records start on 8 bytes, so an odd
 * offset is a group's second part.
 *
 * A read error is not damage: the tail stays where it is, and the caller
 * decides how long to wait. A damaged record is told as a gap, once.
 */
#include "relay/base/assert.h"
#include "relay/spool/scan.h"
#include "relay/spool/tail/tail.h"

struct spool_tail {
	struct spool *s;
	struct scan sc;
	struct segment *seg; /* pinned, or NULL */
	uint64_t generation; /* of seg, or wanted next */
	uint64_t at;	     /* the next batch */
	uint64_t number;     /* of the next batch */
	uint64_t batches;    /* of seg, up to the limit */
	struct scan_range range; /* of the present one */
	bool told;	     /* ... that it is damaged */
	uint64_t failed_to;  /* the end of what could not be read */
	uint64_t pass_to;    /* what cannot be read before it is a gap */
	uint64_t skip_to;    /* records before this offset were read */
	bool second;	     /* a group's second part is next */
	bool second_only;    /* ... and its first is not wanted */
	uint64_t record_off;
	struct record record;
	uint64_t total[NAMES_MAX][TOTALS]; /* of the last totals record */
	/* A revival is told as an update that creates deliveries. */
	struct spool_update *made;
	uint8_t *none; /* their old states */
	unsigned made_cap;
};

struct spool_tail *spool_tail_open(struct spool *s, struct spool_pos from)
{
	struct spool_tail *t = NEW(struct spool_tail);

	t->s = s;
	t->generation = from.generation;
	t->skip_to = from.offset & ~(uint64_t)1;
	t->second_only = (from.offset & 1) != 0;
	scan_init(&t->sc, s);
	record_init(&t->record);
	return t;
}

static void leave(struct spool_tail *t)
{
	if (t->seg == NULL)
		return;
	pthread_mutex_lock(&t->s->lock);
	PH_ASSERT(t->seg->pins > 0);
	t->seg->pins--;
	pthread_mutex_unlock(&t->s->lock);
	space_wake(t->s);
	t->seg = NULL;
}

void spool_tail_close(struct spool_tail *t)
{
	if (t == NULL)
		return;
	leave(t);
	scan_fini(&t->sc);
	record_fini(&t->record);
	mem_free(t->made);
	mem_free(t->none);
	mem_free(t);
}

/* The first segment from the wanted generation on, pinned. */
static struct segment *pin_from(struct spool_tail *t, uint64_t *end_out)
{
	struct segment *found = NULL;

	pthread_mutex_lock(&t->s->lock);
	list_each(n, &t->s->mains) {
		struct segment *seg = LIST_ENTRY(n, struct segment, node);

		if (seg->generation >= t->generation) {
			seg->pins++;
			found = seg;
			*end_out = seg->end;
			t->batches = seg->batches;
			break;
		}
	}
	pthread_mutex_unlock(&t->s->lock);
	return found;
}

/* Before each that the next generation begins with. */
static void rewind_to(struct spool_tail *t, uint64_t generation)
{
	t->generation = generation;
	t->skip_to = 0;
	t->second_only = false;
}

/* A restored spool begins above the generations of its life before; those
 * between were never used. */
static bool lives_between(const struct spool *s, uint64_t from, uint64_t to)
{
	return key_id(s, LANE_MAIN, from) != key_id(s, LANE_MAIN, to);
}

/* TAIL_RECORD: entered; TAIL_GAP: entered, but the wanted one is gone. */
static enum tail_got enter(struct spool_tail *t, struct spool_gap *gap_out)
{
	uint64_t end = 0, wanted = t->generation;

	t->seg = pin_from(t, &end);
	if (t->seg == NULL)
		return TAIL_NONE;
	t->at = t->number = t->pass_to = 0;
	t->range = (struct scan_range){0};
	scan_open(&t->sc, t->seg, end);
	if (t->seg->generation == wanted)
		return TAIL_RECORD;
	rewind_to(t, t->seg->generation);
	*gap_out = (struct spool_gap){
	    .pos = {wanted, 0},
	    .next = {t->generation, 0},
	    .generations = t->generation - wanted,
	};
	return wanted == 0 || lives_between(t->s, wanted, t->generation)
		   ? TAIL_RECORD : TAIL_GAP;
}

/* Is there more of this segment now? Else, is it over? */
static bool more(struct spool_tail *t, bool *over_out)
{
	uint64_t end;

	pthread_mutex_lock(&t->s->lock);
	end = t->seg->end;
	t->batches = t->seg->batches;
	*over_out = !t->seg->current;
	pthread_mutex_unlock(&t->s->lock);
	if (end <= t->sc.limit)
		return false;
	t->sc.limit = end;
	return true;
}

/* Zeros stand for what could not be read: nothing is concluded from them. */
static bool unread(const struct spool_tail *t)
{
	return t->sc.bad_end > t->pass_to;
}

/* No head where one should be: what recovery found there is found again. */
static bool cross_damage(struct spool_tail *t)
{
	struct batch_head h = {.number = t->batches};
	uint64_t to = scan_find(&t->sc, t->at + BLOCK, t->number, &h);

	if (unread(t))
		return false;
	t->range = (struct scan_range){t->at, to == 0 ? t->sc.limit : to,
	    t->number, h.number};
	t->number = t->range.past;
	t->at = t->range.end;
	return true;
}

/* TAIL_RECORD: t->range is the next. */
static enum tail_got next_batch(struct spool_tail *t)
{
	struct batch_head h;

	while (t->at < t->sc.limit) {
		if (scan_head(&t->sc, t->at, &h)) {
			t->range = scan_range_of(t->at, &h);
			t->number = h.number + 1;
			t->at += batch_span(&h);
		} else if (!cross_damage(t)) {
			return TAIL_FAILED;
		}
		t->told = false;
		if (t->at > t->skip_to)
			return TAIL_RECORD;
		t->range.at = t->range.end;
	}
	return TAIL_NONE;
}

static uint64_t after(const struct spool_tail *t)
{
	return t->range.at < t->range.end ? t->range.at : t->at;
}

static void give_accept(struct spool_tail *t, struct spool_record *out)
{
	const struct rec_accept *a = &t->record.accept;

	out->id = a->id;
	out->time_us = a->accepted_us;
	out->envelope = a->envelope;
	out->body_bytes = a->body.size;
	out->delivery = a->delivery;
	out->deliveries = a->deliveries;
}

static void give_update(struct spool_tail *t, struct spool_record *out)
{
	struct rec_update *u = &t->record.update;
	unsigned n = 0;

	for (unsigned i = 0; i < u->updates; i++) {
		if (u->old_state[i] == UPDATE_IGNORED)
			continue;
		u->update[n] = u->update[i];
		u->old_state[n++] = u->old_state[i];
	}
	out->type = REC_UPDATE;
	out->id = u->id;
	out->time_us = u->time_us;
	out->update = u->update;
	out->old_state = u->old_state;
	out->updates = n;
}

static void give_revive(struct spool_tail *t, struct spool_record *out)
{
	const struct rec_accept *a = &t->record.accept;
	unsigned old = t->record.revive.old, n = a->deliveries - old;

	if (n > t->made_cap) {
		t->made_cap = n;
		t->made = mem_resize(t->made, n * sizeof(*t->made));
		t->none = mem_resize(t->none, n);
	}
	memset(t->none, D_NONE, n);
	for (unsigned i = 0; i < n; i++)
		t->made[i] = (struct spool_update){old + i,
		    a->delivery[old + i], a->detail[old + i]};
	out->type = REC_UPDATE;
	out->id = a->id;
	out->time_us = a->delivery[old].created_us;
	out->update = t->made;
	out->old_state = t->none;
	out->updates = n;
}

static void give_second(struct spool_tail *t, struct spool_record *out)
{
	t->second = t->second_only = false;
	*out = (struct spool_record){
	    .pos = {t->generation, t->record_off | 1},
	    .next = {t->generation, after(t)},
	    .type = REC_ACCEPTED,
	};
	give_accept(t, out);
}

static void give_note(const struct spool_tail *t, struct spool_record *out)
{
	out->note = t->record.note;
	out->time_us = t->record.time_us;
	out->bytes = t->record.bytes;
}

/* False for what is the journal's own bookkeeping. */
static bool give(struct spool_tail *t, const struct scan_record *rec,
    struct spool_record *out)
{
	t->record_off = rec->off;
	*out = (struct spool_record){
	    .pos = {t->generation, rec->off},
	    .next = {t->generation, after(t)},
	    .type = rec->head.type,
	};
	switch (out->type) {
	case REC_ACCEPTED:
	case REC_CARRY:
		give_accept(t, out);
		return true;
	case REC_UPDATE:
		give_update(t, out);
		return out->updates > 0;
	case REC_REVIVE:
		give_revive(t, out);
		return true;
	case REC_GROUP:
		if (t->second_only) {
			give_second(t, out);
			return true;
		}
		out->next.offset = rec->off | 1;
		t->second = true;
		give_update(t, out);
		return true;
	case REC_NOTE:
		give_note(t, out);
		return true;
	case REC_TOTALS:
		out->total = t->total;
		return true;
	default:
		return false;
	}
}

/* Damage from `from` to where the range stands now. A head lies where no
 * record starts, so 8 bytes on nothing is passed over. */
static enum tail_got tell_damage(struct spool_tail *t, uint64_t from,
    struct spool_gap *out)
{
	bool told = t->told || from < t->skip_to;

	t->told = true;
	if (told)
		return TAIL_NONE;
	*out = (struct spool_gap){
	    .pos = {t->generation, from},
	    .next = {t->generation, from + RECORD_ALIGN},
	    .bytes = t->range.at - from,
	    .damaged = t->sc.bad_end <= from,
	};
	return TAIL_GAP;
}

/* False: not what its type says. */
static bool parse(struct spool_tail *t, const struct scan_record *rec)
{
	struct names *names = t->s->c.names;

	if (record_parse(&t->record, &rec->head, rec->payload, t->seg->format,
		names) < 0)
		return false;
	if (t->record.type != REC_TOTALS)
		return true;
	memset(t->total, 0, sizeof(t->total));
	return record_totals(t->record.totals, t->total, names) == 0;
}

/* The next record of the present batch. */
static enum tail_got from_batch(struct spool_tail *t,
    struct spool_record *out, struct spool_gap *gap_out)
{
	enum tail_got got = TAIL_NONE;
	struct scan_record rec;
	uint64_t from = t->range.at;
	int rc;

	while (got == TAIL_NONE &&
	    (rc = scan_record(&t->sc, &t->range, &rec)) != 0) {
		if (rc < 0 && unread(t)) {
			t->range.at = from;
			return TAIL_FAILED;
		}
		if (rc < 0)
			got = tell_damage(t, from, gap_out);
		else if (rec.off < t->skip_to || !record_known(rec.head.type))
			got = TAIL_NONE;
		else if (!parse(t, &rec))
			got = tell_damage(t, rec.off, gap_out);
		else
			got = give(t, &rec, out) ? TAIL_RECORD : TAIL_NONE;
		from = t->range.at;
	}
	return got;
}

/* One record or gap further, over as many batches as that takes. */
static enum tail_got advance(struct spool_tail *t,
    struct spool_record *rec_out, struct spool_gap *gap_out)
{
	enum tail_got got;
	bool over;

	for (;;) {
		if (t->seg == NULL) {
			got = enter(t, gap_out);
			if (got != TAIL_RECORD)
				return got;
		}
		got = from_batch(t, rec_out, gap_out);
		if (got != TAIL_NONE)
			return got;
		got = next_batch(t);
		if (got == TAIL_FAILED)
			return got;
		if (got == TAIL_RECORD || more(t, &over))
			continue;
		if (!over)
			return TAIL_NONE;
		leave(t);
		rewind_to(t, t->generation + 1);
	}
}

enum tail_got spool_tail_next(struct spool_tail *t,
    struct spool_record *rec_out, struct spool_gap *gap_out)
{
	enum tail_got got;

	if (t->second) {
		give_second(t, rec_out);
		return TAIL_RECORD;
	}
	if (unread(t)) { /* it may be well again */
		t->sc.win_n = 0;
		t->sc.bad_end = 0;
	}
	got = advance(t, rec_out, gap_out);
	if (got == TAIL_FAILED) {
		t->failed_to = t->sc.bad_end;
		*gap_out = (struct spool_gap){
		    .pos = {t->generation, after(t)}, .no = t->sc.bad_no};
	}
	return got;
}

void spool_tail_pass(struct spool_tail *t)
{
	t->pass_to = t->failed_to;
}
