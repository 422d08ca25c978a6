/* SPDX-License-Identifier: ISC
 *
 * Dates to days and back. The count of days begins with March, so that the day
 * that only some years have is the last one of a year.
 */
#include "relay/base/civil.h"

#include <stdio.h>

enum { ERA_YEARS = 400, ERA_DAYS = 146097 }; /* the calendar's period */
enum { EPOCH = 719468 };		     /* 0000-03-01 to 1970-01-01 */

const char civil_weekday_name[WEEK_DAYS][4] = {
    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t civil_days(int year, int month, int day)
{
	int64_t y = year - (month <= 2), era = floor_div(y, ERA_YEARS);
	int64_t of_era = y - era * ERA_YEARS;
	int64_t of_year =
	    (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 +
	       of_year - EPOCH;
}

struct civil civil_of_days(int64_t days)
{
	int64_t z = days + EPOCH, era = floor_div(z, ERA_DAYS);
	int64_t day = z - era * ERA_DAYS;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t rest = day - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * rest + 2) / 153; /* from March */
	struct civil c = {0};

	c.day = (int)(rest - (153 * month + 2) / 5 + 1);
	c.month = (int)(month < 10 ? month + 3 : month - 9);
	c.year = (int)(year + era * ERA_YEARS + (c.month <= 2));
	return c;
}

int64_t civil_seconds(const struct civil *c)
{
	return civil_days(c->year, c->month, c->day) * DAY_S +
	       (int64_t)c->hour * HOUR_S + c->minute * MINUTE_S + c->second;
}

int64_t civil_day_of(int64_t local_s)
{
	return floor_div(local_s, DAY_S);
}

struct civil civil_of_seconds(int64_t local_s)
{
	int64_t days = civil_day_of(local_s);
	int rest = (int)(local_s - days * DAY_S);
	struct civil c = civil_of_days(days);

	c.hour = rest / HOUR_S;
	c.minute = rest % HOUR_S / MINUTE_S;
	c.second = rest % MINUTE_S;
	return c;
}

int civil_month_days(int year, int month)
{
	static const int days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

int civil_weekday(int64_t days)
{
	int64_t d = (days + 4) % WEEK_DAYS; /* 1970-01-01 was a Thursday */

	return (int)(d < 0 ? d + WEEK_DAYS : d);
}

int civil_weekday_find(struct slice name)
{
	for (int i = 0; i < WEEK_DAYS; i++)
		if (slice_case_eq(name, slice_str(civil_weekday_name[i])))
			return i;
	return -1;
}

/* Exactly `n` digits at `at`. */
static bool digits(struct slice s, size_t at, size_t n, int *out)
{
	uint64_t v;

	if (s.n < at + n || !slice_uint(slice_of(s.p + at, n), UINT16_MAX, &v))
		return false;
	*out = (int)v;
	return true;
}

int civil_read_date(struct slice s, struct civil *date_out)
{
	struct civil c = {0};

	if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' ||
	    !digits(s, 0, 4, &c.year) || !digits(s, 5, 2, &c.month) ||
	    !digits(s, 8, 2, &c.day))
		return -1;
	if (c.year < CIVIL_YEAR_MIN || c.year > CIVIL_YEAR_MAX || c.month < 1 ||
	    c.month > 12 || c.day < 1 ||
	    c.day > civil_month_days(c.year, c.month))
		return -1;
	*date_out = c;
	return 0;
}

int civil_read_time(struct slice s, bool with_seconds, struct civil *time_out)
{
	int hour, minute, second = 0;

	if (s.n < 5 || s.p[2] != ':' || !digits(s, 0, 2, &hour) ||
	    !digits(s, 3, 2, &minute))
		return -1;
	if (s.n != 5 && (!with_seconds || s.n != 8 || s.p[5] != ':' ||
			    !digits(s, 6, 2, &second)))
		return -1;
	if (hour > 23 || minute > 59 || second > 59)
		return -1;
	time_out->hour = hour;
	time_out->minute = minute;
	time_out->second = second;
	return 0;
}

void civil_date_text(int64_t days, char out[CIVIL_TEXT_MAX])
{
	struct civil c = civil_of_days(days);

	snprintf(out, CIVIL_TEXT_MAX, "%04d-%02d-%02d", c.year, c.month, c.day);
}

void civil_text(int64_t local_s, char out[CIVIL_TEXT_MAX])
{
	struct civil c = civil_of_seconds(local_s);
	int n = snprintf(out, CIVIL_TEXT_MAX, "%04d-%02d-%02d %02d:%02d",
	    c.year, c.month, c.day, c.hour, c.minute);

	if (c.second != 0)
		snprintf(
		    out + n, CIVIL_TEXT_MAX - (size_t)n, ":%02d", c.second);
}
