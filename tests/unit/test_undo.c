/* SPDX-License-Identifier: ISC
 *
 * Undo, column by column: what becomes as it was, what stays and is named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/row.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

static const char ann[] = "ann@example.com";

/* A row as one line; "-" when there is none. */
static const char *row_text(struct table_tmp *t, char out[400])
{
	struct table_row row = table_tmp_get(t, ann);
	size_t n;

	if (!row.found)
		return "-";
	n = (size_t)snprintf(out, 400, "%s%s mailbox=%s tags=%s",
	    row.route_text, row.held ? " held" : "", row.mailbox, row.tags);
	for (unsigned i = 0; i < row.addresses; i++)
		n += (size_t)snprintf(out + n, 400 - n, " %s=%s",
		    names_text(t->names, row.address[i].leg),
		    row.address[i].address);
	return out;
}

static void add_left(void *arg, struct slice key, const char *column,
    const char *value, const struct table_value *now)
{
	char *text = arg;
	size_t n = strlen(text);

	(void)now;
	assert_true(slice_eq(key, slice_str(ann)));
	snprintf(text + n, 400 - n, "%s%s=%s", n == 0 ? "" : " ", column,
	    value);
}

/* Steps before, the change that is undone, and steps since; a step whose
 * route is "delete" deletes the row. */
struct case_ {
	const char *name;
	struct change_row before, change, since;
	const char *row, *left;
	uint64_t left_rows;
};

#define NOTHING {.held = -1}
#define DELETE {.route = "delete", .held = -1}

static uint64_t step(struct table_tmp *t, const struct change_row *row)
{
	static const struct change_how how = {.as_of = -1};
	struct change *ch;
	struct error err;

	if (row->route == NULL || strcmp(row->route, "delete") != 0)
		return table_tmp_set(t, ann, row);
	ch = table_tmp_change(t);
	assert_int_equal(change_delete(ch, slice_str(ann), &err), 0);
	return table_tmp_commit(ch, &how).change;
}

static bool is_step(const struct change_row *row)
{
	return row->route != NULL || row->held >= 0 || row->mailbox != NULL ||
	       row->tags != NULL || row->addresses != NULL ||
	       row->add_tags != NULL || row->drop_tags != NULL;
}

