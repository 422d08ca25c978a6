/* SPDX-License-Identifier: ISC
 *
 * Questions to a zone's table. A local time is looked for in all spans that
 * could have it: offsets are within a day or so (zone_parse() checks it), so
 * these are the spans that touch two days around it.
 */
#include "relay/when/zone.h"

#include <stdio.h>
#include <stdlib.h>

#include "relay/base/clock.h"
#include "relay/base/civil.h"

static const struct zone_step utc_step = {INT64_MIN, 0, 0};
const struct zone zone_utc = {"UTC", &utc_step, 1, "UTC"};

const struct zone_step *zone_at(const struct zone *z, int64_t utc_s)
{
	int low = 0, high = z->steps; /* step[low] began, step[high] not yet */

	while (high - low > 1) {
		int mid = low + (high - low) / 2;

		if (z->step[mid].from <= utc_s)
			low = mid;
		else
			high = mid;
	}
	return &z->step[low];
}

int64_t zone_local(const struct zone *z, int64_t utc_s)
{
	return utc_s + zone_at(z, utc_s)->offset;
}

const char *zone_abbr(const struct zone *z, const struct zone_step *s)
{
	return z->abbr + s->abbr;
}

/* The end of a span: the moment at which the next one begins. */
static int64_t step_end(const struct zone *z, const struct zone_step *s)
{
	return s + 1 < z->step + z->steps ? s[1].from : INT64_MAX;
}

enum zone_times zone_moments(
    const struct zone *z, int64_t local_s, int64_t utc_s[2])
{
	const struct zone_step *s = zone_at(z, local_s - 2 * DAY_S);
	int found = 0;
	int64_t gap = local_s; /* the change that skips it */

	for (; s < z->step + z->steps && s->from <= local_s + 2 * DAY_S; s++) {
		int64_t t = local_s - s->offset;

		if (t >= s->from && t < step_end(z, s) && found < 2)
			utc_s[found++] = t;
		if (t < s->from && found == 0 &&
		    local_s - s[-1].offset >= s->from)
			gap = s->from;
	}
	if (found > 0)
		return found == 1 ? ZONE_ONCE : ZONE_TWICE;
	utc_s[0] = gap - 1;
	utc_s[1] = gap;
	return ZONE_NONE;
}

int64_t zone_span_begin(const struct zone *z, int64_t local_s)
{
	int64_t t[2];

	return zone_moments(z, local_s, t) == ZONE_NONE ? t[1] : t[0];
}

int64_t zone_span_end(const struct zone *z, int64_t local_s)
{
	int64_t t[2];

	return zone_moments(z, local_s, t) == ZONE_ONCE ? t[0] : t[1];
}

void zone_text(const struct zone *z, int64_t utc_s, char out[ZONE_TEXT_MAX])
{
	char text[CIVIL_TEXT_MAX];
	const struct zone_step *s = zone_at(z, utc_s);

	civil_text(utc_s + s->offset, text);
	snprintf(out, ZONE_TEXT_MAX, "%s %s", text, zone_abbr(z, s));
}

void zone_rfc3339(const struct zone *z, int64_t utc_s, char out[ZONE_TEXT_MAX])
{
	int offset = zone_at(z, utc_s)->offset, minutes = abs(offset) / 60;
	struct civil c = civil_of_seconds(utc_s + offset);
	char tail[16] = "Z";

	if (offset != 0)
		snprintf(tail, sizeof(tail), "%c%02d:%02d",
		    offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
	snprintf(out, ZONE_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d%s", c.year,
	    c.month, c.day, c.hour, c.minute, c.second, tail);
}
