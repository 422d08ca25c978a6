/* SPDX-License-Identifier: ISC
 *
 * Which client may send to the outside, by what, with which senders, and
 * where such mail goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>

#include "policy/outbound.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"

#define HASH "$y$j9T$gyNSrKDq4gXQf7d9fqI1//$" \
	"jLeFvz4ZFiG1uxkb7Y8hW2ru/pjFG35TUy1ae5G3m32"
#define PRINT "0123456789abcdef0123456789abcdef" \
	"0123456789abcdef0123456789abcdef"

struct fixture {
	struct names *names;
	struct conf *c;
};

/* `way`: outbound.use names one. */
static struct fixture *fixture_new(const char *dir, bool way)
{
	struct fixture *f = NEW(struct fixture);
	char text[2048];

	conf_tmp_secret(dir, "users", "ann:" HASH ":\n"
	    "bob:" HASH ":b@elsewhere.example,@Partner.example\n");
	conf_tmp_secret(dir, "key", "0123456789abcdef0123456789abcdef\n");
	snprintf(text, sizeof(text), CONF_BASE
	    "public_address = { \"203.0.113.7\" }\n"
	    "egress \"out\" { direct = true }\n"
	    "srs { domain = \"srs.example.net\" secrets = \"%s/key\" }\n"
	    "return { domain = \"back.example.net\" "
	    "secrets = \"%s/key\" }\n"
	    "outbound { clients = { \"192.0.2.64/28\" }\n"
	    "  certificates = { \"" PRINT "\" }\n"
	    "  users = \"%s/users\"%s }\n", dir, dir, dir,
	    way ? " use = { \"out\" }" : "");
	f->names = names_new();
	f->c = conf_tmp_good(dir, text, f->names);
	return f;
}

static void fixture_free(struct fixture *f)
{
	conf_unref(f->c);
	names_free(f->names);
	mem_free(f);
}

static struct addr addr_of(const char *text)
{
	struct addr a;
	const char *why;

	assert_int_equal(addr_parse(slice_str(text), true, &a, &why), 0);
	return a;
}

static void a_right_comes_by_address_certificate_or_login(void **state)
{
	static const struct {
		bool off, auth;
		const char *address, *certificate, *login;
		enum outbound_right right;
	} cases[] = {
		{false, true, "192.0.2.65", "", "", RIGHT_CLIENT},
		{false, false, "192.0.2.79", "", "", RIGHT_CLIENT},
		{false, true, "192.0.2.80", "", "", RIGHT_NONE},
		{false, true, NULL, "", "", RIGHT_NONE},
		{true, true, "192.0.2.65", PRINT, "ann", RIGHT_NONE},
		{false, true, "192.0.2.1", PRINT, "", RIGHT_CERTIFICATE},
		{false, true, "192.0.2.1", PRINT "0", "", RIGHT_NONE},
		/* Neither counts where no login is offered. */
		{false, false, "192.0.2.1", PRINT, "ann", RIGHT_NONE},
		{false, true, NULL, "", "ann", RIGHT_USER},
		{false, true, NULL, "", "bob", RIGHT_USER},
		/* A line that was taken out since the login. */
		{false, true, "192.0.2.1", "", "eve", RIGHT_NONE},
		{false, true, "192.0.2.65", PRINT, "eve", RIGHT_CLIENT},
		{false, true, NULL, PRINT, "ann", RIGHT_CERTIFICATE},
	};
	struct fixture *f = fixture_new(*state, true);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf_listen l = {.auth = cases[i].auth,
		    .outbound = cases[i].off ? OUTBOUND_OFF : OUTBOUND_ALLOWED};
		struct sockaddr_in a = {.sin_family = AF_INET};
		struct outbound_client who = {.login = cases[i].login,
		    .certificate = cases[i].certificate};

		print_message("case %zu\n", i);
		if (cases[i].address != NULL) {
			assert_int_equal(inet_pton(AF_INET, cases[i].address,
			    &a.sin_addr), 1);
			who.address = (const struct sockaddr *)&a;
		}
		assert_int_equal(outbound_right(f->c, &l, &who),
		    cases[i].right);
	}
	fixture_free(f);
}

