/* SPDX-License-Identifier: ISC
 *
 * The offers of a leg are remembered until it says otherwise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/delivery/leg_offers.h"

static void a_leg_is_known_once_it_answered(void **state)
{
	static struct leg_offers l;
	const struct ehlo first = {.ext = EXT_SMTPUTF8 | EXT_DSN | EXT_SIZE,
	    .size = 35882577};
	const struct ehlo second = {.ext = EXT_8BITMIME | EXT_CHUNKING};
	const struct ehlo none = {.ext = 0};
	struct leg_offer k;

	(void)state;
	assert_false(leg_offers_get(&l, 3).known);
	leg_offers_set(&l, 3, &first);
	assert_false(leg_offers_get(&l, 4).known);
	k = leg_offers_get(&l, 3);
	assert_true(k.known && k.utf8 && k.dsn && !k.eightbit && !k.chunking);
	assert_int_equal(k.size, 35882577);
	leg_offers_set(&l, 3, &second);
	k = leg_offers_get(&l, 3);
	assert_true(k.known && !k.utf8 && !k.dsn && k.eightbit && k.chunking);
	assert_int_equal(k.size, 0);
	leg_offers_set(&l, 3, &none);
	k = leg_offers_get(&l, 3);
	assert_true(k.known && !k.utf8 && !k.dsn && !k.eightbit && !k.chunking);
	leg_offers_forget(&l);
	assert_false(leg_offers_get(&l, 3).known);
}

/* A limit that says "as large as you like" must not become a small one. */
static void a_size_is_never_remembered_as_a_smaller_one(void **state)
{
	static struct leg_offers l;
	const struct ehlo huge = {.ext = EXT_SIZE, .size = UINT64_MAX};
	struct leg_offer k;

	(void)state;
	leg_offers_set(&l, NAMES_MAX - 1, &huge);
	k = leg_offers_get(&l, NAMES_MAX - 1);
	assert_true(k.known && !k.utf8);
	assert_true(k.size >= UINT64_C(1) << 55);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_leg_is_known_once_it_answered),
	    cmocka_unit_test(a_size_is_never_remembered_as_a_smaller_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
