/* SPDX-License-Identifier: ISC
 *
 * Sections that stand with a name and without: verdicts, and what they are
 * about.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/conf_tmp.h"

#define B CONF_BASE

static void a_verdict_stands_with_a_name_and_without(void **state)
{
	static const char text[] = B
	    "verdict # a comment { \"\n"
	    "{\n leg = \"legacy\"\n quiet = \"3d\"\n}\n"
	    "verdict \"a\" { leg = \"legacy\" domains = { \"Example.COM\" } }\n"
	    "verdict 'b' { leg = \"legacy\" listen = { \"smtp\" } }\n"
	    "listen \"smtp\" { address = { \"127.0.0.1:0\" } }\n";
	struct names *n = names_new();
	struct conf *c = conf_tmp_good(*state, text, n);
	const struct conf_verdict *v = conf_verdict(c, SLICE(""));

	assert_int_equal(c->verdicts, 3);
	assert_non_null(v);
	assert_string_equal(v->leg, "legacy");
	assert_int_equal(v->quiet_ms, 3 * 86400000LL);
	assert_int_equal(v->line, 5);
	assert_int_equal(conf_verdict(c, SLICE("a"))->line, 9);
	assert_non_null(conf_verdict(c, SLICE("b")));
	assert_null(conf_verdict(c, SLICE("c")));
	conf_unref(c);
	names_free(n);
}

static void a_verdict_is_about_its_domains(void **state)
{
	static const char text[] = B
	    "domain \"one.example\" { customer = \"x\" }\n"
	    "domain \"two.example\" { customer = \"y\" }\n"
	    "verdict { leg = \"legacy\" }\n"
	    "verdict \"by-name\" { leg = \"legacy\" "
	    "domains = { \"one.example\" } }\n"
	    "verdict \"by-customer\" { leg = \"legacy\" customer = \"y\" }\n";
	static const struct {
		const char *verdict, *domain;
		bool has;
	} cases[] = {
		{"", "example.com", true}, {"", "one.example", true},
		{"", "not.ours.example", true},
		{"by-name", "one.example", true},
		{"by-name", "two.example", false},
		{"by-name", "example.com", false},
		{"by-customer", "two.example", true},
		{"by-customer", "one.example", false},
		{"by-customer", "example.com", false},
		{"by-customer", "not.ours.example", false},
	};
	struct names *n = names_new();
	struct conf *c = conf_tmp_good(*state, text, n);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s %s\n", cases[i].verdict, cases[i].domain);
		assert_int_equal(conf_verdict_has(c, conf_verdict(c,
		    slice_str(cases[i].verdict)), slice_str(cases[i].domain)),
		    cases[i].has);
	}
	conf_unref(c);
	names_free(n);
}

static void silence_is_listened_to_where_mail_comes_in(void **state)
{
	static const char text[] = B
	    "outbound { clients = { \"192.0.2.9\" } }\n"
	    "listen \"mx\" { address = { \"127.0.0.1:0\" } }\n"
	    "listen \"old\" { address = { \"127.0.0.1:0\" } closed = true }\n"
	    "listen \"out\" { address = { \"127.0.0.1:0\" } "
	    "outbound = \"only\" }\n"
	    "listen \"leg\" { address = { \"127.0.0.1:0\" } "
	    "leg = \"legacy\" }\n"
	    "verdict { leg = \"legacy\" }\n"
	    "verdict \"x\" { leg = \"legacy\" listen = { \"old\" } }\n";
	struct names *n = names_new();
	struct conf *c = conf_tmp_good(*state, text, n);

	for (int i = 0; i < c->listens; i++) {
		print_message("%s\n", c->listen[i].name);
		assert_int_equal(conf_verdict_listens(&c->verdict[0],
		    &c->listen[i]), strcmp(c->listen[i].name, "mx") == 0);
		assert_int_equal(conf_verdict_listens(&c->verdict[1],
		    &c->listen[i]), strcmp(c->listen[i].name, "old") == 0);
	}
	conf_unref(c);
	names_free(n);
}

/* clang-format off */
static const struct {
	const char *text, *says; /* behind "posthouse.conf:" */
} bad[] = {
	{ B "verdict { }\n", "4: leg is not set; add leg = \"legacy\"" },
	{ B "verdict { leg = \"nope\" }\n",
	  "4: verdict: there is no leg \"nope\"; name one that has a section" },
	{ B "egress \"e\" { direct = true }\nverdict { leg = \"e\" }\n",
	  "5: verdict: there is no leg \"e\"; name one that has a section" },
	{ B "verdict { leg = \"legacy\" }\n\nverdict\n{ leg = \"legacy\" }\n",
	  "7: \"\" names two sections; give each a name of its own" },
	{ B "verdict \"A b\" { leg = \"legacy\" }\n",
	  "4: \"A b\" is no name for a verdict; write lower-case letters, digits, - and _, "
	  "at most 32" },
	{ B "verdict { leg = \"legacy\" domains = { \"x.example\" } }\n",
	  "4: verdict \"\": \"x.example\" is no domain of ours; name one that has a section" },
	{ B "verdict { leg = \"legacy\" customer = \"x\" }\n",
	  "4: verdict \"\": no domain has customer = \"x\"; write one that a domain has" },
	{ B "verdict \"v\" { leg = \"legacy\" customer = \"x\" domains = { \"example.com\" } }\n",
	  "4: verdict \"v\" has customer and domains; write one of them" },
	{ B "verdict { leg = \"legacy\" listen = { \"x\" } }\n",
	  "4: verdict: there is no listen \"x\"; name one that has a section" },
	{ B "verdict = 3\n",
	  "4: \"verdict\" has no name; write it as  section \"name\" { ... }" },
	{ B "listen \"x\" { closed = true outbound = \"only\" }\n"
	  "outbound { clients = { \"192.0.2.9\" } }\n",
	  "4: listen \"x\" has closed = true, and auth or outbound = \"only\" for those who may "
	  "send; remove one of them" },
};
/* clang-format on */

