/* SPDX-License-Identifier: ISC
 *
 * First outcomes in ledger.db: counted once, by recipient, leg and day, across
 * commits and restarts; and the bytes of their counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/audit/delivered/day_counts.h"
#include "relay/audit/delivered/outcome_reader.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/unit/lastfixture.h"

#define TODAY (NOW / DAY_US)
#define ANN "ann@example.com"

/* ---- the bytes --------------------------------------------------------- */

static struct day_counts there_and_back(const struct day_counts *c)
{
	uint8_t bytes[DAY_COUNTS_BYTES];
	size_t n = day_counts_print(c, bytes);
	struct day_counts got;

	assert_true(n <= sizeof(bytes));
	day_counts_parse(slice_of((const char *)bytes, n), &got);
	assert_int_equal(got.day, c->day);
	assert_memory_equal(got.n, c->n, sizeof(got.n));
	return got;
}

static void counts_go_to_bytes_and_back(void **state)
{
	static const uint32_t numbers[] = {0, 1, 127, 128, 16383, 16384,
	    UINT32_MAX};
	struct day_counts c = {0};

	(void)state;
	there_and_back(&c);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		day_counts_add(&c, TODAY + (int64_t)i, numbers[i]);
		c = there_and_back(&c);
	}
	for (int i = 0; i < DAY_COUNTS; i++)
		c.n[i] = UINT32_MAX;
	there_and_back(&c);
}

static void days_move_on_and_the_oldest_go(void **state)
{
	struct day_counts c = {0};

	(void)state;
	for (int day = 0; day < 40; day++)
		day_counts_add(&c, TODAY + day, 1);
	assert_int_equal(day_counts_sum(&c, 0, INT64_MAX), DAY_COUNTS);
	assert_int_equal(day_counts_sum(&c, TODAY + 38, TODAY + 39), 2);
	day_counts_add(&c, TODAY + 20, 5); /* late */
	assert_int_equal(day_counts_sum(&c, TODAY + 20, TODAY + 20), 6);
	day_counts_add(&c, TODAY + 100, 3);
	assert_int_equal(day_counts_sum(&c, 0, INT64_MAX), 3);
	/* That was a wrong clock's. */
	day_counts_add(&c, TODAY, 2);
	assert_int_equal(day_counts_sum(&c, 0, INT64_MAX), 2);
	day_counts_add(&c, -1, 9);
	day_counts_add(&c, 70000, 9);
	assert_int_equal(day_counts_sum(&c, 0, INT64_MAX), 2);
	day_counts_add(&c, TODAY, UINT32_MAX);
	assert_int_equal(day_counts_sum(&c, 0, INT64_MAX), UINT32_MAX);
}

static void what_is_no_counts_ends_them(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		uint64_t sum;
	} cases[] = {
	    {"", 0, 0}, {"\x01", 1, 0}, {"\x20\x4e", 2, 0},
	    {"\x20\x4e\x05", 3, 5}, {"\x20\x4e\x05\x85", 4, 5},
	    {"\x20\x4e\x05\xff\xff\xff\xff\xff\x01", 9, 5},
	    {"\x20\x4e\x05\xff\xff\xff\xff\x7f\x01", 9, 5},
	};
	struct day_counts c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		day_counts_parse(slice_of(cases[i].bytes, cases[i].n), &c);
		print_message("%zu\n", i);
		assert_int_equal(day_counts_sum(&c, 0, INT64_MAX),
		    cases[i].sum);
	}
}

/* ---- the ledger -------------------------------------------------------- */

static void took(struct last_delivery *l, const char *leg, const char *to,
    int64_t time_us)
{
	last_delivery_add(l, leg, to, &(struct last_delivered){
	    .time_us = time_us, .id = 1, .first = true});
}

static void missed(struct last_delivery *l, const char *to, int64_t time_us,
    enum first_outcome how)
{
	last_delivery_missed(l, "cloud", to, time_us, how);
}

static struct outcome_reader *reader(const char *dir)
{
	struct conf c = conf_of(30, 90);
	struct outcome_reader *r;
	struct error err;

	c.audit.path = (char *)dir;
	r = outcome_reader_open(&c, &err);
	if (r == NULL)
		fail_msg("%s", err.text);
	return r;
}

/* Ann's at a leg; NULL: at all. */
static void assert_sum(const char *dir, const char *leg,
    struct outcome_of of, struct outcome_sum want)
{
	struct outcome_reader *r = reader(dir);
	struct outcome_sum sum = {0};
	struct error err;

	of.recipient = outcome_reader_key(r, slice_str(ANN));
	of.leg = leg == NULL ? -1 : outcome_reader_leg(r, leg);
	assert_int_equal(outcome_reader_add(r, &of, &sum, &err), 0);
	outcome_reader_close(r);
	assert_int_equal(sum.delivered, want.delivered);
	assert_int_equal(sum.failed, want.failed);
	assert_int_equal(sum.trouble, want.trouble);
	assert_int_equal(sum.lately, want.lately);
}

static void assert_leg(const char *dir, const char *leg,
    struct outcome_of of, struct outcome_sum want)
{
	struct outcome_reader *r = reader(dir);
	struct outcome_sum sum = {0};
	struct error err;

