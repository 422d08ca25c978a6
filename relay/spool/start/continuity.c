/* SPDX-License-Identifier: ISC
 *
 * Which spool this is, how far its journal goes, and whether that is as far
 * as the audit index has read it: a journal that was emptied, replaced,
 * restored or cut goes on in a generation above all that was ever read, so
 * that a place in the journal means one record for ever.
 */
#include <inttypes.h>

#include "relay/base/id.h"
#include "relay/spool/start/recover.h"

/* The last totals may count what no segment holds any more, or not count what
 * was put back: the journal knows of what it holds. */
static void correct_total(struct spool *s, uint64_t t[TOTALS],
    enum total which, uint64_t live)
{
	s->origin.corrected +=
	    t[which] > live ? t[which] - live : live - t[which];
	t[T_CREATED] += live - t[which];
	t[which] = live;
}

static void correct_totals(struct spool *s)
{
	struct index *ix = &s->index;
	uint64_t(*live)[TOTALS] = mem_new(sizeof(ix->total));
	const struct live_table *t = &ix->table;

	/* In order of memory. */
	for (uint32_t number = 1; number <= t->messages.used; number++)
		for (uint32_t i = live_at(&ix->table, number)->first; i != 0;) {
			const struct live_delivery *d =
			    live_delivery_at(&ix->table, i);

			enum dstate state = (enum dstate)d->state;

			if (dstate_live(state))
				live[d->leg][dstate_total(state)]++;
			i = d->next;
		}
	for (int i = 0; i < NAMES_MAX; i++) {
		correct_total(s, ix->total[i], T_OPEN, live[i][T_OPEN]);
		correct_total(s, ix->total[i], T_PARKED, live[i][T_PARKED]);
	}
	memcpy(ix->total_next, ix->total, sizeof(ix->total));
	mem_free(live);
}

static bool life_has_batches(struct spool *s, uint64_t after)
{
	list_each(n, &s->mains) {
		const struct segment *seg =
		    LIST_ENTRY(n, struct segment, node);

		if (seg->generation > after && seg->batches > 0)
			return true;
	}
	return false;
}

/* The first start after a restore: no batch of the new life is there yet. */
static void begin_life(struct spool_recovery *r)
{
	struct spool *s = r->s;
	uint64_t to = key_main_to(s);

	if (s->bulk.generation < key_bulk_to(s))
		s->bulk.generation = key_bulk_to(s);
	if (s->key.lives == 0 || life_has_batches(s, to))
		return;
	if (s->journal.generation < to)
		s->journal.generation = to;
	r->clean = false;
	r->start->restored = s->journal.restored = true;
	index_mark_restored(s);
}

void origin_find(struct spool_recovery *r, const struct segment *last)
{
	struct spool *s = r->s;

	begin_life(r);
	s->origin.id = s->key.id;
	for (unsigned i = 0; i < s->key.lives; i++)
		s->origin.former[i] = s->key.life[i].id;
	s->origin.formers = s->key.lives;
	if (last != NULL)
		s->origin.end =
		    (struct spool_pos){last->generation, last->end};
	correct_totals(s);
	if (spool_pos_cmp(s->c.known, s->origin.end) <= 0)
		return;
	if (s->journal.generation < s->c.known.generation)
		s->journal.generation = s->c.known.generation;
	r->clean = false;
}

void origin_begin(struct spool *s)
{
	const struct segment *seg = s->journal.seg;

	s->origin.begin = seg != NULL
	    ? (struct spool_pos){seg->generation, seg->end}
	    : (struct spool_pos){s->journal.generation + 1, 0};
}

/* ---- what is not there ---- */

static bool have_main(struct spool *s, uint64_t generation)
{
	list_each(n, &s->mains)
		if (LIST_ENTRY(n, struct segment, node)->generation ==
		    generation)
			return true;
	return false;
}

static void name_lost(struct spool_recovery *r, uint32_t slot)
{
	struct spool *s = r->s;
	bool file = slot < s->segs && s->seg[slot] != NULL;

	s->slotmap.note[slot].lost = true;
	r->lost++;
	replay_gone(r, s->slotmap.note[slot].generation);
	replay_damage(r, "seg.%04u %s: it held generation %" PRIu64 " of the "
	    "journal, and mail in it that was not delivered yet is lost "
	    "unless the file is put back while posthoused is stopped",
	    (unsigned)slot, file ? "was emptied or replaced" : "is absent",
	    s->slotmap.note[slot].generation);
}

/* By the map of slots, which also says how far the generations went. */
void origin_find_lost(struct spool_recovery *r)
{
	struct spool *s = r->s;

	for (uint32_t i = 0; i < s->slotmap.notes; i++) {
		const struct slot_note *n = &s->slotmap.note[i];

		if (n->lane == LANE_BULK &&
		    n->generation > s->bulk.generation)
			s->bulk.generation = n->generation;
		if (n->lane != LANE_MAIN || !n->used)
			continue;
		if (n->generation > s->journal.generation)
			s->journal.generation = n->generation;
		if (n->generation >= s->journal.oldest &&
		    !have_main(s, n->generation))
			name_lost(r, i);
	}
}

/* Bodies that only a lost segment names: they stay for as long as delivered
 * mail does, in case it is put back. */
void origin_keep_unnamed(struct spool_recovery *r)
{
	struct spool *s = r->s;
	int64_t until = steady_now_us(s) + atomic_load(&s->retain_us);

	for (unsigned i = 0; i < s->segs && r->lost > 0; i++) {
		struct segment *seg = s->seg[i];

		if (seg != NULL && seg->state == SEG_BULK && seg->refs == 0 &&
		    seg->retain_until_us < until)
			seg->retain_until_us = until;
	}
}

/* Of a segment without a head nothing but its pieces says that it is not
 * another file. One that cannot be read now may be there. */
static bool piece_whole(struct spool *s, struct segment *seg,
    const struct extent *e)
{
	char *p = mem_new(e->bytes);
	bool whole = segment_read(s, seg, p, e->bytes, e->off) < 0 ||
	    sum_bytes(seg->secret, p, e->bytes) == e->sum;

	mem_free(p);
	return whole;
}

/* Is the body's part of the bulk lane there? */
static bool has_extent(struct spool *s, const struct extent *e)
{
	struct segment *seg = segment_of(s, e);

	return seg != NULL && (uint64_t)e->off + e->bytes <= seg->end &&
	    (!seg->adopted || piece_whole(s, seg, e));
}

void origin_check_body(struct spool_recovery *r, uint64_t id,
    const struct body_place *y)
{
	char text[ID_TEXT];

	for (unsigned i = 0; i < y->extents; i++)
		if (!has_extent(r->s, &y->extent[i])) {
			id_text(id, text);
			replay_damage(r, "message %s: its body, or a part, was "
			    "in seg.%04u (bulk generation %" PRIu64 "), "
			    "which is absent, cut or replaced", text,
			    (unsigned)y->extent[i].slot,
			    y->extent[i].generation);
			return;
		}
}
