/* SPDX-License-Identifier: ISC
 *
 * Domain names, address literals, UTF-8.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/utf8.h"
#include "relay/mail/domain.h"

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define D192 L63 "." L63 "." L63 "."
#define B61 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define BUECHER "b\xc3\xbc" "cher.example"

/* clang-format off */
static const struct { const char *in; bool utf8, ok; } names[] = {
	{ "example.com",         false, true  },
	{ "localhost",           false, true  },
	{ "255.255.255.255",     false, true  },
	{ "a-b.c--d.example",    false, true  },
	{ "",                    false, false },
	{ ".",                   false, false },
	{ "example.com.",        false, false },
	{ ".example.com",        false, false },
	{ "a..b",                false, false },
	{ "-a.example",          false, false },
	{ "a-.example",          false, false },
	{ "a_b.example",         false, true  },
	{ "a b.example",         false, false },
	{ "a/b.example",         false, false },
	{ "a\nb.example",        false, false },
	{ L63 ".example",        false, true  },
	{ L63 "a.example",       false, false },
	{ D192 B61,              false, true  }, /* 253 */
	{ D192 B61 "b",          false, false }, /* 254 */
	{ BUECHER,               true,  true  },
	{ BUECHER,               false, false },
	{ "b\xfc" "cher.example", true, false }, /* Latin-1 */
	{ "\xc0\xae.example",    true,  false }, /* overlong dot */
	{ "a\xef\xbc\x8f" "b.example", true, false }, /* maps to a/b */
	{ "\xe3\x80\x82" "example", true, false }, /* maps to .example */
	{ L63 "\xc3\xbc.example", true, false }, /* A-label too long */
};

static const struct { const char *in; bool ok; } literals[] = {
	{ "[192.0.2.1]",          true  },
	{ "[0.0.0.0]",            true  },
	{ "[192.0.2.256]",        false },
	{ "[192.0.2]",            false },
	{ "[010.0.0.1]",          false },
	{ "[192.0.2.1",           false },
	{ "192.0.2.1]",           false },
	{ "[]",                   false },
	{ "[",                    false },
	{ "",                     false },
	{ "[IPv6:::1]",           true  },
	{ "[ipV6:2001:db8::1]",   true  },
	{ "[IPv6:::ffff:127.0.0.1]", true },
	{ "[2001:db8::1]",        false },
	{ "[IPv6:]",              false },
	{ "[IPv6:::g]",           false },
	{ "[IPv6:fe80::1%eth0]",  false },
	{ "[IPv6:1:2:3:4:5:6::8]", false }, /* "::" for one group */
	{ "[IPv6:1:2:3:4:5::8]",  true  },
	{ "[x:y]",                false },
	{ "[192.0.2.1 ]",         false },
};

static const struct { const char *in, *normal; } normals[] = {
	{ "Example.COM",           "example.com"              },
	{ BUECHER,                 "xn--bcher-kva.example"    },
	{ "B\xc3\x9c" "CHER.Example", "xn--bcher-kva.example" },
	{ "bu\xcc\x88" "cher.example", "xn--bcher-kva.example" }, /* NFD */
	{ "XN--BCHER-KVA.example", "xn--bcher-kva.example"    },
	{ "fa\xc3\x9f.example",    "xn--fa-hia.example"       }, /* not fass */
	{ "[IPv6:2001:DB8::1]",    "[ipv6:2001:db8::1]"       },
	{ "[1.2.3]",               NULL                       },
	{ "a..b",                  NULL                       },
	{ "\xff.example",          NULL                       },
};

static const struct { const char *in; bool ok; } utf8s[] = {
	{ "",                 true  },
	{ "plain",            true  },
	{ "\xc3\xa9",         true  },
	{ "\xe2\x82\xac",     true  },
	{ "\xf0\x9f\x93\xae", true  },
	{ "\xf4\x8f\xbf\xbf", true  },
	{ "\xed\x9f\xbf",     true  },
	{ "\xc0\x80",         false }, /* overlong NUL */
	{ "\xc1\xbf",         false },
	{ "\xe0\x80\xaf",     false },
	{ "\xe0\x9f\xbf",     false },
	{ "\xf0\x8f\xbf\xbf", false },
	{ "\xed\xa0\x80",     false }, /* surrogate */
	{ "\xf4\x90\x80\x80", false }, /* over U+10FFFF */
	{ "\xf5\x80\x80\x80", false },
	{ "\x80",             false },
	{ "\xc3",             false },
	{ "\xe2\x82",         false },
	{ "\xe2\x28\xa1",     false },
	{ "\xff",             false },
};
/* clang-format on */

static void names_follow_rfc5321(void **state)
{
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		print_message("case %zu: %s\n", i, names[i].in);
		assert_int_equal(domain_check(slice_str(names[i].in),
				     names[i].utf8, &why),
		    names[i].ok ? 0 : -1);
		assert_int_equal(why == NULL, names[i].ok);
	}
}

static void literals_have_one_reading(void **state)
{
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(literals); i++) {
		print_message("case %zu: %s\n", i, literals[i].in);
		assert_int_equal(
		    domain_literal_check(slice_str(literals[i].in), &why),
		    literals[i].ok ? 0 : -1);
	}
	assert_int_equal(
	    domain_literal_check(SLICE("[192.0.2.1\0.x]"), &why), -1);
}

static void spellings_of_a_domain_have_one_normal_form(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 300);
	for (size_t i = 0; i < ARRAY_LEN(normals); i++) {
		strbuf_reset(&out);
		print_message("case %zu: %s\n", i, normals[i].in);
		assert_int_equal(domain_normal(slice_str(normals[i].in), &out),
		    normals[i].normal != NULL);
		if (normals[i].normal != NULL)
			assert_string_equal(strbuf_cstr(&out),
			    normals[i].normal);
	}
	strbuf_fini(&out);
}

static void normal_form_says_when_it_does_not_fit(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 5);
	assert_false(domain_normal(SLICE("example.com"), &out));
	strbuf_reset(&out);
	assert_false(domain_normal(slice_str(BUECHER), &out));
	strbuf_fini(&out);
}

static void utf8_is_strict(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(utf8s); i++) {
		print_message("case %zu\n", i);
		assert_int_equal(utf8_valid(slice_str(utf8s[i].in)),
		    utf8s[i].ok);
	}
	assert_int_equal(utf8_next(SLICE("\xe2\x82\xacx")), 3);
	assert_int_equal(utf8_next(SLICE("")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_follow_rfc5321),
		cmocka_unit_test(literals_have_one_reading),
		cmocka_unit_test(spellings_of_a_domain_have_one_normal_form),
		cmocka_unit_test(normal_form_says_when_it_does_not_fit),
		cmocka_unit_test(utf8_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
