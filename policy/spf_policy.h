/* SPDX-License-Identifier: ISC
 *
 * Decides what follows from a sender's SPF result (E2). A transitional relay
 * must lose nothing, so most mail is taken whatever it is, and the result is
 * reported. Pure; any thread.
 */
#ifndef POLICY_SPF_POLICY_H
#define POLICY_SPF_POLICY_H

#include "conf/conf.h"
#include "policy/outbound.h"
#include "relay/mail/spf_result.h"

enum spf_act {
	SPF_ACT_TAKE,
	SPF_ACT_REFUSE, /* 550 5.7.23 (RFC 7372 3.2) */
	SPF_ACT_DEFER,	/* 451 4.7.24 */
};

/* Is mail of such a client judged? Not that of a leg (its id in names, else -1)
 * and of those that may send to the outside: they bring mail in the names of
 * others as a matter of course. */
bool spf_judges(const struct conf *c, int origin, enum outbound_right right);
/* Never refused nor deferred for it: private and link-local clients, and those
 * that the configuration exempts. */
bool spf_spares(const struct conf *c, const struct sockaddr *client);
/* Does an answer to this recipient depend on the result? Not for postmaster and
 * abuse, whose address is where a wrong record is told of. */
bool spf_matters(const struct conf *c, const struct addr *to,
    const struct decision *d);
/* The same recipient, when the result is there. */
enum spf_act spf_decide(const struct conf *c, const struct addr *to,
    const struct decision *d, enum spf_result result);

#endif
