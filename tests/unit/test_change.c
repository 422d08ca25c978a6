/* SPDX-License-Identifier: ISC
 *
 * Changes of the cutover table: one transaction, old and new value, undo.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

static const struct change_how create = {.create = true, .as_of = -1};
static const struct change_how strict = {.as_of = -1};
static const struct change_how mailboxes = {.mailboxes = true, .as_of = -1};
static const struct change_by by = {.who = "ann", .host = "host",
    .command = "test", .note = "why"};

static void expect_route(struct table_tmp *t, const char *key,
    const char *route)
{
	struct table_row row = table_tmp_get(t, key);

	if (route == NULL) {
		assert_false(row.found);
		return;
	}
	assert_true(row.found);
	assert_string_equal(row.route_text, route);
}

static void values_are_stored_in_one_canonical_form(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_row row = {
	    .route = "both", .held = 1, .mailbox = "mb 1",
	    .tags = "zeta, alpha  zeta",
	    .addresses = "legacy=b@x.example\ncloud=A@tenant.example",
	};
	struct table_row got;

	table_tmp_set(t, "\"Ann\"@EXAMPLE.com", &row);
	got = table_tmp_get(t, "ann@example.com");
	assert_true(got.found);
	assert_true(got.held);
	assert_string_equal(got.route_text, "cloud+legacy");
	assert_string_equal(got.mailbox, "mb 1");
	assert_string_equal(got.tags, "alpha zeta");
	assert_int_equal(got.addresses, 2);
	assert_string_equal(got.address[0].address, "A@tenant.example");
	table_tmp_route(t, "b\xc3\xbc@b\xc3\xbc" "cher.example", "cloud");
	expect_route(t, "b\xc3\xbc@xn--bcher-kva.example", "cloud");
	table_tmp_free(t);
}

static void what_is_not_given_stays(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_row row = {.route = "legacy", .held = 1,
		.mailbox = "m", .tags = "a",
		.addresses = "cloud=a@tenant.example\nthird=c@x.example"};
	struct table_row got;

	table_tmp_set(t, "ann@example.com", &row);
	row = (struct change_row){.held = -1,
		.addresses = "third=\nlegacy=l@x.example"};
	table_tmp_set(t, "ann@example.com", &row);
	got = table_tmp_get(t, "ann@example.com");
	assert_string_equal(got.route_text, "legacy");
	assert_string_equal(got.mailbox, "m");
	assert_string_equal(got.tags, "a");
	assert_true(got.held);
	assert_int_equal(got.addresses, 2);
	assert_string_equal(got.address[0].address, "a@tenant.example");
	assert_string_equal(got.address[1].address, "l@x.example");
	row = (struct change_row){.held = 0, .mailbox = "", .tags = ""};
	table_tmp_set(t, "ann@example.com", &row);
	got = table_tmp_get(t, "ann@example.com");
	assert_string_equal(got.mailbox, "");
	assert_string_equal(got.tags, "");
	assert_false(got.held);
	table_tmp_free(t);
}

static void a_bad_value_is_refused_before_anything_is_locked(void **state)
{
	static const struct {
		const char *address;
		struct change_row row;
		const char *why;
	} cases[] = {
	    {"ann", {.route = "cloud", .held = -1}, "is no address"},
	    {"@exa mple", {.route = "cloud", .held = -1}, "is no domain"},
	    {"a@example.com", {.route = "", .held = -1}, "the route is empty"},
	    {"a@example.com", {.route = "moon", .held = -1},
		"'moon' is no leg of the configuration (legacy, cloud, third)"},
	    {"a@example.com", {.route = "out", .held = -1}, "is an egress"},
	    {"a@example.com", {.route = "cloud+cloud", .held = -1}, "twice"},
	    {"a@example.com", {.route = "cloud+legacy+legacy", .held = -1},
	    	"the leg legacy stands twice"},
	    {"a@example.com", {.route = "cloud+defer", .held = -1},
		"'defer' is no leg"},
	    {"a@bare.example", {.route = "both", .held = -1}, "'both' means"},
	    {"a@other.example", {.route = "both", .held = -1}, "'both' means"},
	    {"a@acme.example", {.route = "third", .held = -1},
		"a@acme.example can not be routed to third: the legs of domain "
		"acme.example are legacy, cloud"},
	    {"@acme.example", {.route = "cloud+third", .held = -1},
		"@acme.example can not be routed to third"},
	    {"a@example.com", {.held = -1, .tags = "it's"}, "is no tag"},
	    {"a@example.com", {.held = -1, .mailbox = "a\nb"}, "control"},
	    {"a@example.com", {.held = -1, .mailbox = " a"}, "no mailbox"},
	    {"a@example.com", {.held = -1, .addresses = "moon=a@x.example"},
		"'moon' is no leg"},
	    {"a@example.com", {.held = -1, .addresses = "cloud=a"},
		"is no address"},
	    {"a@example.com", {.held = -1, .addresses = "cloud=@x.example"},
		"is no address"},
	    {"@example.com", {.held = -1, .addresses = "cloud=a@x.example"},
		"must be a domain"},
	};
	struct table_tmp *t = table_tmp_new(*state);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct change *ch = table_tmp_change(t);
		struct error err = {0};

		assert_int_equal(change_set(ch, slice_str(cases[i].address),
				     &cases[i].row, &err), -1);
		print_message("%s\n", err.text);
		assert_non_null(strstr(err.text, cases[i].why));
		change_close(ch);
	}
	table_tmp_free(t);
}

static void refuse(struct table_tmp *t, const char *address,
    const struct change_row *row, const char *why)
{
	struct change *ch = table_tmp_change(t);
	struct change_done done;
	struct error err = {0};

	assert_int_equal(change_set(ch, slice_str(address), row, &err), 0);
	assert_int_equal(change_commit(ch, &strict, &by, &done, &err), -1);
	print_message("%s\n", err.text);
	assert_non_null(strstr(err.text, why));
	change_close(ch);
}

static void an_address_without_a_row_is_refused_unless_asked_for(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_row row = {.route = "cloud", .held = -1};
	struct change *ch;
	struct change_done done;
	struct error err;

	refuse(t, "ann@example.com", &row, "ann@example.com");
	row.route = NULL;
	row.held = 1;
	refuse(t, "ann@example.com", &row, "has no row");
	ch = table_tmp_change(t);
	assert_int_equal(change_set(ch, SLICE("ann@example.com"), &row, &err),
	    0);
	assert_int_equal(change_commit(ch, &create, &by, &done, &err), -1);
	assert_string_equal(err.text,
	    "ann@example.com is new and needs a route");
	change_close(ch);
	expect_route(t, "ann@example.com", NULL);
	table_tmp_free(t);
}

static void what_differs_in_nothing_is_no_change(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);

	assert_int_equal(table_tmp_route(t, "ann@example.com", "cloud"), 2);
	assert_int_equal(table_tmp_route(t, "ann@example.com", "cloud"), 0);
	assert_int_equal(table_tmp_route(t, "ann@example.com", "legacy"), 3);
	table_tmp_free(t);
}

/* ---- many rows -------------------------------------------------------- */

