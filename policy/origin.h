/* SPDX-License-Identifier: ISC
 *
 * Where mail comes from, and what follows: never to the leg it came from
 * (D6, doc/routing.md). Pure but for the table's lookups; any thread.
 */
#ifndef POLICY_ORIGIN_H
#define POLICY_ORIGIN_H

#include "policy/route.h"

/* The leg that has the client's address among its own; NULL: none. */
const struct conf_leg *origin_leg(const struct conf *c,
    const struct sockaddr *client);

/* The mail comes from that leg, which is taken out of the route of an accepted
 * recipient; what is held waits for its route as it will be. When none is left
 * it is VERDICT_REFUSE with the reply of origin_refuse(). `t` as in
 * route_decide(). */
struct origin_mail {
	int leg;
	const struct addr *to;
	int64_t now_us;
};
void origin_decide(const struct conf *c, struct table *t,
    const struct origin_mail *mail, struct decision *d);

/* 554 5.4.6, or 451 4.4.6 in the grace period: the mailbox may not be where
 * the leg looks for it yet. */
void origin_refuse(struct reply *r, bool grace, struct slice to);
/* Was the recipient flipped less than retry.grace ago? True also when that
 * cannot be read: a client that is told to wait loses nothing. */
bool origin_in_grace(const struct conf *c, struct table *t,
    const struct decision *d, int64_t now_us);

#endif
