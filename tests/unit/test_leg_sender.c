/* SPDX-License-Identifier: ISC
 *
 * The sender that a leg is told, for each setting and each result.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/egress.h"

enum { OWN = LEG_SENDER_OWN, SRS = LEG_SENDER_SRS, RET = LEG_SENDER_RETURN,
	ASK = LEG_SENDER_ASK, WHEN = REWRITE_WHEN_SPF_FAILS };

static void only_the_primary_of_a_leg_that_wants_it(void **state)
{
	/* clang-format off */
	static const struct {
		bool egress;
		int rewrite, role, guard;
		const char *from, *spf;
		int want;
		bool stranger;
	} cases[] = {
		{ false, REWRITE_NEVER, ROLE_PRIMARY, GUARD_FAIL, "a@b.test", "fail", OWN, false },
		{ true,  WHEN, ROLE_PRIMARY, GUARD_FAIL,      "a@b.test", "fail", OWN, false },
		{ false, WHEN, ROLE_COPY,    GUARD_FAIL,      "a@b.test", "fail", OWN, false },
		{ false, WHEN, ROLE_PRIMARY, GUARD_FAIL,      "",         "fail", OWN, false },
		{ false, WHEN, ROLE_PRIMARY, GUARD_FAIL,      "a@b.test", "fail", RET, false },
		{ false, WHEN, ROLE_PRIMARY, GUARD_OFF,       "a@b.test", "fail", ASK, false },
		{ false, WHEN, ROLE_PRIMARY, GUARD_FAIL,      "a@b.test", "softfail", ASK, false },
		{ false, WHEN, ROLE_PRIMARY, GUARD_FAIL,      "a@b.test", "", ASK, false },
		{ false, WHEN, ROLE_PRIMARY, GUARD_PASS_ONLY, "a@b.test", "none", RET, false },
		{ false, WHEN, ROLE_PRIMARY, GUARD_PASS_ONLY, "a@b.test", "pass", ASK, false },
		{ false, WHEN, ROLE_PRIMARY, GUARD_FAIL, "a@b.test", "none", RET, true },
		{ false, WHEN, ROLE_PRIMARY, GUARD_FAIL, "a@b.test", "pass", ASK, true },
		{ false, WHEN, ROLE_PRIMARY, GUARD_OFF,  "a@b.test", "none", ASK, true },
		{ false, WHEN, ROLE_COPY,    GUARD_FAIL, "a@b.test", "none", OWN, true },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf c = {.dsn.guard = (enum dsn_guard)cases[i].guard};
		struct conf_leg leg = {.egress = cases[i].egress,
		    .rewrite_sender = (enum rewrite_sender)cases[i].rewrite};

		struct leg_mail m = {(enum role)cases[i].role, cases[i].from,
		    cases[i].spf, cases[i].stranger};

		print_message("case %zu\n", i);
		assert_int_equal(leg_sender_choose(&c, &leg, &m),
		    cases[i].want);
	}
}

static void a_fail_is_rewritten_and_so_is_a_silent_dns(void **state)
{
	static const int want[SPF_RESULTS] = {[SPF_NONE] = OWN,
	    [SPF_NEUTRAL] = OWN, [SPF_PASS] = OWN, [SPF_FAIL] = SRS,
	    [SPF_SOFTFAIL] = OWN, [SPF_TEMPERROR] = SRS,
	    [SPF_PERMERROR] = OWN};

	(void)state;
	for (int r = 0; r < SPF_RESULTS; r++)
		assert_int_equal(leg_sender_judged((enum spf_result)r),
		    want[r]);
}

static void what_dmarc_fails_is_told(void **state)
{
	struct egress_choice c;

	(void)state;
	for (int r = 0; r < SPF_RESULTS; r++) {
		c = leg_sender_choice((enum spf_result)r, true);
		assert_int_equal(c.way, 0);
		assert_int_equal(c.rewrite,
		    (int)leg_sender_judged((enum spf_result)r) == SRS);
		assert_int_equal(c.dmarc_would_fail, c.rewrite);
		c = leg_sender_choice((enum spf_result)r, false);
		assert_false(c.dmarc_would_fail);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_primary_of_a_leg_that_wants_it),
		cmocka_unit_test(a_fail_is_rewritten_and_so_is_a_silent_dns),
		cmocka_unit_test(what_dmarc_fails_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
