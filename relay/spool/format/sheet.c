/* SPDX-License-Identifier: ISC
 *
 * Packs and reads the rows of checkpoints and summaries. Layout:
 * doc/journal.md. Fixed places, so that a million are read in half a second.
 */
#include "relay/spool/format/sheet.h"

#include <endian.h>

#include "relay/base/mem.h"

enum { EXTENT_BYTES = 28, LENGTH_BYTES = 4 };

void row_fini(struct message_row *row)
{
	mem_free(row->place);
	mem_free(row->delivery);
	mem_free(row->extent);
	*row = (struct message_row){0};
}

void row_room(struct message_row *row, unsigned deliveries, unsigned extents)
{
	if (deliveries > row->delivery_cap) {
		row->delivery_cap = deliveries;
		row->place = mem_resize(row->place,
		    deliveries * sizeof(*row->place));
		row->delivery = mem_resize(row->delivery,
		    deliveries * sizeof(*row->delivery));
	}
	if (extents > row->extent_cap) {
		row->extent_cap = extents;
		row->extent = mem_resize(row->extent,
		    extents * sizeof(*row->extent));
	}
}

/* ---- fixed places ---- */

static void put16(unsigned char *p, uint16_t v)
{
	v = htole16(v);
	memcpy(p, &v, sizeof(v));
}

