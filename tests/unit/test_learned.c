/* SPDX-License-Identifier: ISC
 *
 * What a leg offered is what is remembered of it, until it says otherwise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/delivery/leg_offers.h"

static void a_leg_is_known_once_it_answered(void **state)
{
	static struct learned l;
	const struct ehlo first = {.ext = EXT_SMTPUTF8 | EXT_DSN | EXT_SIZE,
	    .size = 35882577};
	const struct ehlo second = {.ext = EXT_8BITMIME | EXT_CHUNKING};
	const struct ehlo none = {.ext = 0};
	struct learned_leg k;

	(void)state;
	assert_false(learned_get(&l, 3).known);
	learned_set(&l, 3, &first);
	assert_false(learned_get(&l, 4).known);
	k = learned_get(&l, 3);
	assert_true(k.known && k.utf8 && k.dsn && !k.eightbit && !k.chunking);
	assert_int_equal(k.size, 35882577);
	learned_set(&l, 3, &second);
	k = learned_get(&l, 3);
	assert_true(k.known && !k.utf8 && !k.dsn && k.eightbit && k.chunking);
	assert_int_equal(k.size, 0);
	learned_set(&l, 3, &none);
	k = learned_get(&l, 3);
	assert_true(k.known && !k.utf8 && !k.dsn && !k.eightbit && !k.chunking);
	learned_forget(&l);
	assert_false(learned_get(&l, 3).known);
}

/* A limit that says "as large as you like" must not become a small one. */
static void a_size_is_never_remembered_as_a_smaller_one(void **state)
{
	static struct learned l;
	const struct ehlo huge = {.ext = EXT_SIZE, .size = UINT64_MAX};
	struct learned_leg k;

	(void)state;
	learned_set(&l, NAMES_MAX - 1, &huge);
	k = learned_get(&l, NAMES_MAX - 1);
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
