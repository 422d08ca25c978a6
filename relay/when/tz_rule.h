/* SPDX-License-Identifier: ISC
 *
 * The TZ string in the footer of a TZif file: POSIX.1 with the longer times of
 * RFC 9636, section 3.3.2. Pure functions, any thread.
 */
#ifndef RELAY_WHEN_TZ_RULE_H
#define RELAY_WHEN_TZ_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/slice.h"

/* A day of each year and a time on it. */
struct tz_day {
	enum tz_day_kind {
		TZ_DAY_JULIAN, /* "J": 1 to 365, never February 29 */
		TZ_DAY_ZERO,   /* a number: 0 to 365, counts February 29 */
		TZ_DAY_MONTH,  /* "M10.5.0": month, week (5: the last), day */
	} kind;
	int month, week, day;
	int32_t time_s; /* after midnight; may be before it or days later */
};

struct tz_rule {
	struct slice standard, daylight; /* abbreviations, of the text */
	int32_t standard_s, daylight_s;	 /* seconds east of UTC */
	bool has_daylight;		 /* else the rest is empty */
	struct tz_day begin, end;	 /* of daylight saving time */
};

/* 0, or -1: not a TZ string. */
int tz_rule_parse(struct slice text, struct tz_rule *rule_out);
/* The moments (UTC seconds) of a year at which daylight saving time begins and
 * ends. */
void tz_rule_year(
    const struct tz_rule *r, int year, int64_t *begin_out, int64_t *end_out);

#endif
