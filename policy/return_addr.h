/* SPDX-License-Identifier: ISC
 *
 * Return addresses of ours: the envelope sender of a copy that goes to a leg
 * which would send its bounces to the sender (D3). A server that bounces the
 * copy writes to
 *
 *   ret.ID.DAY.LEG.MARK@return.example.com
 *
 * ID is the message's, DAY the last one (of 1970) on which mail is taken, LEG
 * the leg's name, and MARK what only we can make over those three. Case does
 * not count, so it survives every server between. Pure; any thread.
 */
#ifndef POLICY_RETURN_ADDR_H
#define POLICY_RETURN_ADDR_H

#include "policy/route.h"

/* Names of legs are cut to it, so that a local part has 64 octets at most. */
enum { RETURN_LEG_MAX = 23 };

struct return_addr {
	uint64_t id;
	int64_t day;
	char leg[RETURN_LEG_MAX + 1];
};

/* False: the configuration has no domain for them. */
bool return_addr_make(const struct conf *c, uint64_t id, const char *leg,
    int64_t now_us, struct strbuf *out);

enum return_verdict {
	RETURN_NONE,	/* not at that domain, or a role's address there */
	RETURN_GOOD,
	RETURN_EXPIRED, /* it was ours, and is too old */
	RETURN_FORGED,
};
/* Fills *out when it is good or expired. */
enum return_verdict return_addr_check(const struct conf *c,
    const struct addr *to, int64_t now_us, struct return_addr *out);
/* THE decision for what stands at that domain, by rule "return"; it needs no
 * table. False: route_decide() is to be asked. */
bool return_addr_decide(const struct conf *c, const struct addr *to,
    int64_t now_us, struct return_addr *out, struct decision *decision_out);

#endif
