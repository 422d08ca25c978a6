/* SPDX-License-Identifier: ISC
 *
 * Counts of days in a few bytes: the newest day (days since 1970, UTC; 16
 * bits, little endian), then the count of that day, of the one before, and so
 * on, each as a LEB128 number of 32 bits. What a file holds is input. Pure.
 */
#ifndef RELAY_AUDIT_DELIVERED_DAY_COUNTS_H
#define RELAY_AUDIT_DELIVERED_DAY_COUNTS_H

#include <stdint.h>

#include "relay/base/slice.h"

enum { DAY_COUNTS = 31, DAY_COUNTS_BYTES = 2 + 5 * DAY_COUNTS };

struct day_counts {
	int64_t day;		/* the newest */
	uint32_t n[DAY_COUNTS]; /* n[i]: of `day` - i */
};

/* The first bytes that are no number end the counts. */
void day_counts_parse(struct slice bytes, struct day_counts *counts_out);
/* Returns how many bytes. */
size_t day_counts_print(const struct day_counts *c,
    uint8_t bytes_out[DAY_COUNTS_BYTES]);

/* A day that is older than all of them was the right one, and theirs a wrong
 * clock's: they begin anew. A count stays at its largest. */
void day_counts_add(struct day_counts *c, int64_t day, uint32_t n);
/* Of both days and those between. */
uint64_t day_counts_sum(const struct day_counts *c, int64_t from, int64_t to);

#endif
