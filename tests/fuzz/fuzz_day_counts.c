/* SPDX-License-Identifier: ISC
 *
 * Counts of days as ledger.db has them: what is read is written and read again
 * as it was, and one more is one more.
 */
#include <string.h>

#include "relay/audit/delivered/day_counts.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[DAY_COUNTS_BYTES];
	struct day_counts c, again;
	uint64_t sum;
	size_t n;

	day_counts_parse(slice_of((const char *)data, size), &c);
	n = day_counts_print(&c, bytes);
	must(n <= sizeof(bytes));
	day_counts_parse(slice_of((const char *)bytes, n), &again);
	must(again.day == c.day && memcmp(again.n, c.n, sizeof(c.n)) == 0);
	sum = day_counts_sum(&c, c.day, c.day);
	day_counts_add(&c, c.day, 1);
	must(day_counts_sum(&c, c.day, c.day) ==
	     sum + (sum < UINT32_MAX ? 1 : 0));
	return 0;
}
