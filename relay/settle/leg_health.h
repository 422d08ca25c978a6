/* SPDX-License-Identifier: ISC
 *
 * The legs as such, on the queue thread: which is suspended for a fault of
 * its set-up and when it is tried again, which is throttled, which disbelieves
 * our senders (D4, D5). Each change of a leg's state is a `leg` event.
 *
 * What suspends a leg: as many messages as its suspend_messages, of
 * suspend_senders sender domains, refused for its set-up with no delivery
 * between, unless a question of our own gets past the place where they were
 * refused; or the same said to a question of our own; or "unknown" of a fifth
 * of the recipients that it knew. What strangers write never does.
 */
#ifndef RELAY_SETTLE_LEG_HEALTH_H
#define RELAY_SETTLE_LEG_HEALTH_H

#include "relay/mail/addr.h"
#include "relay/settle/queue_thread.h"

struct legs;

struct legs *legs_new(struct app *a);
void legs_free(struct legs *l);
void legs_configure(struct legs *l, struct conf *c);

/* What an attempt says of its leg. Before the queue hears of its rows. */
void legs_outcome(struct settle *s, const struct outcome_letter *o);
/* Trials that are due. Ms until the next. */
int legs_step(struct settle *s);

/* An administrator's word, when it is in the journal: the fact "leg.NAME", as
 * it says why it is suspended; empty: it is not. */
void legs_decided(struct settle *s, int leg, struct slice fact);
/* As the fact "leg.NAME" says; before the queue runs. */
void legs_restore(struct settle *s, int leg, struct slice fact);
/* The reason in such a fact, for people. */
struct slice legs_reason(struct slice fact);

struct leg_view {
	uint64_t disbelieved; /* messages, since the start */
	bool by_fault;	      /* suspended, and tried again by itself */
	char down[200];	      /* why it cannot be reached; "": it can be */
};
struct leg_view legs_view(const struct settle *s, int leg);
/* The recipient whose mail the leg took last, if that was today. Queue
 * thread. */
bool legs_good_recipient(const struct settle *s, int leg,
    char to_out[ADDR_MAX + 1]);
/* Counts the deliveries that ended a run of faults. */
unsigned legs_run(const struct settle *s, int leg);

/* A `leg` event. `who`: of an administrator's word, else "". Any thread. */
void leg_note(struct app *a, const char *leg, const char *state,
    const char *class, const char *reason, const char *who);

/* What a question of our own was answered (relay/delivery/legask.c). */
struct leg_answer {
	int leg;
	unsigned run; /* given back */
	enum reply_class class;
	bool taken;
	bool at_rcpt; /* RCPT was answered, so MAIL was taken */
	char said[400];
};
void legs_answered(struct settle *s, const struct leg_answer *answer);
/* Asks from a worker: MAIL FROM our postmaster, RCPT, RSET, in spite of shut
 * gates. Exactly one legs_answered() follows on the queue thread, unless the
 * daemon stops. */
void legask_send(struct app *a, int leg, unsigned run, const char *to);

#endif
