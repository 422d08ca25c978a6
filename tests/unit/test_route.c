/* SPDX-License-Identifier: ISC
 *
 * The decision, the addresses that the legs are told, and what a leg's
 * answer means.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/route.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

static struct addr address(const char *text)
{
	struct addr a;
	const char *why;

	if (strcmp(text, "Postmaster") == 0)
		return (struct addr){.text = slice_str(text),
		    .local = slice_str(text), .domain = slice_of("", 0)};
	if (addr_parse(slice_str(text), true, &a, &why) < 0)
		fail_msg("%s: %s", text, why);
	return a;
}

static struct table *fill(struct table_tmp *t)
{
	static const struct {
		const char *address;
		struct change_row row;
	} rows[] = {
	    {"ann@example.com", TABLE_TMP_ROW("cloud+legacy", 0, "", "",
	    "cloud=Ann.X@tenant.example")},
	    {"ann+vip@example.com", TABLE_TMP_ROW("third", 0, "", "", NULL)},
	    {"held@example.com", TABLE_TMP_ROW("cloud", 1, "", "", NULL)},
	    {"heldno@example.com", TABLE_TMP_ROW("defer", 1, "", "", NULL)},
	    {"slow@example.com", TABLE_TMP_ROW("defer", 0, "", "", NULL)},
	    {"no@example.com", TABLE_TMP_ROW("reject", 0, "", "", NULL)},
	    {"left@example.com", TABLE_TMP_ROW("gone", 0, "", "", NULL)},
	    {"left@bare.example", TABLE_TMP_ROW("gone", 0, "", "", NULL)},
	    {"admin@example.com", TABLE_TMP_ROW("third", 0, "", "", NULL)},
	    {"abuse@reject.example", TABLE_TMP_ROW("cloud", 0, "", "", NULL)},
	    {"abuse@defer.example", TABLE_TMP_ROW("reject", 0, "", "", NULL)},
	    {"known@reject.example", TABLE_TMP_ROW("cloud", 0, "", "", NULL)},
	    {"b\xc3\xbc@xn--bcher-kva.example", TABLE_TMP_ROW("cloud", 0, "",
	    "", NULL)},
	    {"\"p%q\"@example.com", TABLE_TMP_ROW("cloud", 0, "", "",
	    "cloud=r%s@tenant.example")},
	    {"@defer.example", TABLE_TMP_ROW("legacy", 0, NULL, NULL,
	    "legacy=@old.example")},
	};
	struct change_how how = {.create = true, .as_of = -1};
	struct change *ch = table_tmp_change(t);
	struct table *r;
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (change_set(ch, slice_str(rows[i].address), &rows[i].row,
			&err) < 0)
			fail_msg("%s", err.text);
	table_tmp_commit(ch, &how);
	r = table_open(t->path, t->names, &err);
	assert_non_null(r);
	return r;
}

/* clang-format off */
static const struct {
	const char *to, *rule, *key;
	const char *base;	/* NULL: the key */
	int code;		/* 250: accepted */
	const char *enh, *route;
	const char *late;	/* what route_resolve() gives; NULL: route */
} decisions[] = {
	{ "ann@example.com", "address", "ann@example.com",
		NULL, 250, "", "cloud+legacy", NULL },
	{ "\"A\\nn\"@EXAMPLE.Com", "address", "ann@example.com",
		NULL, 250, "", "cloud+legacy", NULL },
	{ "ann+news@example.com", "subaddress", "ann@example.com",
		NULL, 250, "", "cloud+legacy", NULL },
	{ "ann+VIP@example.com", "address", "ann+vip@example.com",
		"ann@example.com", 250, "", "third", NULL },
	{ "who@example.com", "domain", "@example.com",
		"who@example.com", 250, "", "legacy", NULL },
	{ "held@example.com", "address", "held@example.com",
		NULL, 250, "", "cloud", NULL },
	{ "heldno@example.com", "address", "heldno@example.com",
		NULL, 450, "4.2.1", "defer", NULL },
	{ "slow@example.com", "address", "slow@example.com",
		NULL, 450, "4.2.1", "defer", NULL },
	{ "no@example.com", "address", "no@example.com",
		NULL, 550, "5.1.1", "reject", NULL },
	{ "left@example.com", "address", "left@example.com",
		NULL, 550, "5.1.6", "gone", NULL },
	{ "left@bare.example", "address", "left@bare.example",
		NULL, 550, "5.1.6", "gone", NULL },
	{ "known@reject.example", "address", "known@reject.example",
		NULL, 250, "", "cloud", NULL },
	{ "who@reject.example", "unknown", "who@reject.example",
		NULL, 550, "5.1.1", "", "legacy" },
	{ "who@defer.example", "unknown", "who@defer.example",
		NULL, 450, "4.1.1", "", "legacy" },
	{ "who@bare.example", "unknown", "who@bare.example",
		NULL, 451, "4.3.5", "", NULL },
	{ "who@b\xc3\xbc" "cher.example", "domain", "@xn--bcher-kva.example",
		"who@xn--bcher-kva.example", 250, "", "legacy", NULL },
	{ "a+b@xn--bcher-kva.example", "domain", "@xn--bcher-kva.example",
		"a+b@xn--bcher-kva.example", 250, "", "legacy", NULL },
	{ "Postmaster", "postmaster", "admin@example.com",
		NULL, 250, "", "third", NULL },
	{ "POSTMASTER@example.com", "postmaster", "admin@example.com",
		NULL, 250, "", "third", NULL },
	{ "postmaster@[198.51.100.7]", "postmaster", "admin@example.com",
		NULL, 250, "", "third", NULL },
	{ "Abuse@[192.0.2.25]", "postmaster", "admin@example.com",
		NULL, 250, "", "third", NULL },
	{ "postmaster@[IPv6:2001:DB8:0::25]", "postmaster", "admin@example.com",
		NULL, 250, "", "third", NULL },
	{ "abuse@relay.example.com", "postmaster", "admin@example.com",
		NULL, 250, "", "third", NULL },
	{ "postmaster@[192.0.2.1]", "relay", "",
		NULL, 550, "5.7.1", "", NULL },
	{ "ann@[198.51.100.7]", "relay", "",
		NULL, 550, "5.7.1", "", NULL },
	{ "\"Abuse\"@bare.example", "postmaster", "admin@example.com",
		NULL, 250, "", "third", NULL },
	{ "abuse@bare.example", "postmaster", "admin@example.com",
		NULL, 250, "", "third", NULL },
	{ "abuse@reject.example", "address", "abuse@reject.example",
		NULL, 250, "", "cloud", NULL },
	{ "abuse@defer.example", "postmaster", "admin@example.com",
		NULL, 250, "", "third", NULL },
	{ "ann.x@Tenant.example", "leg-domain", "ann@example.com",
		NULL, 250, "", "cloud+legacy", NULL },
	{ "ann.x+d@tenant.example", "leg-domain", "ann@example.com",
		NULL, 250, "", "cloud+legacy", NULL },
	{ "other@tenant.example", "leg-domain", "other@tenant.example",
		NULL, 250, "", "cloud", NULL },
	{ "ann@example.org", "relay", "",
		NULL, 550, "5.7.1", "", NULL },
	{ "ann@sub.example.com", "relay", "",
		NULL, 550, "5.7.1", "", NULL },
	{ "ann@[192.0.2.1]", "relay", "",
		NULL, 550, "5.7.1", "", NULL },
	{ "\"ann@example.com\"@example.org", "relay", "",
		NULL, 550, "5.7.1", "", NULL },
	{ "x%example.org@example.com", "onward", "x%example.org@example.com",
		NULL, 550, "5.7.1", "", "legacy" },
	{ "example.org!x@example.com", "onward", "example.org!x@example.com",
		NULL, 550, "5.7.1", "", "legacy" },
	{ "\"x@example.org\"@example.com", "onward",
	    "\"x@example.org\"@example.com",
		NULL, 550, "5.7.1", "", "legacy" },
	{ "\"x\\@example.org\"@example.com", "onward",
	    "\"x@example.org\"@example.com",
		NULL, 550, "5.7.1", "", "legacy" },
	{ "x\xef\xbc\xa0" "example.org@example.com", "onward",
		"x\xef\xbc\xa0" "example.org@example.com", NULL, 550, "5.7.1",
		    "", "legacy" },
	{ "example.org\xe2\x80\xbc" "x@example.com", "onward",
		"example.org\xe2\x80\xbc" "x@example.com", NULL, 550, "5.7.1",
		    "", "legacy" },
	{ "ann+x%example.org@example.com", "onward", "ann@example.com",
		NULL, 550, "5.7.1", "cloud+legacy", NULL },
	{ "\"ann+x@example.org\"@example.com", "onward", "ann@example.com",
		NULL, 550, "5.7.1", "cloud+legacy", NULL },
	{ "who%example.org@reject.example", "onward",
	    "who%example.org@reject.example",
		NULL, 550, "5.7.1", "", "legacy" },
	{ "x%example.org@tenant.example", "onward",
		"x%example.org@tenant.example", NULL, 550, "5.7.1", "cloud",
		    NULL },
	{ "ann.x+d%example.org@tenant.example", "onward", "ann@example.com",
		NULL, 550, "5.7.1", "cloud+legacy", NULL },
	{ "p%q@example.com", "address", "p%q@example.com",
		NULL, 250, "", "cloud", NULL },
	{ "p%q+d@example.com", "onward", "p%q@example.com",
		NULL, 550, "5.7.1", "cloud", NULL },
	{ "r%s@tenant.example", "leg-domain", "p%q@example.com",
		NULL, 250, "", "cloud", NULL },
};
/* clang-format on */