static void make_rows(struct table_tmp *t)
{
	static const struct {
		const char *address;
		struct change_row row;
	} rows[] = {
	    {"ann@example.com", TABLE_TMP_ROW("legacy", 0, "m1", "w1", NULL)},
	    {"anne@example.com", TABLE_TMP_ROW("legacy", 0, "m1", "", NULL)},
	    {"bob@example.com", TABLE_TMP_ROW("legacy", 0, "", "w1", NULL)},
	    {"cid@example.com", TABLE_TMP_ROW("cloud", 0, "", "w2", NULL)},
	    {"dan@reject.example", TABLE_TMP_ROW("legacy", 0, "m1x", "w2",
	    NULL)},
	};
	struct change *ch = table_tmp_change(t);
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (change_set(ch, slice_str(rows[i].address), &rows[i].row,
			&err) < 0)
			fail_msg("%s", err.text);
	assert_int_equal(table_tmp_commit(ch, &create).recipients, 5);
}

static struct change_done where(struct table_tmp *t, const char *expr,
    const struct change_how *how, const struct change_row *row)
{
	struct error err;
	struct where *w = where_parse(slice_str(expr), &err);
	struct change *ch = table_tmp_change(t);

	assert_non_null(w);
	assert_int_equal(change_where(ch, w, row, &err), 0);
	where_free(w);
	return table_tmp_commit(ch, how);
}

