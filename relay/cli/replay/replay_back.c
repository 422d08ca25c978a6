/* SPDX-License-Identifier: ISC
 *
 * Which legs a recipient loses and gets back, also those of routes in between,
 * and a replay for each pair.
 */
#include "relay/cli/replay/replay_back.h"

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cli/replay/replay_order.h"
#include "relay/cli/table/cli_table.h"

enum { WAIT_MS = 60000 };

struct leg_pair {
	char *from, *to;
	json_t *addresses;
};

struct replay_back {
	struct cli *c;
	int64_t since_us;
	const char *wave;
	struct leg_pair *pair;
	unsigned pairs, cap;
	struct table *table; /* for its history; opened when it is wanted */
	bool blind;	     /* … and that was not possible */
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
	if (b == NULL)
		return;
	for (unsigned i = 0; i < b->pairs; i++) {
		mem_free(b->pair[i].from);
		mem_free(b->pair[i].to);
		json_decref(b->pair[i].addresses);
	}
	mem_free(b->pair);
	table_close(b->table);
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

static struct leg_pair *pair_of(struct replay_back *b, struct slice from,
    struct slice to)
{
	for (unsigned i = 0; i < b->pairs; i++)
		if (same(b->pair[i].from, from) && same(b->pair[i].to, to))
			return &b->pair[i];
	if (b->pairs == b->cap) {
		b->cap = b->cap * 2 + 8;
		b->pair = mem_resize(b->pair, b->cap * sizeof(*b->pair));
	}
	b->pair[b->pairs] = (struct leg_pair){text_of(from), text_of(to),
	    json_array()};
	return &b->pair[b->pairs++];
}

static void add(struct replay_back *b, struct slice from, struct slice to,
    struct slice key)
{
	struct leg_pair *p = pair_of(b, from, to);
	size_t n = json_array_size(p->addresses);
	const char *last = n == 0 ? ""
	    : json_string_value(json_array_get(p->addresses, n - 1));

	/* A recipient's pairs come one behind the other. */
	if (!same(last, key))
		json_array_append_new(p->addresses,
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

/* Each leg of the one route for each leg of the other. */
static void add_all(struct replay_back *b, struct slice key,
    const char *before, const char *after)
{
	struct slice had = slice_str(before), gets, from, to;

	while (next_leg(&had, &from)) {
		gets = slice_str(after);
		while (next_leg(&gets, &to))
			if (!slice_eq(from, to))
				add(b, from, to, key);
	}
}

/* A recipient's routes in its history. */
struct between {
	struct replay_back *b;
	struct slice key;
	const char *before, *after;
};

static void on_history(void *arg, const struct table_change *c,
    const struct table_value *was, const struct table_value *became)
{
	const struct between *t = arg;

	(void)was;
	if (c->time_us >= t->b->since_us && became->row &&
	    strcmp(became->route, t->before) != 0 &&
	    strcmp(became->route, t->after) != 0)
		add_all(t->b, t->key, became->route, t->after);
}

/* A leg that only a route in between named has mail that no other has. */
static void add_between(struct replay_back *b, struct slice key,
    const char *before, const char *after)
{
	struct between t = {b, key, before, after};
	struct error err;

	if (b->blind || strcmp(before, after) == 0)
		return;
	if (b->table == NULL)
		b->table = cli_table(b->c);
	if (b->table != NULL &&
	    table_history(b->table, key, on_history, &t, &err) >= 0)
		return;
	b->blind = true;
	cli_fail(b->c, "warning: routes in between cannot be read, so what "
	    "only they gave to a leg is not replayed");
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
	if (next_leg(&had, &from))
		while (next_leg(&gets, &to))
			if (!has_leg(slice_str(before), to))
				add(b, from, to, key);
	add_between(b, key, before, after);
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

	if (!before->row || !after->row || key.p[0] == '@' ||
	    strcmp(before->route, after->route) == 0) {
		replay_back_row(b, key, before, after);
		return;
	}
	add_all(b, key, before->route, after->route);
	add_between(b, key, before->route, after->route);
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