static void expect_route(const struct table_tmp *t, const struct decision *d,
    const char *route)
{
	struct strbuf text;

	strbuf_init(&text, 200);
	route_print(&d->route, t->names, &text);
	assert_string_equal(strbuf_cstr(&text), route);
	strbuf_fini(&text);
}

static void each_recipient_is_decided_by_the_row_that_is_his(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct table *r = fill(t);

	for (size_t i = 0; i < ARRAY_LEN(decisions); i++) {
		struct addr to = address(decisions[i].to);
		const char *base = decisions[i].base;
		const char *late = decisions[i].late;
		struct decision d;

		print_message("%s\n", decisions[i].to);
		route_decide(t->c, r, &to, t->a, &d);
		assert_string_equal(rule_name(d.rule), decisions[i].rule);
		assert_string_equal(d.key, decisions[i].key);
		assert_string_equal(d.base,
		    base != NULL ? base : decisions[i].key);
		assert_int_equal(d.change, 2);
		if (decisions[i].code == 250) {
			assert_int_equal(d.verdict, VERDICT_ACCEPT);
		} else {
			assert_int_equal(d.verdict, VERDICT_REFUSE);
			assert_int_equal(d.reply.code, decisions[i].code);
			assert_string_equal(d.reply.enh, decisions[i].enh);
		}
		expect_route(t, &d, decisions[i].route);
		assert_int_equal(d.held,
		    strncmp(decisions[i].to, "held", 4) == 0);
		assert_true(route_resolve(t->c, r, &to, t->a, &d));
		expect_route(t, &d,
		    late != NULL ? late : decisions[i].route);
	}
	table_close(r);
	table_tmp_free(t);
}

