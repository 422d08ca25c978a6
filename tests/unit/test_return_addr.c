/* SPDX-License-Identifier: ISC
 *
 * Return addresses: ours are known again in any case of letters, until their
 * day is over; what differs in one character is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/return_addr.h"
#include "relay/base/id.h"
#include "tests/unit/conf_defaults.h"

#define KEY "0123456789abcdef"
#define OLD "fedcba9876543210"
#define DAY (INT64_C(86400) * 1000000)
#define NOW (20700 * DAY + 1)

static char *keys[] = {(char *)KEY, (char *)OLD};

static struct conf sample(void)
{
	struct conf c = {0};

	conf_defaults(SEC_RETURN, &c); /* lifetime: 14 days */
	c.ret.domain = (char *)"return.example.com";
	c.ret.key.s = keys;
	c.ret.key.count = 2;
	return c;
}

static uint64_t an_id(void)
{
	uint64_t id;

	assert_int_equal(id_parse(SLICE("0SA86NEVC0001"), &id), 0);
	return id;
}

static enum return_verdict check(const struct conf *c, const char *text,
    int64_t now_us, struct return_addr *out)
{
	struct addr to;
	const char *why;

	assert_int_equal(addr_parse(slice_str(text), false, &to, &why), 0);
	return return_addr_check(c, &to, now_us, out);
}

static const char *make(const struct conf *c, const char *leg, char out[99])
{
	struct strbuf b;

	strbuf_init(&b, 98);
	assert_true(return_addr_make(c, an_id(), leg, NOW, &b));
	assert_true(strbuf_ok(&b));
	snprintf(out, 99, "%s", strbuf_cstr(&b));
	strbuf_fini(&b);
	return out;
}

static void ours_is_known_again(void **state)
{
	static const struct { const char *leg, *known; } legs[] = {
	    {"cloud", "cloud"}, {"a", "a"},
	    {"a-leg_with-a-very-long-name-01", "a-leg_with-a-very-long-"}};
	struct conf c = sample();
	char text[99];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(legs); i++) {
		struct return_addr a;
		long at;

		make(&c, legs[i].leg, text);
		print_message("%s\n", text);
		assert_true(slice_starts(slice_str(text), SLICE(
		    "ret.0sa86nevc0001.20714.")));
		at = slice_find(slice_str(text), '@');
		assert_in_range(at, 1, ADDR_LOCAL_MAX);
		assert_int_equal(check(&c, text, NOW, &a), RETURN_GOOD);
		assert_true(a.id == an_id());
		assert_string_equal(a.leg, legs[i].known);
		for (char *p = text; *p != '\0'; p++)
			if (ascii_alpha(*p))
				*p = (char)(*p ^ 0x20);
		assert_int_equal(check(&c, text, NOW, &a), RETURN_GOOD);
		assert_string_equal(a.leg, legs[i].known);
	}
}

static void it_ends_with_its_day(void **state)
{
	struct conf c = sample();
	struct return_addr a;
	char text[99];

	(void)state;
	make(&c, "cloud", text);
	assert_int_equal(check(&c, text, 20715 * DAY - 1, &a), RETURN_GOOD);
	assert_int_equal(check(&c, text, 20715 * DAY, &a), RETURN_EXPIRED);
	assert_true(a.id == an_id());
}

/* The day is that in which the lifetime ends, and may have six digits. */
static void its_day_is_that_of_the_end(void **state)
{
	static const struct { int64_t end_us; const char *day; } cases[] = {
	    {20715 * DAY - 1, ".20714."}, {20715 * DAY, ".20715."},
	    {100000 * DAY, ".100000."}};
	struct conf c = sample();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t now = cases[i].end_us - c.ret.lifetime_ms * 1000;
		struct return_addr a;
		struct strbuf b;

		strbuf_init(&b, 98);
		assert_true(return_addr_make(&c, an_id(), "cloud", now, &b));
		assert_non_null(strstr(strbuf_cstr(&b), cases[i].day));
		assert_int_equal(check(&c, strbuf_cstr(&b), now, &a),
		    RETURN_GOOD);
		strbuf_fini(&b);
	}
}

