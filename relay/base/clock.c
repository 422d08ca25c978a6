/* SPDX-License-Identifier: ISC
 *
 * Time. The only file that may ask the system what time it is.
 */
#include "relay/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define US_PER_S INT64_C(1000000)

static int64_t read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

static int64_t system_mono(const struct clock *c)
{
	(void)c;
	return read_us(CLOCK_MONOTONIC);
}

static int64_t system_wall(const struct clock *c)
{
	(void)c;
	return read_us(CLOCK_REALTIME);
}

const struct clock clock_system = {system_mono, system_wall};

static int64_t fake_mono(const struct clock *c)
{
	return ((const struct clock_fake *)(const void *)c)->mono;
}

static int64_t fake_wall(const struct clock *c)
{
	return ((const struct clock_fake *)(const void *)c)->wall;
}

void clock_fake_init(struct clock_fake *c, int64_t wall_us)
{
	c->clock = (struct clock){fake_mono, fake_wall};
	c->mono = US_PER_S;
	c->wall = wall_us;
}

void clock_fake_step(struct clock_fake *c, int64_t us)
{
	c->mono += us;
	c->wall += us;
}

/* ---- stamps ----
 *
 * Several are written for each message, so by hand: gmtime_r() takes a lock
 * that all threads share, and printf() reads its format each time. */

static int64_t whole_seconds(int64_t wall_us)
{
	return wall_us / US_PER_S - (wall_us % US_PER_S < 0);
}

/* At least `width` digits. Returns the place behind them. */
static char *put(char *p, int64_t n, int width)
{
	char digits[20];
	int at = 0;

	if (n < 0)
		*p++ = '-';
	for (uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	     left > 0 || at < width; left /= 10)
		digits[at++] = (char)('0' + left % 10);
	while (at > 0)
		*p++ = digits[--at];
	return p;
}

static char *put_time(char *p, const struct civil *t)
{
	p = put(p, t->hour, 2);
	*p++ = ':';
	p = put(p, t->minute, 2);
	*p++ = ':';
	return put(p, t->second, 2);
}

void clock_rfc3339(int64_t wall_us, char out[CLOCK_RFC3339_MAX])
{
	struct civil t = civil_of_seconds(whole_seconds(wall_us));
	char *p = put(out, t.year, 4);

	*p++ = '-';
	p = put(p, t.month, 2);
	*p++ = '-';
	p = put(p, t.day, 2);
	*p++ = 'T';
	p = put_time(p, &t);
	*p++ = '.';
	p = put(p, (wall_us % US_PER_S + US_PER_S) % US_PER_S, 6);
	*p++ = 'Z';
	*p = '\0';
}

static char *put_word(char *p, const char word[4])
{
	memcpy(p, word, 3);
	p[3] = ' ';
	return p + 4;
}

void clock_rfc5322(int64_t wall_us, char out[CLOCK_RFC5322_MAX])
{
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	int64_t seconds = whole_seconds(wall_us);
	struct civil t = civil_of_seconds(seconds);
	int weekday = civil_weekday(civil_day_of(seconds));
	char *p = out;

	memcpy(p, civil_weekday_name[weekday], 3);
	memcpy(p + 3, ", ", 2);
	p = put(p + 5, t.day, 1);
	*p++ = ' ';
	p = put_word(p, months[t.month - 1]);
	p = put(p, t.year, 1);
	*p++ = ' ';
	p = put_time(p, &t);
	memcpy(p, " +0000", sizeof(" +0000"));
}

static int64_t unit_us(char c)
{
	switch (c) {
	case 's':
		return US_PER_S;
	case 'm':
		return 60 * US_PER_S;
	case 'h':
		return HOUR_US;
	case 'd':
		return DAY_US;
	case 'w':
		return 7 * DAY_US;
	default:
		return 0;
	}
}

int clock_duration(struct slice s, int64_t *us_out)
{
	int64_t unit;
	uint64_t v;

	if (s.n < 2)
		return -1;
	unit = unit_us(s.p[s.n - 1]);
	if (unit == 0 || !slice_uint(slice_head(s, s.n - 1), 1000000, &v))
		return -1;
	*us_out = (int64_t)v * unit;
	return 0;
}

static int parse_relative(struct slice s, int64_t now_us, int64_t *wall_us_out)
{
	int64_t us;

	if (clock_duration(slice_from(s, 1), &us) < 0)
		return -1;
	*wall_us_out = s.p[0] == '-' ? now_us - us : now_us + us;
	return 0;
}

