/* SPDX-License-Identifier: ISC
 *
 * The clients that may send to domains that are not ours (T4), and the senders
 * that they may say. Pure; any thread.
 */
#ifndef POLICY_OUTBOUND_H
#define POLICY_OUTBOUND_H

#include "policy/route.h"

enum outbound_right {
	RIGHT_NONE,	   /* a client like all others                      */
	RIGHT_CLIENT,	   /* its address is in outbound.clients            */
	RIGHT_CERTIFICATE, /* it showed one of outbound.certificates        */
	RIGHT_USER,	   /* it logged in; its senders are those of a line */
};

struct outbound_client {
	const struct sockaddr *address; /* NULL: whose it is is not known */
	const char *login, *certificate; /* as in server.h; "": none      */
};

/* `l`: the listener of its session. By `c`, which may be newer: a user whose
 * line is gone has no right, though logged in. */
enum outbound_right outbound_right(const struct conf *c,
    const struct conf_listen *l, const struct outbound_client *who);

/* May it say that sender? Clients and certificates may say any: a server of
 * ours forwards mail of strangers. Any may say the null sender (RFC 8098 2). */
bool outbound_sender_fits(const struct conf *c, enum outbound_right right,
    const struct outbound_client *who, const struct addr *from);

/* Can mail for that domain, which route_decide() knows as no domain of ours,
 * go out? Not to our own names, and to no address literal. */
bool outbound_leads_out(const struct conf *c, const struct addr *to);

/* THE decision for a recipient that route_decide() refuses: may it go out,
 * since the client has a right or an SRS address of ours led it here? */
bool outbound_may(const struct conf *c, const struct addr *to,
    enum outbound_right right, bool led_back, const struct decision *d);
/* Where it may: *d takes it by the first of outbound.use, which stands in for
 * the egress that each attempt chooses; or refuses it, where there is none. */
void outbound_take(const struct conf *c, const struct addr *to, bool led_back,
    struct decision *d);

#endif
