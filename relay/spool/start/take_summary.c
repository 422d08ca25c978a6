/* SPDX-License-Identifier: ISC
 *
 * A sealed segment by its summary, instead of by all of its records: the heads
 * of its batches are looked at, and the rows at its end are taken over. All of
 * them are read before any is believed.
 */
#include "relay/spool/start/recover.h"

#include "relay/base/pack.h"
#include "relay/spool/summary_read.h"

struct skim {
	struct batch_head first;
	uint64_t batches, end;
	uint64_t summary, covers; /* where it begins, and at which batch */
};

/* Marks what is open, and does so again at each start: only before all
 * records of a segment it can be done beside a summary. */
static bool marks(const struct batch_head *h)
{
	return (h->flags & (BATCH_UNCLEAN | BATCH_RESTORED)) != 0;
}

static bool begins_summary(struct scan *sc, uint64_t off)
{
	const char *p = scan_bytes(sc, off + BATCH_HEAD, RECORD_HEAD);
	struct record_head h;
	struct slice payload;

	if (p == NULL)
		return false;
	record_frame(slice_of(p, RECORD_HEAD), &h, &payload);
	return h.type == REC_SUMMARY;
}

/* From head to head; a few KiB a batch are read. */
static bool skim_heads(struct spool_recovery *r, struct segment *seg,
    struct skim *at)
{
	struct scan *sc = &r->sc;
	struct batch_head h;

	*at = (struct skim){0};
	scan_open(sc, seg, seg->end);
	sc->narrow = true;
	while (at->end < sc->limit && scan_head(sc, at->end, &h) &&
	    h.number == at->batches && (at->batches == 0 || !marks(&h))) {
		if (at->batches == 0)
			at->first = h;
		if (at->summary == 0 && begins_summary(sc, at->end)) {
			at->summary = at->end;
			at->covers = at->batches;
		}
		at->end += batch_span(&h);
		at->batches++;
	}
	sc->narrow = false;
	sc->win_n = 0;
	return at->summary != 0 && sc->bad_blocks == 0 && !sc->newer.met;
}

/* Of the segment that the record of a row stands in: that of a message that was
 * revived is an earlier one. */
static uint64_t end_of(const struct spool *s, const struct message_row *row,
    const struct segment *seg, const struct skim *skim)
{
	if (!row->whole)
		return UINT64_MAX;
	if (row->generation > seg->generation)
		return 0;
	if (row->generation == seg->generation)
		return skim->summary;
	list_each(n, &s->mains) {
		const struct segment *other =
		    LIST_ENTRY(n, struct segment, node);

		if (other->generation == row->generation)
			return other->end;
	}
	return UINT64_MAX; /* it is gone: the row has no effect */
}

static bool all_whole(struct spool_recovery *r, struct segment *seg,
    const struct skim *skim)
{
	struct summary_reader in;
	int rc;

	summary_reader_open(&in, r->s, seg, skim->summary, skim->end);
	while ((rc = summary_reader_next(&in)) > 0)
		if (!index_may_take(r->s, &in.row,
			end_of(r->s, &in.row, seg, skim)))
			break;
	rc = rc == 0 && in.head.batches == skim->covers ? 0 : -1;
	summary_reader_close(&in);
	return rc == 0;
}

static void take_row(struct spool_recovery *r, struct segment *seg,
    const struct message_row *row)
{
	struct body_place y = {.extent = row->extent,
	    .extents = row->extents};

	if (row->whole && row->id > r->start->highest_id)
		r->start->highest_id = row->id;
	if (seg->id_min == 0 || row->id < seg->id_min)
		seg->id_min = row->id;
	if (row->id > seg->id_max)
		seg->id_max = row->id;
	replay_adopt_bulk(r, &y);
	index_take_row(r->s, seg, row);
}

static void begin_as_first(struct spool_recovery *r,
    const struct batch_head *first)
{
	r->before_us = r->s->steady.now_us;
	steady_replay(r->s, first->time_us, r->before_us);
	if ((first->flags & BATCH_UNCLEAN) != 0)
		index_mark_uncertain(r->s);
	if ((first->flags & BATCH_RESTORED) != 0)
		index_mark_restored(r->s);
}

static void take_rows(struct spool_recovery *r, struct segment *seg,
    const struct skim *skim)
{
	struct summary_reader in;
	int rc;

	summary_reader_open(&in, r->s, seg, skim->summary, skim->end);
	while ((rc = summary_reader_next(&in)) > 0)
		take_row(r, seg, &in.row);
	r->s->steady.wall_us = in.head.wall_us;
	r->s->steady.now_us = r->before_us = in.head.now_us;
	summary_reader_close(&in);
}

/* Its checksum may be wrong: all else must be as in a summary. */
static bool looks_like_part(const struct record_head *h, struct slice payload,
    uint64_t number)
{
	struct unpack u;
	uint64_t covers;

	if (h->type != REC_SUMMARY || h->flags != RECORD_MAY_SKIP ||
	    h->batch != (uint32_t)number)
		return false;
	unpack_init(&u, payload);
	if (unpack_u8(&u) != SUMMARY_FORMAT)
		return false;
	unpack_u8(&u);	/* is it the last one */
	unpack_u32(&u); /* its number */
	covers = unpack_u64(&u);
	return unpack_ok(&u) && covers > 0 && covers <= number;
}

bool only_summary_spoilt(struct spool_recovery *r, uint64_t off,
    const struct batch_head *h)
{
	struct scan_range range = scan_range_of(off, h);
	const char *p = scan_bytes(&r->sc, range.at, range.end - range.at);
	struct slice rest, payload;
	struct record_head record;
	uint32_t n = 0;

	if (p == NULL)
		return false;
	rest = slice_of(p, range.end - range.at);
	for (; rest.n > 0; n++) {
		if (!record_frame(rest, &record, &payload) ||
		    (!looks_like_part(&record, payload, h->number) &&
			(n == 0 || !record_valid(rest, &record,
			    r->sc.seg->secret))))
			return false; /* most by their first frame */
		rest = slice_from(rest, record_span(&record));
	}
	return n == h->records;
}

bool take_summary(struct spool_recovery *r, struct segment *seg,
    uint64_t batches)
{
	struct skim skim;

	if (seg->format != FORMAT_VERSION || !skim_heads(r, seg, &skim) ||
	    skim.batches != batches || !all_whole(r, seg, &skim)) {
		scan_open(&r->sc, seg, seg->end);
		return false;
	}
	begin_as_first(r, &skim.first);
	take_rows(r, seg, &skim);
	seg->first_us = skim.first.time_us;
	seg->end = skim.end;
	seg->batches = skim.batches;
	seg->summary = skim.summary;
	r->clean = false;
	r->start->summaries++;
	return true;
}
