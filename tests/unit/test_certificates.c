/* SPDX-License-Identifier: ISC
 *
 * When a certificate is worth an alarm, and what it says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/watch/certificates.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

/* clang-format off */
static const struct {
	int left_s;
	bool renewed;
	const char *says; /* NULL: nothing */
} cases[] = {
	{ 15 * DAY, false, NULL },
	{ 14 * DAY + 1, false, NULL },
	{ 14 * DAY, false,
	  "the certificate of leg cloud ends in 14 days, renew it and reload posthoused" },
	{ 2 * DAY - 1, false,
	  "the certificate of leg cloud ends in 1 day, renew it and reload posthoused" },
	{ DAY - 1, false,
	  "the certificate of leg cloud ends in 23 hours, renew it and reload posthoused" },
	{ 1, true,
	  "the certificate of leg cloud ends in 0 hours, and its file holds a newer one: reload "
	  "posthoused" },
	{ 0, false, "the certificate of leg cloud has expired, renew it and reload posthoused" },
	{ -9 * DAY, true,
	  "the certificate of leg cloud has expired, and its file holds a newer one: reload "
	  "posthoused" },
};
/* clang-format on */

static void the_end_is_announced(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool told;

		strbuf_reset(&out);
		told = certificate_alarm(&(struct certificate_end){
		    .left_s = cases[i].left_s, .before_s = 14 * DAY,
		    .used_by = "leg cloud", .renewed = cases[i].renewed},
		    &out);
		assert_int_equal(told, cases[i].says != NULL);
		assert_string_equal(strbuf_cstr(&out),
		    cases[i].says == NULL ? "" : cases[i].says);
	}
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_end_is_announced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
