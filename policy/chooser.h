/* SPDX-License-Identifier: ISC
 *
 * The table, or something else, decides where a recipient's mail goes. Asked
 * when it is accepted, when its routes are looked up anew, and at each attempt.
 * Pure; any thread.
 */
#ifndef POLICY_CHOOSER_H
#define POLICY_CHOOSER_H

#include "conf/conf.h"
#include "relay/mail/envelope.h"

enum chooser {
	CHOOSER_TABLE,	/* the cutover table: route_resolve() */
	CHOOSER_NOTICE, /* a notice of ours to a stranger: dsn.via, once */
	CHOOSER_EGRESS, /* to the internet: egress_choose(), at each attempt */
};

/* Is it at a domain that has a section? */
bool addr_is_ours(const struct conf *c, const struct addr *a);
/* Of a recipient of that message. Mail of a client without a right to send to
 * the outside has no egress, unless an SRS address led it there; a recipient of
 * it whose domain left the configuration is the table's, which has no route for
 * it. */
enum chooser recipient_chooser(const struct conf *c, const struct envelope *e,
    const struct addr *to);

#endif
