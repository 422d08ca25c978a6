/* SPDX-License-Identifier: ISC
 *
 * Time, behind a table so that a test owns it. Monotonic time drives every
 * timer; wall time is only for stamps and for due times on disk.
 */
#ifndef RELAY_BASE_CLOCK_H
#define RELAY_BASE_CLOCK_H

#include <stdint.h>

#include "relay/base/civil.h"
#include "relay/base/strbuf.h"

/* Units. */
enum {
	MINUTE_MS = 60 * 1000,
	HOUR_MS = 60 * MINUTE_MS,
	DAY_MS = 24 * HOUR_MS,
};
#define MINUTE_US INT64_C(60000000)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

struct clock {
	int64_t (*mono_us)(const struct clock *c);
	int64_t (*wall_us)(const struct clock *c); /* since 1970, UTC */
};

extern const struct clock clock_system;

static inline int64_t clock_mono_ms(const struct clock *c)
{
	return c->mono_us(c) / 1000;
}

static inline int64_t clock_wall_us(const struct clock *c)
{
	return c->wall_us(c);
}

/* A clock that stands still until it is set; for tests. */
struct clock_fake {
	struct clock clock;
	int64_t mono, wall; /* us */
};
void clock_fake_init(struct clock_fake *c, int64_t wall_us);
void clock_fake_step(struct clock_fake *c, int64_t us);

/* "2026-11-22T05:12:17.000123Z" (RFC 3339, us, UTC). */
enum { CLOCK_RFC3339_MAX = 32, CLOCK_RFC5322_MAX = 40 };
void clock_rfc3339(int64_t wall_us, char out[CLOCK_RFC3339_MAX]);
/* "Sun, 22 Nov 2026 05:12:17 +0000" (RFC 5322 3.3). */
void clock_rfc5322(int64_t wall_us, char out[CLOCK_RFC5322_MAX]);
/* "2026-11-22 06:12:17.000 +01:00": the machine's zone, for people. */
enum { CLOCK_LOCAL_MAX = 48 };
void clock_local(int64_t wall_us, char out[CLOCK_LOCAL_MAX]);
/* RFC 3339; relative to `now_us`: "-90s", "-2h", "+3d", "now"; or in the
 * machine's zone "today", "yesterday", "2026-11-22", "2026-11-22 05:12".
 * Returns 0, or -1 when it is neither. */
int clock_parse(struct slice s, int64_t now_us, int64_t *wall_us_out);
/* "90s", "30m", "2h", "3d", "1w": up to a million of a unit. 0, or -1. */
int clock_duration(struct slice s, int64_t *us_out);

#endif
