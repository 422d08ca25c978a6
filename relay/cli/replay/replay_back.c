/* SPDX-License-Identifier: ISC
 *
 * Which legs a recipient loses and gets back, and a replay for each pair.
 */
#include "relay/cli/replay/replay_back.h"

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cli/replay/replay_order.h"

enum { PAIRS_MAX = 64, WAIT_MS = 60000 };

struct leg_pair {
	char *from, *to;
	json_t *addresses;
};

struct replay_back {
	struct cli *c;
	int64_t since_us;
	const char *wave;
	struct leg_pair pair[PAIRS_MAX];
	unsigned pairs;
	uint64_t domains; /* rows of domains, whose recipients are not known */
};

struct replay_back *replay_back_new(struct cli *c, int64_t since_us,
    const char *wave)
{
	struct replay_back *b = NEW(struct replay_back);

	b->c = c;
	b->since_us = since_us;
	b->wave = wave;
	return b;
}

void replay_back_free(struct replay_back *b)
{
	for (unsigned i = 0; b != NULL && i < b->pairs; i++) {
		mem_free(b->pair[i].from);
		mem_free(b->pair[i].to);
		json_decref(b->pair[i].addresses);
	}
	mem_free(b);
}

static bool same(const char *text, struct slice s)
{
	return slice_eq(slice_str(text), s);
}

static char *text_of(struct slice s)
{
	char *out = mem_new(s.n + 1);

	memcpy(out, s.p, s.n);
	return out;
}

static void add(struct replay_back *b, struct slice from, struct slice to,
    struct slice key)
{
	unsigned i = 0;

	while (i < b->pairs && !(same(b->pair[i].from, from) &&
	    same(b->pair[i].to, to)))
		i++;
	if (i == PAIRS_MAX)
		return;
	if (i == b->pairs)
		b->pair[b->pairs++] = (struct leg_pair){text_of(from),
		    text_of(to), json_array()};
	json_array_append_new(b->pair[i].addresses,
	    json_stringn_nocheck(key.p, key.n));
}

/* The legs of a stored route; the words that are no legs have no '+', and
 * what acts at RCPT delivers nowhere. */
static bool next_leg(struct slice *rest, struct slice *leg_out)
{
	static const char *const answers[] = {"defer", "reject", "gone", ""};

	if (!slice_next(rest, '+', leg_out))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		if (same(answers[i], *leg_out))
			return false;
	return true;
}

static bool has_leg(struct slice route, struct slice leg)
{
	struct slice one;

	while (next_leg(&route, &one))
		if (slice_eq(one, leg))
			return true;
	return false;
}

/* The first leg that it had got all of its mail. */
void replay_back_add(struct replay_back *b, struct slice key,
    const char *before, const char *after)
{
	struct slice had = slice_str(before), gets = slice_str(after);
	struct slice from, to;

	if (key.p[0] == '@') {
		b->domains++;
		return;
	}
	if (!next_leg(&had, &from))
		return;
	while (next_leg(&gets, &to))
		if (!has_leg(slice_str(before), to))
			add(b, from, to, key);
}

void replay_back_row(void *arg, struct slice key,
    const struct table_value *before, const struct table_value *after)
{
	if (before->row && after->row)
		replay_back_add(arg, key, before->route, after->route);
}

void replay_back_row_across(void *arg, struct slice key,
    const struct table_value *before, const struct table_value *after)
{
	struct replay_back *b = arg;
	struct slice had = slice_str(before->route), gets, from, to;

	if (!before->row || !after->row || key.p[0] == '@' ||
	    strcmp(before->route, after->route) == 0) {
		replay_back_row(b, key, before, after);
		return;
	}
	while (next_leg(&had, &from)) {
		gets = slice_str(after->route);
		while (next_leg(&gets, &to))
			if (!slice_eq(from, to))
				add(b, from, to, key);
	}
}

static struct replay_wish wish_of(const struct replay_back *b, unsigned i)
{
	const char *note = cli_value(b->c, "note");

	return (struct replay_wish){.addresses = b->pair[i].addresses,
	    .from_leg = b->pair[i].from, .to_leg = b->pair[i].to,
	    .since_us = b->since_us,
	    .until_us = clock_wall_us(&clock_system), .wave = b->wave,
	    .note = note == NULL ? "" : note};
}

int replay_back_preview(struct replay_back *b)
{
	int code = CLI_DONE;

	if (b->domains > 0)
		out_say(&b->c->out, "Mail of recipients without a row of their "
		    "own is not replayed with the row of their domain: name "
		    "them to `posthouse replay`.");
	for (unsigned i = 0; i < b->pairs && code == CLI_DONE; i++) {
		struct replay_wish w = wish_of(b, i);

		code = replay_preview(b->c, &w);
	}
	return code;
}

/* An attempt that takes longer is for another replay. */
static int wait_for(struct replay_back *b, uint64_t change)
{
	int code = change == 0 || b->pairs == 0 ? CLI_DONE
	    : cli_call(b->c, "route.wait", json_pack("{s:I, s:b, s:i}",
		"change", (json_int_t)change, "all", 0, "timeout_ms",
		WAIT_MS), NULL, NULL);

	if (code == CLI_NO)
		cli_fail(b->c, "warning: run the replay again when they are "
		    "over");
	return code == CLI_NO ? CLI_DONE : code;
}

int replay_back_start(struct replay_back *b, uint64_t change)
{
	int code = wait_for(b, change);

	for (unsigned i = 0; i < b->pairs && code == CLI_DONE; i++) {
		struct replay_wish w = wish_of(b, i);

		code = replay_start(b->c, &w);
	}
	return code;
}