static void put32(unsigned char *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(unsigned char *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

static uint16_t get16(const char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static uint32_t get32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

/* ---- rows ---- */

static void put_fixed(struct strbuf *b, const struct message_row *row)
{
	unsigned char p[ROW_FIXED];

	put64(p, row->id);
	put64(p + 8, row->generation);
	put64(p + 16, row->size);
	put64(p + 24, row->sender);
	put64(p + 32, (uint64_t)row->over_us);
	put32(p + 40, row->slot);
	put32(p + 44, row->rec);
	put32(p + 48, row->rec_bytes);
	put32(p + 52, row->body_bytes);
	put32(p + 56, row->deliveries);
	put32(p + 60, row->extents);
	put32(p + 64, row->whole ? ROW_WHOLE : 0);
	strbuf_add(b, p, sizeof(p));
}

static void put_delivery(struct strbuf *b, const struct row_place *at,
    const struct spool_delivery *d)
{
	unsigned char p[ROW_DELIVERY];

	put32(p, at->number);
	put32(p + 4, at->slot);
	put32(p + 8, at->rec);
	put32(p + 12, d->rcpt);
	put16(p + 16, d->leg);
	p[18] = d->role;
	p[19] = d->state;
	p[20] = d->uncertain;
	p[21] = d->reason;
	put16(p + 22, d->flags);
	put16(p + 24, d->attempts);
	put16(p + 26, 0);
	put64(p + 28, (uint64_t)d->created_us);
	put64(p + 36, (uint64_t)d->due_us);
	put64(p + 44, d->change);
	put64(p + ROW_HASH, d->hash);
	strbuf_add(b, p, sizeof(p));
}

static void put_extent(struct strbuf *b, const struct extent *e)
{
	unsigned char p[EXTENT_BYTES];

	put32(p, e->slot);
	put64(p + 4, e->generation);
	put32(p + 12, e->off);
	put32(p + 16, e->bytes);
	put64(p + 20, e->sum);
	strbuf_add(b, p, sizeof(p));
}

void sheet_put(struct strbuf *b, const struct message_row *row)
{
	put_fixed(b, row);
	for (unsigned i = 0; i < row->deliveries; i++)
		put_delivery(b, &row->place[i], &row->delivery[i]);
	for (unsigned i = 0; i < row->extents; i++)
		put_extent(b, &row->extent[i]);
}

static void get_fixed(const char *p, struct message_row *row)
{
	row->id = get64(p);
	row->generation = get64(p + 8);
	row->size = get64(p + 16);
	row->sender = get64(p + 24);
	row->over_us = (int64_t)get64(p + 32);
	row->slot = get32(p + 40);
	row->rec = get32(p + 44);
	row->rec_bytes = get32(p + 48);
	row->body_bytes = get32(p + 52);
	row->deliveries = get32(p + 56);
	row->extents = get32(p + 60);
	row->whole = get32(p + 64) == ROW_WHOLE;
}

/* Numbers ascend; those of a whole message are all there. */
static bool good_number(const struct message_row *row, unsigned i)
{
	uint32_t number = row->place[i].number;

	if (row->whole)
		return number == i;
	return i == 0 || number > row->place[i - 1].number;
}

static bool get_delivery(const char *p, const struct sheet_legs *legs,
    struct row_place *at, struct spool_delivery *d)
{
	uint16_t leg = get16(p + 16);

	at->number = get32(p);
	at->slot = get32(p + 4);
	at->rec = get32(p + 8);
	d->rcpt = get32(p + 12);
	d->role = (uint8_t)p[18];
	d->state = (uint8_t)p[19];
	d->uncertain = (uint8_t)p[20];
	d->reason = (uint8_t)p[21];
	d->flags = get16(p + 22);
	d->attempts = get16(p + 24);
	d->created_us = (int64_t)get64(p + 28);
	d->due_us = (int64_t)get64(p + 36);
	d->change = get64(p + 44);
	d->hash = get64(p + ROW_HASH);
	if (leg >= legs->n)
		return false;
	d->leg = legs->leg[leg];
	return d->rcpt < SPOOL_RCPTS && d->role <= ROLE_COPY &&
	    d->uncertain <= UNC_YES && d->state > D_NONE &&
	    d->state < D_STATES;
}

static uint64_t get_extent(const char *p, struct extent *e)
{
	e->slot = get32(p);
	e->generation = get64(p + 4);
	e->off = get32(p + 12);
	e->bytes = get32(p + 16);
	e->sum = get64(p + 20);
	return e->bytes;
}

/* A body is inline, or in extents. */
static bool good_body(const struct message_row *row, uint64_t in_extents)
{
	if (!row->whole)
		return row->extents == 0 && row->body_bytes == 0;
	return row->size == in_extents + row->body_bytes &&
	    (row->extents == 0 || row->body_bytes == 0);
}

/* Where the delivery of that number stands; NULL: it has none. */
static char *find_number(char *row, uint32_t number)
{
	uint32_t n = get32(row + 56);
	char *p = row + ROW_FIXED;

	for (uint32_t i = 0; i < n; i++, p += ROW_DELIVERY)
		if (get32(p) == number)
			return p;
	return NULL;
}

bool row_patch(char *row, const char *by)
{
	uint32_t n = get32(by + 56);
	const char *p = by + ROW_FIXED;

	if (get32(by + 64) == ROW_WHOLE)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (find_number(row, get32(p + i * ROW_DELIVERY)) == NULL)
			return false;
	for (uint32_t i = 0; i < n; i++, p += ROW_DELIVERY) {
		char *to = find_number(row, get32(p));
		uint64_t hash = get64(p + 52) != 0 ? get64(p + 52) :
						     get64(to + 52);

		memcpy(to, p, ROW_DELIVERY);
		put64((unsigned char *)to + 52, hash);
	}
	return true;
}

void row_over(char *row, int64_t over_us)
{
	put64((unsigned char *)row + 32, (uint64_t)over_us);
}

uint64_t sheet_skip(struct slice *rows)
{
	const char *p = rows->p;
	uint64_t bytes, id;

	if (rows->n < ROW_FIXED)
		return 0;
	id = get64(p);
	bytes = ROW_FIXED + (uint64_t)get32(p + 56) * ROW_DELIVERY +
		(uint64_t)get32(p + 60) * EXTENT_BYTES;
	*rows = slice_from(*rows, bytes < rows->n ? bytes : rows->n);
	return id;
}

bool sheet_fits(struct slice rows,
    bool (*fits)(const void *arg, uint64_t hash), const void *arg)
{
	const char *p = rows.p;
	uint32_t n;

	if (rows.n < ROW_FIXED)
		return true;
	n = get32(p + 56);
	if (n == 0 || ROW_FIXED + (uint64_t)n * ROW_DELIVERY > rows.n)
		return true;
	p += ROW_FIXED;
	for (; n > 0; n--, p += ROW_DELIVERY)
		if (fits(arg, get64(p + ROW_HASH)))
			return true;
	return false;
}

int sheet_next(struct slice *rows, const struct sheet_legs *legs,
    struct message_row *row)
{
	const char *p = rows->p;
	uint64_t bytes = ROW_FIXED, in_extents = 0;
	bool good;

	if (rows->n < ROW_FIXED)
		return -1;
	get_fixed(p, row);
	bytes += (uint64_t)row->deliveries * ROW_DELIVERY +
		 (uint64_t)row->extents * EXTENT_BYTES;
	if (row->id == 0 || row->deliveries == 0 || bytes > rows->n)
		return -1;
	row_room(row, row->deliveries, row->extents);
	p += ROW_FIXED;
	good = true;
	for (unsigned i = 0; i < row->deliveries; i++, p += ROW_DELIVERY)
		good = get_delivery(p, legs, &row->place[i],
			   &row->delivery[i]) &&
		    good_number(row, i) && good;
	for (unsigned i = 0; i < row->extents; i++, p += EXTENT_BYTES)
		in_extents += get_extent(p, &row->extent[i]);
	if (!good || !good_body(row, in_extents))
		return -1;
	*rows = slice_from(*rows, bytes);
	return 0;
}

/* ---- sheets ---- */

size_t sheet_begin(struct strbuf *b)
{
	size_t at = b->n;

	pack_u32(b, 0);
	return at;
}

bool sheet_empty(const struct strbuf *b, size_t at)
{
	return b->n <= at + LENGTH_BYTES;
}

size_t sheet_legs_max(const struct names *names)
{
	return LENGTH_BYTES + (size_t)names_count(names) *
	    (LENGTH_BYTES + NAME_BYTES);
}

void sheet_end(struct strbuf *b, size_t at, const struct names *names)
{
	unsigned legs = (unsigned)names_count(names);

	if (strbuf_ok(b))
		put32((unsigned char *)b->p + at,
		    (uint32_t)(b->n - at - LENGTH_BYTES));
	pack_u32(b, legs);
	for (unsigned i = 0; i < legs; i++)
		pack_str(b, names_text(names, (int)i));
}

int sheet_get(struct slice bytes, struct names *names, struct slice *rows_out,
    struct sheet_legs *legs_out)
{
	struct unpack u;
	uint32_t n;

	unpack_init(&u, bytes);
	*rows_out = unpack_bytes(&u);
	n = unpack_u32(&u);
	if (u.bad || n > NAMES_MAX)
		return -1;
	legs_out->n = n;
	for (uint32_t i = 0; i < n; i++) {
		int leg = names_id(names, unpack_bytes(&u));

		if (leg < 0)
			return -1;
		legs_out->leg[i] = (uint16_t)leg;
	}
	return unpack_end(&u) ? 0 : -1;
}