	of.leg = outcome_reader_leg(r, leg);
	assert_int_equal(outcome_reader_add_leg(r, &of, &sum, &err), 0);
	outcome_reader_close(r);
	assert_int_equal(sum.delivered, want.delivered);
	assert_int_equal(sum.failed, want.failed);
	assert_int_equal(sum.trouble, want.trouble);
}

static const struct outcome_of week = {.from = TODAY - 7, .to = TODAY};

static void each_counts_once_by_recipient_leg_and_day(void **state)
{
	struct last_delivery *l = open_in(*state);

	for (int i = 0; i < 3; i++) {
		took(l, "cloud", "Ann@Example.com", NOW + i);
		took(l, "legacy", ANN, NOW + i);
		took(l, "cloud", "bob@example.com", NOW + i);
		missed(l, ANN, NOW + i, FIRST_FAILED);
		missed(l, ANN, NOW + i, FIRST_TROUBLE);
		/* At a later attempt: the last delivery, no first outcome. */
		add(l, "cloud", ANN, NOW + i, 9);
		if (i > 0)
			commit(l, NOW + i);
	}
	took(l, "cloud", ANN, NOW - 3 * DAY_US);
	took(l, "cloud", ANN, NOW + DAY_US);
	commit(l, NOW + DAY_US);
	last_delivery_close(l);
	l = open_in(*state);
	commit(l, NOW + DAY_US);
	assert_sum(*state, "cloud", week,
	    (struct outcome_sum){3, 3, 3, true});
	assert_sum(*state, "legacy", week,
	    (struct outcome_sum){3, 0, 0, false});
	assert_sum(*state, NULL, week,
	    (struct outcome_sum){6, 3, 3, true});
	assert_sum(*state, "cloud", (struct outcome_of){.from = TODAY + 1,
	    .to = TODAY + 1}, (struct outcome_sum){2, 0, 0, false});
	assert_sum(*state, "cloud", (struct outcome_of){.from = TODAY,
	    .to = TODAY, .since_us = NOW + 3},
	    (struct outcome_sum){3, 3, 3, false});
	assert_leg(*state, "cloud", week, (struct outcome_sum){7, 3, 3, false});
	last_delivery_close(l);
	forget(*state);
}

/* It was counted, or is lost. */
static void what_is_read_again_is_not_counted(void **state)
{
	struct last_delivery *l = open_in(*state);

	took(l, "cloud", ANN, NOW);
	last_delivery_add(l, "cloud", ANN, &(struct last_delivered){
	    .time_us = NOW, .id = 1, .again = true});
	commit(l, NOW);
	last_delivery_add(l, "cloud", ANN, &(struct last_delivered){
	    .time_us = NOW, .id = 1, .again = true});
	commit(l, NOW);
	assert_sum(*state, "cloud", week,
	    (struct outcome_sum){1, 0, 0, false});
	last_delivery_close(l);
	forget(*state);
}

static int64_t since(const char *dir)
{
	struct outcome_reader *r = reader(dir);
	int64_t us = outcome_reader_since(r);

	outcome_reader_close(r);
	return us;
}

static void a_file_says_since_when_it_counts(void **state)
{
	struct last_delivery *l = open_in(*state);

	commit(l, NOW + 1);
	assert_int_equal(since(*state), NOW);
	last_delivery_gap(l, NOW + 5);
	commit(l, NOW + 6);
	assert_int_equal(since(*state), NOW + 5);
	last_delivery_lost(l, index_at, NOW + 9);
	commit(l, NOW + 10);
	assert_int_equal(since(*state), NOW + 9);
	last_delivery_close(l);
	/* One of an older format counts from when it is brought up. */
	back_to(*state, 4);
	l = open_in(*state);
	commit(l, NOW + 11);
	assert_int_equal(since(*state), NOW);
	last_delivery_close(l);
	forget(*state);
}

static void old_days_go(void **state)
{
	struct last_delivery *l = open_in(*state);
	const struct outcome_of all = {.to = INT64_MAX};

	missed(l, ANN, NOW, FIRST_FAILED);
	took(l, "cloud", ANN, NOW);
	commit(l, NOW);
	prune(l, NOW + 30 * DAY_US);
	assert_sum(*state, "cloud", all,
	    (struct outcome_sum){1, 1, 0, true});
	prune(l, NOW + 31 * DAY_US);
	assert_sum(*state, "cloud", all,
	    (struct outcome_sum){1, 0, 0, false});
	assert_leg(*state, "cloud", all, (struct outcome_sum){0, 0, 0, false});
	last_delivery_close(l);
	forget(*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts_go_to_bytes_and_back),
	    cmocka_unit_test(days_move_on_and_the_oldest_go),
	    cmocka_unit_test(what_is_no_counts_ends_them),
	    cmocka_unit_test(each_counts_once_by_recipient_leg_and_day),
	    cmocka_unit_test(what_is_read_again_is_not_counted),
	    cmocka_unit_test(a_file_says_since_when_it_counts),
	    cmocka_unit_test(old_days_go),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