static const struct case_ cases[] = {
    {"a tag since", TABLE_TMP_ROW("legacy", 0, "", "a", NULL),
	{.route = "cloud", .held = -1}, {.held = -1, .tags = "a vip"},
	"legacy mailbox= tags=a vip", "", 0},
    {"a hold since", TABLE_TMP_ROW("legacy", 0, "", "", NULL),
	{.route = "cloud", .held = -1}, {.held = 1},
	"legacy held mailbox= tags=", "", 0},
    {"a mailbox since", TABLE_TMP_ROW("legacy", 0, "", "", NULL),
	{.route = "cloud", .held = -1}, {.held = -1, .mailbox = "m"},
	"legacy mailbox=m tags=", "", 0},
    {"another route since", TABLE_TMP_ROW("legacy", 0, "", "", NULL),
	{.route = "cloud", .held = -1, .tags = "w1"},
	{.route = "third", .held = -1},
	"third mailbox= tags=", "route=third", 1},
    {"the old route since", TABLE_TMP_ROW("legacy", 0, "", "", NULL),
	{.route = "cloud", .held = -1}, {.route = "legacy", .held = -1},
	"legacy mailbox= tags=", "", 0},
    {"its tags alone", TABLE_TMP_ROW("legacy", 0, "", "a b c", NULL),
	{.held = -1, .tags = "b d"}, {.held = -1, .tags = "d e"},
	"legacy mailbox= tags=a c e", "", 0},
    {"a tag that it added is gone", TABLE_TMP_ROW("legacy", 0, "", "", NULL),
	{.held = -1, .tags = "x y"}, {.held = -1, .tags = "y z"},
	"legacy mailbox= tags=z", "", 0},
    {"tags that it added, of which one was there",
	TABLE_TMP_ROW("legacy", 0, "", "a", NULL), {.held = -1,
	    .add_tags = "b a"},
	{.held = -1, .add_tags = "c"}, "legacy mailbox= tags=a c", "", 0},
    {"tags that it removed, of which one was not there",
	TABLE_TMP_ROW("legacy", 0, "", "a b", NULL), {.held = -1,
	    .drop_tags = "c b"},
	{.held = -1, .add_tags = "c"}, "legacy mailbox= tags=a b c", "", 0},
    {"a mailbox of a third name", TABLE_TMP_ROW("legacy", 0, "m", "", NULL),
	{.route = "cloud", .held = 1, .mailbox = "n"},
	{.held = -1, .mailbox = "o"},
	"legacy mailbox=o tags=", "mailbox=o", 1},
    {"the address of one leg",
	TABLE_TMP_ROW("legacy", 0, "", "",
	    "cloud=a@tenant.example\nlegacy=l@x.example"),
	{.held = -1, .addresses = "cloud=b@tenant.example\nthird=t@x.example"},
	{.held = -1, .addresses = "legacy=k@x.example"},
	"legacy mailbox= tags= cloud=a@tenant.example legacy=k@x.example", "",
	0},
    {"an address of a third name",
	TABLE_TMP_ROW("legacy", 0, "", "", "cloud=a@tenant.example"),
	{.held = -1, .addresses = "cloud=b@tenant.example\nlegacy=l@x.example"},
	{.held = -1, .addresses = "cloud=c@tenant.example"},
	"legacy mailbox= tags= cloud=c@tenant.example",
	"cloud_address=c@tenant.example", 1},
    {"an address that was cleared since",
	TABLE_TMP_ROW("legacy", 0, "", "", "cloud=a@tenant.example"),
	{.held = -1, .addresses = "cloud=b@tenant.example"},
	{.held = -1, .addresses = "cloud="},
	"legacy mailbox= tags=", "cloud_address=", 1},
    {"a row that it made", NOTHING, TABLE_TMP_ROW("cloud", 0, "", "", NULL),
	    NOTHING,
	"-", "", 0},
    {"a row that it made and others wrote to", NOTHING,
	TABLE_TMP_ROW("cloud", 0, "", "", NULL), {.held = 1, .tags = "vip"},
	"cloud held mailbox= tags=vip", "held=yes tags=vip", 1},
    {"a row that it made and that is gone", NOTHING,
	TABLE_TMP_ROW("cloud", 0, "", "", NULL), DELETE, "-", "", 0},
    {"a row that it deleted", TABLE_TMP_ROW("legacy", 1, "m", "a",
	    "cloud=a@x.example"),
	DELETE, NOTHING,
	"legacy held mailbox=m tags=a cloud=a@x.example", "", 0},
    {"a row that it deleted and that was made anew",
	TABLE_TMP_ROW("legacy", 0, "", "a", NULL), DELETE,
	{.route = "cloud", .held = -1},
	"cloud mailbox= tags=", "route=cloud tags=", 1},
    {"a row that is gone since", TABLE_TMP_ROW("legacy", 0, "", "", NULL),
	{.route = "cloud", .held = -1}, DELETE, "-", "row=none", 1},
};

static void one_case(struct table_tmp *t, const struct case_ *c)
{
	static const struct change_by by = {.who = "ann", .host = "host",
	    .command = "undo", .note = ""};
	struct change_how how = {.as_of = -1};
	struct change_done done, seen;
	struct change *ch;
	char row[400], left[400] = "";
	struct error err;

	print_message("%s\n", c->name);
	if (is_step(&c->before))
		step(t, &c->before);
	how.undo = step(t, &c->change);
	if (is_step(&c->since))
		step(t, &c->since);
	ch = table_tmp_change(t);
	/* A preview tells the same, and leaves a commit to be made. */
	assert_int_equal(change_preview(ch, &how, NULL, &seen, &err), 0);
	assert_int_equal(change_commit(ch, &how, &by, &done, &err), 0);
	assert_int_equal(done.left, c->left_rows);
	assert_int_equal(seen.left, done.left);
	assert_int_equal(seen.recipients, done.recipients);
	assert_int_equal(change_left(ch, how.undo, add_left, left, &err), 0);
	change_close(ch);
	assert_string_equal(row_text(t, row), c->row);
	assert_string_equal(left, c->left);
}

static void each_column_is_taken_back_for_itself(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct table_tmp *t = table_tmp_new(*state);

		one_case(t, &cases[i]);
		table_tmp_free(t);
	}
}

