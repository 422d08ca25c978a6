/* SPDX-License-Identifier: ISC
 *
 * Counts of days to and from bytes.
 */
#include "relay/audit/delivered/day_counts.h"

#include <string.h>

enum { GROUP = 7, MORE = 0x80, DAY_MAX = UINT16_MAX };

/* False: it is no number of 32 bits. */
static bool take(struct slice *bytes, uint32_t *n_out)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < bytes->n && i < 5; i++) {
		uint8_t b = (uint8_t)bytes->p[i];

		n |= (uint64_t)(b & (MORE - 1)) << (GROUP * i);
		if ((b & MORE) != 0)
			continue;
		*bytes = slice_from(*bytes, i + 1);
		*n_out = (uint32_t)n;
		return n <= UINT32_MAX;
	}
	return false;
}

void day_counts_parse(struct slice bytes, struct day_counts *counts_out)
{
	struct day_counts *c = counts_out;
	uint32_t n;

	*c = (struct day_counts){0};
	if (bytes.n < 2)
		return;
	c->day = (uint8_t)bytes.p[0] | (uint8_t)bytes.p[1] << 8;
	bytes = slice_from(bytes, 2);
	for (int i = 0; i < DAY_COUNTS && take(&bytes, &n); i++)
		c->n[i] = n;
}

size_t day_counts_print(const struct day_counts *c,
    uint8_t bytes_out[DAY_COUNTS_BYTES])
{
	size_t at = 0;
	int days = DAY_COUNTS;

	bytes_out[at++] = (uint8_t)c->day;
	bytes_out[at++] = (uint8_t)(c->day >> 8);
	while (days > 0 && c->n[days - 1] == 0)
		days--;
	for (int i = 0; i < days; i++) {
		uint32_t n = c->n[i];

		for (; n >= MORE; n >>= GROUP)
			bytes_out[at++] = (uint8_t)(n | MORE);
		bytes_out[at++] = (uint8_t)n;
	}
	return at;
}

/* So that `day` is the newest one. */
static void move_on(struct day_counts *c, int64_t day)
{
	int64_t by = day - c->day;
	size_t kept = by < DAY_COUNTS ? DAY_COUNTS - (size_t)by : 0;

	memmove(c->n + (DAY_COUNTS - kept), c->n, kept * sizeof(c->n[0]));
	memset(c->n, 0, (DAY_COUNTS - kept) * sizeof(c->n[0]));
	c->day = day;
}

void day_counts_add(struct day_counts *c, int64_t day, uint32_t n)
{
	uint32_t *to;

	if (day < 0 || day > DAY_MAX)
		return;
	if (c->day - day >= DAY_COUNTS)
		*c = (struct day_counts){.day = day};
	if (day > c->day)
		move_on(c, day);
	to = &c->n[c->day - day];
	*to = *to > UINT32_MAX - n ? UINT32_MAX : *to + n;
}

uint64_t day_counts_sum(const struct day_counts *c, int64_t from, int64_t to)
{
	uint64_t sum = 0;

	for (int i = 0; i < DAY_COUNTS; i++)
		if (c->day - i >= from && c->day - i <= to)
			sum += c->n[i];
	return sum;
}
