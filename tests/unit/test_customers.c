/* SPDX-License-Identifier: ISC
 *
 * Several organisations in one table: no change crosses from one to another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

static const struct change_by by = {.who = "ann", .host = "host",
    .command = "test", .note = ""};
static const struct change_how create = {.create = true, .as_of = -1};
static const struct change_how flip = {.mailboxes = true, .as_of = -1};
static const struct change_how alone = {.as_of = -1};

/* An act on some rows, in one change. */
struct act {
	const char *address[2];
	struct change_row row;
	const struct change_how *how;
	const char *why; /* NULL: it is done */
};

static void one_act(struct table_tmp *t, const struct act *a)
{
	struct change *ch = table_tmp_change(t);
	struct change_done done;
	struct error err = {0};
	int rc = 0;

	for (int i = 0; i < 2 && a->address[i] != NULL && rc == 0; i++)
		rc = change_set(ch, slice_str(a->address[i]), &a->row, &err);
	if (rc == 0)
		rc = change_commit(ch, a->how, &by, &done, &err);
	change_close(ch);
	print_message("%s: %s\n", a->address[0], err.text);
	assert_int_equal(rc, a->why == NULL ? 0 : -1);
	if (a->why != NULL)
		assert_non_null(strstr(err.text, a->why));
}

/* Rows of two customers with a mailbox of one name, made when the
 * configuration had no customers yet. */
static void make_shared(struct table_tmp *t)
{
	static const char old[] =
	    "hostname = \"r.example.com\"\n"
	    "leg \"legacy\" { hosts = { \"192.0.2.10:25\" } }\n"
	    "leg \"third\" { hosts = { \"192.0.2.30:25\" } }\n"
	    "domain \"acme.example\" { }\ndomain \"beta.example\" { }\n";
	char dir[320];
	struct change_row row = {.route = "legacy", .held = -1,
	    .mailbox = "m"};
	struct change_done done;
	struct change *ch;
	struct conf *c;
	struct error err;

	snprintf(dir, sizeof(dir), "%.*s",
	    (int)(strrchr(t->path, '/') - t->path), t->path);
	c = conf_tmp_good(dir, old, t->names);
	ch = change_open(t->path, c, &err);
	assert_non_null(ch);
	assert_int_equal(change_set(ch, SLICE("x@acme.example"), &row, &err),
	    0);
	assert_int_equal(change_set(ch, SLICE("y@beta.example"), &row, &err),
	    0);
	assert_int_equal(change_commit(ch, &create, &by, &done, &err), 0);
	change_close(ch);
	conf_unref(c);
}

static void a_mailbox_is_of_one_customer(void **state)
{
	static const struct act acts[] = {
	    {{"x@acme.example"}, {.route = "cloud", .held = -1}, &flip,
		"x@acme.example would share its mailbox with y@beta.example of "
		"another customer"},
	    {{"x@acme.example"}, {.held = 1}, &flip, "share its mailbox"},
	    {{"x@acme.example"}, {.route = "cloud", .held = -1}, &alone, NULL},
	    {{"z@acme.example"},
		{.route = "cloud", .held = -1, .mailbox = "m"}, &create,
		"z@acme.example would share its mailbox with y@beta.example"},
	    {{"p@acme.example", "p@beta.example"},
		{.route = "cloud", .held = -1, .mailbox = "p"}, &create,
		"p@beta.example would share its mailbox with p@acme.example"},
	    {{"p@acme.example", "q@acme.example"},
		{.route = "cloud", .held = -1, .mailbox = "p"}, &create, NULL},
	    {{"p@acme.example"}, {.route = "legacy", .held = -1}, &flip,
		NULL},
	    /* Another mailbox for one of them, and it is well again. */
	    {{"y@beta.example"}, {.held = -1, .mailbox = "n"}, &alone, NULL},
	    {{"x@acme.example"}, {.route = "legacy", .held = -1}, &flip,
		NULL},
	};
	struct table_tmp *t = table_tmp_new(*state);

	make_shared(t);
	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		one_act(t, &acts[i]);
	assert_string_equal(table_tmp_get(t, "y@beta.example").route_text,
	    "legacy");
	table_tmp_free(t);
}

/* No domain but those of customers: the rule holds all the same. */
static void a_mailbox_is_of_one_customer_where_all_have_one(void **state)
{
	static const char text[] =
	    "hostname = \"r.example.com\"\n"
	    "leg \"legacy\" { hosts = { \"192.0.2.10:25\" } }\n"
	    "domain \"acme.example\" { customer = \"acme\" }\n"
	    "domain \"beta.example\" { customer = \"beta\" }\n";
	struct table_tmp *t = table_tmp_new(*state);
	struct change_row row = {.route = "legacy", .held = -1,
	    .mailbox = "m"};
	struct change_done done;
	struct error err = {0};
	struct change *ch;
	struct conf *c;

	c = conf_load(conf_tmp_write(*state, "all.conf", text), t->names,
	    &err);
	assert_non_null(c);
	ch = change_open(t->path, c, &err);
	assert_non_null(ch);
	assert_int_equal(change_set(ch, SLICE("x@acme.example"), &row, &err),
	    0);
	assert_int_equal(change_set(ch, SLICE("y@beta.example"), &row, &err),
	    0);
	assert_int_equal(change_commit(ch, &create, &by, &done, &err), -1);
	assert_non_null(strstr(err.text, "of another customer"));
	change_close(ch);
	conf_unref(c);
	table_tmp_free(t);
}