static void what_is_wrong_is_said_with_its_line(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct names *n = names_new();
		struct error err = {0};
		const char *says;

		print_message("%s\n", bad[i].text);
		assert_null(conf_tmp_load(*state, bad[i].text, n, &err));
		says = strstr(err.text, "posthouse.conf:");
		assert_non_null(says);
		assert_string_equal(says + strlen("posthouse.conf:"),
		    bad[i].says);
		names_free(n);
	}
}

static void a_reload_compares_each_verdict(void **state)
{
	struct names *n = names_new();
	struct conf *old = conf_tmp_good(*state, B
	    "verdict { leg = \"legacy\" }\n"
	    "verdict \"a\" { leg = \"legacy\" }\n", n);
	struct conf *fresh = conf_tmp_good(*state, B
	    "verdict { leg = \"legacy\" quiet = \"2d\" }\n"
	    "verdict \"b\" { leg = \"legacy\" }\n", n);
	struct strbuf lines;

	strbuf_init(&lines, 4000);
	assert_true(conf_diff(old, fresh, &lines));
	assert_string_equal(strbuf_cstr(&lines),
	    "verdict quiet: applies at once\n"
	    "verdict \"a\" removed: applies at once\n"
	    "verdict \"b\" added: applies at once\n");
	strbuf_fini(&lines);
	conf_unref(old);
	conf_unref(fresh);
	names_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verdict_stands_with_a_name_and_without),
		cmocka_unit_test(a_verdict_is_about_its_domains),
		cmocka_unit_test(silence_is_listened_to_where_mail_comes_in),
		cmocka_unit_test(what_is_wrong_is_said_with_its_line),
		cmocka_unit_test(a_reload_compares_each_verdict),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup, conf_tmp_teardown);
}
