/* SPDX-License-Identifier: ISC
 *
 * The rules by which a recipient is decided (struct decision). Their names are
 * what `posthouse explain` shows. Pure.
 */
#ifndef POLICY_RULE_H
#define POLICY_RULE_H

#include "relay/base/attr.h"

enum decision_rule {
	RULE_RELAY,	 /* no domain of ours: never an open relay */
	RULE_ADDRESS,	 /* the row of the address */
	RULE_SUBADDRESS, /* the row of the address without its detail */
	RULE_DOMAIN,	 /* the row of the domain */
	RULE_UNKNOWN,	 /* no row: the domain's `unknown` says */
	RULE_POSTMASTER,
	RULE_LEG_DOMAIN, /* a leg's own domain */
	RULE_ONWARD,	 /* a server behind us would relay it, and no row is
			  * of that very address */
	RULE_RETURN,	 /* a return address of ours (return_addr.h) */
	RULE_SRS,	 /* an SRS address of ours (srs.h) */
	RULE_TABLE,	 /* the table cannot be read */
	DECISION_RULES
};

const char *rule_name(enum decision_rule rule); /* "leg-domain" */

#endif
