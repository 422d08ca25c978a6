/* SPDX-License-Identifier: ISC
 *
 * The summary of the segment that is written: each record that changes a
 * message adds a row, by the same functions at the start and while it runs, and
 * the rows are written when the segment is full. A segment that is gone on with
 * after a start has one when all of it was replayed.
 */
#include "relay/spool/spool_int.h"

enum { SHARE = 4, FRAME_BYTES = 64 };

void summarize_begin(struct spool *s, bool whole)
{
	summary_begin(&s->index.summary, whole, s->key.segment_bytes / SHARE);
}

static void put_delivery(struct message_row *row, unsigned i,
    struct row_place place, const struct spool_delivery *d, int64_t ahead_us)
{
	row->place[i] = place;
	row->delivery[i] = *d;
	steady_move(&row->delivery[i], ahead_us);
}

void summarize_accept(struct spool *s, const struct rec_accept *a,
    const struct version *v, int64_t ahead_us)
{
	struct message_row *row = &s->index.row;

	if (!s->index.summary.whole)
		return;
	row_room(row, a->deliveries, a->body.extents);
	row->id = a->id;
	row->generation = v->seg->generation;
	row->slot = v->seg->slot;
	row->rec = v->rec;
	row->rec_bytes = v->rec_bytes;
	row->body_bytes = a->body.bytes;
	row->size = a->body.size;
	row->sender = a->sender;
	row->over_us = 0;
	row->whole = true;
	row->deliveries = a->deliveries;
	row->extents = a->body.extents;
	for (unsigned i = 0; i < a->deliveries; i++)
		put_delivery(row, i, (struct row_place){i, v->d[i].slot,
		    v->d[i].rec}, &a->delivery[i], ahead_us);
	for (unsigned i = 0; i < row->extents; i++)
		row->extent[i] = a->body.extent[i];
	summary_add(&s->index.summary, row);
}

/* Where the delivery of that number is, or is to be, so that they ascend. Most
 * often it is the last. */
static unsigned place_for(struct message_row *row, uint32_t number)
{
	unsigned i = row->deliveries;

	while (i > 0 && row->place[i - 1].number >= number)
		i--;
	if (i < row->deliveries && row->place[i].number == number)
		return i;
	memmove(&row->place[i + 1], &row->place[i],
	    (row->deliveries - i) * sizeof(row->place[0]));
	memmove(&row->delivery[i + 1], &row->delivery[i],
	    (row->deliveries - i) * sizeof(row->delivery[0]));
	row->deliveries++;
	return i;
}

void summarize_update(struct spool *s, const struct rec_update *u,
    struct rec_place at, int64_t ahead_us)
{
	struct message_row *row = &s->index.row;

	if (!s->index.summary.whole)
		return;
	row_room(row, u->updates, 0);
	row->id = u->id;
	row->generation = row->size = row->sender = 0;
	row->slot = row->rec = row->rec_bytes = row->body_bytes = 0;
	row->over_us = 0;
	row->whole = false;
	row->deliveries = row->extents = 0;
	for (unsigned i = 0; i < u->updates; i++) {
		const struct spool_update *up = &u->update[i];

		if (u->old_state[i] != UPDATE_IGNORED)
			put_delivery(row, place_for(row, up->delivery),
			    (struct row_place){up->delivery, at.seg->slot,
			    at.off}, &up->to, ahead_us);
	}
	summary_add(&s->index.summary, row);
}

/* ---- written ---- */

static uint64_t legs_bytes(const struct spool *s)
{
	return (uint64_t)names_count(s->c.names) * (16 + NAME_BYTES +
	    TOTALS * sizeof(uint64_t)) + FRAME_BYTES;
}

/* For rows of so many bytes, in records and batches. */
static uint64_t bytes_for(const struct spool *s, uint64_t rows)
{
	uint64_t parts = rows / SUMMARY_PART + 1;
	uint64_t batches = rows / (BATCH_BYTES / 2) + 1;

	return rows + parts * (legs_bytes(s) + RECORD_HEAD + FRAME_BYTES) +
	    batches * (legs_bytes(s) + BATCH_HEAD + BLOCK);
}

uint64_t summarize_reserve(const struct spool *s)
{
	uint64_t rows = summary_bytes(&s->index.summary);
	uint64_t need = rows == 0 ? 0 : bytes_for(s, rows);

	/* A segment that is just begun takes whatever one takes. */
	return s->journal.seg->batches == 0 ||
		need > s->key.segment_bytes / SHARE ? 0 : need;
}

bool summarize_fits(const struct spool *s)
{
	const struct summary *y = &s->index.summary;

	return y->whole && y->rows.n > 0 &&
	    bytes_for(s, y->rows.n) <=
		s->key.segment_bytes - s->journal.seg->end;
}

bool summarize_fill(struct spool *s, struct summary_head *h, size_t *at)
{
	struct journal *j = &s->journal;
	const struct summary *y = &s->index.summary;

	j->legs = (unsigned)names_count(s->c.names);
	while (*at < y->rows.n && j->batch.meta.n < BATCH_BYTES / 2) {
		struct slice rows = summary_part(y, at);
		size_t sheet;

		h->last = *at == y->rows.n;
		batch_record(&j->batch, REC_SUMMARY);
		batch_record_flags(&j->batch, RECORD_MAY_SKIP);
		summary_put_head(&j->batch.meta, h);
		sheet = sheet_begin(&j->batch.meta);
		strbuf_addsl(&j->batch.meta, rows);
		sheet_end(&j->batch.meta, sheet, s->c.names);
		batch_record_end(&j->batch);
		h->part++;
	}
	return *at < y->rows.n;
}

void summarize_written(struct spool *s, struct segment *seg, uint64_t at)
{
	pthread_mutex_lock(&s->lock);
	seg->summary = at;
	pthread_mutex_unlock(&s->lock);
}
