/* SPDX-License-Identifier: ISC
 *
 * Time zones: a table of the moments at which the clocks of a place change,
 * read from a TZif file (RFC 9636), and the way between UTC and local seconds
 * (civil.h). A zone never changes once it is made. Pure functions; any thread.
 */
#ifndef RELAY_WHEN_ZONE_H
#define RELAY_WHEN_ZONE_H

#include <stdint.h>

#include "relay/base/error.h"
#include "relay/base/mem.h"
#include "relay/base/slice.h"

enum {
	ZONE_FILE_MAX = 256 * 1024, /* bytes of a file */
	ZONE_STEPS_MAX = 4096,	    /* transitions in a file */
	ZONE_NAME_MAX = 64,	    /* of "America/Argentina/…" */
};

/* A span of time with one offset. */
struct zone_step {
	int64_t from;	/* UTC seconds; of the first one INT64_MIN */
	int32_t offset; /* seconds east of UTC */
	uint16_t abbr;	/* its place in zone.abbr */
};

struct zone {
	const char *name; /* "Europe/London" */
	const struct zone_step *step;
	int steps;	  /* 1 or more */
	const char *abbr; /* "GMT", "BST", … each with a NUL */
};

/* Reads a TZif file of version 1 to 4. What its footer says of the time after
 * the last transition is written out up to CIVIL_YEAR_MAX. `a` owns the zone.
 * NULL and err->text: what is wrong with the file, without its name. Files that
 * count leap seconds ("right/…") are refused. */
struct zone *zone_parse(struct arena *a, const char *name, struct slice file,
    struct error *err) PH_CHECK;
/* UTC itself; needs no file. */
extern const struct zone zone_utc;

/* The span that holds at that moment. */
const struct zone_step *zone_at(const struct zone *z, int64_t utc_s);
int64_t zone_local(const struct zone *z, int64_t utc_s);
const char *zone_abbr(const struct zone *z, const struct zone_step *s);

/* From a local time to the moments that have it. */
enum zone_times {
	ZONE_NONE,  /* a clock change skips it: [0] is the last second before
		       the change, [1] the first one after it */
	ZONE_ONCE,  /* [0]                                              */
	ZONE_TWICE, /* a clock change repeats it: [0] first, then [1]   */
};
enum zone_times zone_moments(
    const struct zone *z, int64_t local_s, int64_t utc_s[2]);

/* The bounds of a span on the wall clock: where its time is skipped, the moment
 * of the change; where it comes twice, the one that makes the span longer. */
int64_t zone_span_begin(const struct zone *z, int64_t local_s);
int64_t zone_span_end(const struct zone *z, int64_t local_s);

/* "2026-10-25 01:30 BST" and "2026-10-25T01:30:00+01:00". */
enum { ZONE_TEXT_MAX = 80 };
void zone_text(const struct zone *z, int64_t utc_s, char out[ZONE_TEXT_MAX]);
void zone_rfc3339(const struct zone *z, int64_t utc_s, char out[ZONE_TEXT_MAX]);

#endif
