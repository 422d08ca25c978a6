/* SPDX-License-Identifier: ISC
 *
 * Marks that only we can make. The vectors are Python's:
 *
 *   base64.b32encode(hmac.new(key, purpose + b"\0" + text,
 *       hashlib.sha256).digest()[:10]).lower()
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/keyed.h"

#define K16 "kkkkkkkkkkkkkkkk"
#define K32 "0123456789abcdef0123456789abcdef"
#define ID "0ABCDEFGHJKMN"

static const struct {
	const char *key, *purpose, *text, *mark;
} vectors[] = {
	{K16, "token", ID, "cxk3rxdh2uogmefm"},
	{K32, "token", ID, "aowdk3tviuly6wfy"},
	{K16, "return", ID, "xylco4ozg7sb3trd"},
	{K16, "token", "", "6hgoapvculaqq52j"},
};

static struct conf_strings keys_of(char *const *key, int n)
{
	return (struct conf_strings){(char **)key, n};
}

static void a_mark_is_what_others_compute(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		char *key[] = {(char *)vectors[i].key};
		struct conf_strings keys = keys_of(key, 1);
		char mark[KEYED_TEXT];

		print_message("case %zu\n", i);
		keyed_mark(&keys, vectors[i].purpose,
		    slice_str(vectors[i].text), mark);
		assert_string_equal(mark, vectors[i].mark);
		assert_true(keyed_check(&keys, vectors[i].purpose,
		    slice_str(vectors[i].text), slice_str(mark)));
	}
}

static void what_differs_is_not_believed(void **state)
{
	/* clang-format off */
	static const struct {
		const char *purpose, *text, *mark;
		bool good;
	} rows[] = {
		{ "token",  ID, "cxk3rxdh2uogmefm",   true  },
		{ "token",  ID, "CXK3RXDH2UOGMEFM",   true  },
		{ "token",  ID, "Cxk3rxdH2uogmefm",   true  },
		{ "return", ID, "cxk3rxdh2uogmefm",   false },
		{ "token",  "0ABCDEFGHJKMP", "cxk3rxdh2uogmefm", false },
		{ "token",  ID, "cxk3rxdh2uogmefa",   false },
		{ "token",  ID, "axk3rxdh2uogmefm",   false },
		{ "token",  ID, "cxk3rxdh2uogmef",    false },
		{ "token",  ID, "cxk3rxdh2uogmefmm",  false },
		{ "token",  ID, "",                   false },
		{ "token",  ID, "\xe3xk3rxdh2uogmefm", false },
		/* The purpose does not run into the text. */
		{ "toke",   "n" ID, "cxk3rxdh2uogmefm", false },
	};
	/* clang-format on */
	char *key[] = {(char *)K16};
	struct conf_strings keys = keys_of(key, 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("case %zu\n", i);
		assert_int_equal(keyed_check(&keys, rows[i].purpose,
				     slice_str(rows[i].text),
				     slice_str(rows[i].mark)),
		    rows[i].good);
	}
}

/* An old key is believed as long as it stands in the file; the first signs. */
static void any_key_is_believed_and_the_first_signs(void **state)
{
	char *key[] = {(char *)K32, (char *)K16};
	struct conf_strings both = keys_of(key, 2), first = keys_of(key, 1);
	char mark[KEYED_TEXT];

	(void)state;
	keyed_mark(&both, "token", slice_str(ID), mark);
	assert_string_equal(mark, vectors[1].mark);
	assert_true(keyed_check(&both, "token", slice_str(ID),
	    slice_str(vectors[0].mark)));
	assert_true(keyed_check(&both, "token", slice_str(ID),
	    slice_str(vectors[1].mark)));
	assert_false(keyed_check(&first, "token", slice_str(ID),
	    slice_str(vectors[0].mark)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_is_what_others_compute),
		cmocka_unit_test(what_differs_is_not_believed),
		cmocka_unit_test(any_key_is_believed_and_the_first_signs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
