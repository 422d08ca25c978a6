/* SPDX-License-Identifier: ISC
 *
 * Lines of recipients that other legs have, in each format.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/coexist/coexist_rows.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"

static const char conf_text[] =
    "hostname = \"relay.example.com\"\n"
    "postmaster = \"postmaster@example.com\"\n"
    "leg \"legacy\" { hosts = { \"192.0.2.1:2525\" } }\n"
    "leg \"cloud\" { hosts = { \"in.example.net:25\" }\n"
    "  profile = \"microsoft365\" domains = { \"t.example.net\" } }\n"
    "leg \"six\" { hosts = { \"[2001:db8::1]:26\" } profile = \"internet\" }\n"
    "leg \"by-mx\" { mx = \"mx.example.org\" profile = \"internet\" }\n"
    "leg \"google\" { hosts = { \"g.example.net\" } profile = \"google\" }\n"
    "domain \"example.com\" { route = \"legacy\" }\n"
    "domain \"away.example\" { route = \"cloud\" }\n";

static const char *const legs[] = {"legacy", "cloud", "six", "by-mx",
	"google"};

/* A row as the table gives it; routes and legs by their place above. */
struct row {
	const char *key;
	int route[3]; /* -1: no more */
	const char *at_cloud;
	bool domain_away;
};

static const struct row ann = {"ann@example.com", {1, -1}, NULL, false};
static const struct row bob = {"bob@example.com", {1, -1},
	"b@t.example.net", false};
static const struct row both = {"cid@example.com", {1, 0, -1}, NULL, false};
static const struct row six = {"six@example.com", {2, -1}, NULL, false};
static const struct row mx = {"mx@example.com", {3, -1}, NULL, false};
static const struct row none = {"no@example.com", {-1}, NULL, true};
static const struct row stays = {"st@away.example", {0, -1}, NULL, true};
static const struct row domain = {"@away.example", {1, -1}, NULL, true};
static const struct row odd = {"\"a b\"@example.com", {1, -1}, NULL, false};
static const struct row hash = {"#a@example.com", {1, -1}, NULL, false};
static const struct row two = {"dan@example.com", {2, 1, -1}, NULL, false};

static const struct {
	const char *format, *map, *via;
	bool part;
	const struct row *row;
	const char *line;
} cases[] = {
	{"exchange", "", "", false, &ann,
	    "ann@example.com,smtp:ann@t.example.net,42\n"},
	{"exchange", "", "", false, &bob,
	    "bob@example.com,smtp:b@t.example.net,42\n"},
	{"exchange", "", "", false, &both, ""},
	{"exchange", "", "", true, &both, "cid@example.com,,42\n"},
	{"exchange", "", "", false, &six, ""},
	{"exchange", "", "", true, &domain, ""},
	{"exchange", "", "", true, &odd, ""},
	{"google", "", "", false, &bob,
	    "bob@example.com,b@t.example.net\n"},
	{"google", "", "", true, &none, ""},
	{"postfix", "transport", "", false, &ann,
	    "ann@example.com smtp:[in.example.net]:25\n"},
	{"postfix", "transport", "", false, &six,
	    "six@example.com smtp:[2001:db8::1]:26\n"},
	{"postfix", "transport", "", false, &mx,
	    "mx@example.com smtp:mx.example.org\n"},
	{"postfix", "transport", "relay.example.com:2525", false, &ann,
	    "ann@example.com smtp:[relay.example.com]:2525\n"},
	{"postfix", "transport", "[2001:db8::2]:26", false, &ann,
	    "ann@example.com smtp:[2001:db8::2]:26\n"},
	{"postfix", "transport", "2001:db8::2", false, &ann,
	    "ann@example.com smtp:[2001:db8::2]:25\n"},
	{"postfix", "transport", "", false, &domain,
	    "away.example smtp:[in.example.net]:25\n"},
	{"postfix", "transport", "", false, &stays, "st@away.example :\n"},
	{"postfix", "transport", "", false, &both, ""},
	{"postfix", "transport", "", true, &both,
	    "# cid@example.com stays\n"},
	{"postfix", "recipient", "", false, &ann,
	    "ann@example.com ann@example.com\n"},
	{"postfix", "recipient", "", false, &bob,
	    "bob@example.com b@t.example.net\n"},
	{"postfix", "recipient", "", false, &domain,
	    "@away.example @away.example\n"},
	{"postfix", "recipient", "", false, &stays,
	    "st@away.example st@away.example\n"},
	{"postfix", "transport", "", false, &odd, ""},
	{"postfix", "transport", "", false, &hash, ""},
	{"postfix", "transport", "", false, &two,
	    "dan@example.com smtp:[2001:db8::1]:26\n"},
	{"exim", "transport", "", false, &ann,
	    "ann@example.com: in.example.net::25\n"},
	{"exim", "transport", "", false, &six,
	    "six@example.com: <+[2001:db8::1]:26\n"},
	{"exim", "transport", "", false, &mx,
	    "mx@example.com: mx.example.org/MX\n"},
	{"exim", "transport", "", false, &domain,
	    "*@away.example: in.example.net::25\n"},
	{"exim", "transport", "", false, &stays, "st@away.example:\n"},
	{"exim", "recipient", "", false, &bob,
	    "bob@example.com: b@t.example.net\n"},
};

static struct table_row row_of(const struct conf *c, const struct row *r)
{
	struct table_row out = {.found = true,
	    .route = {.kind = ROUTE_LEGS}};