static void who_has_moved_is_named_with_the_server_that_has_the_mail(
    void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct table *r = fill(t);
	struct addr left = address("left@bare.example");
	struct addr unsaid = address("left@example.com");
	struct decision d;

	route_decide(t->c, r, &left, t->a, &d);
	assert_string_equal(d.reply.text,
	    "Recipient has moved; mx.example.net takes its mail");
	route_decide(t->c, r, &unsaid, t->a, &d);
	assert_string_equal(d.reply.text,
	    "Recipient has moved, no forwarding address");
	table_close(r);
	table_tmp_free(t);
}

static void without_a_table_nobody_is_decided_by_accident(void **state)
{
	static const char *const all[] = {"ann@example.com",
		"ann@example.org", "Postmaster", "x@tenant.example"};
	struct table_tmp *t = table_tmp_new(*state);

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct addr to = address(all[i]);
		struct decision d;

		route_decide(t->c, NULL, &to, t->a, &d);
		assert_int_equal(d.verdict, VERDICT_REFUSE);
		assert_int_equal(d.reply.code, 451);
		assert_string_equal(d.reply.enh, "4.3.0");
		assert_string_equal(rule_name(d.rule), "table");
		assert_false(route_resolve(t->c, NULL, &to, t->a, &d));
	}
	table_tmp_free(t);
}

static void each_leg_is_told_the_address_that_it_knows(void **state)
{
	static const struct {
		const char *to, *leg, *address;
	} cases[] = {
	    {"Ann@example.com", "cloud", "Ann.X@tenant.example"},
	    {"Ann@example.com", "legacy", "Ann@example.com"},
	    {"ann+News@example.com", "cloud", "Ann.X+News@tenant.example"},
	    {"ann+News@example.com", "legacy", "ann+News@example.com"},
	    {"Ann+VIP@example.com", "third", "Ann+VIP@example.com"},
	    {"ANN.x@tenant.example", "cloud", "Ann.X@tenant.example"},
	    {"ANN.x@tenant.example", "legacy", "ann@example.com"},
	    {"ann.x+D@tenant.example", "cloud", "Ann.X+D@tenant.example"},
	    {"ann.x+D@tenant.example", "legacy", "ann+D@example.com"},
	    {"Other@tenant.example", "cloud", "Other@tenant.example"},
	    {"Who@example.com", "legacy", "Who@example.com"},
	    {"Who+x@defer.example", "legacy", "Who+x@old.example"},
	    {"Postmaster", "third", "Admin@example.com"},
	    {"abuse@example.com", "third", "Admin@example.com"},
	};
	struct table_tmp *t = table_tmp_new(*state);
	struct table *r = fill(t);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr to = address(cases[i].to);
		struct decision d;
		struct strbuf out;

		print_message("%s\n", cases[i].to);
		strbuf_init(&out, 2 * ADDR_MAX);
		assert_true(route_resolve(t->c, r, &to, t->a, &d));
		route_address(&d, names_find(t->names,
		    slice_str(cases[i].leg)), &to, t->c, &out);
		assert_string_equal(strbuf_cstr(&out), cases[i].address);
		strbuf_fini(&out);
	}
	table_close(r);
	table_tmp_free(t);
}