static void one_character_makes_it_forged(void **state)
{
	struct conf c = sample();
	struct return_addr a;
	char text[99];
	long at;

	(void)state;
	make(&c, "cloud", text);
	at = slice_find(slice_str(text), '@');
	for (long i = 0; i < at; i++) {
		char was = text[i];

		text[i] = was == '2' ? '3' : '2';
		assert_int_equal(check(&c, text, NOW, &a), RETURN_FORGED);
		text[i] = was;
	}
	assert_int_equal(check(&c, text, NOW, &a), RETURN_GOOD);
}

static void what_else_stands_there(void **state)
{
	/* clang-format off */
	static const struct {
		const char *to;
		enum return_verdict verdict;
	} cases[] = {
		{ "ann@example.com",                      RETURN_NONE   },
		{ "ret.x@example.com",                    RETURN_NONE   },
		{ "postmaster@return.example.com",        RETURN_NONE   },
		{ "Abuse@RETURN.example.com",             RETURN_NONE   },
		{ "ann@return.example.com",               RETURN_FORGED },
		{ "ret@return.example.com",               RETURN_FORGED },
		{ "ret.0sa86nevc0001@return.example.com", RETURN_FORGED },
		{ "ret.0sa86nevc0001.20714.cloud@Return.Example.com",
		  RETURN_FORGED },
		{ "ret.0sa86nevc0001.99999999.cloud.aaaaaaaaaaaaaaaa"
		  "@return.example.com",                  RETURN_FORGED },
		{ "ret.0sa86nevc0001.20714.a-leg_with-a-very-long-name.a"
		  "@return.example.com",                  RETURN_FORGED },
		{ "\"ret.0sa86nevc0001.1.x.y\"@return.example.com",
		  RETURN_FORGED },
	};
	/* clang-format on */
	struct conf c = sample();
	struct return_addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].to);
		assert_int_equal(check(&c, cases[i].to, NOW, &a),
		    cases[i].verdict);
	}
}

static void an_old_key_is_believed_and_signs_nothing(void **state)
{
	struct conf c = sample(), old = sample(), other = sample();
	struct return_addr a;
	char text[99], fresh[99];

	(void)state;
	old.ret.key = (struct conf_strings){keys + 1, 1};
	other.ret.key = (struct conf_strings){keys, 1};
	make(&old, "cloud", text);
	assert_int_equal(check(&c, text, NOW, &a), RETURN_GOOD);
	assert_int_equal(check(&other, text, NOW, &a), RETURN_FORGED);
	assert_string_not_equal(text, make(&c, "cloud", fresh));
}

static void without_a_domain_there_are_none(void **state)
{
	struct conf c = sample();
	struct return_addr a;
	struct strbuf b;

	(void)state;
	c.ret.domain = (char *)"";
	strbuf_init(&b, 99);
	assert_false(return_addr_make(&c, an_id(), "cloud", NOW, &b));
	assert_int_equal(b.n, 0);
	assert_int_equal(check(&c, "ret.a@return.example.com", NOW, &a),
	    RETURN_NONE);
	strbuf_fini(&b);
}

/* The reply at RCPT, which tells a guessing sender nothing. */
static void the_decision_needs_no_table(void **state)
{
	struct conf c = sample();
	struct return_addr a;
	struct decision d;
	struct addr to;
	char text[99];
	const char *why;

	(void)state;
	make(&c, "cloud", text);
	assert_int_equal(addr_parse(slice_str(text), false, &to, &why), 0);
	assert_true(return_addr_decide(&c, &to, NOW, &a, &d));
	assert_int_equal(d.verdict, VERDICT_ACCEPT);
	assert_string_equal(rule_name(d.rule), "return");
	assert_int_equal(d.route.kind, ROUTE_NONE);
	assert_true(return_addr_decide(&c, &to, NOW + 20 * DAY, &a, &d));
	assert_int_equal(d.verdict, VERDICT_REFUSE);
	assert_int_equal(d.reply.code, 550);
	assert_string_equal(d.reply.enh, "5.7.1");
	assert_int_equal(addr_parse(SLICE("a@b.example"), false, &to, &why), 0);
	assert_false(return_addr_decide(&c, &to, NOW, &a, &d));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ours_is_known_again),
		cmocka_unit_test(it_ends_with_its_day),
		cmocka_unit_test(its_day_is_that_of_the_end),
		cmocka_unit_test(one_character_makes_it_forged),
		cmocka_unit_test(what_else_stands_there),
		cmocka_unit_test(an_old_key_is_believed_and_signs_nothing),
		cmocka_unit_test(without_a_domain_there_are_none),
		cmocka_unit_test(the_decision_needs_no_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
