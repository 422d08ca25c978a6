/* SPDX-License-Identifier: ISC
 *
 * Permits of recipient domains: each change of a domain's state, and what the
 * domains may have together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/queue/permits.h"
#include "tests/unit/conf_tmp.h"

/* Legs of the configuration; hashes of domains. */
enum { LEGACY = 0, WAY = 1, OTHER_WAY = 2 };
enum { DEAD = 0x1001, GOOD = 0x2002, NEW_ONE = 0x3003 };
enum { SLOTS = 40, HALF = SLOTS / 2, QUARTER = SLOTS / 4 };
#define SECOND INT64_C(1000000)

static const char text[] =
    "hostname = \"relay.example.com\"\n"
    "leg \"legacy\" { hosts = \"192.0.2.1\" }\n"
    "egress \"way\" { direct = true spf_address = \"192.0.2.9\"\n"
    "    connections = 40 }\n"
    "egress \"other\" { direct = true spf_address = \"192.0.2.9\"\n"
    "    connections = 3 }\n"
    "retry { steps = { \"10s\", \"20s\", \"40s\" } }\n"
    "domain \"example.com\" { route = \"legacy\" }\n";

struct fix {
	void *dir;
	struct names *names;
	struct conf *conf;
	struct permits *p;
	int64_t now;
};

static int setup(void **state)
{
	struct fix *f = NEW(struct fix);

	if (conf_tmp_setup(&f->dir) != 0)
		return -1;
	f->names = names_new();
	f->conf = conf_tmp_good(f->dir, text, f->names);
	f->p = permits_new();
	permits_configure(f->p, f->conf);
	f->now = 1000 * SECOND;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	for (int leg = 0; leg < NAMES_MAX; leg++) {
		assert_int_equal(permits_used(f->p, leg), 0);
		assert_int_equal(permits_unproven(f->p, leg), 0);
	}
	permits_free(f->p);
	conf_unref(f->conf);
	names_free(f->names);
	conf_tmp_teardown(&f->dir);
	mem_free(f);
	return 0;
}

static enum permit_answer ask(struct fix *f, uint32_t domain)
{
	return permit_look(f->p, WAY, domain, f->now).answer;
}

static struct permit get(struct fix *f, uint32_t domain)
{
	struct permit permit = {0};
	struct permit_word look = permit_look(f->p, WAY, domain, f->now);
	struct permit_word w = permit_take(f->p, WAY, domain, f->now, &permit);

	assert_int_equal(w.answer, PERMIT_GRANTED);
	assert_int_equal(look.answer, PERMIT_GRANTED);
	assert_int_not_equal(permit.name, 0);
	return permit;
}

static void give(struct fix *f, struct permit permit, enum permit_end end)
{
	permit_give(f->p, &permit, end, f->now - SECOND, f->now);
	assert_int_equal(permit.name, 0);
}

static void meet(struct fix *f, uint32_t domain, enum permit_end end)
{
	give(f, get(f, domain), end);
}

/* So many at once, then no more; they end as given. */
static unsigned at_once(struct fix *f, uint32_t domain, enum permit_end end)
{
	struct permit permit[SLOTS] = {{0}};
	unsigned n = 0;

	while (n < SLOTS && permit_take(f->p, WAY, domain, f->now,
	    &permit[n]).answer == PERMIT_GRANTED)
		n++;
	for (unsigned i = 0; i < n; i++)
		give(f, permit[i], end);
	return n;
}

static void a_new_domain_has_two_at_once(void **state)
{
	struct fix *f = *state;
	struct permit one, two;

	assert_int_equal(permit_look(f->p, WAY, GOOD, f->now).room, 2);
	one = get(f, GOOD);
	assert_int_equal(permit_look(f->p, WAY, GOOD, f->now).room, 1);
	two = get(f, GOOD);
	assert_int_equal(ask(f, GOOD), PERMIT_BUSY);
	assert_int_equal(ask(f, NEW_ONE), PERMIT_GRANTED);
	give(f, one, PERMIT_UNUSED);
	assert_int_equal(ask(f, GOOD), PERMIT_GRANTED);
	give(f, two, PERMIT_UNUSED);
}

