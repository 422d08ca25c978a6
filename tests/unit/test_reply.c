/* SPDX-License-Identifier: ISC
 *
 * Replies that we send, and hostile ones that we read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/mail/reply.h"

/* clang-format off */
static const struct {
	const char *lines; /* LF between */
	enum reply_state last; int code; const char *enh, *text;
} replies[] = {
	{ "250 2.1.0 Ok",              REPLY_DONE, 250, "2.1.0", "Ok"      },
	{ "250",                       REPLY_DONE, 250, "",      ""        },
	{ "250 ",                      REPLY_DONE, 250, "",      ""        },
	{ "354 go",                    REPLY_DONE, 354, "",      "go"      },
	{ "250-a\n250-b\n250 c",       REPLY_DONE, 250, "",      "a\nb\nc" },
	{ "250-a",                     REPLY_MORE, 250, "",      "a"       },
	{ "550-5.1.1 No\n550 5.1.1 user", REPLY_DONE, 550, "5.1.1", "No\nuser" },
	{ "550-5.1.1 No\n550 5.2.1 x", REPLY_DONE, 550, "5.1.1", "No\n5.2.1 x" },
	{ "550 4.1.1 class",           REPLY_DONE, 550, "", "4.1.1 class"  },
	{ "550 5.7.606",               REPLY_DONE, 550, "5.7.606", ""      },
	{ "550 5.7.6060 x",            REPLY_DONE, 550, "", "5.7.6060 x"   },
	{ "550 5.1 x",                 REPLY_DONE, 550, "", "5.1 x"        },
	{ "550 5..1 x",                REPLY_DONE, 550, "", "5..1 x"       },
	{ "250\tok",                   REPLY_DONE, 250, "",      "ok"      },
	{ "250\t2.0.0\tok",            REPLY_DONE, 250, "2.0.0", "ok"      },
	{ "550-No\n550-such\n550 5.1.1 user", REPLY_DONE, 550, "5.1.1", "No\nsuch\nuser" },
	{ "550 5.7.0, No",             REPLY_DONE, 550, "5.7.0", "No"      },
	{ "550 5.7.0: No",             REPLY_DONE, 550, "5.7.0", "No"      },
	{ "550 #5.1.0 No",             REPLY_DONE, 550, "5.1.0", "No"      },
	{ "550 # No",                  REPLY_DONE, 550, "",      "# No"    },
	{ "550 5.1.1x",                REPLY_DONE, 550, "", "5.1.1x"       },
	{ "550 a\tb\rc\x1b",           REPLY_DONE, 550, "", "a b?c?"       },
	{ "550 \xff",                  REPLY_DONE, 550, "", "?"            },
	{ "550 \xc3\xa9",              REPLY_DONE, 550, "", "\xc3\xa9"     },
	{ "",                          REPLY_BAD,  0, "", "" },
	{ "25",                        REPLY_BAD,  0, "", "" },
	{ "2x0 no",                    REPLY_BAD,  0, "", "" },
	{ "250x",                      REPLY_BAD,  0, "", "" },
	{ "2500 Ok",                   REPLY_BAD,  0, "", "" },
	{ " 250 Ok",                   REPLY_BAD,  0, "", "" },
	{ "000 zero",                  REPLY_BAD,  0, "", "" },
	{ "100 one",                   REPLY_BAD,  0, "", "" },
	{ "199 one",                   REPLY_BAD,  0, "", "" },
	{ "600 six",                   REPLY_BAD,  0, "", "" },
	{ "999 nine",                  REPLY_BAD,  0, "", "" },
	{ "SSH-2.0-x",                 REPLY_BAD,  0, "", "" },
	{ "250-a\n251 b",              REPLY_BAD,  250, "", "a" },
	{ "250-a\n550 b",              REPLY_BAD,  250, "", "a" },
};
/* clang-format on */

static void replies_are_read_line_by_line(void **state)
{
	struct reply_parser p;

	(void)state;
	reply_parser_init(&p);
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		struct slice rest = slice_str(replies[i].lines), line;
		enum reply_state got = REPLY_MORE;

		print_message("case %zu: %s\n", i, replies[i].lines);
		reply_parser_reset(&p);
		while (slice_next(&rest, '\n', &line))
			got = reply_parser_line(&p, line);
		assert_int_equal(got, replies[i].last);
		assert_int_equal(p.why != NULL, got == REPLY_BAD);
		assert_int_equal(p.code, replies[i].code);
		assert_string_equal(p.enh, replies[i].enh);
		assert_true(slice_eq(strbuf_view(&p.text),
		    slice_str(replies[i].text)));
	}
	reply_parser_fini(&p);
}

static void a_reply_may_end_with_the_connection(void **state)
{
	static const struct {
		const char *line, *rest;
		enum reply_state got;
		int code;
	} ends[] = {
	    {"250-a", "", REPLY_DONE, 250}, {"250-a", "250 b", REPLY_DONE, 250},
	    {NULL, "250 ok", REPLY_DONE, 250}, {NULL, "250\r", REPLY_DONE, 250},
	    {NULL, "250", REPLY_DONE, 250}, {NULL, "250-a", REPLY_DONE, 250},
	    {NULL, "", REPLY_BAD, 0}, {NULL, "\r", REPLY_BAD, 0},
	    {NULL, "25", REPLY_BAD, 0}, {"250-a", "2", REPLY_BAD, 250},
	    {"250-a", "550 b", REPLY_BAD, 250}, {"x", "250 b", REPLY_BAD, 0},
	};
	struct reply_parser p;

	(void)state;
	reply_parser_init(&p);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		print_message("case %zu: %s\n", i, ends[i].rest);
		reply_parser_reset(&p);
		if (ends[i].line != NULL)
			(void)reply_parser_line(&p, slice_str(ends[i].line));
		assert_int_equal(
		    reply_parser_close(&p, slice_str(ends[i].rest)),
		    ends[i].got);
		assert_int_equal(p.why != NULL, ends[i].got == REPLY_BAD);
		assert_int_equal(p.code, ends[i].code);
	}
	reply_parser_fini(&p);
}

