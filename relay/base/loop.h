/* SPDX-License-Identifier: ISC
 *
 * One thread, one event_base: descriptors, timers, deferred calls. Nothing in
 * a loop is shared with another thread but loop_stop() and mailboxes.
 */
#ifndef RELAY_BASE_LOOP_H
#define RELAY_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/attr.h"
#include "relay/base/clock.h"
#include "relay/base/deadline.h"
#include "relay/base/list.h"

struct loop;
struct event;
struct event_base;

/* A loop or a mailbox got no descriptor (errno `no`): says so in the log and
 * ends the program with 1. */
PH_NORETURN void loop_no_descriptor(int no);
struct loop *loop_new(const struct clock *clock);
void loop_free(struct loop *l);
/* Runs until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l); /* any thread */
/* Handles what is ready (waiting at most `wait_ms`) and returns: for tests,
 * and where a program waits for one thing after the other. */
void loop_once(struct loop *l, int wait_ms);
/* Monotonic milliseconds, read once a turn of the loop. */
int64_t loop_now_ms(const struct loop *l);
/* When the next timer is due on the loop's clock; -1 if no timer is set. */
int64_t loop_next_ms(const struct loop *l);

enum { IO_READ = 1, IO_WRITE = 2 };

/* A watched descriptor. The descriptor stays the caller's. */
struct io {
	struct loop *loop;
	struct event *ev_read, *ev_write;
	void (*fn)(void *arg, int what); /* IO_READ, IO_WRITE, or both */
	void *arg;
	int fd, wanted;
	struct list turn; /* patient only: its place among the ready ones */
	int ready;	  /* patient only: what it is ready for */
	bool patient;
};
void io_init(struct io *io, struct loop *l, int fd,
    void (*fn)(void *arg, int what), void *arg);
void io_want(struct io *io, int what); /* replaces what was wanted */
/* From now on it comes behind all others that are ready, and only a few of its
 * kind come in one turn (eight, and more where hundreds are ready), in order of
 * being ready: before the next few the others are looked at again. A deferred
 * call of its owner is not counted. */
static inline void io_patient(struct io *io)
{
	io->patient = true;
}
/* Its input was read outside its callback: removes it from the queue of ready
 * ones. */
static inline void io_settled(struct io *io)
{
	list_remove(&io->turn);
	io->ready = 0;
}
void io_fini(struct io *io);	       /* no callback follows       */

/* A one-shot timer, on the clock of its loop: a clock that a test holds drives
 * it as well. */
struct timer {
	struct loop *loop;
	union {
		struct deadline deadline;
		struct event *ev; /* of a loop that is simulated */
	};
	void (*fn)(void *arg);
	void *arg;
	bool set;
};
void timer_init(struct timer *t, struct loop *l, void (*fn)(void *arg),
    void *arg);
void timer_set(struct timer *t, int64_t ms); /* from now; replaces */
void timer_del(struct timer *t);
void timer_fini(struct timer *t);

/* "Later, not from inside this call": runs in the same turn of the loop,
 * after the handlers that are active now, in order of loop_defer(); what a
 * patient descriptor asks for, with the next turn, which begins at once. */
struct defer {
	struct list node;
	void (*fn)(void *arg);
	void *arg;
};
void defer_init(struct defer *d, void (*fn)(void *arg), void *arg);
void loop_defer(struct loop *l, struct defer *d); /* twice is once */
/* The last of this turn: runs when no handler of it is left, before the loop
 * waits again. A call may add another with loop_at_end(); that one runs in
 * the same turn. For what gathers over a turn and is then done once. One list
 * or the other: `d` is not given to loop_defer() while it is pending here. */
void loop_at_end(struct loop *l, struct defer *d); /* twice is once */
void defer_cancel(struct defer *d);
bool defer_pending(const struct defer *d);

/* A signal as an event of this loop. */
struct event *loop_signal(struct loop *l, int signo,
    void (*fn)(void *arg, int signo), void *arg);
void loop_signal_free(struct event *ev);

#endif
