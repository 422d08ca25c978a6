/* SPDX-License-Identifier: ISC
 *
 * The header section, scanned.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/mail/author.h"
#include "relay/mail/header.h"

/* clang-format off */
static const struct { const char *message, *section; int fields, hops; }
messages[] = {
	{ "A: b\r\nC: d\r\n\r\nbody: x\r\n", "A: b\r\nC: d\r\n", 2, 0 },
	{ "A: b\r\n c\r\n\td\r\nE:\r\n\r\n", "A: b\r\n c\r\n\td\r\nE:\r\n",
	  2, 0 },
	{ "A: b\nC: d\n\nbody\n",        "A: b\nC: d\n",         2, 0 },
	{ "A: b\r\nno field\r\nC: d\r\n", "A: b\r\n",            1, 0 },
	{ "From me\r\nA: b\r\n",         "",                     0, 0 },
	{ "\r\nA: b\r\n",                "",                     0, 0 },
	{ "",                            "",                     0, 0 },
	{ " A: b\r\n",                   "",                     0, 0 },
	{ ": b\r\n",                     "",                     0, 0 },
	{ "A\x01: b\r\n",                "",                     0, 0 },
	{ "A : b\r\n",                   "A : b\r\n",            1, 0 },
	{ "A: b",                        "A: b",                 1, 0 },
	{ "A:\r\n b",                    "A:\r\n b",             1, 0 },
	{ "Received: 1\r\nRECEIVED: 2\r\nX-Received: 3\r\nreceived :4\r\n\r\n"
	  "Received: 5\r\n",
	  "Received: 1\r\nRECEIVED: 2\r\nX-Received: 3\r\nreceived :4\r\n",
	  4, 3 },
};

static const struct { const char *value; size_t max; const char *text; }
values[] = {
	{ " plain",                  99, "plain"         },
	{ " a\r\n b\r\n\tc \r\n ",   99, "a b c"         },
	{ "\r\n a",                  99, "a"             },
	{ "a\n b",                   99, "a b"           },
	{ "a\rb\x1b" "c\r",          99, "a?b?c?"        },
	{ "a\xc3\xa9\xff",           99, "a\xc3\xa9?"    },
	{ "abcdef",                  3,  "abc"           },
	{ "ab  cdef",                4,  "ab"            },
	{ "",                        99, ""              },
	{ " \r\n ",                  99, ""              },
};
/* clang-format on */

static void the_section_ends_where_the_fields_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct slice m = slice_str(messages[i].message), rest = m;
		struct author_fields a;
		struct header_field f;
		int fields = 0;

		print_message("case %zu\n", i);
		assert_true(slice_eq(header_section(m),
		    slice_str(messages[i].section)));
		while (header_next(&rest, &f))
			fields++;
		assert_int_equal(fields, messages[i].fields);
		author_read(m, &a);
		assert_int_equal(a.hops, messages[i].hops);
	}
}

static void a_field_has_its_parts(void **state)
{
	struct slice rest = SLICE("Subject : one\r\n two\r\nX: y\r\n");
	struct header_field f;

	(void)state;
	assert_true(header_next(&rest, &f));
	assert_true(slice_eq(f.name, SLICE("Subject")));
	assert_true(slice_eq(f.value, SLICE(" one\r\n two")));
	assert_true(slice_eq(f.whole, SLICE("Subject : one\r\n two\r\n")));
	assert_true(slice_eq(rest, SLICE("X: y\r\n")));
}

static void the_first_field_of_a_name_is_found(void **state)
{
	struct slice m = SLICE("A: 1\r\nMessage-ID: <x>\r\nmessage-id: <y>\r\n"
			       "\r\nB: 2\r\n"), value;

	(void)state;
	assert_true(header_find(m, "MESSAGE-id", &value));
	assert_true(slice_eq(value, SLICE(" <x>")));
	assert_false(header_find(m, "B", &value));
	assert_false(header_find(m, "Message", &value));
}

static void unfolding_gives_one_harmless_line(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 200);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		print_message("case %zu\n", i);
		strbuf_reset(&out);
		strbuf_adds(&out, "> ");
		header_unfold(slice_str(values[i].value), values[i].max, &out);
		assert_string_equal(strbuf_cstr(&out) + 2, values[i].text);
	}
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_section_ends_where_the_fields_end),
		cmocka_unit_test(a_field_has_its_parts),
		cmocka_unit_test(the_first_field_of_a_name_is_found),
		cmocka_unit_test(unfolding_gives_one_harmless_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
