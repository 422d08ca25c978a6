/* SPDX-License-Identifier: ISC
 *
 * The words for the results of SPF.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/mail/spf_result.h"

static void each_result_has_a_word_that_leads_back(void **state)
{
	enum spf_result back;

	(void)state;
	for (unsigned r = 0; r < SPF_RESULTS; r++) {
		const char *word = spf_result_text((enum spf_result)r);

		assert_non_null(word);
		assert_true(spf_result_parse(slice_str(word), &back));
		assert_int_equal(back, r);
	}
	assert_true(spf_result_parse(SLICE("SoftFail"), &back));
	assert_int_equal(back, SPF_SOFTFAIL);
}

static void another_word_is_no_result(void **state)
{
	static const char *const words[] = {"", "passed", "pas", "unknown",
	    "pass "};
	enum spf_result back = SPF_FAIL;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_false(spf_result_parse(slice_str(words[i]), &back));
	assert_int_equal(back, SPF_FAIL);
	assert_string_equal(spf_result_text(SPF_RESULTS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_result_has_a_word_that_leads_back),
		cmocka_unit_test(another_word_is_no_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
