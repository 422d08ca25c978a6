/* SPDX-License-Identifier: ISC
 *
 * Domains that killed helpers: when they are barred, for how long, how many
 * are remembered, and threads at once (under TSan, in tests/run).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <pthread.h>

#include "relay/spf/spf_blame.h"

struct box {
	struct clock_fake clock;
	struct spf_blame *b;
};

static struct box box;

static int setup(void **state)
{
	(void)state;
	clock_fake_init(&box.clock, DAY_US);
	box.b = spf_blame_new(&box.clock.clock);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	spf_blame_free(box.b);
	return 0;
}

static void step_ms(int64_t ms)
{
	clock_fake_step(&box.clock, ms * 1000);
}

static void the_third_death_bars_a_domain_for_an_hour(void **state)
{
	(void)state;
	assert_false(spf_blame_add(box.b, "bad.example"));
	step_ms(SPF_BLAME_MS / 2);
	assert_false(spf_blame_add(box.b, "bad.example"));
	assert_false(spf_blame_barred(box.b, "bad.example"));
	step_ms(SPF_BLAME_MS / 2);
	assert_true(spf_blame_add(box.b, "bad.example"));
	assert_true(spf_blame_barred(box.b, "bad.example"));
	assert_false(spf_blame_barred(box.b, "good.example"));
	step_ms(SPF_BLAME_MS - 1);
	assert_true(spf_blame_barred(box.b, "bad.example"));
	step_ms(1);
	assert_false(spf_blame_barred(box.b, "bad.example"));
}

/* A death under way when it was barred is not told of a second time. */
static void it_is_told_once(void **state)
{
	(void)state;
	for (int i = 1; i <= 10; i++)
		assert_int_equal(spf_blame_add(box.b, "bad.example"),
		    i == SPF_BLAME_DEATHS);
}

static void after_a_quiet_hour_it_counts_from_the_beginning(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		assert_false(spf_blame_add(box.b, "bad.example"));
	step_ms(SPF_BLAME_MS);
	for (int i = 0; i < 2; i++)
		assert_false(spf_blame_add(box.b, "bad.example"));
	assert_false(spf_blame_barred(box.b, "bad.example"));
	assert_true(spf_blame_add(box.b, "bad.example"));
}

static void the_oldest_is_forgotten_first(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i < 3; i++) {
		spf_blame_add(box.b, "first.example");
		spf_blame_add(box.b, "kept.example");
	}
	for (int i = 0; i < SPF_BLAME_DOMAINS - 2; i++) {
		step_ms(1);
		snprintf(name, sizeof(name), "d%d.example", i);
		spf_blame_add(box.b, name);
	}
	assert_true(spf_blame_barred(box.b, "first.example"));
	spf_blame_add(box.b, "kept.example");
	step_ms(1);
	spf_blame_add(box.b, "one-more.example");
	assert_false(spf_blame_barred(box.b, "first.example"));
	assert_true(spf_blame_barred(box.b, "kept.example"));
}

static void *run_worker(void *arg)
{
	unsigned *told = arg;
	char name[32];

	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "d%d.example", i % 300);
		if (spf_blame_add(box.b, name))
			(*told)++;
		(void)spf_blame_barred(box.b, name);
	}
	return NULL;
}

static void workers_share_one_count(void **state)
{
	pthread_t thread[4];
	unsigned told[4] = {0}, sum = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, run_worker,
		    &told[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		sum += told[i];
	}
	assert_int_equal(sum, 300); /* each domain by one of them */
}

#define S(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		S(the_third_death_bars_a_domain_for_an_hour),
		S(it_is_told_once),
		S(after_a_quiet_hour_it_counts_from_the_beginning),
		S(the_oldest_is_forgotten_first),
		S(workers_share_one_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