static void it_grows_to_a_quarter_of_the_slots(void **state)
{
	struct fix *f = *state;

	meet(f, GOOD, PERMIT_DELIVERED);
	assert_int_equal(at_once(f, GOOD, PERMIT_UNUSED), 2);
	meet(f, GOOD, PERMIT_DELIVERED);
	assert_int_equal(at_once(f, GOOD, PERMIT_UNUSED), 3);
	meet(f, GOOD, PERMIT_ANSWERED); /* no delivery */
	meet(f, GOOD, PERMIT_DELIVERED);
	meet(f, GOOD, PERMIT_DELIVERED);
	assert_int_equal(at_once(f, GOOD, PERMIT_UNUSED), 3);
	meet(f, GOOD, PERMIT_DELIVERED);
	assert_int_equal(at_once(f, GOOD, PERMIT_UNUSED), 4);
	for (int i = 0; i < 1000; i++)
		meet(f, GOOD, PERMIT_DELIVERED);
	assert_int_equal(at_once(f, GOOD, PERMIT_UNUSED), QUARTER);
	meet(f, GOOD, PERMIT_FAILED); /* one is enough */
	assert_int_equal(at_once(f, GOOD, PERMIT_UNUSED), 2);
}

static int64_t wait_of(struct fix *f, uint32_t domain)
{
	struct permit_word w = permit_look(f->p, WAY, domain, f->now);

	assert_int_equal(w.answer, PERMIT_WAIT);
	return w.until_us - f->now;
}

static void three_failures_in_a_row_make_it_wait(void **state)
{
	struct fix *f = *state;

	meet(f, DEAD, PERMIT_FAILED);
	meet(f, DEAD, PERMIT_FAILED);
	meet(f, DEAD, PERMIT_ANSWERED); /* not in a row */
	meet(f, DEAD, PERMIT_FAILED);
	meet(f, DEAD, PERMIT_UNUSED); /* says nothing */
	meet(f, DEAD, PERMIT_FAILED);
	assert_int_equal(ask(f, DEAD), PERMIT_GRANTED);
	meet(f, DEAD, PERMIT_FAILED);
	assert_int_equal(wait_of(f, DEAD), 10 * SECOND);
	assert_int_equal(ask(f, GOOD), PERMIT_GRANTED);
	assert_int_equal(permit_look(f->p, OTHER_WAY, DEAD, f->now).answer,
	    PERMIT_GRANTED);
}

static void fail_thrice(struct fix *f)
{
	for (int i = 0; i < PERMIT_FAILURES; i++)
		meet(f, DEAD, PERMIT_FAILED);
}

static void one_at_a_time_at_growing_intervals(void **state)
{
	static const int64_t steps[] = {10, 20, 40, 40, 40};
	struct fix *f = *state;

	fail_thrice(f);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct permit scout;

		assert_int_equal(wait_of(f, DEAD), steps[i] * SECOND);
		f->now += steps[i] * SECOND - 1;
		assert_int_equal(wait_of(f, DEAD), 1);
		f->now++;
		scout = get(f, DEAD);
		assert_true(scout.scout);
		assert_int_equal(ask(f, DEAD), PERMIT_BUSY);
		if (i == 2) { /* it could not go: another may */
			give(f, scout, PERMIT_UNUSED);
			scout = get(f, DEAD);
		}
		give(f, scout, PERMIT_FAILED);
	}
}

static void any_answer_ends_the_wait(void **state)
{
	static const enum permit_end ends[] = {PERMIT_ANSWERED,
	    PERMIT_DELIVERED};
	struct fix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		fail_thrice(f);
		f->now += 10 * SECOND;
		meet(f, DEAD, ends[i]);
		assert_int_equal(at_once(f, DEAD, PERMIT_UNUSED), 2);
		fail_thrice(f); /* from the first interval on */
		assert_int_equal(wait_of(f, DEAD), 10 * SECOND);
		f->now += 10 * SECOND;
		meet(f, DEAD, PERMIT_ANSWERED);
	}
}

/* Two were under way: the one that fails behind the third does not make the
 * wait longer; one that is answered ends it. */
