/* SPDX-License-Identifier: ISC
 *
 * Times and dates that an administrator writes for the future: `--at`,
 * `--from`, `--skip`. Pure functions, any thread.
 */
#ifndef RELAY_WHEN_WHEN_PARSE_H
#define RELAY_WHEN_WHEN_PARSE_H

#include "relay/when/zone.h"

/* A date and time with an offset ("2026-12-01T20:00:00+01:00", or Z), or
 * without one ("2026-12-01 20:00") on the clocks of `zone` (NULL: there is
 * none, so an offset is needed). A blank or a T stands between, seconds may be
 * left out. -1 and err->text: what is wrong and what would be right; of a time
 * that a clock change skips, the two nearest, of one that comes twice, both. */
int when_parse(struct slice text, const struct zone *zone, int64_t *utc_s_out,
    struct error *err);
/* "2026-12-01", as days since 1970-01-01 (civil.h). */
int when_date(struct slice text, int64_t *days_out, struct error *err);
/* The one moment that has this local time; -1 and err->text as above. */
int when_moment(const struct zone *zone, int64_t local_s, int64_t *utc_s_out,
    struct error *err);

#endif
