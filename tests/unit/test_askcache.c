/* SPDX-License-Identifier: ISC
 *
 * The legs' answers: how long they hold, what drops them, which makes room
 * when it is full, and when a silent leg is left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/delivery/ask.h"
#include "relay/delivery/ask_cache.h"

enum { CLOUD = 3, LEGACY = 4 };
enum { ONE = 11, TWO = 13, THREE = 17 }; /* clients */

struct fix {
	struct clock_fake clock;
	struct ask_cache *c;
};

static int setup(void **state)
{
	static struct fix f;

	clock_fake_init(&f.clock, 0);
	f.c = ask_cache_new(64, &f.clock.clock);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	ask_cache_free(f->c);
	return 0;
}

static struct ask_key key(int leg, uint64_t base, uint64_t whole)
{
	return (struct ask_key){leg, base, whole};
}

static void put(struct fix *f, struct ask_key k, enum ask_finding finding,
    int64_t ms)
{
	ask_cache_put(f->c, &k, finding, ms, ask_cache_era(f->c));
}

static enum ask_finding get(struct fix *f, struct ask_key k)
{
	return ask_cache_get(f->c, &k);
}

static void a_fact_is_of_a_leg_and_a_whole_address(void **state)
{
	struct fix *f = *state;

	put(f, key(CLOUD, 7, 71), FOUND_YES, 1000);
	put(f, key(CLOUD, 7, 73), FOUND_NO, 1000);
	assert_int_equal(get(f, key(CLOUD, 7, 71)), FOUND_YES);
	assert_int_equal(get(f, key(CLOUD, 7, 73)), FOUND_NO);
	assert_int_equal(get(f, key(CLOUD, 7, 7)), FOUND_NONE);
	assert_int_equal(get(f, key(LEGACY, 7, 71)), FOUND_NONE);
	put(f, key(CLOUD, 7, 71), FOUND_NO, 1000);
	assert_int_equal(get(f, key(CLOUD, 7, 71)), FOUND_NO);
}

static void it_ends_with_its_time(void **state)
{
	struct fix *f = *state;

	put(f, key(CLOUD, 7, 7), FOUND_NO, 1000);
	clock_fake_step(&f->clock, 999 * 1000);
	assert_int_equal(get(f, key(CLOUD, 7, 7)), FOUND_NO);
	clock_fake_step(&f->clock, 1000);
	assert_int_equal(get(f, key(CLOUD, 7, 7)), FOUND_NONE);
	/* 0: not to be remembered at all. */
	put(f, key(CLOUD, 7, 7), FOUND_YES, 0);
	assert_int_equal(get(f, key(CLOUD, 7, 7)), FOUND_NONE);
}

static void only_news_is_news(void **state)
{
	struct fix *f = *state;
	struct ask_key k = key(CLOUD, 7, 7);
	uint64_t era = ask_cache_era(f->c);

	assert_true(ask_cache_put(f->c, &k, FOUND_EVERYBODY, 1000, era));
	assert_false(ask_cache_put(f->c, &k, FOUND_EVERYBODY, 1000, era));
	assert_true(ask_cache_put(f->c, &k, FOUND_PICKY, 1000, era));
	clock_fake_step(&f->clock, 2000 * 1000);
	assert_true(ask_cache_put(f->c, &k, FOUND_PICKY, 1000, era));
}

static void a_change_drops_all_of_a_base(void **state)
{
	struct fix *f = *state;

	put(f, key(CLOUD, 7, 71), FOUND_NO, 1000);
	put(f, key(LEGACY, 7, 72), FOUND_YES, 1000);
	put(f, key(CLOUD, 9, 91), FOUND_NO, 1000);
	ask_cache_drop(f->c, 7);
	assert_int_equal(get(f, key(CLOUD, 7, 71)), FOUND_NONE);
	assert_int_equal(get(f, key(LEGACY, 7, 72)), FOUND_NONE);
	assert_int_equal(get(f, key(CLOUD, 9, 91)), FOUND_NO);
	ask_cache_clear(f->c);
	assert_int_equal(get(f, key(CLOUD, 9, 91)), FOUND_NONE);
}

