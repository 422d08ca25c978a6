/* SPDX-License-Identifier: ISC
 *
 * Inside of the legs' health. From below to above: leg_health.c (a leg's
 * state and its changes), leg_faults.c (faults of the set-up, our own
 * questions, trials), leg_unknown.c (recipients that a leg no longer knows)
 * and leg_outcome.c (what an attempt says of its leg). Queue thread.
 */
#ifndef RELAY_SETTLE_LEG_HEALTH_INT_H
#define RELAY_SETTLE_LEG_HEALTH_INT_H

#include "relay/audit/event_table.h"
#include "relay/base/clock.h"
#include "relay/base/map.h"
#include "relay/settle/leg_health.h"
#include "relay/mail/addr.h"

enum {
	MINUTES = 10, /* of the window of unknown ones */
	FACT_REASON = 700,
	HEALTH_TEXT = 900, /* what an alarm says of a leg */
};

/* Where a fault was met: what a question of our own can say about it. */
enum met {
	MET_SESSION, /* before MAIL */
	MET_MAIL,
	MET_RCPT,
	MET_CONTENT,   /* behind RCPT: asking is no proof, a message is */
	MET_DIRECTORY, /* "unknown" of recipients that it knew */
};

enum suspended { NOT, BY_FAULT, BY_ADMIN };

/* Messages and sender domains that met a fault of the set-up since the last
 * delivery. */
struct run {
	unsigned number; /* a delivery begins the next */
	struct map messages, senders;
};

struct minute {
	int64_t at; /* minutes of the clock */
	unsigned unknown, delivered;
};

struct leg_state {
	enum suspended suspended;
	struct run run;
	int64_t tried_ms; /* or suspended; by fault: a trial follows */
	enum met met; /* where the last fault was met */
	bool asking;
	bool asked_good; /* about `good`, not about `faulted` */
	int64_t asked_ms;
	char faulted[ADDR_MAX + 1]; /* a recipient of the last fault, or "" */
	char fault[FACT_REASON];    /* what was said then */
	int64_t fault_told_ms; /* of a fault without a suspension; 0: none */
	char good[ADDR_MAX + 1]; /* got mail there, and when */
	int64_t good_ms;
	struct minute minute[MINUTES];
	struct map unknown; /* recipients in them, by hash */
	uint64_t disbelieved;
	unsigned disbelieved_run; /* with no delivery between */
	char down[200]; /* the last fault on the way to it; "" when none */
	int stale; /* attempts that began before the last throttle */
};

struct leg_health {
	struct shared *shared;
	struct alarms *alarms;
	const struct conf *conf; /* the queue thread's */
	struct leg_state leg[NAMES_MAX];
};

int64_t leg_now_ms(const struct leg_health *l);
/* A delivery or a question of our own ended the run of faults. */
void leg_run_reset(struct queue_thread *s, int leg);
void leg_suspend(struct queue_thread *s, int leg, enum alarm_kind kind,
    enum reply_class class, const char *reason);
void leg_resume(struct queue_thread *s, int leg, const char *reason);
const char *leg_health_name(const struct leg_health *l, int leg);

/* leg_faults.c: an attempt met a fault of the set-up; `r` is one of its
 * results. */
void leg_count_fault(struct queue_thread *s, const struct conf_leg *c,
    const struct outcome_letter *o, const struct result *r);
/* leg_unknown.c: an attempt delivered to so many recipients, and may have
 * met "unknown" of others. */
void leg_count_unknown(struct queue_thread *s, const struct conf_leg *c,
    const struct outcome_letter *o, unsigned delivered);

#endif
