/* SPDX-License-Identifier: ISC
 *
 * A time and a date. The zone has clock changes of its own, so no file is read.
 */
#include "relay/when/when_parse.h"
#include "tests/fuzz/fuzz.h"

/* Changes of an hour, and one of half a day. */
static const struct zone_step steps[] = {{INT64_MIN, 0, 0},
    {1774746000, 3600, 4}, {1792890000, 0, 0}, {1800000000, 43200, 4}};
static const struct zone zone = {"Fuzz/Zone", steps, 4, "OFF\0ON"};

static void try_time(struct slice text)
{
	struct error err = {0};
	int64_t t, days;
	char out[ZONE_TEXT_MAX];

	if (when_parse(text, &zone, &t, &err) == 0) {
		struct slice again;
		int64_t same;

		zone_rfc3339(&zone, t, out);
		again = slice_str(out);
		if (when_parse(again, NULL, &same, &err) == 0)
			must(same == t);
	}
	if (when_date(text, &days, &err) == 0)
		must(days >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_time(slice_of(data, size));
	return 0;
}