/* The leg said it before the change: it may not be so any more. */
static void what_was_under_way_is_not_kept(void **state)
{
	struct fix *f = *state;
	struct ask_key k = key(CLOUD, 7, 7);
	uint64_t era = ask_cache_era(f->c);

	ask_cache_drop(f->c, 7);
	assert_false(ask_cache_put(f->c, &k, FOUND_NO, 1000, era));
	assert_int_equal(get(f, k), FOUND_NONE);
	era = ask_cache_era(f->c);
	ask_cache_clear(f->c);
	assert_false(ask_cache_put(f->c, &k, FOUND_NO, 1000, era));
	assert_int_equal(get(f, k), FOUND_NONE);
}

/* A harvest of unknown names does not wash out those that are known. */
static void what_ends_soonest_makes_room(void **state)
{
	struct fix *f = *state;

	for (uint64_t i = 1; i <= 4; i++)
		put(f, key(CLOUD, i << 8 | 1, i), FOUND_YES, 24 * HOUR_MS);
	for (uint64_t i = 5; i < 100000; i++)
		put(f, key(CLOUD, i << 8 | 1, i), FOUND_NO, 600 * 1000);
	for (uint64_t i = 1; i <= 4; i++)
		assert_int_equal(get(f, key(CLOUD, i << 8 | 1, i)), FOUND_YES);
	assert_int_equal(get(f, key(CLOUD, 99999ULL << 8 | 1, 99999)),
	    FOUND_NO);
}

static void everybody_is_shown_for_as_long_as_it_holds(void **state)
{
	struct fix *f = *state;

	assert_false(ask_cache_everybody(f->c, CLOUD));
	put(f, key(CLOUD, 7, 7), FOUND_YES, 1000);
	assert_false(ask_cache_everybody(f->c, CLOUD));
	put(f, key(CLOUD, 7, 7), FOUND_EVERYBODY, 1000);
	assert_true(ask_cache_everybody(f->c, CLOUD));
	assert_false(ask_cache_everybody(f->c, LEGACY));
	clock_fake_step(&f->clock, 1000 * 1000);
	assert_false(ask_cache_everybody(f->c, CLOUD));
}

static bool may_ask(struct fix *f, int leg)
{
	return ask_cache_may_ask(f->c, leg, ONE, 1000);
}

static void a_silent_leg_is_left_alone(void **state)
{
	struct fix *f = *state;

	ask_cache_silent(f->c, CLOUD, ONE, 1000);
	ask_cache_silent(f->c, CLOUD, ONE, 1000);
	ask_cache_answered(f->c, CLOUD, ONE);
	for (int i = 0; i < 2; i++) {
		ask_cache_silent(f->c, CLOUD, ONE, 1000);
		assert_true(may_ask(f, CLOUD));
		assert_true(may_ask(f, CLOUD));
	}
	ask_cache_silent(f->c, CLOUD, ONE, 1000);
	assert_false(may_ask(f, CLOUD));
	assert_true(may_ask(f, LEGACY));
	clock_fake_step(&f->clock, 1000 * 1000);
	/* One tries it, and the others wait for what becomes of that. */
	assert_true(may_ask(f, CLOUD));
	assert_false(may_ask(f, CLOUD));
	ask_cache_silent(f->c, CLOUD, ONE, 1000);
	assert_false(may_ask(f, CLOUD));
	clock_fake_step(&f->clock, 1000 * 1000);
	assert_true(may_ask(f, CLOUD));
	ask_cache_answered(f->c, CLOUD, ONE);
	assert_true(may_ask(f, CLOUD));
	assert_true(may_ask(f, CLOUD));
}

