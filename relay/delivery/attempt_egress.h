/* SPDX-License-Identifier: ISC
 *
 * The way out of an attempt, late as the route is (D1): whether the sender's
 * domain believes this egress is asked at each attempt, before it takes a
 * connection (E1, doc/egress.md). A worker's loop.
 */
#ifndef RELAY_DELIVERY_ATTEMPT_EGRESS_H
#define RELAY_DELIVERY_ATTEMPT_EGRESS_H

#include "relay/delivery/attempt.h"

/* Of the result of an attempt that waits for a way out (RFC 7372 3.2). */
#define NO_WAY_ENH "4.7.23"

enum egress_step {
	EGRESS_GO,    /* it may be sent by this egress */
	EGRESS_LATER, /* `go_on` is called, or it ends by itself */
	EGRESS_OVER,  /* it was given back, or waits for its next attempt */
};
/* For each attempt; one by the table goes at once. */
enum egress_step attempt_egress(struct attempt *at,
    void (*go_on)(struct attempt *at));
/* Waits for the answer to its question, without a slot of the ledger; what
 * ends the wait calls attempt_take_up() first. */
enum egress_step attempt_put_aside(struct attempt *at,
    void (*go_on)(struct attempt *at));
void attempt_take_up(struct attempt *at);
/* The message's sender under our SRS domain; NULL: it has no form there. */
const char *attempt_srs(struct attempt *at);
/* The sender that the egress is told: rewritten, or as it came. */
const char *attempt_egress_sender(struct attempt *at);
/* A dialog begins: the choice is an event. */
void attempt_egress_note(const struct attempt *at);

#endif