/* The mailbox brings rows of a domain with other legs along. */
static void a_mailbox_keeps_to_the_legs_of_every_domain(void **state)
{
	static const struct act acts[] = {
	    {{"x@example.com"}, {.route = "legacy", .held = -1,
		.mailbox = "m"}, &create, NULL},
	    {{"x@other.example"}, {.route = "legacy", .held = -1,
		.mailbox = "m"}, &create, NULL},
	    {{"x@example.com"}, {.route = "third", .held = -1}, &flip, NULL},
	    {{"p@acme.example"}, {.route = "legacy", .held = -1}, &create,
		NULL},
	    {{"p@acme.example"}, {.route = "third", .held = -1}, &flip,
		"p@acme.example can not be routed to third"},
	};
	struct table_tmp *t = table_tmp_new(*state);

	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		one_act(t, &acts[i]);
	assert_string_equal(table_tmp_get(t, "x@other.example").route_text,
	    "third");
	table_tmp_free(t);
}

static void replace_keeps_to_the_domains_of_the_file(void **state)
{
	static const char *const rows[] = {"a@acme.example", "b@acme.example",
	    "\"c@beta.example\"@acme.example", "a@beta.example",
	    "\"b@acme.example\"@beta.example"};
	struct change_how how = {.create = true, .replace = true,
	    .as_of = -1};
	struct change_row row = {.route = "cloud", .held = -1};
	struct table_tmp *t = table_tmp_new(*state);
	struct change *ch;
	struct change_done done, seen;
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		table_tmp_route(t, rows[i], "legacy");
	ch = table_tmp_change(t);
	assert_int_equal(change_set(ch, SLICE("a@acme.example"), &row, &err),
	    0);
	assert_int_equal(change_set(ch, SLICE("n@acme.example"), &row, &err),
	    0);
	assert_int_equal(change_preview(ch, &how, NULL, &seen, &err), 0);
	assert_int_equal(seen.made, 1);
	assert_int_equal(seen.deleted, 2);
	assert_int_equal(seen.defaults, 0);
	assert_int_equal(seen.recipients, 4);
	assert_int_equal(change_commit(ch, &how, &by, &done, &err), 0);
	assert_int_equal(done.recipients, 4);
	change_close(ch);
	assert_false(table_tmp_get(t, rows[1]).found);
	assert_false(table_tmp_get(t, rows[2]).found);
	assert_true(table_tmp_get(t, rows[3]).found);
	assert_true(table_tmp_get(t, rows[4]).found);
	assert_true(table_tmp_get(t, "@acme.example").found);
	table_tmp_free(t);
}

static void an_undo_of_the_seed_counts_the_defaults(void **state)
{
	struct change_how how = {.undo = 1, .as_of = -1};
	struct table_tmp *t = table_tmp_new(*state);
	struct change *ch = table_tmp_change(t);
	struct change_done seen;
	struct error err;

	assert_int_equal(change_preview(ch, &how, NULL, &seen, &err), 0);
	assert_true(seen.defaults > 1);
	assert_int_equal(seen.deleted, seen.defaults);
	change_close(ch);
	table_tmp_free(t);
}

/* ---- what leaves the configuration ------------------------------------ */

static void add_gone(void *arg, bool leg, const char *name, uint64_t rows)
{
	char *text = arg;
	size_t n = strlen(text);

	snprintf(text + n, 200 - n, "%s %s %d;", leg ? "leg" : "domain", name,
	    (int)rows);
}

static void what_rows_name_is_missed(void **state)
{
	static const struct {
		const char *domains, *gone;
	} cases[] = {
	    {"leg \"third\" { hosts = { \"192.0.2.3:25\" } }\n"
	     "leg \"cloud\" { hosts = { \"192.0.2.2:25\" } }\n"
	     "domain \"acme.example\" { }\ndomain \"beta.example\" { }\n", ""},
	    {"leg \"cloud\" { hosts = { \"192.0.2.2:25\" } }\n"
	     "domain \"acme.example\" { }\ndomain \"beta.example\" { }\n",
		"leg third 1;"},
	    {"domain \"acme.example\" { }\ndomain \"beta.example\" { }\n",
		"leg cloud 2;leg third 1;"},
	    {"domain \"acme.example\" { }\n", "leg cloud 2;domain "
						"beta.example 1;"},
	};
	struct table_tmp *t = table_tmp_new(*state);

	table_tmp_route(t, "a@acme.example", "cloud");
	table_tmp_route(t, "b@acme.example", "legacy+cloud");
	table_tmp_route(t, "a@beta.example", "third");
	table_tmp_route(t, "a@stranger.example", "third");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf text;
		struct conf *c;
		struct error err;
		char gone[200] = "";
		int n = 0;

		strbuf_init(&text, 4096);
		strbuf_addf(&text, "hostname = \"r.example.com\"\n"
		    "leg \"legacy\" { hosts = { \"192.0.2.1:25\" } }\n%s",
		    cases[i].domains);
		c = conf_tmp_good(*state, strbuf_cstr(&text), t->names);
		for (const char *p = cases[i].gone; *p != '\0'; p++)
			n += *p == ';';
		assert_int_equal(table_gone(t->path, c, add_gone, gone, &err),
		    n);
		assert_string_equal(gone, cases[i].gone);
		conf_unref(c);
		strbuf_fini(&text);
	}
	table_tmp_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_mailbox_is_of_one_customer),
	    cmocka_unit_test(a_mailbox_is_of_one_customer_where_all_have_one),
	    cmocka_unit_test(a_mailbox_keeps_to_the_legs_of_every_domain),
	    cmocka_unit_test(replace_keeps_to_the_domains_of_the_file),
	    cmocka_unit_test(an_undo_of_the_seed_counts_the_defaults),
	    cmocka_unit_test(what_rows_name_is_missed),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