static void a_flip_takes_all_addresses_of_a_mailbox(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_row cloud = {.route = "cloud", .held = -1};
	struct change_row hold = {.held = 1};

	make_rows(t);
	assert_int_equal(where(t, "address = 'anne@example.com'", &strict,
			     &cloud).recipients, 1);
	expect_route(t, "ann@example.com", "legacy");
	assert_int_equal(where(t, "address = 'anne@example.com'", &mailboxes,
			     &cloud).recipients, 1);
	expect_route(t, "ann@example.com", "cloud");
	expect_route(t, "bob@example.com", "legacy");
	expect_route(t, "dan@reject.example", "legacy");
	assert_int_equal(where(t, "address like 'ann@%'", &mailboxes, &hold)
			     .recipients, 2);
	assert_true(table_tmp_get(t, "anne@example.com").held);
	expect_route(t, "anne@example.com", "cloud");
	table_tmp_free(t);
}

static void rows_are_selected_by_tag_and_by_expression(void **state)
{
	static const struct {
		const char *expr;
		uint64_t recipients;
	} cases[] = {
	    {"tag = 'w1'", 2},
	    {"tag = 'w1' and address like 'b%'", 1},
	    {"tag = 'none'", 0},
	    {"route = 'legacy'", 4},
	    {"domain = 'reject.example'", 1},
	    {"mailbox != ''", 3},
	    {"not held", 5},
	    {"w1 or held", 2},
	    {"w1 or w2", 4},
	    {"tag in (w2, w1, none)", 4},
	    {"w1 and (w1 or w2)", 2},
	    {"customer = ''", 5},
	    {"customer = acme", 0},
	    {"leg = legacy", 4},
	    {"change = 2", 5},
	    {"change < 2", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct table_tmp *t = table_tmp_new(*state);
		struct change_row third = {.route = "third", .held = -1};
		struct change_done done;

		make_rows(t);
		done = where(t, cases[i].expr, &strict, &third);
		print_message("%s\n", cases[i].expr);
		assert_int_equal(done.recipients, cases[i].recipients);
		expect_route(t, "@example.com", "legacy");
		table_tmp_free(t);
	}
}

static void a_tag_that_was_taken_away_selects_no_more(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_row tags = {.held = -1, .tags = "w3 w2"};
	struct change_row third = {.route = "third", .held = -1};

	make_rows(t);
	table_tmp_set(t, "bob@example.com", &tags);
	assert_int_equal(where(t, "tag = 'w1'", &strict, &third).recipients,
	    1);
	assert_int_equal(where(t, "tag = 'w3'", &strict, &third).recipients,
	    1);
	assert_int_equal(where(t, "tag = 'w2'", &strict, &third).same, 1);
	expect_route(t, "bob@example.com", "third");
	table_tmp_free(t);
}

static void all_of_a_domain_takes_its_default_too(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_row cloud = {.route = "cloud", .held = -1};
	struct error err;
	struct where *w = where_equal(WHERE_DOMAIN, SLICE("Example.com"),
	    &err);
	struct change *ch;

	make_rows(t);
	assert_non_null(w);
	ch = table_tmp_change(t);
	assert_int_equal(change_where(ch, w, &cloud, &err), 0);
	assert_int_equal(table_tmp_commit(ch, &strict).recipients, 4);
	expect_route(t, "@example.com", "cloud");
	expect_route(t, "dan@reject.example", "legacy");
	where_free(w);
	table_tmp_free(t);
}

/* ---- undo ------------------------------------------------------------- */

static struct change_done undo(struct table_tmp *t, uint64_t number)
{
	struct change_how how = {.undo = number, .as_of = -1};

	return table_tmp_commit(table_tmp_change(t), &how);
}

static void count_left(void *arg, struct slice key, const char *column,
    const char *value, const struct table_value *now)
{
	char *text = arg;
	size_t n = strlen(text);

	assert_true(now->row);
	snprintf(text + n, 200 - n, "%.*s %s %s\n", (int)key.n, key.p,
	    column, value);
}

static void undo_restores_what_still_has_what_the_change_gave(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_row cloud = {.route = "cloud", .held = -1};
	struct change_how how = {.as_of = -1};
	struct change_done done;
	struct change *ch;
	struct error err;
	char left[200] = "";

	make_rows(t); /* change 2 */
	assert_int_equal(where(t, "route = 'legacy'", &strict, &cloud).change,
	    3);
	table_tmp_route(t, "bob@example.com", "third"); /* 4 */
	ch = table_tmp_change(t);
	how.undo = 3;
	assert_int_equal(change_commit(ch, &how, &by, &done, &err), 0);
	assert_int_equal(done.change, 5);
	assert_int_equal(done.recipients, 3);
	assert_int_equal(done.left, 1);
	assert_int_equal(change_left(ch, 3, count_left, left, &err), 0);
	assert_string_equal(left, "bob@example.com route third\n");
	change_close(ch);
	expect_route(t, "ann@example.com", "legacy");
	expect_route(t, "cid@example.com", "cloud");
	assert_int_equal(undo(t, 5).recipients, 3);
	expect_route(t, "ann@example.com", "cloud");
	table_tmp_free(t);
}

static void no_row_is_a_value(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change *ch;
	struct error err;

	make_rows(t); /* 2 */
	ch = table_tmp_change(t);
	assert_int_equal(change_delete(ch, SLICE("ann@example.com"), &err), 0);
	assert_int_equal(table_tmp_commit(ch, &strict).change, 3);
	expect_route(t, "ann@example.com", NULL);
	assert_int_equal(undo(t, 3).recipients, 1);
	expect_route(t, "ann@example.com", "legacy");
	assert_string_equal(table_tmp_get(t, "ann@example.com").tags, "w1");
	assert_int_equal(undo(t, 2).recipients, 5);
	expect_route(t, "ann@example.com", NULL);
	expect_route(t, "cid@example.com", NULL);
	expect_route(t, "@example.com", "legacy");
	table_tmp_free(t);
}

static void an_undo_to_a_leg_that_is_gone_is_refused(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_how how = {.undo = 3, .as_of = -1};
	struct conf *later;
	struct change *ch;
	struct change_done done;
	struct error err;

	table_tmp_route(t, "ann@example.com", "third");
	table_tmp_route(t, "ann@example.com", "cloud");
	later = conf_tmp_good(*state, "hostname = \"r.example.com\"\n"
	    "leg \"cloud\" { hosts = { \"192.0.2.20:25\" } }\n"
	    "domain \"example.com\" { route = \"cloud\" }\n", t->names);
	ch = change_open(t->path, later, &err);
	assert_non_null(ch);
	assert_int_equal(change_commit(ch, &how, &by, &done, &err), -1);
	assert_non_null(strstr(err.text, "'third' is no leg"));
	change_close(ch);
	how.undo = 99;
	ch = table_tmp_change(t);
	assert_int_equal(change_commit(ch, &how, &by, &done, &err), -1);
	assert_string_equal(err.text, "there is no change 99");
	change_close(ch);
	conf_unref(later);
	table_tmp_free(t);
}

/* ---- history ---------------------------------------------------------- */

static void tell(void *arg, const struct table_change *c,
    const struct table_value *before, const struct table_value *after)
{
	char *text = arg;
	size_t n = strlen(text);

	assert_true(c->time_us > 0);
	snprintf(text + n, 400 - n, "%d %s %s %s %s: %s -> %s\n",
	    (int)c->change, c->who, c->host, c->command, c->note,
	    before->row ? before->route : "no row",
	    after->row ? after->route : "no row");
}

static void history_tells_who_why_and_both_values(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	char text[400] = "";
	struct change *ch;
	struct error err;
	struct table *r;

	table_tmp_route(t, "ann@example.com", "cloud");
	table_tmp_route(t, "bob@example.com", "cloud");
	ch = table_tmp_change(t);
	assert_int_equal(change_delete(ch, SLICE("ann@example.com"), &err), 0);
	table_tmp_commit(ch, &strict);
	r = table_open(t->path, t->names, &err);
	assert_non_null(r);
	assert_int_equal(table_history(r, SLICE("ann@example.com"), tell,
			     text, &err), 2);
	assert_string_equal(text, "2 ann host test why: no row -> cloud\n"
	    "4 ann host test why: cloud -> no row\n");
	table_close(r);
	table_tmp_free(t);
}

static void a_preview_writes_nothing(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_row row = {.route = "cloud", .held = -1};
	struct change *ch = table_tmp_change(t);
	struct change_done done;
	struct error err;

	assert_int_equal(change_set(ch, SLICE("ann@example.com"), &row, &err),
	    0);
	assert_int_equal(change_preview(ch, &create, NULL, &done, &err),
	    0);
	assert_int_equal(done.recipients, 1);
	change_close(ch);
	expect_route(t, "ann@example.com", NULL);
	assert_int_equal(table_tmp_route(t, "ann@example.com", "cloud"), 2);
	table_tmp_free(t);
}

static void wake_all(void *arg, uint64_t change, struct slice key)
{
	assert_int_equal(change, 101);
	*(bool *)arg = slice_eq(key, SLICE("@"));
}

static void accepting_a_table_puts_its_number_above(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change *ch = table_tmp_change(t);
	struct change_done done;
	struct error err;
	struct table *r;
	bool all = false;

	assert_int_equal(change_accept(ch, 100, &by, &done, &err), 0);
	assert_int_equal(done.change, 101);
	change_close(ch);
	r = table_open(t->path, t->names, &err);
	assert_non_null(r);
	assert_int_equal(table_log(r,
	    &(struct table_log_page){100, NULL, 9, wake_all, &all}, &err), 1);
	assert_true(all);
	table_close(r);
	assert_int_equal(table_tmp_route(t, "ann@example.com", "cloud"), 102);
	table_tmp_free(t);
}

/* ---- groups and rooms ---- */

/* A row as it is (NULL: none), and what is to be made of it. */
struct twofold {
	const char *route, *tags, *to_route, *to_tags;
	bool refused;
};

static void twofold_case(struct table_tmp *t, const struct twofold *w,
    const char *address, bool force)
{
	const struct change_how how = {.create = true, .as_of = -1,
	    .twice = force}, forced = {.create = true, .as_of = -1,
	    .twice = true};
	struct change_row was = {.route = w->route, .held = -1,
	    .tags = w->tags};
	struct change_row is = {.route = w->to_route, .held = -1,
	    .tags = w->to_tags};
	struct change *ch = table_tmp_change(t);
	struct change_done done;
	struct error err;

	if (w->route != NULL) {
		assert_int_equal(change_set(ch, slice_str(address), &was,
				     &err), 0);
		table_tmp_commit(ch, &forced);
		ch = table_tmp_change(t);
	}
	assert_int_equal(change_set(ch, slice_str(address), &is, &err), 0);
	if (!w->refused || force) {
		table_tmp_commit(ch, &how);
		return;
	}
	assert_int_equal(change_commit(ch, &how, &by, &done, &err), -1);
	assert_non_null(strstr(err.text, address));
	assert_non_null(strstr(err.text, "group or a room"));
	assert_non_null(strstr(err.text, "--force"));
	change_close(ch);
	expect_route(t, address, w->route);
}

static void a_group_gets_no_copy_unless_forced(void **state)
{
	static const struct twofold cases[] = {
		{NULL, NULL, "legacy+cloud", "kind=group", true},
		{NULL, NULL, "both", "a kind=room z", true},
		{NULL, NULL, "both", "KIND=Group", true},
		{NULL, NULL, "cloud", "kind=group", false},
		{NULL, NULL, "defer", "kind=group", false},
		{NULL, NULL, "both", "kind=groups", false},
		{NULL, NULL, "both", "kind=user", false},
		{NULL, NULL, "both", "akind=group", false},
		{"legacy", "kind=group", "cloud+legacy", NULL, true},
		{"legacy", "kind=group", "cloud", NULL, false},
		{"legacy+cloud", "", NULL, "kind=room", true},
		{"legacy+cloud", "kind=room", "cloud+legacy", NULL, true},
		/* It was so, and is to be so. */
		{"legacy+cloud", "kind=room", "legacy+cloud", NULL, false},
		{"legacy+cloud", "kind=room", "cloud", NULL, false},
		{"legacy+cloud", "kind=room", NULL, "", false},
	};
	struct table_tmp *t = table_tmp_new(*state);
	char address[40];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("case %zu\n", i);
		snprintf(address, sizeof(address), "g%zu@example.com", i);
		twofold_case(t, &cases[i], address, false);
		snprintf(address, sizeof(address), "f%zu@example.com", i);
		twofold_case(t, &cases[i], address, true);
	}
	table_tmp_free(t);
}

