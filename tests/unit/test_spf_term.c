/* SPDX-License-Identifier: ISC
 *
 * The terms of a record of SPF (RFC 7208 12).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/base/attr.h"
#include "relay/spf/term.h"

static struct spf_terms terms;

/* clang-format off */
static const struct { const char *record; int count; const char *why, *wrong; } records[] = {
	{ "v=spf1",                       0, NULL, NULL },
	{ "V=SPF1  +A  -ALL ",            2, NULL, NULL },
	{ "v=spf1 a:x.y/24//64 ?mx/0//0", 2, NULL, NULL },
	{ "v=spf1 ip4:192.0.2.1/0 ip6:::/0 ip6:2001:db8::1/128", 3, NULL, NULL },
	{ "v=spf1 ptr ptr:x.y exists:%{i}.x.y include:x.y", 4, NULL, NULL },
	{ "v=spf1 moo.cow-far_out=man:dog/cat redirect=x.y exp=%{d}", 0, NULL, NULL },
	{ "v=spf1 include=x exp=a.b", 0, NULL, NULL },
	{ "v=spf1 a//1",                  1, NULL, NULL },
	{ "v=spf1 al",            0, "a mechanism is unknown", "al" },
	{ "v=spf1 -all. a",       0, "a mechanism takes no value", "-all." },
	{ "v=spf1 all:x.y",       0, "a mechanism takes no value", "all:x.y" },
	{ "v=spf1 --all",         0, "a mechanism is unknown", "--all" },
	{ "v=spf1 -",             0, "a mechanism is unknown", "-" },
	{ "v=spf1 a:",            0, "a domain is missing", "a:" },
	{ "v=spf1 a:/24",         0, "a domain is missing", "a:/24" },
	{ "v=spf1 a/33",          0, "a network of IPv4 has 0 to 32 bits", "a/33" },
	{ "v=spf1 a//129",        0, "a network of IPv6 has 0 to 128 bits", "a//129" },
	{ "v=spf1 a/024",         0, "a network of IPv4 has 0 to 32 bits", "a/024" },
	{ "v=spf1 a/",            0, "a mechanism takes no value", "a/" },
	{ "v=spf1 a//64/24",      0, "a mechanism takes no value", "a//64/24" },
	{ "v=spf1 a/9999999999999", 0, "a network of IPv4 has 0 to 32 bits", "a/9999999999999" },
	{ "v=spf1 ip4",           0, "a mechanism lacks its value", "ip4" },
	{ "v=spf1 ip4:",          0, "an IPv4 address is none", "ip4:" },
	{ "v=spf1 ip4:1.2.3",     0, "an IPv4 address is none", "ip4:1.2.3" },
	{ "v=spf1 ip4:1.2.3.4/",  0, "an IPv4 address is none", "ip4:1.2.3.4/" },
	{ "v=spf1 ip4:1.2.3.4//8", 0, "an IPv4 address is none", "ip4:1.2.3.4//8" },
	{ "v=spf1 ip4:1.2.3.4/33", 0, "a network has more bits than an address", "ip4:1.2.3.4/33" },
	{ "v=spf1 ip4:1.2.3.4:8080", 0, "an IPv4 address is none", "ip4:1.2.3.4:8080" },
	{ "v=spf1 ip6:1.2.3.4",   0, "an IPv6 address is none", "ip6:1.2.3.4" },
	{ "v=spf1 ip6:::1%eth0",  0, "an IPv6 address is none", "ip6:::1%eth0" },
	{ "v=spf1 include",       0, "a mechanism lacks its value", "include" },
	{ "v=spf1 include/24",    0, "a mechanism lacks its value", "include/24" },
	{ "v=spf1 ptr:x.y/24", 0, "a domain does not end with a top-level label", "ptr:x.y/24" },
	{ "v=spf1 ptr/0",         0, "a mechanism takes no value", "ptr/0" },
	{ "v=spf1 redirect=",     0, "a domain is missing", "redirect=" },
	{ "v=spf1 redirect:x.y",  0, "a mechanism is unknown", "redirect:x.y" },
	{ "v=spf1 -redirect=x.y", 0, "a mechanism is unknown", "-redirect=x.y" },
	{ "v=spf1 exp=",          0, "a domain is missing", "exp=" },
	{ "v=spf1 exp=a.b EXP=c.d", 0, "a modifier is there twice", "EXP=c.d" },
	{ "v=spf1 redirect=a.b redirect=a.b", 0, "a modifier is there twice", "redirect=a.b" },
	{ "v=spf1 x=%{q}",        0, "a macro has an unknown letter", "x=%{q}" },
	{ "v=spf1 =x",            0, "a mechanism is unknown", "=x" },
	{ "v=spf1 1a=x",          0, "a mechanism is unknown", "1a=x" },
	{ "v=spf1 a\tmx",         0, "a record has a byte that is no printable ASCII", "" },
	{ "v=spf1 a:\xc3\xa9.x",  0, "a record has a byte that is no printable ASCII", "" },
};
/* clang-format on */