	for (int i = 0; r->route[i] >= 0; i++)
		out.route.leg[out.route.legs++] = (uint16_t)conf_leg_by_name(c,
		    slice_str(legs[r->route[i]]))->id;
	if (out.route.legs == 0)
		out.route.kind = ROUTE_REJECT;
	if (r->at_cloud != NULL) {
		out.addresses = 1;
		out.address[0].leg = (uint16_t)conf_leg_by_name(c,
		    SLICE("cloud"))->id;
		out.address[0].address = r->at_cloud;
	}
	return out;
}

static void each_row_has_its_line(void **state)
{
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, conf_text, names);
	struct strbuf out;

	strbuf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct coexist_said said = {cases[i].format,
		    cases[i].map, "legacy", cases[i].via};
		struct table_row row = row_of(c, cases[i].row);
		struct coexist_entry e = {
		    .domain_away = cases[i].row->domain_away};
		struct coexist_how how;
		struct error err;

		print_message("%s %s %s\n", cases[i].format, cases[i].map,
		    cases[i].row->key);
		assert_int_equal(coexist_read(c, &said, &how, &err), 0);
		how.change = 42;
		how.part = cases[i].part;
		coexist_judge(&how, slice_str(cases[i].row->key), &row, &e);
		strbuf_reset(&out);
		coexist_line(&how, &e, &out);
		assert_string_equal(strbuf_cstr(&out), cases[i].line);
	}
	strbuf_fini(&out);
	conf_unref(c);
	names_free(names);
}

static void a_head_has_the_change_and_the_domains_of_legs(void **state)
{
	static const struct {
		const char *format, *map, *head;
	} heads[] = {
		{"exchange", "", "address,targetAddress,change\n"},
		{"google", "", ""},
		{"postfix", "transport", "# posthouse: what other legs than "
		    "legacy have at change 42\n"
		    "t.example.net smtp:[in.example.net]:25\n"},
		{"postfix", "recipient", "# posthouse: what other legs than "
		    "legacy have at change 42\n"},
		{"exim", "transport", "# posthouse: what other legs than "
		    "legacy have at change 42\n"
		    "*@t.example.net: in.example.net::25\n"},
	};
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, conf_text, names);
	struct strbuf out;

	strbuf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		const struct coexist_said said = {heads[i].format,
		    heads[i].map, "legacy", ""};
		struct coexist_how how;
		struct error err;

		assert_int_equal(coexist_read(c, &said, &how, &err), 0);
		how.change = 42;
		strbuf_reset(&out);
		coexist_head(&how, &out);
		assert_string_equal(strbuf_cstr(&out), heads[i].head);
	}
	strbuf_fini(&out);
	conf_unref(c);
	names_free(names);
}

/* The one leg that the format fits; else it has to be said. */
static void who_reads_it(void **state)
{
	static const struct {
		const char *format, *map, *leg, *reader, *error, *via;
	} reads[] = {
		{"exchange", "", "", "legacy", NULL, NULL},
		{"postfix", NULL, NULL, "legacy", NULL, NULL},
		{"google", "", "", "google", NULL, NULL},
		{"exim", "", "six", "six", NULL, NULL},
		{"exim", "", "moon", NULL, "no leg is called \"moon\"",
		    NULL},
		{"csv", "", "", NULL, "a format is exchange, postfix, exim or "
		    "google", NULL},
		{NULL, "", "", NULL, "a format is exchange, postfix, exim or "
		    "google", NULL},
		{"exim", "alias", "", NULL, "a map is transport or recipient",
		    NULL},
		{"exim", "", "six", "six", NULL, "[2001:db8::7]:26"},
		{"exim", "", "six", NULL, "\"a b\" is no next hop; write it "
		    "like relay.example.com, or relay.example.com:25", "a b"},
		{"exim", "", "six", NULL, "\"r.example:0\" is no next hop; "
		    "write it like relay.example.com, or relay.example.com:25",
		    "r.example:0"},
		{"exim", "", "six", NULL, "\"r.example]:1\" is no next hop; "
		    "write it like relay.example.com, or relay.example.com:25",
		    "r.example]:1"},
	};
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, conf_text, names);

	for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
		const struct coexist_said said = {reads[i].format,
		    reads[i].map, reads[i].leg, reads[i].via};
		struct coexist_how how;
		struct error err;
		int rc = coexist_read(c, &said, &how, &err);

		assert_int_equal(rc, reads[i].error == NULL ? 0 : -1);
		if (rc == 0)
			assert_string_equal(how.leg->name, reads[i].reader);
		else
			assert_string_equal(err.text, reads[i].error);
	}
	conf_unref(c);
	names_free(names);
}

static void two_that_fit_are_none(void **state)
{
	static const char text[] =
	    "hostname = \"relay.example.com\"\n"
	    "postmaster = \"postmaster@example.com\"\n"
	    "leg \"a\" { hosts = { \"192.0.2.1\" } }\n"
	    "leg \"b\" { hosts = { \"192.0.2.2\" } }\n"
	    "domain \"example.com\" { route = \"a\" }\n";
	static const char *const formats[] = {"postfix", "google"};
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, text, names);

	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		const struct coexist_said said = {.format = formats[i]};
		struct coexist_how how;
		struct error err;

		assert_int_equal(coexist_read(c, &said, &how, &err), -1);
		assert_non_null(strstr(err.text, "say which leg's server"));
	}
	conf_unref(c);
	names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_row_has_its_line),
	    cmocka_unit_test(a_head_has_the_change_and_the_domains_of_legs),
	    cmocka_unit_test(who_reads_it),
	    cmocka_unit_test(two_that_fit_are_none),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
