/* SPDX-License-Identifier: ISC
 *
 * recipient.legs: the state of each delivery of a recipient that was touched
 * in an hour, one line each, for people too: "0 cloud primary delivered". One
 * that was not created in that hour's file ends in the state that it had
 * before: "0 cloud primary delivered deferred".
 * For each delivery the newest file that names it is right. Pure.
 */
#ifndef RELAY_AUDIT_LEG_STATES_H
#define RELAY_AUDIT_LEG_STATES_H

#include "relay/base/delivery.h"
#include "relay/base/strbuf.h"

struct recipient_leg {
	uint32_t number; /* of the delivery in its message */
	enum role role;
	enum dstate state;
	enum dstate before; /* D_NONE: created in this file */
	struct slice leg;
};

void leg_states_print(struct strbuf *out, const struct recipient_leg *l);
/* Cuts the next line off `text`; false at the end. What is no such line is
 * passed over. */
bool leg_states_next(struct slice *text, struct recipient_leg *leg_out);

#endif