static void a_key_of_the_log_leads_to_the_hash_of_the_queue(void **state)
{
	static const struct {
		const char *key, *base;
	} cases[] = {
	    {"ann@example.com", "ann@example.com"},
	    {"ann+vip@example.com", "ann@example.com"},
	    {"a+b@xn--bcher-kva.example", "a+b@xn--bcher-kva.example"},
	    {"x+y@nowhere.example", "x+y@nowhere.example"},
	    {"@example.com", NULL},
	    {"@", NULL},
	};
	struct table_tmp *t = table_tmp_new(*state);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out;

		strbuf_init(&out, ADDR_MAX);
		assert_int_equal(route_base(t->c, slice_str(cases[i].key),
				     &out), cases[i].base != NULL);
		if (cases[i].base != NULL)
			assert_string_equal(strbuf_cstr(&out), cases[i].base);
		strbuf_fini(&out);
	}
	table_tmp_free(t);
}

static void a_key_that_goes_by_its_own_row_is_known_by_a_look(void **state)
{
	static const struct {
		const char *key;
		bool own, legs; /* whether; and does its row name legs */
	} cases[] = {
	    {"ann@example.com", true, true},
	    {"ann+vip@example.com", true, true},
	    {"no@example.com", true, false},
	    {"abuse@reject.example", true, true},
	    {"abuse@defer.example", false, false}, /* the postmaster's */
	    {"Ann@example.com", false, true}, /* no key */
	    {"ann@nowhere.example", false, true},
	    {"x@tenant.example", false, true}, /* a leg's own */
	    {"@example.com", false, true},
	};
	struct table_tmp *t = table_tmp_new(*state);
	struct table *r = fill(t);
	struct arena *a = arena_new();
	struct decision d;
	struct error err;

	assert_int_equal(table_begin(r, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct route route = {.kind = cases[i].legs ? ROUTE_LEGS
							    : ROUTE_REJECT};
		struct addr to;

		print_message("%s\n", cases[i].key);
		assert_int_equal(route_own_row(t->c, slice_str(cases[i].key),
				     &route), cases[i].own);
		if (!cases[i].own)
			continue;
		to = address(cases[i].key);
		assert_true(route_resolve(t->c, r, &to, a, &d));
		assert_string_equal(d.key, cases[i].key);
		assert_int_equal(d.rule, RULE_ADDRESS);
	}
	table_end(r);
	arena_free(a);
	table_close(r);
	table_tmp_free(t);
}

static void a_leg_is_taken_out_of_a_route(void **state)
{
	/* clang-format off */
	static const struct {
		struct route was;
		int leg;
		bool left;
		struct route is;
	} rows[] = {
		{ {ROUTE_LEGS, 2, {1, 2}}, 1, true,  {ROUTE_LEGS, 1, {2}}    },
		{ {ROUTE_LEGS, 2, {1, 2}}, 2, true,  {ROUTE_LEGS, 1, {1}}    },
		{ {ROUTE_LEGS, 2, {1, 2}}, 3, true,  {ROUTE_LEGS, 2, {1, 2}} },
		{ {ROUTE_LEGS, 1, {1}},    1, false, {ROUTE_NONE, 0, {0}}    },
		{ {ROUTE_LEGS, 1, {1}},   -1, true,  {ROUTE_LEGS, 1, {1}}    },
		{ {ROUTE_DEFER, 0, {0}},   1, true,  {ROUTE_DEFER, 0, {0}}   },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct route r = rows[i].was;

		print_message("case %zu\n", i);
		assert_int_equal(route_without(&r, rows[i].leg), rows[i].left);
		assert_int_equal(r.kind, rows[i].is.kind);
		assert_int_equal(r.legs, rows[i].is.legs);
		for (unsigned k = 0; k < r.legs; k++)
			assert_int_equal(r.leg[k], rows[i].is.leg[k]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_that_goes_by_its_own_row_is_known_by_a_look),
	    cmocka_unit_test(a_leg_is_taken_out_of_a_route),
	    cmocka_unit_test(each_recipient_is_decided_by_the_row_that_is_his),
	    cmocka_unit_test(
		    who_has_moved_is_named_with_the_server_that_has_the_mail),
		cmocka_unit_test(without_a_table_nobody_is_decided_by_accident),
	    cmocka_unit_test(each_leg_is_told_the_address_that_it_knows),
	    cmocka_unit_test(a_key_of_the_log_leads_to_the_hash_of_the_queue),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