static void nul_in_a_reply_is_refused_and_stays_refused(void **state)
{
	struct reply_parser p;

	(void)state;
	reply_parser_init(&p);
	assert_int_equal(reply_parser_line(&p, SLICE("250 a\0b")), REPLY_BAD);
	assert_int_equal(reply_parser_line(&p, SLICE("250 ok")), REPLY_BAD);
	reply_parser_reset(&p);
	assert_int_equal(reply_parser_line(&p, SLICE("250 ok")), REPLY_DONE);
	reply_parser_fini(&p);
}

static void a_bad_reply_says_why(void **state)
{
	static const struct {
		struct slice line;
		const char *why;
	} cases[] = {
	    {SLICE("000 zero"), "reply code out of range"},
	    {SLICE("199 low"), "reply code out of range"},
	    {SLICE("600 high"), "reply code out of range"},
	    {SLICE("25 short"), "not an SMTP reply"},
	    {SLICE("250_odd"), "not an SMTP reply"},
	    {SLICE("250 a\0b"), "NUL in reply"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reply_parser p;

		reply_parser_init(&p);
		assert_int_equal(reply_parser_line(&p, cases[i].line),
		    REPLY_BAD);
		assert_string_equal(p.why, cases[i].why);
		reply_parser_fini(&p);
	}
}

static void an_endless_reply_keeps_its_head_and_ends(void **state)
{
	enum reply_state got = REPLY_MORE;
	struct reply_parser p;
	char line[100] = "250-";
	int lines = 0;

	(void)state;
	memset(line + 4, 'x', sizeof(line) - 4);
	reply_parser_init(&p);
	while (got == REPLY_MORE && lines++ < 100000)
		got = reply_parser_line(&p, slice_of(line, sizeof(line)));
	assert_int_equal(got, REPLY_BAD);
	assert_int_equal(p.text.n, REPLY_KEEP);
	assert_true(p.cut);
	assert_true(strbuf_ok(&p.text));
	assert_true(p.text.cap <= REPLY_KEEP + 1);
	assert_true((size_t)lines <= REPLY_BYTES / (sizeof(line) + 2) + 1);
	reply_parser_fini(&p);
}

static void empty_lines_do_not_go_on_for_ever(void **state)
{
	enum reply_state got = REPLY_MORE;
	struct reply_parser p;
	int lines = 0;

	(void)state;
	reply_parser_init(&p);
	while (got == REPLY_MORE && lines++ < 100000)
		got = reply_parser_line(&p, SLICE("250-"));
	assert_int_equal(got, REPLY_BAD);
	assert_true(p.text.n <= REPLY_KEEP);
	reply_parser_fini(&p);
}

static void a_line_has_a_limit(void **state)
{
	char line[REPLY_LINE + 1];
	struct reply_parser p;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "250 ", 4);
	reply_parser_init(&p);
	assert_int_equal(
	    reply_parser_line(&p, slice_of(line, REPLY_LINE)), REPLY_DONE);
	assert_int_equal(p.text.n, REPLY_LINE - 4);
	assert_false(p.cut);
	reply_parser_reset(&p);
	assert_int_equal(
	    reply_parser_line(&p, slice_of(line, REPLY_LINE + 1)), REPLY_BAD);
	reply_parser_fini(&p);
}

static void replies_are_printed_on_lines_of_their_own(void **state)
{
	struct reply r;
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 10000);
	reply_set(&r, 250, "2.1.0", "Ok %s", "then");
	reply_print(&r, &out);
	reply_set(&r, 250, "", "%s", "me\nSIZE 1\nDSN");
	reply_print(&r, &out);
	reply_set(&r, 550, "5.1.1", "a\rb\x01\xc3\xa9\nc");
	reply_print(&r, &out);
	reply_set(&r, 354, "", "%s", "");
	reply_print(&r, &out);
	assert_string_equal(strbuf_cstr(&out),
	    "250 2.1.0 Ok then\r\n"
	    "250-me\r\n250-SIZE 1\r\n250 DSN\r\n"
	    "550-5.1.1 a?b???\r\n550 5.1.1 c\r\n"
	    "354 \r\n");
	strbuf_fini(&out);
}

static void a_printed_line_has_at_most_512_octets(void **state)
{
	struct reply r;
	struct strbuf out;
	char text[600];

	(void)state;
	strbuf_init(&out, 10000);
	memset(text, 'x', sizeof(text));
	reply_set(&r, 550, "5.123.123", "%.*s", (int)sizeof(text), text);
	reply_print(&r, &out);
	assert_true(out.n <= 512 && out.n > 500);
	assert_memory_equal(out.p + out.n - 2, "\r\n", 2);
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_read_line_by_line),
		cmocka_unit_test(a_reply_may_end_with_the_connection),
		cmocka_unit_test(nul_in_a_reply_is_refused_and_stays_refused),
		cmocka_unit_test(a_bad_reply_says_why),
		cmocka_unit_test(an_endless_reply_keeps_its_head_and_ends),
		cmocka_unit_test(empty_lines_do_not_go_on_for_ever),
		cmocka_unit_test(a_line_has_a_limit),
		cmocka_unit_test(replies_are_printed_on_lines_of_their_own),
		cmocka_unit_test(a_printed_line_has_at_most_512_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
