/* SPDX-License-Identifier: ISC
 *
 * The names of the stages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/mail/stage.h"

static void each_stage_has_a_name_that_leads_back(void **state)
{
	(void)state;
	for (unsigned i = 1; i < STAGES; i++) {
		enum stage s = (enum stage)i;

		assert_non_null(stage_text(s));
		assert_true(stage_text(s)[0] != '\0');
		assert_int_equal(stage_parse(slice_str(stage_text(s))),
		    s == STAGE_RESPONSE ? STAGE_AUTH : s);
	}
	assert_string_equal(stage_text(STAGE_NONE), "");
}

static void an_unknown_name_is_no_stage(void **state)
{
	(void)state;
	assert_int_equal(stage_parse(SLICE("")), STAGE_NONE);
	assert_int_equal(stage_parse(SLICE("RCPT")), STAGE_NONE);
	assert_int_equal(stage_parse(SLICE("rcpt ")), STAGE_NONE);
	assert_int_equal(stage_parse(slice_of("rcpt\0", 5)), STAGE_NONE);
}

static void a_transaction_is_from_mail_to_the_answer_to_the_content(
    void **state)
{
	(void)state;
	assert_false(stage_transacts(STAGE_NONE));
	assert_false(stage_transacts(STAGE_RESPONSE));
	assert_false(stage_transacts(STAGE_XCLIENT));
	assert_true(stage_transacts(STAGE_MAIL));
	assert_true(stage_transacts(STAGE_RCPT));
	assert_true(stage_transacts(STAGE_DATA));
	assert_true(stage_transacts(STAGE_BODY));
	assert_false(stage_transacts(STAGE_RSET));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_stage_has_a_name_that_leads_back),
		cmocka_unit_test(an_unknown_name_is_no_stage),
		cmocka_unit_test(
		    a_transaction_is_from_mail_to_the_answer_to_the_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
