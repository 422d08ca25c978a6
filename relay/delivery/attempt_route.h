/* SPDX-License-Identifier: ISC
 *
 * The route of an attempt: at its start, and at its end.
 */
#ifndef RELAY_DELIVERY_ATTEMPT_ROUTE_H
#define RELAY_DELIVERY_ATTEMPT_ROUTE_H

#include "relay/delivery/attempt.h"

/* Looks up all recipients in one read transaction, and fills the request's.
 * False: nothing is left to send; *later: the table could not be asked. */
bool attempt_resolve(struct attempt *at, bool *later);
/* When the dialog is over: what the table says by now goes into the letter,
 * and what failed under a route that cannot be read is deferred. */
void attempt_look_again(const struct attempt *at, struct outcome_letter *o);
/* Asks the table which recipients have no row of their own, for the guard of
 * notices that no dialog comes before. */
void attempt_know_strangers(struct attempt *at);

#endif
