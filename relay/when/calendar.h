/* SPDX-License-Identifier: ISC
 *
 * The calendar of `wave plan`: on which evenings how many recipients move.
 * Pure functions, any thread.
 */
#ifndef RELAY_WHEN_CALENDAR_H
#define RELAY_WHEN_CALENDAR_H

#include "relay/when/blackout.h"

enum {
	CALENDAR_ITEMS_MAX = 32,
	CALENDAR_WAVES_MAX = 4000,
	CALENDAR_SIZE_MAX = 100000000, /* of one wave */
	CALENDAR_YEARS_MAX = 10,
};

struct calendar_item {
	unsigned days; /* bit 0 Sunday */
	int time_s;    /* after midnight, on the wall clock */
	uint32_t size;
};

struct calendar {
	struct calendar_item item[CALENDAR_ITEMS_MAX]; /* by time of day */
	int items;
};

/* "Tue-Thu 20:00 22000, Fri 20:00 83000". -1 and err->text. */
int calendar_parse(
    struct slice text, struct calendar *calendar_out, struct error *err);

struct calendar_when {
	const struct zone *zone;
	int64_t first_day;   /* days since 1970 (civil.h), as are these: */
	const int64_t *skip; /* dates without a wave */
	int skips;
	const struct blackouts *blackouts;
};

struct calendar_wave {
	int64_t at_s; /* UTC */
	int64_t day;  /* its date in the zone */
	uint32_t size;
};

/* Room for waves, and how many there are. */
struct calendar_list {
	struct calendar_wave *wave;
	int max, count;
};

/* Fills the list with the waves in which `members` find room, in order, the
 * last one perhaps not filled. 0, or -1 and err->text: a time that a clock
 * change skips or repeats, one inside a blackout, more than `max` waves, too
 * few within ten years. */
int calendar_waves(const struct calendar *c, const struct calendar_when *when,
    uint64_t members, struct calendar_list *list, struct error *err);

#endif
