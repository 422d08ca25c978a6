/* SPDX-License-Identifier: ISC
 *
 * Cooperative threads on one simulated clock.
 */
#include "tests/sim/sim_task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "relay/base/clock.h"
#include "relay/base/list.h"
#include "relay/base/mem.h"
#include "tests/sim/sim_trace.h"

enum {
	STACK_BYTES = 512 << 10,
	SWITCH_US = 20, /* a turn of a task costs up to so much */
	/* Far more than a run needs: what reaches it never ends. */
	SWITCHES_MAX = 40 * 1000 * 1000,
};

enum task_state { TASK_READY, TASK_WAITS, TASK_OVER, TASK_DEAD };

struct task {
	struct list node;
	ucontext_t context;
	enum task_side side;
	enum task_state state;
	const char *name;
	void *(*fn)(void *arg);
	void *arg;
	void *stack;
	int64_t until_us;
	struct task *joins; /* waits for its end */
};

struct moment {
	struct list node;
	int64_t at_us;
	void (*fn)(void *arg);
	void *arg;
};

static struct {
	struct list tasks, moments;
	struct task *running;
	ucontext_t scheduler;
	int64_t mono_us, wall_ahead_us;
	uint64_t switches;
	void (*after_step)(void);
} world;

struct rng_seeded sim_rng;

/* ---- clocks and random numbers ---- */

static int64_t read_mono(const struct clock *c)
{
	(void)c;
	return world.mono_us;
}

static int64_t read_wall(const struct clock *c)
{
	(void)c;
	return world.mono_us + world.wall_ahead_us;
}

const struct clock sim_clock = {read_mono, read_wall};

int64_t sim_now_us(void)
{
	return world.mono_us;
}

int64_t sim_wall_us(void)
{
	return world.mono_us + world.wall_ahead_us;
}

void sim_clock_jump(int64_t us)
{
	world.wall_ahead_us += us;
}

uint64_t sim_below(uint64_t n)
{
	return rng_below(&sim_rng.rng, n);
}

bool sim_chance(unsigned percent)
{
	return sim_below(100) < percent;
}

void task_setup(uint64_t seed, int64_t wall_us)
{
	list_init(&world.tasks);
	list_init(&world.moments);
	rng_seeded_init(&sim_rng, seed);
	world.mono_us = 1000000;
	world.wall_ahead_us = wall_us - world.mono_us;
}

/* ---- tasks ---- */

static void begin(void)
{
	struct task *t = world.running;

	t->fn(t->arg);
	t->state = TASK_OVER;
	task_wake(t->joins);
	swapcontext(&t->context, &world.scheduler);
}

struct task *task_new(enum task_side side, const char *name,
    void *(*fn)(void *arg), void *arg)
{
	struct task *t = NEW(struct task);

	*t = (struct task){.side = side, .name = name, .fn = fn, .arg = arg,
	    .until_us = INT64_MAX};
	t->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (t->stack == MAP_FAILED)
		mem_exhausted(STACK_BYTES);
	getcontext(&t->context);
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = STACK_BYTES;
	makecontext(&t->context, begin, 0);
	list_push_back(&world.tasks, &t->node);
	return t;
}

static void task_free(struct task *t)
{
	list_remove(&t->node);
	munmap(t->stack, STACK_BYTES);
	mem_free(t);
}

struct task *task_self(void)
{
	return world.running;
}

enum task_side task_side(void)
{
	return world.running == NULL ? SIDE_WORLD : world.running->side;
}

const char *task_name(void)
{
	return world.running == NULL ? "-" : world.running->name;
}

bool task_over(const struct task *t)
{
	return t->state == TASK_OVER;
}

void task_join(struct task *t)
{
	t->joins = world.running;
	while (t->state != TASK_OVER)
		task_wait_until(INT64_MAX);
	task_free(t);
}

