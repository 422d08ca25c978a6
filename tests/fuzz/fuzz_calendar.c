/* SPDX-License-Identifier: ISC
 *
 * A calendar in the first line, blackouts in the others. Its waves are in
 * order, outside the blackouts, and have room for all members.
 */
#include "relay/when/calendar.h"
#include "relay/base/civil.h"
#include "tests/fuzz/fuzz.h"

static const struct zone_step steps[] = {{INT64_MIN, 0, 0},
    {1774746000, 3600, 4}, {1792890000, 0, 0}, {1800000000, 43200, 4}};
static const struct zone zone = {"Fuzz/Zone", steps, 4, "OFF\0ON"};

enum { ITEMS_MAX = 4 };

static void try_calendar(struct slice text, const struct blackouts *b)
{
	struct calendar c;
	struct calendar_wave wave[50];
	struct calendar_list list = {wave, 50, 0};
	int64_t skip = civil_days(2026, 3, 27);
	struct calendar_when when = {
	    &zone, civil_days(2026, 3, 25), &skip, 1, b};
	struct error err = {0};
	uint64_t room = 0;

	if (calendar_parse(text, &c, &err) != 0 ||
	    calendar_waves(&c, &when, 100000, &list, &err) != 0)
		return;
	for (int i = 0; i < list.count; i++) {
		int64_t free_s;

		must(i == 0 || wave[i].at_s >= wave[i - 1].at_s);
		must(blackouts_at(b, wave[i].at_s, &free_s) == NULL);
		must(wave[i].day != skip && room < 100000);
		room += wave[i].size;
	}
	must(room >= 100000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct blackout item[ITEMS_MAX];
	struct blackouts b = {item, 0};
	struct slice rest = slice_of(data, size), text = {0}, line, name;
	struct error err = {0};

	slice_next(&rest, '\n', &text);
	while (b.count < ITEMS_MAX && slice_next(&rest, '\n', &line)) {
		struct blackout *i = &item[b.count];

		if (blackout_parse(line, i, &name, &err) != 0)
			continue;
		i->text = "fuzz";
		i->zone = &zone;
		b.count++;
	}
	try_calendar(text, &b);
	return 0;
}
