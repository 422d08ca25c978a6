/* SPDX-License-Identifier: ISC
 *
 * Judges the reply "unknown recipient" of a leg (D5): soon after a flip the
 * mailbox is not there yet, and a leg that took mail for the recipient last
 * week has most likely forgotten it by mistake.
 */
#ifndef RELAY_DELIVERY_UNKNOWN_H
#define RELAY_DELIVERY_UNKNOWN_H

#include "relay/delivery/attempt.h"

struct unknown_facts {
	int64_t now_us;
	int64_t created_us; /* the delivery: its lifetime counts from there */
	bool in_grace;	    /* its row was flipped less than retry.grace ago */
	bool began_in_grace; /* … or it was when the delivery was created */
	bool known;	    /* delivered on that leg within retry.known */
};

enum unknown_means {
	UNKNOWN_IS_FINAL, /* as any other refusal: bounced, a copy parked  */
	UNKNOWN_WAITS,
	UNKNOWN_IS_PARKED, /* kept for an administrator, no notice */
};

/* Pure.
 *
 * In the grace period after the flip the delivery waits. One that began in it
 * is parked when it is over: the mailbox was promised, so an administrator has
 * to look. For a recipient known on that leg it waits for retry.known_wait
 * from the beginning of the delivery, and then the leg is believed. */
enum unknown_means unknown_means(const struct conf *c,
    const struct unknown_facts *f);

/* Was mail for that address, as it is written, delivered on the leg in the last
 * retry.known? */
bool unknown_delivered(const struct worker *w, int leg, const struct addr *to,
    int64_t now_us);

/* Of row `i`, which failed; `d` is the table's decision about its recipient
 * now, `t` is inside a read transaction. Sets outcome, `known` and `park`.
 * False: the table cannot be read. A worker's loop. */
bool unknown_judge(const struct attempt *at, struct table *t,
    const struct decision *d, struct outcome_letter *o, unsigned i);

#endif
