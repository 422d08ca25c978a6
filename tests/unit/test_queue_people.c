/* SPDX-License-Identifier: ISC
 *
 * Sets of recipients, by their hashes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/queue/queue.h"
#include "relay/queue/queue_people.h"

/* Spread over all values, and odd as those of recipients are. */
static uint64_t hash_no(uint64_t i)
{
	return i * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

static void those_that_were_added_may_be_meant(void **state)
{
	enum { MANY = 100000 };
	struct queue_people p;

	(void)state;
	queue_people_init(&p);
	assert_false(queue_people_may(&p, hash_no(2)));
	assert_true(queue_people_may(&p, QUEUE_ANYBODY));
	queue_people_add(&p, 0);
	assert_int_equal(p.n, 0);
	for (uint64_t i = 2; i < MANY; i++) {
		queue_people_add(&p, hash_no(2 * i));
		queue_people_add(&p, hash_no(2 * i));
	}
	assert_int_equal(p.n, MANY - 2);
	for (uint64_t i = 2; i < MANY; i++) {
		assert_true(queue_people_may(&p, hash_no(2 * i)));
		assert_false(queue_people_may(&p, hash_no(2 * i + 1)));
	}
	queue_people_fini(&p);
}

static void more_than_can_be_kept_are_all(void **state)
{
	struct queue_people p;

	(void)state;
	queue_people_init(&p);
	for (uint64_t i = 1; i <= QUEUE_PEOPLE_MAX; i++)
		queue_people_add(&p, hash_no(i));
	assert_false(p.all);
	assert_false(queue_people_may(&p, hash_no(QUEUE_PEOPLE_MAX + 2)));
	queue_people_add(&p, hash_no(QUEUE_PEOPLE_MAX + 1));
	assert_true(p.all);
	assert_int_equal(p.n, 0);
	assert_true(queue_people_may(&p, hash_no(QUEUE_PEOPLE_MAX + 2)));
	queue_people_add(&p, hash_no(1));
	assert_int_equal(p.n, 0);
	queue_people_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(those_that_were_added_may_be_meant),
	    cmocka_unit_test(more_than_can_be_kept_are_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
