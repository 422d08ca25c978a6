/* SPDX-License-Identifier: ISC
 *
 * The wave thread: steps of all waves (wave_run.h) on the daemon's clock, and
 * the commands of waves. It writes the table by changes of its own, which the
 * table thread follows like any other.
 */
#ifndef RELAY_CUTOVER_WAVE_WAVE_THREAD_H
#define RELAY_CUTOVER_WAVE_WAVE_THREAD_H

#include "relay/cutover/wave/wave_run.h"
#include "relay/post/conf_snapshot.h"
#include "relay/post/shared.h"

struct alarms;
struct wave_thread;

/* The events go to the journal of `sh`, which outlives it, as `alarms` does. */
struct wave_thread *wave_thread_new(struct shared *sh, struct alarms *alarms,
    struct conf_snapshot *snapshot);
int wave_thread_start(struct wave_thread *t, struct error *err) PH_CHECK;
/* Any thread. */
void wave_thread_configure(struct wave_thread *t, struct conf_snapshot *s);
/* Waits for the transaction in hand. NULL is fine, here and below. */
void wave_thread_stop(struct wave_thread *t);
void wave_thread_free(struct wave_thread *t);

/* fn(arg) on the wave thread, between two steps. Any thread. */
void wave_thread_ask(struct wave_thread *t, void (*fn)(void *arg), void *arg);
/* Calls the functions that were asked for: its thread, or the caller after
 * wave_thread_stop(). */
void wave_thread_answer(struct wave_thread *t);
/* Answers, and makes a step. Returns when it wants another, ms from now.
 * Its thread, or a test. */
int wave_thread_step(struct wave_thread *t);
/* wave_run_order() at this time; by a function that was asked for. */
int wave_thread_order(struct wave_thread *t, struct wave_order *order,
    struct wave_ordered *out, struct error *err) PH_CHECK;
/* When the wave's last preflight began, wall us; 0: it had none. By a function
 * that was asked for. */
int64_t wave_thread_preflight(struct wave_thread *t, const struct wave *w);
/* wave_run_look(); by a function that was asked for. */
int wave_thread_look(struct wave_thread *t, const char *name,
    struct wave_seen *out, struct error *err) PH_CHECK;

#endif
