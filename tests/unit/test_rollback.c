/* SPDX-License-Identifier: ISC
 *
 * Rollback: each recipient gets back what it had before its own flip, column
 * by column; what was written since stays and is named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/change/back/rollback.h"
#include "policy/row.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

static const char ann[] = "ann@example.com", bob[] = "bob@example.com",
		  cid[] = "cid@example.com";

/* "address column=value …" of what stays. */
static void add_left(void *arg, struct slice key, const char *column,
    const char *value)
{
	char *text = arg;
	size_t n = strlen(text);

	snprintf(text + n, 400 - n, "%s%.*s %s=%s", n == 0 ? "" : "; ",
	    (int)key.n, key.p, column, value);
}

static char kept[400];

static void add_kept(void *arg, struct slice key, const char *why)
{
	char *text = arg;
	size_t n = strlen(text);

	snprintf(text + n, 400 - n, "%s%.*s: %s", n == 0 ? "" : "; ",
	    (int)key.n, key.p, why);
}

/* A change of the kind that an import or a wave is; it names several. */
struct row_of {
	const char *address;
	struct change_row row;
};

static uint64_t make(struct table_tmp *t, const struct row_of *rows,
    const char *kind)
{
	const struct change_how how = {.create = true, .as_of = -1,
	    .kind = kind};
	const struct change_by by = {.who = "ann", .host = "host",
	    .command = kind == NULL ? "flip" : "route import", .note = ""};
	struct change *ch = table_tmp_change(t);
	struct change_done done;
	struct error err;

	for (; rows->address != NULL; rows++)
		if (change_set(ch, slice_str(rows->address), &rows->row,
			&err) < 0)
			fail_msg("%s", err.text);
	if (change_commit(ch, &how, &by, &done, &err) < 0)
		fail_msg("%s", err.text);
	change_close(ch);
	return done.change;
}

static uint64_t flip(struct table_tmp *t, const char *address,
    const char *route)
{
	const struct row_of rows[] = {
	    {address, {.route = route, .held = -1}},
	    {NULL, {.held = -1}},
	};

	return make(t, rows, NULL);
}

