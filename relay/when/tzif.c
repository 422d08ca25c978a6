/* SPDX-License-Identifier: ISC
 *
 * Reads TZif files (RFC 9636, section 3). A file of version 2 or later says
 * everything twice; the second block has the long times and is the one that
 * counts. Every count is checked against the bytes that are left before
 * anything is read by it.
 */
#include "relay/when/zone.h"

#include <stdlib.h>

#include "relay/base/clock.h"
#include "relay/base/civil.h"
#include "relay/when/tz_rule.h"

enum { HEADER_BYTES = 44, TYPE_BYTES = 6, TYPES_MAX = 256 };
enum { ABBR_BYTES_MAX = 1024, FOOTER_MAX = 128, RULE_ABBR_BYTES = 40 };
/* RFC 9636, 3.2: offsets lie between. */
enum { OFFSET_MIN = -25 * HOUR_S + 1, OFFSET_MAX = 26 * HOUR_S - 1 };
enum { RULE_YEARS = CIVIL_YEAR_MAX + 1 - (CIVIL_YEAR_MIN - 1) + 1 };

/* A block of data: where its parts begin. */
struct block {
	char version; /* '\0', '2', '3', '4' */
	uint32_t times, types, chars, leaps, standards, uts;
	size_t time_bytes;
	const unsigned char *time, *index, *type;
	const char *abbr;
};

