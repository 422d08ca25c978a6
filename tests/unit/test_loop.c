/* SPDX-License-Identifier: ISC
 *
 * Deadlines, and the timers of a loop on a clock that the test holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/deadline.h"
#include "relay/base/loop.h"
#include "relay/base/mem.h"
#include "relay/base/rng.h"

enum { NODES = 300, STEPS = 20000, TIMES = 50 };

/* The first of `d` that is in the heap, by looking at each. */
static const struct deadline *first_of(const struct deadline d[NODES])
{
	const struct deadline *first = NULL;

	for (int i = 0; i < NODES; i++)
		if (d[i].place != 0 &&
		    (first == NULL || d[i].at_ms < first->at_ms ||
			(d[i].at_ms == first->at_ms &&
			    d[i].nth < first->nth)))
			first = &d[i];
	return first;
}

static void the_earliest_deadline_is_first(void **state)
{
	static struct deadline d[NODES];
	struct deadlines h = {0};
	struct rng_seeded rng;

	(void)state;
	rng_seeded_init(&rng, 7);
	for (int step = 0; step < STEPS; step++) {
		struct deadline *one = &d[rng_below(&rng.rng, NODES)];

		if (one->place != 0 && rng_below(&rng.rng, 3) > 0)
			one = deadlines_first(&h);
		if (one->place != 0)
			deadlines_remove(&h, one);
		else
			deadlines_add(
			    &h, one, (int64_t)rng_below(&rng.rng, TIMES));
		assert_ptr_equal(deadlines_first(&h), first_of(d));
	}
	for (int i = 0; i < NODES; i++)
		deadlines_remove(&h, &d[i]);
	assert_null(deadlines_first(&h));
	deadlines_fini(&h);
}

struct world {
	struct clock_fake clock;
	struct loop *loop;
	struct timer t[4];
	struct defer soon, last, very_last;
	char ran[16]; /* the letters of those that ran, in order */
	int count;
};

static void note(struct world *w, char letter)
{
	assert_true(w->count + 1 < (int)sizeof(w->ran));
	w->ran[w->count++] = letter;
}

static void on_first(void *arg)
{
	note(arg, 'a');
}

static void on_second(void *arg)
{
	note(arg, 'b');
}

/* Sets itself again, due at once, and takes back the second. */
static void on_busy(void *arg)
{
	struct world *w = arg;

	note(w, 'c');
	timer_set(&w->t[2], 0);
	timer_del(&w->t[1]);
}

static void on_soon(void *arg)
{
	note(arg, 's');
}

static void on_last(void *arg)
{
	struct world *w = arg;

	note(w, 'l');
	loop_at_end(w->loop, &w->very_last);
}

static void on_very_last(void *arg)
{
	note(arg, 'v');
}

/* Asks twice for the last call, and for one in this turn. */
static void on_third(void *arg)
{
	struct world *w = arg;

	loop_at_end(w->loop, &w->last);
	loop_at_end(w->loop, &w->last);
	loop_defer(w->loop, &w->soon);
	note(w, 'd');
}

static int setup(void **state)
{
	struct world *w = NEW(struct world);

	clock_fake_init(&w->clock, 0);
	w->loop = loop_new(&w->clock.clock);
	timer_init(&w->t[0], w->loop, on_first, w);
	timer_init(&w->t[1], w->loop, on_second, w);
	timer_init(&w->t[2], w->loop, on_busy, w);
	timer_init(&w->t[3], w->loop, on_third, w);
	defer_init(&w->soon, on_soon, w);
	defer_init(&w->last, on_last, w);
	defer_init(&w->very_last, on_very_last, w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 4; i++)
		timer_fini(&w->t[i]);
	loop_free(w->loop);
	mem_free(w);
	return 0;
}

static void step_ms(struct world *w, int64_t ms)
{
	clock_fake_step(&w->clock, ms * 1000);
	loop_once(w->loop, 0);
}

static void a_timer_runs_when_the_clock_of_its_loop_says(void **state)
{
	struct world *w = *state;
	int64_t now_ms = loop_now_ms(w->loop);

	assert_int_equal(loop_next_ms(w->loop), -1);
	timer_set(&w->t[0], 86400000);
	timer_set(&w->t[1], 5000);
	assert_int_equal(loop_next_ms(w->loop), now_ms + 5000);
	step_ms(w, 4999);
	assert_string_equal(w->ran, "");
	step_ms(w, 1);
	assert_string_equal(w->ran, "b");
	assert_false(w->t[1].set);
	assert_true(w->t[0].set);
	assert_int_equal(loop_next_ms(w->loop), now_ms + 86400000);
	step_ms(w, 86400000);
	assert_string_equal(w->ran, "ba");
	assert_int_equal(loop_next_ms(w->loop), -1);
}

