/* SPDX-License-Identifier: ISC
 *
 * A leg's answer for one recipient, kept for the order of the next attempt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/daemon_rig.h"

static const char sender[] = "sue@elsewhere.example";

static int setup(void **state)
{
	*state = drig_new();
	return 0;
}

static int teardown(void **state)
{
	drig_free(*state);
	return 0;
}

static const struct {
	const char *name;
	enum stage stage;
	enum outcome outcome;
	int code;
	enum reply_class class;
	uint8_t before, after;
} answers[] = {
    {"4yz at RCPT", STAGE_RCPT, OUT_DEFERRED, 450, CLASS_RECIPIENT, 0,
	DF_REFUSED},
    {"unknown, and it waits", STAGE_RCPT, OUT_DEFERRED, 550, CLASS_RECIPIENT, 0,
	DF_REFUSED},
    {"the session ends", STAGE_RCPT, OUT_DEFERRED, 421, CLASS_NETWORK, 0, 0},
    {"cut", STAGE_RCPT, OUT_DEFERRED, 0, CLASS_NETWORK, 0, 0},
    {"too many", STAGE_RCPT, OUT_DEFERRED, 452, CLASS_SPLIT, 0, 0},
    {"the message, not the recipient", STAGE_BODY, OUT_DEFERRED, 451,
	CLASS_MESSAGE, 0, 0},
    {"refused once, cut now", STAGE_RCPT, OUT_DEFERRED, 421, CLASS_NETWORK,
	DF_REFUSED, DF_REFUSED | DF_UNHEARD},
    {"heard again", STAGE_RCPT, OUT_DEFERRED, 450, CLASS_RECIPIENT,
	DF_REFUSED | DF_UNHEARD, DF_REFUSED},
    {"refused, and told so", STAGE_RCPT, OUT_FAILED, 550, CLASS_RECIPIENT, 0,
	DF_DSN_SENT},
};

static void a_leg_s_answer_for_a_recipient_is_kept_for_the_next_try(
    void **state)
{
	struct drig *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct spool_delivery d[2] = {
		    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED),
		    drig_delivery(r, 1, r->legacy, ROLE_PRIMARY, D_HELD)};
		struct result res = drig_result(answers[i].outcome,
		    answers[i].code, "text");
		uint64_t id;

		print_message("%s\n", answers[i].name);
		d[0].flags = answers[i].before;
		id = drig_accept(r, sender, 2, d, 2); /* held: it stays */
		res.stage = answers[i].stage;
		res.class = answers[i].class;
		assert_int_equal(r->job[0]->row[0].ref.flags,
		    answers[i].before);
		drig_report(r, drig_job(r), WHY_ATTEMPT, &res, 1);
		drig_pump(r);
		assert_int_equal(drig_item(r, id, 0).flags, answers[i].after);
		while (r->jobs != 0)
			drig_unclaim(r, drig_job(r), false, true);
		drig_pump(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		a_leg_s_answer_for_a_recipient_is_kept_for_the_next_try,
		setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