/* The table while it grows. */
struct tzif_table {
	struct zone_step *step;
	int steps;
	char *abbr; /* those of the file, then those of the footer */
	size_t abbr_bytes;
};

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static int64_t read_time(const struct block *b, uint32_t i)
{
	const unsigned char *p = b->time + (size_t)i * b->time_bytes;

	if (b->time_bytes == 4)
		return (int32_t)be32(p);
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* Cuts a header and the data behind it off the file. */
static const char *cut_block(
    struct slice *file, size_t time_bytes, struct block *b)
{
	const unsigned char *p = (const unsigned char *)file->p;
	size_t bytes;

	if (file->n < HEADER_BYTES || memcmp(p, "TZif", 4) != 0)
		return "it does not begin like a file of a time zone (TZif)";
	*b = (struct block){.version = (char)p[4],
	    .uts = be32(p + 20),
	    .standards = be32(p + 24),
	    .leaps = be32(p + 28),
	    .times = be32(p + 32),
	    .types = be32(p + 36),
	    .chars = be32(p + 40),
	    .time_bytes = time_bytes};
	if (b->times > ZONE_STEPS_MAX || b->types > TYPES_MAX ||
	    b->chars > ABBR_BYTES_MAX || b->leaps > ZONE_STEPS_MAX ||
	    b->standards > b->types || b->uts > b->types)
		return "it has more entries than a time zone can have";
	bytes = b->times * (time_bytes + 1) + b->types * TYPE_BYTES + b->chars +
		b->leaps * (time_bytes + 4) + b->standards + b->uts;
	if (file->n - HEADER_BYTES < bytes)
		return "its end is missing";
	b->time = p + HEADER_BYTES;
	b->index = b->time + b->times * time_bytes;
	b->type = b->index + b->times;
	b->abbr = (const char *)b->type + b->types * TYPE_BYTES;
	*file = slice_from(*file, HEADER_BYTES + bytes);
	return NULL;
}

static bool type_is_sound(const struct block *b, uint32_t i)
{
	const unsigned char *p = b->type + (size_t)i * TYPE_BYTES;
	int32_t offset = (int32_t)be32(p);

	return offset >= OFFSET_MIN && offset <= OFFSET_MAX &&
	       p[5] < b->chars &&
	       memchr(b->abbr + p[5], '\0', b->chars - p[5]) != NULL;
}

static const char *check_block(const struct block *b)
{
	if (b->leaps > 0)
		return "it counts leap seconds; use the zone of this name "
		       "outside \"right/\"";
	if (b->types == 0)
		return "it has no offset";
	for (uint32_t i = 0; i < b->types; i++)
		if (!type_is_sound(b, i))
			return "an offset or abbreviation in it is out of "
			       "range";
	for (uint32_t i = 0; i < b->times; i++)
		if (b->index[i] >= b->types ||
		    (i > 0 && read_time(b, i) <= read_time(b, i - 1)))
			return "its clock changes are not in order";
	return NULL;
}

/* Appends a span, which begins no earlier than the last one. Where it begins
 * at the same moment the last one is empty and goes. */
static void add_step(
    struct tzif_table *t, int64_t from, int32_t offset, size_t abbr)
{
	struct zone_step *last = t->step + t->steps - 1;

	if (t->steps > 0 && last->from == from)
		last = --t->steps > 0 ? last - 1 : NULL;
	if (t->steps > 0 && last->offset == offset &&
	    strcmp(t->abbr + last->abbr, t->abbr + abbr) == 0)
		return; /* nothing changes */
	t->step[t->steps++] = (struct zone_step){from, offset, (uint16_t)abbr};
}

static void add_type(
    struct tzif_table *t, const struct block *b, int64_t from, unsigned type)
{
	const unsigned char *p = b->type + (size_t)type * TYPE_BYTES;

	add_step(t, from, (int32_t)be32(p), p[5]);
}

static size_t add_abbr(struct tzif_table *t, struct slice abbr)
{
	size_t at = t->abbr_bytes;

	memcpy(t->abbr + at, abbr.p, abbr.n);
	t->abbr_bytes += abbr.n + 1; /* the arena's bytes are 0 */
	return at;
}

struct rule_change {
	int64_t at;
	bool daylight;
};

/* Where both fall on one moment daylight saving time goes on. */
static int by_time(const void *a, const void *b)
{
	const struct rule_change *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->daylight - y->daylight;
}

static void add_rule(
    struct tzif_table *t, const struct tz_rule *r, int64_t after)
{
	struct rule_change change[2 * RULE_YEARS];
	size_t standard = add_abbr(t, r->standard), n = 0;
	size_t daylight = add_abbr(t, r->daylight);

	for (int y = CIVIL_YEAR_MIN - 1; y <= CIVIL_YEAR_MAX + 1; y++) {
		change[n].daylight = true;
		change[n + 1].daylight = false;
		tz_rule_year(r, y, &change[n].at, &change[n + 1].at);
		n += 2;
	}
	qsort(change, n, sizeof(change[0]), by_time);
	for (size_t i = 0; i < n; i++)
		if (change[i].at > after && change[i].daylight)
			add_step(t, change[i].at, r->daylight_s, daylight);
		else if (change[i].at > after)
			add_step(t, change[i].at, r->standard_s, standard);
}

/* Adds the clock changes after the last transition, which the footer has as a
 * rule. An empty one says nothing, and the last offset stays. */
static const char *add_footer(
    struct tzif_table *t, struct slice rest, const struct block *b)
{
	long end = rest.n > 0 && rest.p[0] == '\n'
		       ? slice_find(slice_from(rest, 1), '\n')
		       : -1;
	struct tz_rule rule;
	int64_t after = b->times > 0 ? read_time(b, b->times - 1) : INT64_MIN;

	if (end < 0)
		return "its last line is missing";
	if (end == 0)
		return NULL;
	if (end > FOOTER_MAX ||
	    tz_rule_parse(slice_of(rest.p + 1, (size_t)end), &rule) != 0)
		return "its last line is not a rule of a time zone";
	if (rule.has_daylight)
		add_rule(t, &rule, after);
	else if (b->times == 0)
		add_step(t, after, rule.standard_s, add_abbr(t, rule.standard));
	return NULL;
}

static const char *parse(
    struct arena *a, struct slice file, struct tzif_table *t)
{
	struct block b;
	const char *why = cut_block(&file, 4, &b);
	bool footer = why == NULL && b.version >= '2';

	if (footer)
		why = cut_block(&file, 8, &b);
	if (why == NULL)
		why = check_block(&b);
	if (why != NULL)
		return why;
	t->step = arena_alloc(
	    a, (b.times + 1 + 2 * RULE_YEARS) * sizeof(struct zone_step));
	t->abbr = arena_alloc(a, b.chars + RULE_ABBR_BYTES);
	memcpy(t->abbr, b.abbr, b.chars);
	t->abbr_bytes = b.chars;
	add_type(t, &b, INT64_MIN, 0);
	for (uint32_t i = 0; i < b.times; i++)
		add_type(t, &b, read_time(&b, i), b.index[i]);
	return footer ? add_footer(t, file, &b) : NULL;
}

struct zone *zone_parse(
    struct arena *a, const char *name, struct slice file, struct error *err)
{
	struct tzif_table t = {0};
	const char *why = file.n > ZONE_FILE_MAX
			      ? "it is larger than the file of a time zone"
			      : parse(a, file, &t);
	struct zone *z;

	if (why != NULL) {
		error_set(err, "%s", why);
		return NULL;
	}
	z = arena_alloc(a, sizeof(*z));
	*z = (struct zone){arena_strdup(a, name), t.step, t.steps, t.abbr};
	return z;
}
