/* SPDX-License-Identifier: ISC
 *
 * Reads a time from both ends: the date in front, an offset at the end, the
 * time of day between.
 */
#include "relay/when/when_parse.h"

#include "relay/base/clock.h"
#include "relay/base/civil.h"

enum { DATE_CHARS = 10, SHOWN = 60 };

static int malformed(struct slice text, struct error *err)
{
	return error_set(err,
	    "\"%.*s\" is not a time; write it as \"2026-12-01 20:00\" with a "
	    "zone, or with an offset as \"2026-12-01T20:00:00+01:00\" or "
	    "\"2026-12-01T19:00:00Z\"",
	    (int)slice_head(text, SHOWN).n, text.p);
}

int when_date(struct slice text, int64_t *days_out, struct error *err)
{
	struct civil c;

	if (civil_read_date(text, &c) != 0)
		return error_set(err,
		    "\"%.*s\" is not a date; write it as \"2026-12-01\" "
		    "(years %d to %d)",
		    (int)slice_head(text, SHOWN).n, text.p, CIVIL_YEAR_MIN,
		    CIVIL_YEAR_MAX);
	*days_out = civil_days(c.year, c.month, c.day);
	return 0;
}

int when_moment(const struct zone *zone, int64_t local_s, int64_t *utc_s_out,
    struct error *err)
{
	int64_t t[2] = {0};
	enum zone_times times = zone_moments(zone, local_s, t);
	char text[CIVIL_TEXT_MAX], first[ZONE_TEXT_MAX], second[ZONE_TEXT_MAX];

	*utc_s_out = t[0];
	if (times == ZONE_ONCE)
		return 0;
	civil_text(local_s, text);
	zone_rfc3339(zone, t[0], first);
	zone_rfc3339(zone, t[1], second);
	if (times == ZONE_TWICE)
		return error_set(err,
		    "%s comes twice in %s, where the clocks go back; write %s "
		    "for the first or %s for the second",
		    text, zone->name, first, second);
	return error_set(err,
	    "%s does not exist in %s, where the clocks go forward; the nearest "
	    "times are %s and %s",
	    text, zone->name, first, second);
}

/* "+01:00" or "-03:30" */
static bool read_offset(struct slice s, int *offset_out)
{
	struct civil c;

	if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-') ||
	    civil_read_time(slice_from(s, 1), false, &c) != 0)
		return false;
	*offset_out = c.hour * HOUR_S + c.minute * MINUTE_S;
	if (s.p[0] == '-')
		*offset_out = -*offset_out;
	return true;
}

/* Cuts an offset off the end: 1, or 0: there is none; -1: not an offset. */
static int cut_offset(struct slice *time, int *offset_out)
{
	char last = time->n > 0 ? time->p[time->n - 1] : '\0';
	size_t n = 0;

	if (last == 'Z' || last == 'z') {
		*offset_out = 0;
		*time = slice_trim(slice_head(*time, time->n - 1));
		return 1;
	}
	while (n < time->n && time->p[n] != '+' && time->p[n] != '-')
		n++;
	if (n == time->n)
		return 0;
	if (!read_offset(slice_from(*time, n), offset_out))
		return -1;
	*time = slice_trim(slice_head(*time, n));
	return 1;
}

int when_parse(struct slice text, const struct zone *zone, int64_t *utc_s_out,
    struct error *err)
{
	struct slice s = slice_trim(text), time;
	struct civil c;
	int offset = 0, has;

	if (s.n <= DATE_CHARS || memchr("Tt ", s.p[DATE_CHARS], 3) == NULL ||
	    civil_read_date(slice_head(s, DATE_CHARS), &c) != 0)
		return malformed(text, err);
	time = slice_trim(slice_from(s, DATE_CHARS + 1));
	has = cut_offset(&time, &offset);
	if (has < 0 || civil_read_time(time, true, &c) != 0)
		return malformed(text, err);
	*utc_s_out = civil_seconds(&c) - offset;
	if (has > 0)
		return 0;
	if (zone == NULL)
		return error_set(err,
		    "\"%.*s\" needs a zone or an offset: write --zone "
		    "Europe/London, or wave { zone = \"Europe/London\" } in "
		    "the "
		    "configuration, or +01:00 or Z behind the time",
		    (int)slice_head(text, SHOWN).n, text.p);
	return when_moment(zone, civil_seconds(&c), utc_s_out, err);
}
