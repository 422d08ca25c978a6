/* SPDX-License-Identifier: ISC
 *
 * Subjects as people read them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/mail/subject.h"

/* clang-format off */
static const struct { const char *in, *out; } cases[] = {
	{ " Hello", "Hello" },
	{ " one\r\n two\r\n\tthree", "one two three" },
	{ " =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=", "Gr\xc3\xbc\xc3\x9f" "e" },
	{ " =?iso-8859-1?q?Gr=FC=DFe_an?= alle", "Gr\xc3\xbc\xc3\x9f" "e an alle" },
	{ " =?utf-8?b?R3LDvMOfZQ==?=", "Gr\xc3\xbc\xc3\x9f" "e" },
	{ " =?utf-8*de?b?R3LDvA?=", "Gr\xc3\xbc" },
	{ " =?utf-8?q?a?= =?utf-8?q?b?=", "ab" },
	{ " =?utf-8?q?a?=\r\n =?utf-8?q?b?= c", "ab c" },
	{ " =?koi8-r?q?=D0?=", "=?koi8-r?q?=D0?=" },
	{ " =?utf-8?x?abc?=", "=?utf-8?x?abc?=" },
	{ " =?utf-8?q?=39=30=4A=4F=4a=6f?=", "90JOJo" },
	{ " =?utf-8?q?=3G=3g=3/=3:=3@=3`?=", "=?utf-8?q?=3G=3g=3/=3:=3@=3`?=" },
	{ " =?utf-8?q?=ZZ?=", "=?utf-8?q?=ZZ?=" },
	{ " =?utf-8?b?****?=", "=?utf-8?b?****?=" },
	{ " =?utf-8?q?cut off", "=?utf-8?q?cut off" },
	{ " =?utf-8?q?=0D=0AX:_y?=", "??X: y" },
	{ " =?", "=?" },
	{ " =?=?=?=?=", "=?=?=?=?=" },
	{ "", "" },
};
/* clang-format on */

static void encoded_words_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf b;

		print_message("%s\n", cases[i].in);
		strbuf_init(&b, 998);
		subject_text(slice_str(cases[i].in), &b);
		assert_string_equal(strbuf_cstr(&b), cases[i].out);
		strbuf_fini(&b);
	}
}

static void a_long_one_is_cut_between_characters(void **state)
{
	struct strbuf in, out;

	(void)state;
	strbuf_init(&in, 4096);
	strbuf_init(&out, 998);
	strbuf_addc(&in, 'x');
	for (int i = 0; i < 400; i++)
		strbuf_adds(&in, "\xc3\xbc");
	subject_text(strbuf_view(&in), &out);
	assert_int_equal(out.n, SUBJECT_MAX - 1);
	strbuf_fini(&in);
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(encoded_words_are_read),
	    cmocka_unit_test(a_long_one_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