/* Their stacks stay: what a peer of theirs still holds may point there. */
void task_kill_daemon(void)
{
	list_each_safe(n, &world.tasks) {
		struct task *t = LIST_ENTRY(n, struct task, node);

		if (t->side != SIDE_DAEMON)
			continue;
		t->state = TASK_DEAD;
		list_remove(&t->node);
	}
}

static void switch_out(void)
{
	struct task *t = world.running;
	int no = errno;

	swapcontext(&t->context, &world.scheduler);
	errno = no;
}

void task_yield(void)
{
	if (world.running != NULL)
		switch_out();
}

void task_maybe_yield(void)
{
	if (world.running != NULL && sim_below(8) == 0)
		switch_out();
}

void task_wait_until(int64_t mono_us)
{
	struct task *t = world.running;

	t->state = TASK_WAITS;
	t->until_us = mono_us;
	switch_out();
}

void task_sleep_us(int64_t us)
{
	int64_t end = world.mono_us + us;

	while (world.running != NULL && world.mono_us < end)
		task_wait_until(end);
}

void task_wake(struct task *t)
{
	if (t != NULL && t->state == TASK_WAITS)
		t->state = TASK_READY;
}

void task_at(int64_t mono_us, void (*fn)(void *arg), void *arg)
{
	struct moment *m = NEW(struct moment);
	struct list *at = world.moments.next;

	*m = (struct moment){.at_us = mono_us, .fn = fn, .arg = arg};
	list_node_init(&m->node);
	while (at != &world.moments &&
	       LIST_ENTRY(at, struct moment, node)->at_us <= mono_us)
		at = at->next;
	list_insert_before(at, &m->node);
}

/* ---- the scheduler ---- */

static void run_moments(void)
{
	struct moment *m;

	while ((m = LIST_FIRST(&world.moments, struct moment, node)) != NULL &&
	       m->at_us <= world.mono_us) {
		list_remove(&m->node);
		m->fn(m->arg);
		mem_free(m);
	}
}

/* Makes those ready whose time has come; counts the ready ones, and finds
 * the next moment that something waits for. */
static unsigned count_ready(int64_t *next_us)
{
	struct moment *m = LIST_FIRST(&world.moments, struct moment, node);
	unsigned n = 0;

	*next_us = m == NULL ? INT64_MAX : m->at_us;
	list_each(node, &world.tasks) {
		struct task *t = LIST_ENTRY(node, struct task, node);

		if (t->state == TASK_WAITS && t->until_us <= world.mono_us)
			t->state = TASK_READY;
		if (t->state == TASK_WAITS && t->until_us < *next_us)
			*next_us = t->until_us;
		n += t->state == TASK_READY;
	}
	return n;
}

static struct task *ready_one(unsigned which)
{
	list_each(node, &world.tasks) {
		struct task *t = LIST_ENTRY(node, struct task, node);

		if (t->state == TASK_READY && which-- == 0)
			return t;
	}
	return NULL;
}

static void run_one(struct task *t)
{
	if (++world.switches > SWITCHES_MAX)
		sim_fail("the run does not end: %s runs for ever", t->name);
	if (getenv("SIM_SWITCHES") != NULL)
		trace_line("run %s %llx", t->name,
		    (unsigned long long)sim_rng.state);
	world.running = t;
	swapcontext(&world.scheduler, &t->context);
	world.running = NULL;
	if (t->side == SIDE_DAEMON && world.after_step != NULL)
		world.after_step();
	world.mono_us += 1 + (int64_t)sim_below(SWITCH_US);
}

void task_after_steps(void (*fn)(void))
{
	world.after_step = fn;
}

void task_run(const bool *stop)
{
	int64_t next;
	unsigned n;

	while (!*stop) {
		run_moments();
		n = count_ready(&next);
		if (n > 0)
			run_one(ready_one((unsigned)sim_below(n)));
		else if (next == INT64_MAX)
			sim_fail("everything waits, and nothing can come");
		else
			world.mono_us = next;
	}
}
