/* SPDX-License-Identifier: ISC
 *
 * Cooperative threads on one simulated clock. The daemon's threads are tasks
 * (pthread_create is redirected here), and so are the peers, the
 * administrator and the scenario. One task runs until it waits; which of
 * those that are ready runs next is drawn from the seed. When none is ready
 * the clock moves on to the next moment that something waits for.
 */
#ifndef TESTS_SIM_SIM_TASK_H
#define TESTS_SIM_SIM_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/rng.h"

struct clock;
struct task;

enum task_side {
	SIDE_WORLD,  /* peers, administrator, scenario: survive a crash */
	SIDE_DAEMON, /* the process under test                          */
};

/* Sets up the clocks and the random numbers of this run. */
void task_setup(uint64_t seed, int64_t wall_us);
struct task *task_new(enum task_side side, const char *name,
    void *(*fn)(void *arg), void *arg);
struct task *task_self(void); /* NULL outside of all */
enum task_side task_side(void);
const char *task_name(void);
bool task_over(const struct task *t);
/* Waits for the end of `t` and frees it. */
void task_join(struct task *t);
/* The process dies: its tasks never run again. Called by a task of the
 * world. */
void task_kill_daemon(void);

/* Lets others run; comes back in the same or a later moment. */
void task_yield(void);
/* Now and then, as the seed says: a place where threads may interleave. */
void task_maybe_yield(void);
void task_sleep_us(int64_t us);
/* Until task_wake(), or this moment (INT64_MAX: for ever). May come back
 * early: look again at what was waited for. */
void task_wait_until(int64_t mono_us);
void task_wake(struct task *t); /* NULL is fine */
/* fn(arg) at that moment, outside of all tasks. */
void task_at(int64_t mono_us, void (*fn)(void *arg), void *arg);

/* Runs everything until `stop` says so. */
void task_run(const bool *stop);
/* fn() after each step of a task of the daemon, outside of all tasks. */
void task_after_steps(void (*fn)(void));

/* ---- the simulated clocks ---- */

extern const struct clock sim_clock;
int64_t sim_now_us(void); /* monotonic */
int64_t sim_wall_us(void);
void sim_clock_jump(int64_t us); /* the wall clock is set */

/* ---- random numbers of this run ---- */

extern struct rng_seeded sim_rng; /* of the simulation */
uint64_t sim_below(uint64_t n);
bool sim_chance(unsigned percent);

#endif
