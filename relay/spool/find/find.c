/* SPDX-License-Identifier: ISC
 *
 * Looks through one main segment after another. The segment is pinned
 * meanwhile; nothing that the writer has in hand is touched.
 */
#include "relay/spool/find/find.h"

#include "relay/spool/summary_read.h"

struct finding {
	struct spool *s;
	const struct spool_find *q;
	struct summary_query query;
	struct segment *seg;
	uint64_t end, summary; /* of it, when it was pinned */
	struct scan sc;
	struct record record;
};

static bool is_asked(const struct spool_find *q, uint64_t hash)
{
	size_t from = 0, to = q->hashes;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (q->hash[mid] == hash)
			return true;
		if (q->hash[mid] < hash)
			from = mid + 1;
		else
			to = mid;
	}
	return false;
}

/* `ahead_us`: how far its stamps are ahead of the wall clock as it is now. */
static void tell(struct finding *f, struct spool_found found, int64_t ahead_us)
{
	struct spool_delivery d = *found.delivery;

	steady_move(&d, -ahead_us);
	found.delivery = &d;
	f->q->found(f->q->arg, &found);
}

/* ---- by its summary ---------------------------------------------------- */

static void tell_row(struct finding *f, const struct message_row *row)
{
	int64_t ahead_us = spool_ahead_us(f->s);

	for (unsigned i = 0; i < row->deliveries; i++)
		tell(f, (struct spool_found){row->id, row->place[i].number,
		    &row->delivery[i]}, ahead_us);
}

/* False: it is not whole. What was told of it is true all the same. */
static bool by_summary(struct finding *f)
{
	struct summary_reader r;
	int rc;

	summary_reader_open(&r, f->s, f->seg, f->summary, f->end);
	r.query = &f->query;
	while ((rc = summary_reader_next(&r)) > 0)
		tell_row(f, &r.row);
	summary_reader_close(&r);
	return rc == 0;
}

/* ---- by its records ---------------------------------------------------- */

/* Stamps of records are wall clock as it was; format 1 says no more. */
static int64_t behind(const struct finding *f, int64_t ahead_us)
{
	return f->seg->format > 1 ? spool_ahead_us(f->s) - ahead_us : 0;
}

static void tell_accept(struct finding *f, const struct rec_accept *a)
{
	for (unsigned i = 0; i < a->deliveries; i++)
		if (is_asked(f->q, a->delivery[i].hash))
			tell(f, (struct spool_found){a->id, i,
			    &a->delivery[i]}, behind(f, a->ahead_us));
}

static void tell_update(struct finding *f, const struct rec_update *u)
{
	for (unsigned i = 0; i < u->updates; i++)
		if (is_asked(f->q, u->update[i].to.hash))
			tell(f, (struct spool_found){u->id,
			    u->update[i].delivery, &u->update[i].to},
			    behind(f, u->ahead_us));
}

static void look_at(struct finding *f, const struct scan_record *rec)
{
	struct record *r = &f->record;

	if (!record_known(rec->head.type) ||
	    record_parse(r, &rec->head, rec->payload, f->seg->format,
		f->s->c.names) < 0)
		return;
	if (r->type == REC_UPDATE || r->type == REC_GROUP)
		tell_update(f, &r->update);
	if (r->type == REC_ACCEPTED || r->type == REC_CARRY ||
	    r->type == REC_GROUP || r->type == REC_REVIVE)
		tell_accept(f, &r->accept);
}

static int by_records(struct finding *f, struct error *err)
{
	struct batch_head h;
	struct scan_record rec;
	uint64_t off = 0;

	scan_open(&f->sc, f->seg, f->end);
	while (off < f->end) {
		struct scan_range range;
		int rc;

		if (!scan_head(&f->sc, off, &h)) {
			off = scan_find(&f->sc, off + BLOCK, 0, &h);
			if (off == 0)
				break;
		}
		range = scan_range_of(off, &h);
		while ((rc = scan_record(&f->sc, &range, &rec)) != 0)
			if (rc > 0)
				look_at(f, &rec);
		off += batch_span(&h);
	}
	return scan_all_known(&f->sc, err);
}

/* ---- the door ---------------------------------------------------------- */

static bool pin_from(struct finding *f, uint64_t generation)
{
	pthread_mutex_lock(&f->s->lock);
	list_each(n, &f->s->mains) {
		struct segment *seg = LIST_ENTRY(n, struct segment, node);

		if (seg->generation < generation)
			continue;
		seg->pins++;
		f->seg = seg;
		f->end = seg->end;
		f->summary = seg->summary;
		break;
	}
	pthread_mutex_unlock(&f->s->lock);
	return f->seg != NULL;
}

static void let_go(struct finding *f)
{
	pthread_mutex_lock(&f->s->lock);
	f->seg->pins--;
	pthread_mutex_unlock(&f->s->lock);
	space_wake(f->s);
}

int spool_find_segment(struct spool *s, const struct spool_find *q,
    uint64_t *generation, struct error *err)
{
	struct finding f = {.s = s, .q = q, .query = {.hash = q->hash,
	    .hashes = q->hashes, .to_ms = INT64_MAX}};
	unsigned char *sieve;
	int rc = 1;

	if (!pin_from(&f, *generation))
		return 0;
	f.query.sieve = sieve = mem_new(SUMMARY_SIEVE);
	summary_sieve(q->hash, q->hashes, sieve);
	*generation = f.seg->generation + 1;
	scan_init(&f.sc, s);
	record_init(&f.record);
	if (f.summary == 0 || !by_summary(&f))
		rc = by_records(&f, err) == 0 ? 1 : -1;
	record_fini(&f.record);
	scan_fini(&f.sc);
	let_go(&f);
	mem_free(sieve);
	return rc;
}
