/* SPDX-License-Identifier: ISC
 *
 * The options of a start to and from text: a row a key.
 */
#include "policy/wave/wave_options.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/base/mem.h"

enum option_kind { O_NUMBER, O_FLAG, O_TEXT };

struct option_row {
	const char *key;
	enum option_kind kind;
	size_t at;
	uint64_t least;
};

#define AT(member) offsetof(struct wave_options, member)
static const struct option_row rows[] = {
	{"slice", O_NUMBER, AT(slice), 1},
	{"pause", O_NUMBER, AT(pause_s), 0},
	{"late", O_NUMBER, AT(late_s), 0},
	{"hold", O_FLAG, AT(hold), 0},
	{"deadline", O_NUMBER, AT(deadline_s), 0},
	{"soak", O_NUMBER, AT(soak_s), 0},
	{"take_back", O_FLAG, AT(take_back), 0},
	{"complaints", O_NUMBER, AT(complaints), 0},
	{"rollback", O_NUMBER, AT(rollback), 0},
	{"force", O_FLAG, AT(force), 0},
	{"zone", O_TEXT, AT(zone), 0},
};

struct wave_options wave_options_default(void)
{
	return (struct wave_options){
	    .slice = WAVE_SLICE_DEFAULT,
	    .late_s = WAVE_LATE_DEFAULT_S,
	};
}

void wave_options_print(const struct wave_options *o, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *at = (const char *)o + rows[i].at;
		uint64_t n;

		if (rows[i].kind == O_TEXT) {
			if (at[0] != '\0')
				strbuf_addf(out, "%s=%s\n", rows[i].key, at);
			continue;
		}
		if (rows[i].kind == O_FLAG)
			n = *(const bool *)at;
		else
			memcpy(&n, at, sizeof(n));
		strbuf_addf(out, "%s=%" PRIu64 "\n", rows[i].key, n);
	}
}

static void take(const struct option_row *row, struct slice value,
    struct wave_options *o)
{
	char *at = (char *)o + row->at;
	uint64_t n;

	if (row->kind == O_TEXT) {
		if (value.n < WAVE_ZONE_TEXT)
			snprintf(at, WAVE_ZONE_TEXT, "%.*s", (int)value.n,
			    value.p);
		return;
	}
	if (!slice_uint(value, INT64_MAX, &n) || n < row->least)
		return;
	if (row->kind == O_FLAG)
		*(bool *)at = n != 0;
	else
		memcpy(at, &n, sizeof(n));
}

void wave_options_parse(struct slice text, struct wave_options *options_out)
{
	struct slice line, key;

	*options_out = wave_options_default();
	while (slice_next(&text, '\n', &line)) {
		if (!slice_next(&line, '=', &key))
			continue;
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			if (slice_eq(key, slice_str(rows[i].key)))
				take(&rows[i], line, options_out);
	}
}
