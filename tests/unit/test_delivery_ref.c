/* SPDX-License-Identifier: ISC
 *
 * The journal's form of a delivery and the one that rooms pass on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/post/delivery_ref.h"
#include "relay/queue/queue.h"

static const struct delivery_ref whole = {.number = 7, .rcpt = 3, .leg = 2,
	.role = ROLE_COPY, .state = D_DEFERRED, .uncertain = UNC_YES,
	.reason = WHY_ATTEMPT, .flags = DF_REFUSED | DF_UNHEARD,
	.attempts = 300, .hash = 0xfedcba9876543211, .change = 41,
	.created_us = 1000001, .due_us = 2000002};

static void nothing_is_lost_on_the_way_to_the_journal_and_back(void **state)
{
	struct spool_delivery d = delivery_ref_written(&whole);
	struct delivery_ref back = delivery_ref_read(&d, whole.number);

	(void)state;
	assert_int_equal(back.number, whole.number);
	assert_int_equal(back.rcpt, whole.rcpt);
	assert_int_equal(back.leg, whole.leg);
	assert_int_equal(back.role, whole.role);
	assert_int_equal(back.state, whole.state);
	assert_int_equal(back.uncertain, whole.uncertain);
	assert_int_equal(back.reason, whole.reason);
	assert_int_equal(back.flags, whole.flags);
	assert_int_equal(back.attempts, whole.attempts);
	assert_true(back.hash == whole.hash);
	assert_true(back.change == whole.change);
	assert_true(back.created_us == whole.created_us);
	assert_true(back.due_us == whole.due_us);
}

/* The journal says 0, so that a later start may find it out. */
static void a_hash_that_is_not_known_concerns_every_change(void **state)
{
	struct delivery_ref r = whole;
	struct spool_delivery d;

	(void)state;
	r.hash = QUEUE_ANYBODY;
	d = delivery_ref_written(&r);
	assert_true(d.hash == 0);
	r = delivery_ref_read(&d, 0);
	assert_true(r.hash == QUEUE_ANYBODY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    nothing_is_lost_on_the_way_to_the_journal_and_back),
		cmocka_unit_test(
		    a_hash_that_is_not_known_concerns_every_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