static void a_group_may_go_back_to_what_it_had(void **state)
{
	const struct change_how forced = {.create = true, .as_of = -1,
	    .twice = true}, undo = {.as_of = -1};
	struct change_row row = {.route = "legacy+cloud", .held = -1,
	    .tags = "kind=group"};
	struct table_tmp *t = table_tmp_new(*state);
	struct change *ch = table_tmp_change(t);
	struct change_how back = undo;
	struct error err;

	assert_int_equal(change_set(ch, SLICE("g@example.com"), &row, &err),
	    0);
	table_tmp_commit(ch, &forced);
	back.undo = table_tmp_route(t, "g@example.com", "cloud");
	table_tmp_commit(table_tmp_change(t), &back);
	expect_route(t, "g@example.com", "legacy+cloud");
	table_tmp_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_are_stored_in_one_canonical_form),
	    cmocka_unit_test(what_is_not_given_stays),
	    cmocka_unit_test(a_bad_value_is_refused_before_anything_is_locked),
	    cmocka_unit_test(
		an_address_without_a_row_is_refused_unless_asked_for),
	    cmocka_unit_test(what_differs_in_nothing_is_no_change),
	    cmocka_unit_test(a_flip_takes_all_addresses_of_a_mailbox),
	    cmocka_unit_test(rows_are_selected_by_tag_and_by_expression),
	    cmocka_unit_test(a_tag_that_was_taken_away_selects_no_more),
	    cmocka_unit_test(all_of_a_domain_takes_its_default_too),
	    cmocka_unit_test(undo_restores_what_still_has_what_the_change_gave),
	    cmocka_unit_test(no_row_is_a_value),
	    cmocka_unit_test(an_undo_to_a_leg_that_is_gone_is_refused),
	    cmocka_unit_test(history_tells_who_why_and_both_values),
	    cmocka_unit_test(a_preview_writes_nothing),
	    cmocka_unit_test(accepting_a_table_puts_its_number_above),
	    cmocka_unit_test(a_group_gets_no_copy_unless_forced),
	    cmocka_unit_test(a_group_may_go_back_to_what_it_had),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
