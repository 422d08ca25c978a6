/* SPDX-License-Identifier: ISC
 *
 * Blackouts, a line each, in a zone with changes of its own. Where one holds,
 * none holds at the end that is told, and one does just before.
 */
#include "relay/base/clock.h"
#include "relay/when/blackout.h"
#include "tests/fuzz/fuzz.h"

static const struct zone_step steps[] = {{INT64_MIN, 0, 0},
    {1774746000, 3600, 4}, {1792890000, 0, 0}, {1800000000, 43200, 4}};
static const struct zone zone = {"Fuzz/Zone", steps, 4, "OFF\0ON"};

enum { ITEMS_MAX = 6 };

static void ask(const struct blackouts *b, int64_t t)
{
	int64_t free_s, other;
	const struct blackout *at = blackouts_at(b, t, &free_s);

	must(blackouts_next(b, t) > t);
	must((at == NULL) == (free_s == t));
	if (at == NULL || free_s == INT64_MAX)
		return;
	must(blackouts_at(b, free_s, &other) == NULL);
	must(blackouts_at(b, free_s - 1, &other) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct blackout item[ITEMS_MAX];
	struct blackouts b = {item, 0};
	struct slice rest = slice_of(data, size), line, name;
	struct error err = {0};

	while (b.count < ITEMS_MAX && slice_next(&rest, '\n', &line)) {
		struct blackout *i = &item[b.count];

		if (blackout_parse(line, i, &name, &err) != 0)
			continue;
		must(within(name, line) && i->length_s > 0);
		i->text = "fuzz";
		i->zone = &zone;
		b.count++;
	}
	for (int64_t t = 1774000000; t < 1806000000; t += 311 * HOUR_S + 77)
		ask(&b, t);
	return 0;
}
