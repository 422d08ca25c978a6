/* SPDX-License-Identifier: ISC
 *
 * The legs as such, on the queue thread: which is suspended for a fault of
 * its set-up and when it is tried again, which is throttled, which disbelieves
 * our senders (D4, D5). Each change of a leg's state is a `leg` event.
 *
 * Any of these suspends a leg: as many messages as its suspend_messages, of
 * suspend_senders sender domains, refused for its set-up with no delivery
 * between, unless a question of our own gets past the place where they were
 * refused; or the same said to a question of our own; or "unknown" of a fifth
 * of the recipients that it knew. Text that strangers write never does.
 */
#ifndef RELAY_SETTLE_LEG_HEALTH_H
#define RELAY_SETTLE_LEG_HEALTH_H

#include "relay/mail/addr.h"
#include "relay/post/queue_letters.h"
#include "relay/post/shared.h"

struct alarms;
struct queue_thread;

struct leg_health;

struct leg_health *leg_health_new(struct shared *sh, struct alarms *alarms,
    const struct conf *c);
void leg_health_free(struct leg_health *l);
/* `c` stays the queue thread's, which counts it. */
void leg_health_configure(struct leg_health *l, const struct conf *c);

/* Takes what an attempt says of its leg. Before the queue hears of its
 * rows. */
void leg_outcome(struct queue_thread *s, const struct outcome_letter *o);
/* Trials that are due. Ms until the next. */
int leg_step(struct queue_thread *s);

/* An administrator's word, when it is in the journal: the fact "leg.NAME", as
 * it says why it is suspended; empty: it is not. */
void leg_decided(struct queue_thread *s, int leg, struct slice fact);
/* As the fact "leg.NAME" says; before the queue runs. */
void leg_restore(struct queue_thread *s, int leg, struct slice fact);
/* The reason in such a fact, for people. */
struct slice leg_fact_reason(struct slice fact);

struct leg_view {
	uint64_t disbelieved; /* messages, since the start */
	bool by_fault;	      /* suspended, and tried again by itself */
	char down[200];	      /* why it cannot be reached; "": it can be */
};
struct leg_view leg_look(const struct queue_thread *s, int leg);
/* The recipient whose mail the leg took last, if that was today. Queue
 * thread. */
bool leg_good_recipient(const struct queue_thread *s, int leg,
    char to_out[ADDR_MAX + 1]);
/* Counts the deliveries that ended a run of faults. */
unsigned leg_run(const struct queue_thread *s, int leg);

/* A `leg` event. */
struct leg_event {
	const char *leg, *state, *class, *reason;
	const char *who; /* whose word it is; NULL: its own */
};
/* Any thread. */
void leg_note(struct shared *sh, const struct leg_event *e);

/* Takes the answer to a question of our own
 * (relay/delivery/ask_doubt.c). */
void leg_answered(struct queue_thread *s, const struct question_letter *a);

#endif
