/* SPDX-License-Identifier: ISC
 *
 * Command lines, BDAT.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/mail/cmd.h"

/* clang-format off */
static const struct { struct slice line; const char *verb, *arg; } lines[] = {
	{ { "QUIT", 4 },                "QUIT", ""           },
	{ { "ehlo x", 6 },              "ehlo", "x"          },
	{ { "MAIL FROM:<a@b>  ", 17 },  "MAIL", "FROM:<a@b>" },
	{ { "RCPT   TO:<a b>", 15 },    "RCPT", "TO:<a b>"   },
	{ { "NOOP \xc3\xa9", 7 },       "NOOP", "\xc3\xa9"   },
	{ { "", 0 },                    NULL,   NULL         },
	{ { "  ", 2 },                  NULL,   NULL         },
	{ { " QUIT", 5 },               "QUIT", ""           },
	{ { "DATA\t", 5 },              "DATA", ""           },
	{ { "MAIL\tFROM:\t<a@b>", 16 }, "MAIL", "FROM:\t<a@b>" },
	{ { "QU\0IT", 6 },              NULL,   NULL         },
	{ { "QUIT\0", 5 },              NULL,   NULL         },
	{ { "NOOP\tx", 6 },             "NOOP", "x"          },
	{ { "EHLO x\x7f", 7 },          "EHLO", "x\x7f"      },
	{ { "MAIL FROM:<a@b>\rRCPT TO:<c@d>", 30 }, NULL, NULL },
	{ { "NOOP a\nQUIT", 11 },       NULL,   NULL         },
};

static const struct { const char *arg; int ret; uint64_t size; bool last; }
bdats[] = {
	{ "1000",                 0, 1000,      false },
	{ "0 LAST",               0, 0,         true  },
	{ "7 last",               0, 7,         true  },
	{ "0",                    0, 0,         false },
	{ "0010",                 0, 10,        false },
	{ "4294967296",           0, 4294967296, false },
	{ "9223372036854775807",  0, INT64_MAX, false },
	{ "9223372036854775808", -1, 0,         false },
	{ "18446744073709551617", -1, 0,        false },
	{ "-1",                  -1, 0,         false },
	{ "+5",                  -1, 0,         false },
	{ "0x10",                -1, 0,         false },
	{ "",                    -1, 0,         false },
	{ "LAST",                -1, 0,         false },
	{ "5 LASTLY",            -1, 0,         false },
	{ "5  LAST",              0, 5,         true  },
	{ " 5\t last \t",         0, 5,         true  },
	{ "5  ",                  0, 5,         false },
	{ "5 5",                 -1, 0,         false },
	{ "5 LAST x",            -1, 0,         false },
	{ "5x",                  -1, 0,         false },
};

/* clang-format on */

static void a_line_is_a_verb_and_an_argument(void **state)
{
	struct smtp_cmd cmd;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		bool ok = lines[i].verb != NULL;

		print_message("case %zu\n", i);
		assert_int_equal(smtp_cmd_parse(lines[i].line, &cmd, &why),
		    ok ? 0 : -1);
		assert_int_equal(why == NULL, ok);
		if (!ok)
			continue;
		assert_true(slice_eq(cmd.verb, slice_str(lines[i].verb)));
		assert_true(slice_eq(cmd.arg, slice_str(lines[i].arg)));
	}
}

static void bdat_takes_plain_numbers_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bdats); i++) {
		uint64_t size = 0;
		bool last = false;

		print_message("case %zu: %s\n", i, bdats[i].arg);
		assert_int_equal(
		    bdat_parse(slice_str(bdats[i].arg), &size, &last),
		    bdats[i].ret);
		if (bdats[i].ret < 0)
			continue;
		assert_true(size == bdats[i].size);
		assert_int_equal(last, bdats[i].last);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_a_verb_and_an_argument),
		cmocka_unit_test(bdat_takes_plain_numbers_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
