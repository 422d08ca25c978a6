/* SPDX-License-Identifier: ISC
 *
 * xtext and harmless text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/mail/cmd.h"
#include "relay/mail/codec.h"

/* clang-format off */
static const struct { const char *in; bool valid; const char *text; } xtexts[] = {
	{ "",             true,  ""        },
	{ "ann@x",        true,  "ann@x"   },
	{ "a+2Bb",        true,  "a+b"     },
	{ "a+3Db+20c",    true,  "a=b c"   },
	{ "+C3+A9",       true,  "\xc3\xa9" },
	{ "a+0D+0Ab",     true,  NULL      },
	{ "a+00",         true,  NULL      },
	{ "a+0A",         true,  NULL      },
	{ "a=b",          false, NULL      },
	{ "a b",          false, NULL      },
	{ "a+2bb",        true,  "a+b"     }, /* lower case */
	{ "a+2",          false, NULL      },
	{ "a+",           false, NULL      },
	{ "a+GG",         false, NULL      },
	{ "\xc3\xa9",     false, NULL      },
	{ "a\r\nb",       false, NULL      },
};

static const struct { const char *in; bool utf8; size_t max; const char *text; }
cleans[] = {
	{ "plain text",            false, 99, "plain text"      },
	{ "a\r\nb\tc",             false, 99, "a??b c"          },
	{ "\x1b[31m\x7f",          false, 99, "?[31m?"          },
	{ "\xc3\xa9",              false, 99, "??"              },
	{ "\xc3\xa9",              true,  99, "\xc3\xa9"        },
	{ "\xc3(",                 true,  99, "?("              },
	{ "\xc2\x85x",             true,  99, "?x"              }, /* NEL */
	{ "\xe2\x80\xa8\xe2\x80\xa9", true, 99, "??"            },
	{ "abc",                   true,  2,  "ab"              },
	{ "a\xc3\xa9",             true,  2,  "a"               },
	{ "a\xc3\xa9",             true,  3,  "a\xc3\xa9"       },
};

static const struct { const char *in, *out; } orcpts[] = {
	{ "ann@x.test",            "rfc822;ann@x.test"          },
	{ "ann+a=b@x.test",        "rfc822;ann+2Ba+3Db@x.test"  },
	{ "\"a b\"@x.test",        "rfc822;\"a+20b\"@x.test"    },
	{ "postmaster",            "rfc822;postmaster"          },
	{ "c\xc3\xa9@x.test",      "utf-8;c\\x{E9}@x.test"      },
	{ "+=\xd0\x96@x.test",     "utf-8;\\x{2B}\\x{3D}\\x{416}@x.test" },
	{ "\\\xf0\x9f\x93\xa7@x",  "utf-8;\\x{5C}\\x{1F4E7}@x"  },
};
/* clang-format on */

static void xtext_decodes_to_harmless_bytes_only(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 100);
	for (size_t i = 0; i < ARRAY_LEN(xtexts); i++) {
		struct slice in = slice_str(xtexts[i].in);

		print_message("case %zu\n", i);
		strbuf_reset(&out);
		assert_int_equal(xtext_valid(in), xtexts[i].valid);
		assert_int_equal(xtext_decode(in, &out),
		    xtexts[i].text != NULL);
		if (xtexts[i].text != NULL)
			assert_string_equal(strbuf_cstr(&out), xtexts[i].text);
	}
	strbuf_fini(&out);
}

static void xtext_survives_a_round_trip(void **state)
{
	struct strbuf coded, plain;
	char all[255];

	(void)state;
	strbuf_init(&coded, 1000);
	strbuf_init(&plain, 1000);
	for (int i = 0; i < 255; i++)
		all[i] = i == '\n' || i == '\r' || i == 0 ? 'x' : (char)i;
	xtext_encode(slice_of(all, sizeof(all)), &coded);
	assert_true(xtext_valid(strbuf_view(&coded)));
	assert_true(xtext_decode(strbuf_view(&coded), &plain));
	assert_true(slice_eq(strbuf_view(&plain), slice_of(all, sizeof(all))));
	strbuf_fini(&coded);
	strbuf_fini(&plain);
}

static void clean_text_is_printable_and_bounded(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 100);
	for (size_t i = 0; i < ARRAY_LEN(cleans); i++) {
		print_message("case %zu\n", i);
		strbuf_reset(&out);
		text_clean(slice_str(cleans[i].in), cleans[i].utf8,
		    cleans[i].max, &out);
		assert_string_equal(strbuf_cstr(&out), cleans[i].text);
	}
	strbuf_reset(&out);
	text_clean(SLICE("a\0b"), true, 99, &out);
	assert_string_equal(strbuf_cstr(&out), "a?b");
	strbuf_fini(&out);
}

/* We write only what we would accept (params.c reads it back). */
static void an_original_recipient_is_said_by_rfc_3461_and_6533(void **state)
{
	char longest[ORCPT_MAX];
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 2 * ORCPT_MAX);
	for (size_t i = 0; i < ARRAY_LEN(orcpts); i++) {
		char line[2 * ORCPT_MAX];
		struct smtp_refusal no;
		struct rcpt_to to;

		strbuf_reset(&out);
		assert_true(orcpt_encode(slice_str(orcpts[i].in), &out));
		assert_string_equal(strbuf_cstr(&out), orcpts[i].out);
		snprintf(line, sizeof(line), "TO:<a@b> ORCPT=%s",
		    strbuf_cstr(&out));
		assert_int_equal(
		    rcpt_to_parse(slice_str(line), false, &to, &no), 0);
	}
	memset(longest, '+', sizeof(longest));
	strbuf_reset(&out);
	assert_false(orcpt_encode(slice_of(longest, sizeof(longest)), &out));
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xtext_decodes_to_harmless_bytes_only),
		cmocka_unit_test(xtext_survives_a_round_trip),
		cmocka_unit_test(
		    an_original_recipient_is_said_by_rfc_3461_and_6533),
		cmocka_unit_test(clean_text_is_printable_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