static void a_user_says_the_senders_of_its_line(void **state)
{
	static const struct {
		const char *login, *from;
		bool fits;
	} cases[] = {
		/* Without a list: each address of our domains. */
		{"ann", "ann@example.com", true},
		{"ann", "anyone@EXAMPLE.com", true},
		{"ann", "ann@elsewhere.example", false},
		{"ann", "ann@sub.example.com", false},
		{"bob", "b@elsewhere.example", true},
		{"bob", "b@ELSEWHERE.example", true},
		{"bob", "c@elsewhere.example", false},
		{"bob", "any@partner.example", true},
		{"bob", "any@partner.example.org", false},
		{"bob", "bob@example.com", false},
		{"bob", "bob", false},
		{"eve", "eve@example.com", false},
		{"", "ann@example.com", false},
	};
	struct fixture *f = fixture_new(*state, true);
	const struct addr null = {0};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct outbound_client who = {.login = cases[i].login,
		    .certificate = ""};
		struct addr from = strchr(cases[i].from, '@') == NULL
				       ? (struct addr){.text = slice_str(
						 cases[i].from),
					     .local = slice_str(cases[i].from)}
				       : addr_of(cases[i].from);

		print_message("%s as %s\n", cases[i].login, cases[i].from);
		assert_int_equal(outbound_sender_fits(f->c, RIGHT_USER, &who,
		    &from), cases[i].fits);
		/* Others may say any, and each the null sender. */
		assert_true(outbound_sender_fits(f->c, RIGHT_CLIENT, &who,
		    &from));
		assert_true(outbound_sender_fits(f->c, RIGHT_CERTIFICATE,
		    &who, &from));
		assert_true(outbound_sender_fits(f->c, RIGHT_USER, &who,
		    &null));
	}
	fixture_free(f);
}

static void our_own_names_are_not_outside(void **state)
{
	static const struct {
		const char *to;
		bool out;
	} cases[] = {
		{"a@elsewhere.example", true},
		{"a@relay.example.com", false},
		{"a@RELAY.example.com", false},
		{"a@back.example.net", false},
		{"a@srs.example.net", false},
		{"a@example.net", true},
		{"a@[192.0.2.1]", false},
	};
	struct fixture *f = fixture_new(*state, true);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr to = addr_of(cases[i].to);
		struct decision d = {.verdict = VERDICT_REFUSE,
		    .rule = RULE_RELAY};

		print_message("%s\n", cases[i].to);
		assert_int_equal(outbound_leads_out(f->c, &to), cases[i].out);
		assert_false(outbound_may(f->c, &to, RIGHT_NONE, false, &d));
		assert_int_equal(outbound_may(f->c, &to, RIGHT_CLIENT, false,
		    &d), cases[i].out);
		assert_int_equal(outbound_may(f->c, &to, RIGHT_NONE, true, &d),
		    cases[i].out);
		/* Refused for another reason; or taken already. */
		d.rule = RULE_ADDRESS;
		assert_false(outbound_may(f->c, &to, RIGHT_CLIENT, true, &d));
		d = (struct decision){.verdict = VERDICT_ACCEPT,
		    .rule = RULE_RELAY};
		assert_false(outbound_may(f->c, &to, RIGHT_CLIENT, true, &d));
	}
	fixture_free(f);
}

static void it_goes_by_the_first_way_out(void **state)
{
	struct fixture *f = fixture_new(*state, true);
	struct addr to = addr_of("Ann@elsewhere.example");
	struct decision d = {.verdict = VERDICT_REFUSE, .rule = RULE_RELAY};

	outbound_take(f->c, &to, false, &d);
	assert_int_equal(d.verdict, VERDICT_ACCEPT);
	assert_int_equal(d.rule, RULE_RELAY);
	assert_int_equal(d.route.kind, ROUTE_LEGS);
	assert_int_equal(d.route.legs, 1);
	assert_string_equal(names_text(f->names, d.route.leg[0]), "out");
	assert_string_equal(d.base, "Ann@elsewhere.example");
	d = (struct decision){.verdict = VERDICT_REFUSE, .rule = RULE_RELAY};
	outbound_take(f->c, &to, true, &d);
	assert_int_equal(d.rule, RULE_SRS);
	fixture_free(f);
	/* The right alone is no way. */
	f = fixture_new(*state, false);
	d = (struct decision){.verdict = VERDICT_REFUSE, .rule = RULE_RELAY};
	outbound_take(f->c, &to, false, &d);
	assert_int_equal(d.verdict, VERDICT_REFUSE);
	assert_int_equal(d.reply.code, 451);
	assert_string_equal(d.reply.enh, "4.3.5");
	fixture_free(f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_comes_by_address_certificate_or_login),
		cmocka_unit_test(a_user_says_the_senders_of_its_line),
		cmocka_unit_test(our_own_names_are_not_outside),
		cmocka_unit_test(it_goes_by_the_first_way_out),
	};

	return cmocka_run_group_tests(
	    tests, conf_tmp_setup, conf_tmp_teardown);
}
