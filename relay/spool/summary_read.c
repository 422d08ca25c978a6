/* SPDX-License-Identifier: ISC
 *
 * Reads the summary of a segment. What is not whole is read from the records.
 */
#include "relay/spool/summary_read.h"

void summary_reader_open(struct summary_reader *r, struct spool *s,
    struct segment *seg, uint64_t at, uint64_t end)
{
	*r = (struct summary_reader){.s = s, .at = at, .end = end};
	scan_init(&r->sc, s);
	scan_open(&r->sc, seg, end);
}

void summary_reader_close(struct summary_reader *r)
{
	scan_fini(&r->sc);
	row_fini(&r->row);
}

/* The rows of a record: 1, 0 when it is of another type, -1 when it is not the
 * next part. */
static int take_part(struct summary_reader *r, const struct scan_record *rec)
{
	uint64_t batches = r->head.batches;

	if (rec->head.type != REC_SUMMARY)
		return 0;
	if (summary_get(rec->payload, r->s->c.names, &r->head, &r->rows,
		&r->legs) < 0 ||
	    r->head.part != r->part ||
	    (r->part > 0 && r->head.batches != batches))
		return -1;
	r->part++;
	return 1;
}

static bool next_batch(struct summary_reader *r)
{
	struct batch_head h;

	if (r->at >= r->end || !scan_head(&r->sc, r->at, &h))
		return false;
	r->range = scan_range_of(r->at, &h);
	r->at += batch_span(&h);
	return true;
}

static int next_part(struct summary_reader *r)
{
	struct scan_record rec;

	for (;;) {
		int rc = scan_record(&r->sc, &r->range, &rec);

		if (rc > 0)
			rc = take_part(r, &rec);
		else if (rc == 0 && !next_batch(r))
			return -1;
		if (rc != 0)
			return rc;
	}
}

/* As summary_next(). */
static int row_of_part(struct summary_reader *r)
{
	if (r->query != NULL)
		return summary_next(&r->rows, &r->legs, r->query, &r->row);
	if (r->rows.n == 0)
		return 0;
	return sheet_next(&r->rows, &r->legs, &r->row) < 0 ? -1 : 1;
}

int summary_reader_next(struct summary_reader *r)
{
	int rc;

	while ((rc = row_of_part(r)) == 0) {
		if (r->part > 0 && r->head.last)
			return 0;
		if (next_part(r) < 0)
			return -1;
	}
	return rc;
}