static uint64_t undo(struct table_tmp *t, uint64_t change)
{
	struct change_how how = {.as_of = -1, .undo = change};

	return table_tmp_commit(table_tmp_change(t), &how).change;
}

static void an_undo_can_be_undone(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	const struct change_row was = TABLE_TMP_ROW("legacy", 0, "m", "a b",
	    "cloud=a@tenant.example");
	const struct change_row is = TABLE_TMP_ROW("cloud", 1, "n", "b c",
	    "cloud=b@tenant.example\nlegacy=l@x.example");
	char before[400], after[400], again[400];
	uint64_t n;

	table_tmp_set(t, ann, &was);
	row_text(t, before);
	n = table_tmp_set(t, ann, &is);
	row_text(t, after);
	n = undo(t, n);
	assert_string_equal(row_text(t, again), before);
	undo(t, n);
	assert_string_equal(row_text(t, again), after);
	table_tmp_free(t);
}

/* Tags and rewritten addresses are found by their indices afterwards. */
static void the_indices_follow(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	const struct change_row was = TABLE_TMP_ROW("legacy", 0, "", "a",
	    "cloud=a@tenant.example");
	const struct change_row is = {.held = -1, .tags = "b",
	    .addresses = "cloud=b@tenant.example"};
	struct table_row row;
	struct error err;
	struct table *r;

	table_tmp_set(t, ann, &was);
	undo(t, table_tmp_set(t, ann, &is));
	r = table_open(t->path, t->names, &err);
	assert_non_null(r);
	assert_int_equal(table_reverse(r,
	    (struct leg_address){SLICE("b@tenant.example"),
		names_id(t->names, SLICE("cloud"))}, t->a, &row, &err), 0);
	assert_int_equal(table_reverse(r,
	    (struct leg_address){SLICE("a@tenant.example"),
		names_id(t->names, SLICE("cloud"))}, t->a, &row, &err), 1);
	assert_string_equal(row.key, ann);
	table_close(r);
	table_tmp_free(t);
}

static void a_change_names_the_one_that_it_undid(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct table_change c;
	struct error err;
	struct table *r;
	uint64_t n;

	n = table_tmp_route(t, ann, "cloud");
	assert_int_equal(undo(t, n), n + 1);
	r = table_open(t->path, t->names, &err);
	assert_non_null(r);
	assert_int_equal(table_change_get(r, n + 1, t->a, &c, &err), 1);
	assert_int_equal(c.undid, n);
	assert_string_equal(c.command, "undo");
	assert_int_equal(table_change_get(r, n, t->a, &c, &err), 1);
	assert_int_equal(c.undid, 0);
	assert_string_equal(c.command, "test");
	assert_int_equal(table_change_get(r, n + 2, t->a, &c, &err), 0);
	table_close(r);
	table_tmp_free(t);
}

static void an_undo_keeps_to_the_legs_of_the_domain(void **state)
{
	static const char both[] =
	    "hostname = \"r.example.com\"\n"
	    "leg \"legacy\" { hosts = { \"192.0.2.10:25\" } }\n"
	    "leg \"cloud\" { hosts = { \"192.0.2.20:25\" } }\n"
	    "domain \"example.com\" { route = \"cloud\" legs = { \"cloud\" } "
	    "}\n";
	static const struct change_by by = {.who = "ann", .host = "host",
	    .command = "undo", .note = ""};
	struct table_tmp *t = table_tmp_new(*state);
	struct change_how how = {.as_of = -1};
	struct change_done done;
	struct conf *later;
	struct change *ch;
	struct error err;

	table_tmp_route(t, ann, "legacy");
	how.undo = table_tmp_route(t, ann, "cloud");
	later = conf_tmp_good(*state, both, t->names);
	ch = change_open(t->path, later, &err);
	assert_non_null(ch);
	assert_int_equal(change_commit(ch, &how, &by, &done, &err), -1);
	assert_string_equal(err.text, "ann@example.com can not be routed to "
	    "legacy: the legs of domain example.com are cloud");
	change_close(ch);
	conf_unref(later);
	table_tmp_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_column_is_taken_back_for_itself),
	    cmocka_unit_test(an_undo_can_be_undone),
	    cmocka_unit_test(the_indices_follow),
	    cmocka_unit_test(a_change_names_the_one_that_it_undid),
	    cmocka_unit_test(an_undo_keeps_to_the_legs_of_the_domain),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