/* Commits after a preview that has to tell the same. */
static struct change_done take_back(struct table_tmp *t, struct rollback *rb,
    char left[400])
{
	const struct change_part part = {.stage = rollback_stage, .arg = rb};
	const struct change_how how = {.as_of = -1, .kind = "rollback",
	    .part = &part};
	const struct rollback_stays stays = {add_left, left};
	const struct rollback_keeps keeps = {add_kept, kept};
	static const struct change_by by = {.who = "ann", .host = "host",
	    .command = "rollback", .note = ""};
	struct change *ch = table_tmp_change(t);
	struct change_done done, seen;
	struct error err;

	if (change_preview(ch, &how, NULL, &seen, &err) < 0 ||
	    change_commit(ch, &how, &by, &done, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(seen.recipients, done.recipients);
	assert_int_equal(seen.left, done.left);
	left[0] = '\0';
	rollback_left(rb, &stays);
	kept[0] = '\0';
	rollback_kept(rb, &keeps);
	change_close(ch);
	rollback_free(rb);
	return done;
}

static struct change_done since(struct table_tmp *t, const char *where,
    int64_t since_us, char left[400])
{
	struct rollback *rb = rollback_new();
	struct rollback_since what = {.since_us = since_us};
	struct change_done done;
	struct error err;
	struct where *w = where_parse(slice_str(where), &err);

	assert_non_null(w);
	what.where = w;
	rollback_since(rb, &what);
	done = take_back(t, rb, left);
	where_free(w);
	return done;
}

static void assert_row(struct table_tmp *t, const char *key,
    const char *route, const char *tags)
{
	struct table_row row = table_tmp_get(t, key);

	assert_string_equal(row.found ? row.route_text : "-", route);
	if (row.found)
		assert_string_equal(row.tags, tags);
}

/* An import makes the rows: that is no flip. */
static void begin(struct table_tmp *t)
{
	static const struct row_of rows[] = {
	    {"ann@example.com", {.route = "legacy", .held = -1,
		.tags = "client=apple"}},
	    {"bob@example.com", {.route = "third", .held = -1,
		.tags = "client=apple"}},
	    {"cid@example.com", {.route = "legacy", .held = -1}},
	    {NULL, {.held = -1}},
	};

	make(t, rows, "rows");
}

static void it_goes_across_changes_by_tag(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_done done;
	char left[400];

	begin(t);
	flip(t, ann, "cloud");
	flip(t, bob, "cloud");
	flip(t, cid, "cloud");
	done = since(t, "client=apple", 0, left);
	assert_int_equal(done.recipients, 2);
	assert_int_equal(done.left, 0);
	assert_row(t, ann, "legacy", "client=apple");
	assert_row(t, bob, "third", "client=apple");
	assert_row(t, cid, "cloud", "");
	assert_string_equal(left, "");
	/* Again: there is nothing to take back. */
	done = since(t, "client=apple", 0, left);
	assert_int_equal(done.change, 0);
	assert_row(t, ann, "legacy", "client=apple");
	table_tmp_free(t);
}

static void flips_before_that_time_stay(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct table_change c;
	struct error err;
	struct table *r;
	char left[400];
	uint64_t n;

	begin(t);
	flip(t, ann, "cloud+legacy");
	n = flip(t, ann, "cloud");
	r = table_open(t->path, t->names, &err);
	assert_int_equal(table_change_get(r, n, t->a, &c, &err), 1);
	table_close(r);
	since(t, "client=apple", c.time_us, left);
	assert_row(t, ann, "cloud+legacy", "client=apple");
	since(t, "client=apple", 0, left);
	assert_row(t, ann, "legacy", "client=apple");
	table_tmp_free(t);
}

static void several_flips_are_taken_back_to_the_first(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	static const struct row_of rows[] = {
	    {"ann@example.com", {.route = "cloud", .held = 1,
		.tags = "client=apple w1",
		.addresses = "cloud=a@tenant.example"}},
	    {NULL, {.held = -1}},
	};
	struct table_row row;
	char left[400];

	begin(t);
	flip(t, ann, "cloud+legacy");
	make(t, rows, "wave");
	since(t, "client=apple", 0, left);
	row = table_tmp_get(t, ann);
	assert_string_equal(row.route_text, "legacy");
	assert_string_equal(row.tags, "client=apple");
	assert_false(row.held);
	assert_int_equal(row.addresses, 0);
	assert_string_equal(left, "");
	table_tmp_free(t);
}

static void what_was_written_since_stays_and_is_named(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	const struct change_row tagged = {.held = -1,
	    .tags = "client=apple vip"};
	struct change_done done;
	char left[400];

	begin(t);
	flip(t, ann, "cloud");
	flip(t, bob, "cloud");
	table_tmp_set(t, ann, &tagged);
	/* A later import gives bob a third route; being a flip itself, it
	 * would be taken back, so it is one of before the wave's. */
	make(t, (const struct row_of[]){
	    {"bob@example.com", {.route = "legacy", .held = -1}},
	    {NULL, {.held = -1}}}, "accept");
	done = since(t, "client=apple", 0, left);
	assert_int_equal(done.recipients, 1);
	assert_int_equal(done.left, 1);
	assert_row(t, ann, "legacy", "client=apple vip");
	assert_row(t, bob, "legacy", "client=apple");
	assert_string_equal(left, "bob@example.com route=legacy");
	table_tmp_free(t);
}

static void an_undone_flip_is_no_flip(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_how how = {.as_of = -1};
	struct change_done done;
	char left[400];

	begin(t);
	flip(t, ann, "cloud+legacy");
	how.undo = flip(t, ann, "cloud");
	table_tmp_commit(table_tmp_change(t), &how);
	assert_row(t, ann, "cloud+legacy", "client=apple");
	done = since(t, "client=apple", 0, left);
	assert_int_equal(done.recipients, 1);
	assert_row(t, ann, "legacy", "client=apple");
	assert_string_equal(left, "");
	table_tmp_free(t);
}

static void a_row_that_a_flip_made_goes(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	static const struct row_of rows[] = {
	    {"new@example.com", {.route = "cloud", .held = -1,
		.tags = "client=apple"}},
	    {"old@example.com", {.route = "cloud", .held = -1,
		.tags = "client=apple"}},
	    {NULL, {.held = -1}},
	};
	const struct change_row held = {.held = 1};
	struct change_done done;
	char left[400];

	begin(t);
	make(t, rows, NULL);
	table_tmp_set(t, "old@example.com", &held);
	done = since(t, "client=apple and address like '%d@%'", 0, left);
	assert_int_equal(done.recipients, 0);
	assert_row(t, "old@example.com", "cloud", "client=apple");
	assert_string_equal(left, "old@example.com held=yes");
	done = since(t, "client=apple and address like 'new%'", 0, left);
	assert_int_equal(done.recipients, 1);
	assert_row(t, "new@example.com", "-", "");
	table_tmp_free(t);
}

static void mailboxes_go_back_whole(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	static const struct row_of rows[] = {
	    {"ann@example.com", {.held = -1, .mailbox = "m"}},
	    {"cid@example.com", {.held = -1, .mailbox = "m"}},
	    {NULL, {.held = -1}},
	};
	char left[400];

	begin(t);
	make(t, rows, NULL);
	flip(t, ann, "cloud");
	flip(t, cid, "cloud");
	since(t, "client=apple", 0, left);
	assert_row(t, ann, "legacy", "client=apple");
	assert_row(t, cid, "legacy", "");
	table_tmp_free(t);
}

/* As a wave names them: by address and change. Another flip since is not the
 * wave's. */
static void given_flips_alone_are_taken_back(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct rollback *rb = rollback_new();
	static const struct row_of rows[] = {
	    {"ann@example.com", {.route = "cloud", .held = -1}},
	    {"bob@example.com", {.route = "cloud", .held = -1}},
	    {"cid@example.com", {.route = "cloud", .held = -1}},
	    {NULL, {.held = -1}},
	};
	struct change_done done;
	char left[400];
	uint64_t n;

	begin(t);
	n = make(t, rows, "wave");
	flip(t, bob, "legacy");
	rollback_add(rb, slice_str(ann), n);
	rollback_add(rb, slice_str(bob), n);
	rollback_add(rb, slice_str(cid), n);
	flip(t, cid, "legacy");
	done = take_back(t, rb, left);
	assert_int_equal(done.recipients, 1);
	assert_int_equal(done.left, 1);
	assert_string_equal(kept, "bob@example.com: route is legacy by now; "
	    "cid@example.com: it has its old values already");
	assert_row(t, ann, "legacy", "client=apple");
	assert_row(t, bob, "legacy", "client=apple");
	assert_row(t, cid, "legacy", "");
	assert_string_equal(left, "bob@example.com route=legacy");
	table_tmp_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_goes_across_changes_by_tag),
	    cmocka_unit_test(flips_before_that_time_stay),
	    cmocka_unit_test(several_flips_are_taken_back_to_the_first),
	    cmocka_unit_test(what_was_written_since_stays_and_is_named),
	    cmocka_unit_test(an_undone_flip_is_no_flip),
	    cmocka_unit_test(a_row_that_a_flip_made_goes),
	    cmocka_unit_test(mailboxes_go_back_whole),
	    cmocka_unit_test(given_flips_alone_are_taken_back),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