static void timers_of_one_moment_run_in_their_order(void **state)
{
	struct world *w = *state;

	timer_set(&w->t[1], 10);
	timer_set(&w->t[0], 10);
	step_ms(w, 1000);
	assert_string_equal(w->ran, "ba");
}

static void a_timer_is_replaced_and_taken_back(void **state)
{
	struct world *w = *state;

	timer_set(&w->t[0], 10);
	timer_set(&w->t[0], 20);
	timer_set(&w->t[1], 10);
	timer_del(&w->t[1]);
	timer_del(&w->t[1]);
	step_ms(w, 19);
	assert_string_equal(w->ran, "");
	step_ms(w, 1);
	assert_string_equal(w->ran, "a");
	step_ms(w, 1000);
	assert_string_equal(w->ran, "a");
}

/* It would starve the sockets in the same turn. */
static void what_a_timer_sets_runs_in_the_next_turn(void **state)
{
	struct world *w = *state;

	timer_set(&w->t[2], 10);
	timer_set(&w->t[1], 11);
	timer_set(&w->t[0], 12);
	step_ms(w, 1000);
	assert_string_equal(w->ran, "ca");
	loop_once(w->loop, 0);
	assert_string_equal(w->ran, "cac");
}

static void the_end_of_a_turn_is_behind_all_its_handlers(void **state)
{
	struct world *w = *state;

	timer_set(&w->t[3], 10);
	timer_set(&w->t[0], 10);
	step_ms(w, 10);
	assert_string_equal(w->ran, "daslv");
	loop_once(w->loop, 0);
	assert_string_equal(w->ran, "daslv");
}

static void what_is_asked_for_between_turns_does_not_wait_for_one(
    void **state)
{
	struct world *w = *state;

	loop_at_end(w->loop, &w->soon);
	loop_at_end(w->loop, &w->very_last);
	defer_cancel(&w->very_last);
	timer_set(&w->t[0], 0);
	loop_once(w->loop, 0);
	assert_string_equal(w->ran, "sa");
}

/* ---- those that are patient ---- */

enum { CROWD = 30, MANY = 640 };

struct crowd;

struct one {
	struct crowd *crowd;
	struct io io;
	int fd, times;
};

struct crowd {
	struct loop *loop;
	struct one patient[MANY], urgent;
	int n; /* of `patient` */
	int order[2 * MANY]; /* patient ones, as they were served */
	int served;
	int ahead; /* served when the urgent one was */
};

static void ring(struct one *o)
{
	uint64_t one = 1;

	assert_int_equal(write(o->fd, &one, sizeof(one)), sizeof(one));
}

static void hush(struct one *o)
{
	uint64_t n;

	assert_int_equal(read(o->fd, &n, sizeof(n)), sizeof(n));
	o->times++;
}

/* The first makes the urgent one ready. */
static void on_patient(void *arg, int what)
{
	struct one *o = arg;
	struct crowd *c = o->crowd;

	assert_int_equal(what, IO_READ);
	hush(o);
	if (c->served == 0)
		ring(&c->urgent);
	c->order[c->served++] = (int)(o - c->patient);
}

static void on_urgent(void *arg, int what)
{
	struct one *o = arg;

	(void)what;
	hush(o);
	o->crowd->ahead = o->crowd->served;
}

static void one_init(struct crowd *c, struct one *o,
    void (*fn)(void *arg, int what))
{
	o->crowd = c;
	o->fd = eventfd(0, EFD_NONBLOCK);
	assert_true(o->fd >= 0);
	io_init(&o->io, c->loop, o->fd, fn, o);
	io_want(&o->io, IO_READ);
}

static int crowd_of(void **state, int n)
{
	struct crowd *c = NEW(struct crowd);

	c->loop = loop_new(&clock_system);
	c->n = n;
	for (int i = 0; i < n; i++) {
		one_init(c, &c->patient[i], on_patient);
		io_patient(&c->patient[i].io);
		ring(&c->patient[i]);
	}
	one_init(c, &c->urgent, on_urgent);
	*state = c;
	return 0;
}

