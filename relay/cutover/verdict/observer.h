/* SPDX-License-Identifier: ISC
 *
 * Counts for verdicts how long listeners were open while mail was taken, by a
 * clock that is never set, and keeps it in observed.db with the mail that came
 * from legs. A thread of its own, which may wait for the disk.
 *
 * Only time counts that lies between two looks, at both of which the listener
 * was there and mail was taken. So a daemon that does not run, a listener that
 * is closed and a clock that is set add nothing.
 */
#ifndef RELAY_CUTOVER_VERDICT_OBSERVER_H
#define RELAY_CUTOVER_VERDICT_OBSERVER_H

#include "relay/post/conf_snapshot.h"
#include "relay/post/shared.h"

struct from_legs;
struct observer;

struct observer_config {
	struct shared *shared;
	struct conf_snapshot *snapshot;
	struct from_legs *from_legs;
	const char *dir; /* of observed.db; outlives it */
	/* Would a client that comes now find its mail taken? Any thread. */
	bool (*takes_mail)(void *arg);
	void *arg;
};
struct observer *observer_new(const struct observer_config *c);
int observer_start(struct observer *o, struct error *err) PH_CHECK;
/* Any thread. */
void observer_configure(struct observer *o, struct conf_snapshot *s);
/* Writes what is not on the disk yet. NULL is fine, here and below. */
void observer_stop(struct observer *o);
void observer_free(struct observer *o);

/* Has what it counted written, then calls fn(arg) on its thread. Any thread;
 * after observer_stop() by observer_answer() of the caller. */
void observer_ask(struct observer *o, void (*fn)(void *arg), void *arg);
void observer_answer(struct observer *o);
/* Why the last writing failed; "": it did not. In `fn` of observer_ask(). */
const char *observer_fault(const struct observer *o);

/* A look, and the writing when it is due, or `now`. Its thread, or a test. */
void observer_step(struct observer *o, bool now);

#endif