/* A client for which alone a leg is slow does not silence it for others. */
static void it_is_silent_for_all_when_it_is_for_three(void **state)
{
	static const uint64_t clients[] = {ONE, TWO, THREE};
	struct fix *f = *state;

	for (int i = 0; i < 50; i++)
		ask_cache_silent(f->c, CLOUD, ONE, 1000);
	assert_false(ask_cache_may_ask(f->c, CLOUD, ONE, 1000));
	assert_true(ask_cache_may_ask(f->c, CLOUD, TWO, 1000));
	assert_true(ask_cache_may_ask(f->c, LEGACY, ONE, 1000));
	ask_cache_answered(f->c, CLOUD, TWO);
	assert_false(ask_cache_may_ask(f->c, CLOUD, ONE, 1000));
	for (int i = 0; i < 3; i++) {
		assert_true(ask_cache_may_ask(f->c, CLOUD, 19, 1000));
		ask_cache_silent(f->c, CLOUD, clients[i], 1000);
	}
	assert_false(ask_cache_may_ask(f->c, CLOUD, 19, 1000));
	clock_fake_step(&f->clock, 1000 * 1000);
	assert_true(ask_cache_may_ask(f->c, CLOUD, 19, 1000));
	assert_false(ask_cache_may_ask(f->c, CLOUD, 23, 1000));
	ask_cache_answered(f->c, CLOUD, 19);
	assert_true(ask_cache_may_ask(f->c, CLOUD, 23, 1000));
}

static void a_client_has_a_share(void **state)
{
	struct fix *f = *state;

	for (int i = 0; i < 3; i++)
		assert_true(ask_cache_take(f->c, CLOUD, ONE, 3));
	assert_false(ask_cache_take(f->c, CLOUD, ONE, 3));
	assert_true(ask_cache_take(f->c, LEGACY, ONE, 3));
	/* More clients than there is room for: none of them is forgotten
	 * while a question of it is under way. */
	for (uint64_t k = 100; k < 5000; k++)
		if (ask_cache_take(f->c, CLOUD, k, 1))
			assert_false(ask_cache_take(f->c, CLOUD, k, 1));
	assert_false(ask_cache_take(f->c, CLOUD, ONE, 3));
	ask_cache_give(f->c, CLOUD, ONE);
	assert_true(ask_cache_take(f->c, CLOUD, ONE, 3));
}

/* A client that is left alone stays so, however many others ask. */
static void others_do_not_wash_out_a_silence(void **state)
{
	struct fix *f = *state;

	for (int i = 0; i < 3; i++)
		ask_cache_silent(f->c, CLOUD, ONE, HOUR_MS);
	assert_false(ask_cache_may_ask(f->c, CLOUD, ONE, HOUR_MS));
	for (uint64_t k = 100; k < 20000; k++)
		assert_true(ask_cache_may_ask(f->c, CLOUD, k, HOUR_MS));
	assert_false(ask_cache_may_ask(f->c, CLOUD, ONE, HOUR_MS));
	clock_fake_step(&f->clock, INT64_C(1000) * HOUR_MS);
	assert_true(ask_cache_may_ask(f->c, CLOUD, ONE, HOUR_MS));
}

/* The table or the legs are others now. */
static void a_clear_forgets_what_the_legs_are_like(void **state)
{
	static const uint64_t clients[] = {ONE, TWO, THREE};
	struct fix *f = *state;

	put(f, key(CLOUD, 7, 7), FOUND_EVERYBODY, 1000);
	for (int i = 0; i < 3; i++)
		ask_cache_silent(f->c, LEGACY, clients[i], 1000);
	assert_true(ask_cache_everybody(f->c, CLOUD));
	assert_false(ask_cache_may_ask(f->c, LEGACY, 19, 1000));
	ask_cache_clear(f->c);
	assert_false(ask_cache_everybody(f->c, CLOUD));
	assert_true(ask_cache_may_ask(f->c, LEGACY, 19, 1000));
}

