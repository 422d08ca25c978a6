/* SPDX-License-Identifier: ISC
 *
 * "Unknown", over the life of a delivery: what it means at each hour of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/delivery/unknown.h"
#include "tests/unit/conf_defaults.h"

#define HOURS_US(n) ((n) * INT64_C(3600000000))

static void what_it_means(void **state)
{
	static struct conf c;
	static const struct {
		int age_h; /* of the delivery */
		bool in_grace, began_in_grace, known;
		enum unknown_means means;
	} cases[] = {
	    {0, false, false, false, UNKNOWN_IS_FINAL},
	    {100, false, false, false, UNKNOWN_IS_FINAL},
	    /* in the grace: always a delay, known or not */
	    {0, true, true, false, UNKNOWN_WAITS},
	    {71, true, true, false, UNKNOWN_WAITS},
	    {71, true, true, true, UNKNOWN_WAITS},
	    /* it was already old at the flip */
	    {100, true, true, false, UNKNOWN_WAITS},
	    {100, true, false, false, UNKNOWN_WAITS},
	    /* the grace is over */
	    {72, false, true, false, UNKNOWN_IS_PARKED},
	    {500, false, true, true, UNKNOWN_IS_PARKED},
	    {3, false, true, true, UNKNOWN_WAITS},
	    {3, false, true, false, UNKNOWN_IS_PARKED},
	    /* known on that leg: a day */
	    {0, false, false, true, UNKNOWN_WAITS},
	    {23, false, false, true, UNKNOWN_WAITS},
	    {24, false, false, true, UNKNOWN_IS_FINAL},
	    {25, false, false, true, UNKNOWN_IS_FINAL},
	};

	(void)state;
	conf_defaults(SEC_RETRY, &c); /* known_wait is a day */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct unknown_facts f = {.created_us = HOURS_US(1000),
		    .now_us = HOURS_US(1000 + cases[i].age_h),
		    .in_grace = cases[i].in_grace,
		    .began_in_grace = cases[i].began_in_grace,
		    .known = cases[i].known};

		if (unknown_means(&c, &f) != cases[i].means)
			fail_msg("case %zu: %d", i, unknown_means(&c, &f));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_means),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
