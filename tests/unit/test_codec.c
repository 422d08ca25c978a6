/* SPDX-License-Identifier: ISC
 *
 * xtext and harmless text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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
	{ "a+2b",         false, NULL      }, /* lower case */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xtext_decodes_to_harmless_bytes_only),
		cmocka_unit_test(xtext_survives_a_round_trip),
		cmocka_unit_test(clean_text_is_printable_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
