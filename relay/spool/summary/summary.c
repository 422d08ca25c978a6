/* SPDX-License-Identifier: ISC
 *
 * Summaries: kept together, split in records, read and asked.
 */
#include "relay/spool/summary/summary.h"

#include "relay/base/id.h"

/* ---- one record ---- */

void summary_put_head(struct strbuf *b, const struct summary_head *h)
{
	pack_u8(b, SUMMARY_FORMAT);
	pack_u8(b, h->last);
	pack_u32(b, h->part);
	pack_u64(b, h->batches);
	pack_i64(b, h->wall_us);
	pack_i64(b, h->now_us);
}

int summary_get(struct slice payload, struct names *names,
    struct summary_head *h, struct slice *rows_out, struct sheet_legs *legs_out)
{
	struct unpack u;

	unpack_init(&u, payload);
	if (unpack_u8(&u) != SUMMARY_FORMAT)
		return -1;
	h->last = unpack_u8(&u) != 0;
	h->part = unpack_u32(&u);
	h->batches = unpack_u64(&u);
	h->wall_us = unpack_i64(&u);
	h->now_us = unpack_i64(&u);
	return unpack_ok(&u) ? sheet_get(u.rest, names, rows_out, legs_out) :
			       -1;
}

/* ---- kept together ---- */

void summary_init(struct summary *y)
{
	*y = (struct summary){0};
	map_init(&y->at);
}

void summary_fini(struct summary *y)
{
	strbuf_fini(&y->rows);
	strbuf_fini(&y->fresh);
	map_fini(&y->at);
}

void summary_begin(struct summary *y, bool whole, size_t most)
{
	if (y->most != most) {
		strbuf_fini(&y->rows);
		strbuf_fini(&y->fresh);
		strbuf_init(&y->rows, most);
		strbuf_init(&y->fresh, most);
	}
	strbuf_reset(&y->rows);
	strbuf_reset(&y->fresh);
	map_fini(&y->at);
	map_init(&y->at);
	y->whole = whole;
	y->most = most;
}

size_t summary_bytes(const struct summary *y)
{
	return y->whole ? y->rows.n + y->fresh.n : 0;
}

void summary_add(struct summary *y, const struct message_row *row)
{
	if (y->whole && row->deliveries > 0)
		sheet_put(&y->fresh, row);
}

void summary_drop(struct summary *y)
{
	strbuf_reset(&y->fresh);
}

static size_t row_of(const struct summary *y, uint64_t id)
{
	return (size_t)(uintptr_t)map_get(&y->at, id);
}

/* A row that moves deliveries which the last one of its id has already becomes
 * a part of that one. */
static void keep_row(struct summary *y, uint64_t id, struct slice row)
{
	size_t at = row_of(y, id);

	if (at > 0 && row_patch(y->rows.p + at - 1, row.p))
		return;
	map_put(&y->at, id, (void *)(uintptr_t)(y->rows.n + 1));
	strbuf_addsl(&y->rows, row);
}

/* A row that found no room has no place: nothing may be patched after it. */
static bool has_room(const struct summary *y)
{
	return strbuf_ok(&y->fresh) && strbuf_ok(&y->rows);
}

void summary_keep(struct summary *y)
{
	struct slice left = strbuf_view(&y->fresh);

	while (y->whole && left.n > 0 && has_room(y)) {
		const char *p = left.p;
		uint64_t id = sheet_skip(&left);

		keep_row(y, id, slice_of(p, (size_t)(left.p - p)));
	}
	if (!has_room(y))
		summary_begin(y, false, y->most);
	strbuf_reset(&y->fresh);
}

void summary_over(struct summary *y, uint64_t id, int64_t over_us)
{
	size_t at = y->whole ? row_of(y, id) : 0;

	if (at > 0)
		row_over(y->rows.p + at - 1, over_us);
}

struct slice summary_part(const struct summary *y, size_t *at)
{
	struct slice rest = slice_from(strbuf_view(&y->rows), *at);
	const char *p = rest.p;

	while (rest.n > 0 && rest.p - p < SUMMARY_PART)
		sheet_skip(&rest);
	*at += (size_t)(rest.p - p);
	return slice_of(p, (size_t)(rest.p - p));
}

/* ---- asked ---- */

void summary_sieve(const uint64_t *hash, size_t n,
    unsigned char sieve[SUMMARY_SIEVE])
{
	memset(sieve, 0, SUMMARY_SIEVE);
	for (size_t i = 0; i < n; i++)
		sieve[hash[i] >> 3 & (SUMMARY_SIEVE - 1)] |=
		    (unsigned char)(1U << (hash[i] >> 40 & 7));
}

static bool falls_through(const struct summary_query *q, uint64_t hash)
{
	return q->sieve != NULL &&
	    (q->sieve[hash >> 3 & (SUMMARY_SIEVE - 1)] &
		1U << (hash >> 40 & 7)) == 0;
}

static bool asked_for(const void *arg, uint64_t hash)
{
	const struct summary_query *q = arg;
	size_t from = 0, to = q->hashes;

	if (falls_through(q, hash))
		return false;
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

static bool in_time(const struct summary_query *q, uint64_t id)
{
	int64_t ms = (int64_t)id_wall_ms(id);

	return ms >= q->from_ms && ms < q->to_ms;
}

static void take_out_others(const struct summary_query *q,
    struct message_row *row)
{
	unsigned n = 0;

	for (unsigned i = 0; i < row->deliveries; i++) {
		if (!asked_for(q, row->delivery[i].hash))
			continue;
		row->delivery[n] = row->delivery[i];
		row->place[n++] = row->place[i];
	}
	row->deliveries = n;
}

int summary_next(struct slice *rows, const struct sheet_legs *legs,
    const struct summary_query *q, struct message_row *row)
{
	while (rows->n > 0) {
		if (!sheet_fits(*rows, asked_for, q)) {
			sheet_skip(rows);
			continue;
		}
		if (sheet_next(rows, legs, row) < 0)
			return -1;
		if (!in_time(q, row->id))
			continue;
		take_out_others(q, row);
		if (row->deliveries > 0)
			return 1;
	}
	return 0;
}