static void attempts_from_before_the_wait(void **state)
{
	struct fix *f = *state;
	struct permit one, two;

	meet(f, DEAD, PERMIT_FAILED);
	meet(f, DEAD, PERMIT_FAILED);
	one = get(f, DEAD);
	two = get(f, DEAD);
	give(f, one, PERMIT_FAILED);
	assert_int_equal(ask(f, DEAD), PERMIT_BUSY);
	f->now += 5 * SECOND;
	give(f, two, PERMIT_FAILED);
	assert_int_equal(wait_of(f, DEAD), 5 * SECOND);
	f->now += 5 * SECOND;
	meet(f, DEAD, PERMIT_ANSWERED);
	meet(f, DEAD, PERMIT_FAILED);
	meet(f, DEAD, PERMIT_FAILED);
	one = get(f, DEAD);
	two = get(f, DEAD);
	give(f, one, PERMIT_FAILED);
	give(f, two, PERMIT_DELIVERED);
	assert_int_equal(ask(f, DEAD), PERMIT_GRANTED);
}

static void the_unproven_have_half_of_the_slots(void **state)
{
	struct fix *f = *state;
	struct permit unproven[HALF];
	struct permit good;

	meet(f, GOOD, PERMIT_DELIVERED);
	for (uint32_t i = 0; i < HALF; i++)
		unproven[i] = get(f, 0x10001 + i);
	assert_int_equal(permits_unproven(f->p, WAY), HALF);
	assert_int_equal(ask(f, NEW_ONE), PERMIT_NEW);
	good = get(f, GOOD);
	assert_false(good.unproven);
	assert_int_equal(permits_unproven(f->p, WAY), HALF);
	assert_int_equal(permits_used(f->p, WAY), HALF + 1);
	give(f, unproven[0], PERMIT_DELIVERED);
	assert_int_equal(ask(f, NEW_ONE), PERMIT_GRANTED);
	for (uint32_t i = 1; i < HALF; i++)
		give(f, unproven[i], PERMIT_FAILED);
	/* It is proven when it began, and is not when it ends. */
	give(f, good, PERMIT_FAILED);
	assert_true(permits_unproven(f->p, WAY) == 0);
}

/* A failure, or a delivery that takes long: half of that half; the new ones
 * have the rest, and all while there are no others. */
static void the_doubtful_have_a_quarter(void **state)
{
	struct fix *f = *state;
	struct permit doubtful[QUARTER], fresh[HALF - QUARTER];

	for (uint32_t i = 0; i <= QUARTER; i++)
		meet(f, 0x20001 + i, PERMIT_FAILED);
	for (uint32_t i = 0; i < QUARTER; i++) {
		doubtful[i] = get(f, 0x20001 + i);
		assert_true(doubtful[i].doubtful);
	}
	assert_int_equal(ask(f, 0x20001 + QUARTER), PERMIT_DOUBTFUL);
	for (uint32_t i = 0; i < HALF - QUARTER; i++) {
		fresh[i] = get(f, 0x10001 + i);
		assert_false(fresh[i].doubtful);
	}
	assert_int_equal(ask(f, NEW_ONE), PERMIT_NEW);
	give(f, fresh[0], PERMIT_ANSWERED);
	assert_int_equal(ask(f, 0x20001 + QUARTER), PERMIT_DOUBTFUL);
	assert_int_equal(ask(f, NEW_ONE), PERMIT_GRANTED);
	fresh[0] = get(f, NEW_ONE);
	give(f, doubtful[0], PERMIT_ANSWERED); /* it is new again */
	assert_int_equal(ask(f, 0x20001 + QUARTER), PERMIT_GRANTED);
	for (uint32_t i = 1; i < QUARTER; i++)
		give(f, doubtful[i], PERMIT_FAILED);
	for (uint32_t i = 0; i < HALF - QUARTER; i++)
		give(f, fresh[i], PERMIT_DELIVERED);
	assert_int_equal(permits_unproven(f->p, WAY), 0);
}

static int64_t patience(struct fix *f, uint32_t domain)
{
	struct permit permit = get(f, domain);
	int64_t ms = permit.patience_ms;

	give(f, permit, PERMIT_UNUSED);
	return ms;
}

static void patience_grows(void **state)
{
	struct fix *f = *state;

	for (int i = 0; i < PERMIT_FAILURES; i++) {
		assert_int_equal(patience(f, DEAD), PERMIT_PATIENCE_MS << i);
		meet(f, DEAD, PERMIT_FAILED);
	}
	f->now += 10 * SECOND;
	assert_int_equal(patience(f, DEAD), 0); /* as the egress has it */
	meet(f, DEAD, PERMIT_DELIVERED);
	assert_int_equal(patience(f, DEAD), 0);
	assert_int_equal(patience(f, GOOD), PERMIT_PATIENCE_MS);
}