static void a_record_is_read_whole_or_not_at_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		struct slice wrong;
		const char *why;
		int got = spf_terms_parse(slice_str(records[i].record),
		    &terms, &why, &wrong);

		print_message("%s\n", records[i].record);
		assert_int_equal(got, records[i].why == NULL ? 0 : -1);
		if (got == 0) {
			assert_int_equal(terms.count, records[i].count);
			continue;
		}
		assert_string_equal(why, records[i].why);
		assert_true(slice_eq(wrong, slice_str(records[i].wrong)));
	}
}

static void a_term_has_its_parts(void **state)
{
	struct slice wrong;
	const char *why;
	const struct spf_term *t = terms.term;

	(void)state;
	assert_int_equal(spf_terms_parse(SLICE("v=spf1 ~a:%{l}.x.y/24//64 "
	    "-ip6:2001:db8::1/33 mx/7 redirect=%{h}.x.y exp=%{s}"), &terms,
	    &why, &wrong), 0);
	assert_int_equal(t[0].kind, TERM_A);
	assert_int_equal(t[0].qualifier, '~');
	assert_true(slice_eq(t[0].text, SLICE("~a:%{l}.x.y/24//64")));
	assert_true(slice_eq(t[0].target, SLICE("%{l}.x.y")));
	assert_int_equal(t[0].cidr4, 24);
	assert_int_equal(t[0].cidr6, 64);
	assert_int_equal(t[0].letters, macro_bit('l'));
	assert_int_equal(t[1].qualifier, '-');
	assert_int_equal(t[1].cidr6, 33);
	assert_memory_equal(t[1].addr, "\x20\x01\x0d\xb8", 4);
	assert_int_equal(t[2].qualifier, '+');
	assert_int_equal(t[2].cidr4, 7);
	assert_int_equal(t[2].cidr6, 128);
	assert_int_equal(t[2].target.n, 0);
	assert_true(slice_eq(terms.redirect.target, SLICE("%{h}.x.y")));
	assert_true(slice_eq(terms.exp.target, SLICE("%{s}")));
	/* The explanation is no part of a verdict. */
	assert_int_equal(terms.letters, macro_bit('l') | macro_bit('h'));
	assert_true(spf_term_asks(&t[0]) && !spf_term_asks(&t[1]));
	assert_true(spf_term_asks(&terms.redirect));
}

static void a_record_has_a_ceiling(void **state)
{
	struct strbuf b;
	struct slice wrong;
	const char *why;

	(void)state;
	strbuf_init(&b, 2 * SPF_RECORD_MAX);
	strbuf_adds(&b, "v=spf1");
	for (int i = 0; i < SPF_TERMS_MAX; i++)
		strbuf_adds(&b, " a");
	assert_int_equal(spf_terms_parse(strbuf_view(&b), &terms, &why,
	    &wrong), 0);
	strbuf_adds(&b, " a");
	assert_int_equal(spf_terms_parse(strbuf_view(&b), &terms, &why,
	    &wrong), -1);
	strbuf_reset(&b);
	strbuf_adds(&b, "v=spf1 x=");
	while (b.n < SPF_RECORD_MAX)
		strbuf_addc(&b, 'y');
	assert_int_equal(spf_terms_parse(strbuf_view(&b), &terms, &why,
	    &wrong), 0);
	strbuf_addc(&b, 'y');
	assert_int_equal(spf_terms_parse(strbuf_view(&b), &terms, &why,
	    &wrong), -1);
	strbuf_fini(&b);
}

static void a_record_begins_with_its_version(void **state)
{
	(void)state;
	assert_true(spf_record_is(SLICE("v=spf1")));
	assert_true(spf_record_is(SLICE("V=sPf1 x")));
	assert_true(spf_record_is(slice_of("v=spf1 \0", 8)));
	assert_false(spf_record_is(SLICE("v=spf10")));
	assert_false(spf_record_is(SLICE("v=spf1\ta")));
	assert_false(spf_record_is(slice_of("v=spf1\0", 7)));
	assert_false(spf_record_is(SLICE(" v=spf1")));
	assert_false(spf_record_is(SLICE("v=spf")));
	assert_false(spf_record_is(SLICE("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_read_whole_or_not_at_all),
		cmocka_unit_test(a_term_has_its_parts),
		cmocka_unit_test(a_record_has_a_ceiling),
		cmocka_unit_test(a_record_begins_with_its_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
