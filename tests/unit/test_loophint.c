/* SPDX-License-Identifier: ISC
 *
 * Hints at loops: what counts as the same mail, how rounds are counted, and
 * what is kept when there is no more room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/watch/loophint.h"

enum { ANN = 3, BOB = 5, CLOUD = 1, LEGACY = 2 };

static uint64_t key_of(const char *message_id, const char *from,
    const char *message, size_t step)
{
	struct slice rest = slice_str(message);
	struct loophint_body b;
	uint64_t key;

	loophint_body_init(&b);
	for (; rest.n > 0; rest = slice_from(rest, step))
		loophint_body_add(&b, slice_head(rest, step));
	key = loophint_key(message_id, from, &b);
	loophint_body_fini(&b);
	return key;
}

static const char mail[] = "To: a\r\nX: b\r\n\r\nHi\r\n\r\nAnn\r\n";

/* clang-format off */
static const struct {
	const char *what, *id, *from, *message;
	bool same;
} cases[] = {
	{ "the same", "<1@a>", "s@b", mail, true },
	{ "other header fields", "<1@a>", "s@b", "\r\nHi\r\n\r\nAnn\r\n", true },
	{ "by LF alone", "<1@a>", "s@b", "To: a\n\nHi\r\n\r\nAnn\r\n", true },
	{ "another Message-ID", "<2@a>", "s@b", mail, false },
	{ "another sender", "<1@a>", "t@b", mail, false },
	{ "the null sender", "<1@a>", "", mail, false },
	{ "another body", "<1@a>", "s@b", "To: a\r\n\r\nHi\r\nAnn\r\n", false },
	{ "no body", "<1@a>", "s@b", "To: a\r\n\r\n", false },
};
/* clang-format on */

static void what_is_the_same_mail(void **state)
{
	uint64_t key = key_of("<1@a>", "s@b", mail, 1000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t step = 1; step < 40; step++)
			if ((key_of(cases[i].id, cases[i].from,
				 cases[i].message, step) == key) !=
			    cases[i].same)
				fail_msg("%s, by %zu", cases[i].what, step);
	assert_int_equal(key_of("", "s@b", mail, 1000), 0);
}

static void a_round_is_a_delivery(void **state)
{
	uint64_t key = key_of("<1@a>", "s@b", mail, 1000), id = 1;
	struct clock_fake clock;
	struct loophints *h;

	(void)state;
	clock_fake_init(&clock, 0);
	h = loophints_new(64, &clock.clock);
	assert_int_equal(loophint_rounds(h, key, ANN, CLOUD), 0);
	for (; id <= 5; id++) {
		loophint_stored(h, id, key);
		/* Mail that was only accepted, or goes somewhere else, is
		 * none. */
		assert_int_equal(loophint_rounds(h, key, ANN, CLOUD), id - 1);
		loophint_delivered(h, id, ANN, CLOUD);
		loophint_delivered(h, 100 + id, ANN, CLOUD);
		clock_fake_step(&clock, HOUR_US / 2);
	}
	assert_int_equal(loophint_rounds(h, key, ANN, CLOUD), 5);
	assert_int_equal(loophint_rounds(h, key, BOB, CLOUD), 0);
	assert_int_equal(loophint_rounds(h, key, ANN, LEGACY), 0);
	assert_int_equal(loophint_rounds(h, key + 2, ANN, CLOUD), 0);
	assert_int_equal(loophint_rounds(h, 0, ANN, CLOUD), 0);
	clock_fake_step(&clock, HOUR_US / 2);
	assert_int_equal(loophint_rounds(h, key, ANN, CLOUD), 0);
	loophints_free(h);
}

static void a_flood_does_not_wash_out_what_goes_round(void **state)
{
	struct clock_fake clock;
	struct loophints *h;

	(void)state;
	clock_fake_init(&clock, 0);
	h = loophints_new(64, &clock.clock);
	for (uint64_t id = 1; id <= 3; id++) {
		loophint_stored(h, id, 7);
		loophint_delivered(h, id, ANN, CLOUD);
	}
	for (uint64_t id = 10; id < 10000; id++) {
		clock_fake_step(&clock, 1000);
		loophint_stored(h, id, id * 2 + 1);
		loophint_delivered(h, id, ANN, CLOUD);
	}
	assert_int_equal(loophint_rounds(h, 7, ANN, CLOUD), 3);
	assert_int_equal(loophint_rounds(h, 9999 * 2 + 1, ANN, CLOUD), 1);
	loophints_free(h);
}

static void it_waits_longer_each_time(void **state)
{
	(void)state;
	for (unsigned n = 0; n < LOOPHINT_SLOWS; n++)
		assert_int_equal(loophint_wait_us(n), 0);
	for (unsigned n = LOOPHINT_SLOWS; n < LOOPHINT_PARKS; n++)
		assert_true(loophint_wait_us(n) > loophint_wait_us(n - 1));
	/* It is still remembered when it comes again. */
	assert_true(loophint_wait_us(LOOPHINT_PARKS - 1) < HOUR_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_the_same_mail),
		cmocka_unit_test(a_round_is_a_delivery),
		cmocka_unit_test(a_flood_does_not_wash_out_what_goes_round),
		cmocka_unit_test(it_waits_longer_each_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
