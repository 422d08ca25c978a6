/* SPDX-License-Identifier: ISC
 *
 * Dates and times of day as people write them (proleptic Gregorian calendar),
 * as seconds since 1970-01-01 00:00 on the same wall clock: "local seconds".
 * Nothing here knows a zone. Pure functions, any thread.
 */
#ifndef RELAY_BASE_CIVIL_H
#define RELAY_BASE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/slice.h"

/* Times before and after are refused: nothing is planned there, and a zone's
 * table has an end (zone.h). */
enum { CIVIL_YEAR_MIN = 1970, CIVIL_YEAR_MAX = 2199 };
enum {
	MINUTE_S = 60,
	HOUR_S = 60 * MINUTE_S,
	DAY_S = 24 * HOUR_S,
	WEEK_DAYS = 7,
};

struct civil {
	int year, month, day; /* from 1 */
	int hour, minute, second;
};

/* Days since 1970-01-01; the parts of the date, which is one that exists. */
int64_t civil_days(int year, int month, int day);
/* The date of such a day at 00:00:00. */
struct civil civil_of_days(int64_t days);
int64_t civil_seconds(const struct civil *c);
struct civil civil_of_seconds(int64_t local_s);
/* The day that a local second is in, also before 1970. */
int64_t civil_day_of(int64_t local_s);
int civil_month_days(int year, int month);
/* 0 Sunday … 6 Saturday, as in POSIX. */
int civil_weekday(int64_t days);
extern const char civil_weekday_name[WEEK_DAYS][4]; /* "Sun" … */
/* "Mon", any case; -1: no weekday. */
int civil_weekday_find(struct slice name);

/* "2026-11-22", a date that exists between the years above: 0, or -1. */
int civil_read_date(struct slice s, struct civil *date_out);
/* "05:12" or, `with_seconds`, "05:12" and "05:12:17": 0, or -1. */
int civil_read_time(struct slice s, bool with_seconds, struct civil *time_out);

/* "2026-11-22 05:12" and, unless they are 0, ":17". */
enum { CIVIL_TEXT_MAX = 48 };
void civil_text(int64_t local_s, char out[CIVIL_TEXT_MAX]);
void civil_date_text(int64_t days, char out[CIVIL_TEXT_MAX]);

#endif
