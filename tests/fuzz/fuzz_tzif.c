/* SPDX-License-Identifier: ISC
 *
 * The file of a time zone. One that is taken has its spans in order, and the
 * moments that it gives a local time have that local time.
 */
#include "relay/base/clock.h"
#include "relay/base/civil.h"
#include "relay/when/zone.h"
#include "tests/fuzz/fuzz.h"

static void ask(const struct zone *z, int64_t local_s)
{
	int64_t t[2];
	enum zone_times times = zone_moments(z, local_s, t);
	char text[ZONE_TEXT_MAX];

	if (times != ZONE_NONE)
		must(zone_local(z, t[0]) == local_s);
	if (times == ZONE_TWICE)
		must(zone_local(z, t[1]) == local_s);
	zone_text(z, t[0], text);
	zone_rfc3339(z, t[0], text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct error err = {0};
	struct zone *z = zone_parse(a, "fuzz", slice_of(data, size), &err);
	const int64_t year_s = 366 * (int64_t)DAY_S;

	must((z == NULL) == (err.text[0] != '\0'));
	for (int i = 1; z != NULL && i < z->steps; i++)
		must(z->step[i].from > z->step[i - 1].from);
	for (int64_t t = 0; z != NULL && t < 250 * year_s; t += year_s / 7)
		ask(z, t + (int64_t)size);
	arena_free(a);
	return 0;
}