/* A delivery that takes long leaves a domain unproven, with what it began
 * with. */
static void a_slow_domain_stays_unproven(void **state)
{
	struct fix *f = *state;
	struct permit permit;

	for (int i = 0; i < 100; i++)
		meet(f, GOOD, PERMIT_DELIVERED);
	permit = get(f, GOOD);
	permit_give(f->p, &permit, PERMIT_DELIVERED, f->now - PERMIT_QUICK_US,
	    f->now);
	permit = get(f, GOOD);
	assert_true(permit.unproven && permit.doubtful);
	give(f, permit, PERMIT_UNUSED);
	assert_int_equal(at_once(f, GOOD, PERMIT_UNUSED), 2);
	permit = get(f, GOOD);
	permit_give(f->p, &permit, PERMIT_DELIVERED,
	    f->now - PERMIT_QUICK_US + 1, f->now);
	permit = get(f, GOOD);
	assert_false(permit.unproven);
	give(f, permit, PERMIT_UNUSED);
}

static void others_need_none(void **state)
{
	struct fix *f = *state;
	struct permit permit = {0};

	for (int i = 0; i < 100; i++) {
		assert_int_equal(permit_take(f->p, LEGACY, GOOD, f->now,
		    &permit).answer, PERMIT_GRANTED);
		assert_int_equal(permit_take(f->p, WAY, 0, f->now,
		    &permit).answer, PERMIT_GRANTED);
	}
	assert_int_equal(permit.name, 0);
	permit_give(f->p, &permit, PERMIT_FAILED, f->now, f->now);
	assert_int_equal(permits_used(f->p, LEGACY), 0);
}

static void an_administrator_ends_the_wait(void **state)
{
	struct fix *f = *state;

	fail_thrice(f);
	permit_hurry(f->p, WAY, NEW_ONE, f->now);
	permit_hurry(f->p, WAY, 0, f->now);
	permit_hurry(f->p, OTHER_WAY, DEAD, f->now);
	assert_int_equal(ask(f, DEAD), PERMIT_WAIT);
	permit_hurry(f->p, WAY, DEAD, f->now);
	assert_int_equal(at_once(f, DEAD, PERMIT_FAILED), 1);
	assert_int_equal(wait_of(f, DEAD), 20 * SECOND);
}

/* Few slots: two for a domain as ever, one for those that are unproven. */
static void a_narrow_egress(void **state)
{
	struct fix *f = *state;
	struct permit permit = {0}, other = {0};

	permit_take(f->p, OTHER_WAY, GOOD, f->now, &permit);
	assert_int_equal(permit_take(f->p, OTHER_WAY, DEAD, f->now,
	    &other).answer, PERMIT_NEW);
	give(f, permit, PERMIT_DELIVERED);
	assert_int_equal(permit_look(f->p, OTHER_WAY, GOOD, f->now).room, 2);
	assert_int_equal(permit_take(f->p, OTHER_WAY, DEAD, f->now,
	    &other).answer, PERMIT_GRANTED);
	give(f, other, PERMIT_FAILED);
}

/* One that is under way keeps its place; the longest unused makes way. */
static void a_flood_of_domains(void **state)
{
	struct fix *f = *state;
	struct permit kept;

	meet(f, GOOD, PERMIT_DELIVERED);
	kept = get(f, GOOD);
	for (uint32_t i = 1; i <= 100000; i++) {
		f->now++;
		if (i != GOOD)
			meet(f, i, PERMIT_FAILED);
	}
	f->now += SECOND;
	give(f, kept, PERMIT_DELIVERED);
	kept = get(f, GOOD);
	assert_false(kept.unproven);
	give(f, kept, PERMIT_UNUSED);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_new_domain_has_two_at_once),
	    T(it_grows_to_a_quarter_of_the_slots),
	    T(three_failures_in_a_row_make_it_wait),
	    T(one_at_a_time_at_growing_intervals),
	    T(any_answer_ends_the_wait),
	    T(attempts_from_before_the_wait),
	    T(the_unproven_have_half_of_the_slots),
	    T(the_doubtful_have_a_quarter),
	    T(patience_grows),
	    T(a_slow_domain_stays_unproven),
	    T(others_need_none),
	    T(an_administrator_ends_the_wait),
	    T(a_narrow_egress),
	    T(a_flood_of_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