static int crowd_setup(void **state)
{
	return crowd_of(state, CROWD);
}

static int many_setup(void **state)
{
	return crowd_of(state, MANY);
}

static void one_fini(struct one *o)
{
	io_fini(&o->io);
	close(o->fd);
}

static int crowd_teardown(void **state)
{
	struct crowd *c = *state;

	for (int i = 0; i < c->n; i++)
		one_fini(&c->patient[i]);
	one_fini(&c->urgent);
	loop_free(c->loop);
	mem_free(c);
	return 0;
}

static void what_is_urgent_waits_for_a_few_patient_ones_alone(void **state)
{
	struct crowd *c = *state;

	for (int i = 0; i < CROWD && c->served < CROWD; i++)
		loop_once(c->loop, 0);
	assert_int_equal(c->served, CROWD);
	assert_int_equal(c->urgent.times, 1);
	assert_true(c->ahead < CROWD / 2);
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(c->patient[i].times, 1);
}

/* Each is served once before one of them is served again. */
static void patient_ones_take_turns(void **state)
{
	struct crowd *c = *state;
	bool seen[CROWD] = {false};

	loop_once(c->loop, 0);
	assert_true(c->served > 0 && c->served < CROWD);
	for (int i = 0; i < c->served; i++)
		ring(&c->patient[c->order[i]]);
	for (int i = 0; i < CROWD && c->served < CROWD; i++)
		loop_once(c->loop, 0);
	for (int i = 0; i < CROWD; i++)
		seen[c->order[i]] = true;
	for (int i = 0; i < CROWD; i++)
		assert_true(seen[i]);
}

static void a_patient_one_that_is_settled_or_gone_is_not_served(void **state)
{
	struct crowd *c = *state;
	int before;

	loop_once(c->loop, 0);
	before = c->served;
	for (int i = 0; i < CROWD; i++) {
		if (c->patient[i].times > 0)
			continue;
		hush(&c->patient[i]);
		if (i % 3 == 0)
			io_settled(&c->patient[i].io);
		else if (i % 3 == 1)
			io_want(&c->patient[i].io, 0);
		else
			io_fini(&c->patient[i].io);
	}
	for (int i = 0; i < CROWD; i++)
		loop_once(c->loop, 0);
	assert_true(before < CROWD);
	assert_int_equal(c->served, before);
}

/* Each turn hears of all that are ready, so it must not serve eight of any
 * number. */
static void where_many_are_ready_more_of_them_come_in_a_turn(void **state)
{
	struct crowd *c = *state;
	int turns = 0;

	while (c->served < MANY && turns < MANY) {
		loop_once(c->loop, 0);
		turns++;
	}
	assert_int_equal(c->served, MANY);
	assert_true(turns > 8 && turns < MANY / 12);
	assert_true(c->ahead < MANY / 4);
}

static void no_timer_is_early_on_the_true_clock(void **state)
{
	struct world w = {.loop = loop_new(&clock_system)};
	int64_t begun_ms = clock_mono_ms(&clock_system);

	(void)state;
	timer_init(&w.t[0], w.loop, on_first, &w);
	timer_set(&w.t[0], 30);
	for (int i = 0; i < 1000 && w.count == 0; i++)
		loop_once(w.loop, 1000);
	assert_string_equal(w.ran, "a");
	assert_true(clock_mono_ms(&clock_system) - begun_ms >= 30);
	loop_free(w.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_earliest_deadline_is_first),
	    cmocka_unit_test_setup_teardown(
		a_timer_runs_when_the_clock_of_its_loop_says, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		timers_of_one_moment_run_in_their_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_timer_is_replaced_and_taken_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		what_a_timer_sets_runs_in_the_next_turn, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		the_end_of_a_turn_is_behind_all_its_handlers, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		what_is_asked_for_between_turns_does_not_wait_for_one, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(
		what_is_urgent_waits_for_a_few_patient_ones_alone, crowd_setup,
		crowd_teardown),
	    cmocka_unit_test_setup_teardown(
		patient_ones_take_turns, crowd_setup, crowd_teardown),
	    cmocka_unit_test_setup_teardown(
		a_patient_one_that_is_settled_or_gone_is_not_served,
		crowd_setup, crowd_teardown),
	    cmocka_unit_test_setup_teardown(
		where_many_are_ready_more_of_them_come_in_a_turn,
		many_setup, crowd_teardown),
	    cmocka_unit_test(no_timer_is_early_on_the_true_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
