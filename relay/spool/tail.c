/* SPDX-License-Identifier: ISC
 *
 * The projector's view: the synced records of the main lane in order. Reads
 * the files in runs of 256 KiB, past the bodies, and never beyond what the
 * writer has synced. The segment that is being read is pinned. One thread a
 * tail.
 *
 * A group is one record but two parts; records start on 8 bytes, so an odd
 * offset is a group's second part.
 */
#include "relay/spool/scan.h"

struct spool_tail {
	struct spool *s;
	struct scan sc;
	struct segment *seg; /* pinned, or NULL */
	uint64_t generation; /* of seg, or wanted next */
	uint64_t at;	     /* the next batch */
	struct scan_range range; /* of the present one */
	uint64_t skip_to;    /* records before this offset were read */
	bool second;	     /* a group's second part is next */
	bool second_only;    /* ... and its first is not wanted */
	uint64_t record_off;
	struct record record;
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
	t->seg->pins--;
	pthread_mutex_unlock(&t->s->lock);
	steward_wake(t->s);
	t->seg = NULL;
}

void spool_tail_close(struct spool_tail *t)
{
	if (t == NULL)
		return;
	leave(t);
	scan_fini(&t->sc);
	record_fini(&t->record);
	mem_free(t);
}

void spool_tail_done(struct spool *s, struct spool_pos pos)
{
	bool moved;

	pthread_mutex_lock(&s->lock);
	moved = pos.generation != s->done.generation;
	s->done = pos;
	pthread_mutex_unlock(&s->lock);
	if (moved)
		steward_wake(s);
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
			break;
		}
	}
	pthread_mutex_unlock(&t->s->lock);
	return found;
}

/* 1 entered; 0 there is none yet; -1 entered, but the wanted one is gone. */
static int enter(struct spool_tail *t, uint64_t *skipped_out)
{
	uint64_t end = 0, wanted = t->generation;

	t->seg = pin_from(t, &end);
	if (t->seg == NULL)
		return 0;
	t->generation = t->seg->generation;
	t->at = 0;
	t->range = (struct scan_range){0};
	scan_open(&t->sc, t->seg, end);
	if (t->generation == wanted)
		return 1;
	t->skip_to = 0;
	t->second_only = false;
	*skipped_out = t->generation - wanted;
	return wanted == 0 ? 1 : -1;
}

/* Is there more of this segment now? Else, is it over? */
static bool more(struct spool_tail *t, bool *over_out)
{
	uint64_t end;

	pthread_mutex_lock(&t->s->lock);
	end = t->seg->end;
	*over_out = !t->seg->current;
	pthread_mutex_unlock(&t->s->lock);
	if (end <= t->sc.limit)
		return false;
	t->sc.limit = end;
	return true;
}

static bool next_batch(struct spool_tail *t)
{
	struct batch_head h;

	while (t->at < t->sc.limit) {
		if (!scan_head(&t->sc, t->at, &h)) {
			/* Damage that recovery has named. */
			t->at = scan_find(&t->sc, t->at + BLOCK, 0, &h);
			if (t->at == 0)
				t->at = t->sc.limit;
			continue;
		}
		t->range = scan_range_of(t->at, &h);
		t->at += batch_span(&h);
		if (t->at > t->skip_to)
			return true;
		t->range.at = t->range.end;
	}
	return false;
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

/* False for what is the journal's own bookkeeping. */
static bool give(struct spool_tail *t, const struct scan_record *rec,
    struct spool_record *out)
{
	if (record_parse(&t->record, rec->head.type, rec->payload,
		t->s->c.names) < 0)
		return false;
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
		out->note = t->record.note;
		out->time_us = t->record.time_us;
		out->bytes = t->record.bytes;
		return true;
	default:
		return false;
	}
}

/* The next record of the present batch. */
static bool from_batch(struct spool_tail *t, struct spool_record *out)
{
	struct scan_record rec;
	int rc;

	while ((rc = scan_record(&t->sc, &t->range, &rec)) != 0)
		if (rc > 0 && rec.off >= t->skip_to && give(t, &rec, out))
			return true;
	return false;
}

int spool_tail_next(struct spool_tail *t, struct spool_record *rec_out,
    uint64_t *skipped_out)
{
	bool over;
	int rc;

	if (t->second) {
		give_second(t, rec_out);
		return 1;
	}
	for (;;) {
		if (t->seg == NULL) {
			rc = enter(t, skipped_out);
			if (rc <= 0)
				return rc;
		}
		if (from_batch(t, rec_out))
			return 1;
		if (next_batch(t) || more(t, &over))
			continue;
		if (!over)
			return 0;
		leave(t);
		t->generation++;
		t->skip_to = 0;
		t->second_only = false;
	}
}