static void what_is_given_back_unasked_is_no_share(void **state)
{
	struct fix *f = *state;

	ask_cache_give(f->c, CLOUD, ONE);
	assert_true(ask_cache_take(f->c, CLOUD, ONE, 1));
	assert_false(ask_cache_take(f->c, CLOUD, ONE, 1));
}

static void who_is_one_client(void **state)
{
	static const struct {
		const char *one, *other;
		bool same;
	} cases[] = {
	    {"192.0.2.1", "192.0.2.250", true},
	    {"192.0.2.1", "192.0.3.1", false},
	    {"2001:db8:0:1200::1", "2001:db8:0:12ff::2", true},
	    {"2001:db8:0:1200::1", "2001:db8:0:1300::1", false},
	    /* devices in a house */
	    {"127.0.0.1", "127.0.0.2", false},
	    {"10.1.2.3", "10.1.2.4", false},
	    {"172.31.2.3", "172.31.2.4", false},
	    {"172.32.2.3", "172.32.2.4", true},
	    {"192.168.2.3", "192.168.2.4", false},
	    {"fd00::1", "fd00::2", false},
	    {"fd00::1", "fd00::1", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct netaddr a, b;

		assert_int_equal(netaddr_parse(&a, slice_str(cases[i].one),
				     25), 0);
		assert_int_equal(netaddr_parse(&b, slice_str(cases[i].other),
				     26), 0);
		if ((ask_client(&a) == ask_client(&b)) != cases[i].same)
			fail_msg("%s, %s", cases[i].one, cases[i].other);
	}
}

static void the_last_fact_is_better_than_none(void **state)
{
	static const struct {
		enum ask_finding finding;
		int64_t good_h; /* after its end */
	} cases[] = {
	    {FOUND_YES, 7 * 24}, {FOUND_NO, 1}, {FOUND_EVERYBODY, 24}};
	struct fix *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ask_key k = key(CLOUD, 7, 7);

		put(f, k, cases[i].finding, 1000);
		assert_int_equal(ask_cache_last(f->c, &k), cases[i].finding);
		clock_fake_step(&f->clock, 1000 * 1000 +
		    (cases[i].good_h * HOUR_MS - 1) * 1000);
		assert_int_equal(get(f, k), FOUND_NONE);
		assert_int_equal(ask_cache_last(f->c, &k), cases[i].finding);
		clock_fake_step(&f->clock, 1000);
		assert_int_equal(ask_cache_last(f->c, &k), FOUND_NONE);
		put(f, k, cases[i].finding, 1000);
		ask_cache_drop(f->c, 7);
		assert_int_equal(ask_cache_last(f->c, &k), FOUND_NONE);
	}
}

/* An old yes is worth more than a new no of an unknown name. */
static void a_harvest_does_not_wash_out_the_last_facts(void **state)
{
	struct fix *f = *state;
	struct ask_key k = key(CLOUD, 1 << 8 | 1, 1);

	put(f, k, FOUND_YES, 1000);
	clock_fake_step(&f->clock, 2000 * 1000);
	for (uint64_t i = 5; i < 10000; i++)
		put(f, key(CLOUD, i << 8 | 1, i), FOUND_NO, 600 * 1000);
	assert_int_equal(ask_cache_last(f->c, &k), FOUND_YES);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_fact_is_of_a_leg_and_a_whole_address),
		T(it_ends_with_its_time),
		T(only_news_is_news),
		T(a_change_drops_all_of_a_base),
		T(what_was_under_way_is_not_kept),
		T(what_ends_soonest_makes_room),
		T(everybody_is_shown_for_as_long_as_it_holds),
		T(a_silent_leg_is_left_alone),
		T(it_is_silent_for_all_when_it_is_for_three),
		T(a_client_has_a_share),
		T(others_do_not_wash_out_a_silence),
		T(a_clear_forgets_what_the_legs_are_like),
		T(what_is_given_back_unasked_is_no_share),
		T(who_is_one_client),
		T(the_last_fact_is_better_than_none),
		T(a_harvest_does_not_wash_out_the_last_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