static int parse_zone(const char *p, int64_t *offset_us_out)
{
	int h, m, used = 0;
	char sign;

	if ((p[0] == 'Z' || p[0] == 'z') && p[1] == '\0') {
		*offset_us_out = 0;
		return 0;
	}
	if (sscanf(p, "%c%2d:%2d%n", &sign, &h, &m, &used) != 3 ||
	    p[used] != '\0' || (sign != '+' && sign != '-') || h < 0 ||
	    h > 23 || m < 0 || m > 59)
		return -1;
	*offset_us_out = (sign == '-' ? -1 : 1) * (h * 60 + m) * 60 * US_PER_S;
	return 0;
}

/* `tm` as it is written, months from 1. mktime() and timegm() would make
 * another day of February 30. */
static bool take_date(struct tm *tm)
{
	struct tm day = {.tm_year = tm->tm_year - 1900,
	    .tm_mon = tm->tm_mon - 1, .tm_mday = tm->tm_mday};

	tm->tm_year = day.tm_year;
	tm->tm_mon = day.tm_mon;
	timegm(&day);
	return day.tm_year == tm->tm_year && day.tm_mon == tm->tm_mon &&
	       day.tm_mday == tm->tm_mday && tm->tm_hour >= 0 &&
	       tm->tm_hour < 24 && tm->tm_min >= 0 && tm->tm_min < 60 &&
	       tm->tm_sec >= 0 && tm->tm_sec <= 60;
}

/* ---- local time -------------------------------------------------------- */

static int from_local(struct tm *tm, int64_t *wall_us_out)
{
	time_t t;

	tm->tm_isdst = -1;
	t = mktime(tm);
	if (t == (time_t)-1)
		return -1;
	*wall_us_out = (int64_t)t * US_PER_S;
	return 0;
}

/* Midnight, `days` from the day of now. */
static int parse_day(int days, int64_t now_us, int64_t *wall_us_out)
{
	time_t now = (time_t)(now_us / US_PER_S);
	struct tm tm;

	localtime_r(&now, &tm);
	tm.tm_mday += days;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	return from_local(&tm, wall_us_out);
}

/* Without a zone, "2026-11-22" and "2026-11-22 05:12[:17]" are what the clock
 * on the wall shows. */
static int parse_local(const char *text, int64_t *wall_us_out)
{
	struct tm tm = {0};
	int day = 0, minute = 0, second = 0, end;

	(void)sscanf(text, "%4d-%2d-%2d%n %2d:%2d%n:%2d%n", &tm.tm_year,
	    &tm.tm_mon, &tm.tm_mday, &day, &tm.tm_hour, &tm.tm_min, &minute,
	    &tm.tm_sec, &second);
	end = second != 0 ? second : minute != 0 ? minute : day;
	if (end == 0 || text[end] != '\0' || !take_date(&tm))
		return -1;
	return from_local(&tm, wall_us_out);
}

void clock_local(int64_t wall_us, char out[CLOCK_LOCAL_MAX])
{
	time_t s = (time_t)(wall_us / US_PER_S);
	struct tm tm;
	char zone[8];
	size_t n;

	localtime_r(&s, &tm);
	n = strftime(out, CLOCK_LOCAL_MAX, "%Y-%m-%d %H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	snprintf(out + n, CLOCK_LOCAL_MAX - n, ".%03d %.3s:%.2s",
	    (int)(wall_us % US_PER_S / 1000), zone, zone + 3);
}

/* ---- all forms --------------------------------------------------------- */

static int parse_rfc3339(const char *text, int64_t *wall_us_out)
{
	int64_t frac = 0, scale = US_PER_S / 10, zone;
	struct tm tm = {0};
	int used = 0;
	const char *p;
	char t;

	if (sscanf(text, "%4d-%2d-%2d%c%2d:%2d:%2d%n", &tm.tm_year,
		&tm.tm_mon, &tm.tm_mday, &t, &tm.tm_hour, &tm.tm_min,
		&tm.tm_sec, &used) != 7 ||
	    (t != 'T' && t != 't' && t != ' '))
		return -1;
	p = text + used;
	if (*p == '.')
		for (p++; ascii_digit(*p); p++, scale /= 10)
			frac += (*p - '0') * scale;
	if (parse_zone(p, &zone) < 0 || !take_date(&tm))
		return -1;
	*wall_us_out = (int64_t)timegm(&tm) * US_PER_S + frac - zone;
	return 0;
}

int clock_parse(struct slice s, int64_t now_us, int64_t *wall_us_out)
{
	char text[64];

	if (slice_eq(s, SLICE("now"))) {
		*wall_us_out = now_us;
		return 0;
	}
	if (slice_eq(s, SLICE("today")))
		return parse_day(0, now_us, wall_us_out);
	if (slice_eq(s, SLICE("yesterday")))
		return parse_day(-1, now_us, wall_us_out);
	if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
		return parse_relative(s, now_us, wall_us_out);
	if (s.n >= sizeof(text))
		return -1;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (parse_rfc3339(text, wall_us_out) == 0)
		return 0;
	return parse_local(text, wall_us_out);
}
