/* SPDX-License-Identifier: ISC
 *
 * Blackouts: times in which no slice of a wave begins. They are spans on the
 * wall clock of a zone, each week or between two dates, so a clock change moves
 * them as it moves the people. Pure functions, any thread.
 */
#ifndef RELAY_WHEN_BLACKOUT_H
#define RELAY_WHEN_BLACKOUT_H

#include "relay/when/zone.h"

enum { BLACKOUT_TEXT_MAX = 128 };

struct blackout {
	const char *text; /* as it is written */
	const struct zone *zone;
	unsigned days; /* weekdays on which it begins, bit 0 Sunday; 0: once */
	int64_t
	    begin_s; /* after midnight; of one that is once, local seconds */
	int64_t length_s; /* on the wall clock */
};

struct blackouts {
	const struct blackout *item;
	int count;
};

/* "Mon 07:00-Fri 19:00" (one span from Monday to Friday, nights too),
 * "Mon-Fri 07:00-19:00" (each of these days), "Sat-Sun", "Sun" (whole days),
 * "2026-12-24-2027-01-02", "2026-12-25" (whole days, the last included) and
 * "2026-12-24 18:00-2026-12-27 06:00"; a zone's name may stand behind. Fills
 * all but text and zone; `zone_out` is the name, empty without one. -1 and
 * err->text. */
int blackout_parse(struct slice text, struct blackout *blackout_out,
    struct slice *zone_out, struct error *err);

/* The first blackout of the list that holds at `utc_s`, and in `free_out` the
 * next moment at which none holds (INT64_MAX: they leave none for years). NULL:
 * none, and free_out is utc_s. */
const struct blackout *blackouts_at(
    const struct blackouts *b, int64_t utc_s, int64_t *free_out);
/* When the next one begins after `utc_s`; INT64_MAX: none does. */
int64_t blackouts_next(const struct blackouts *b, int64_t utc_s);

#endif
