/* SPDX-License-Identifier: ISC
 *
 * What strangers can cause as often as they like: refusals, and connections
 * that end without an answer. Each is in the audit trail (A3), but under
 * flood the same one (event, client, stage, code, recipient) is one event a
 * second with a count. The table of them is bounded: past it clients and
 * recipients are no longer told apart. Owned by one loop; so a worker has
 * one, and the acceptor has one.
 */
#ifndef RELAY_DAEMON_REFUSALS_H
#define RELAY_DAEMON_REFUSALS_H

#include "relay/base/loop.h"
#include "relay/mail/reply.h"
#include "relay/net/sockaddr.h"
#include "relay/spool/spool.h"

struct refusal {
	const struct netaddr *client;
	const char *listen; /* the listener's name */
	const char *stage;
	struct slice from, to; /* as far as known */
	/* Of event `refused`. NULL: event `aborted`, nobody was answered and
	 * `why` says what happened. */
	const struct reply *reply;
	const char *why;
};

struct refusals;
struct refusals *refusals_new(struct loop *l, const struct clock *clock,
    struct spool *spool);
/* Writes what is left. NULL is fine. */
void refusals_free(struct refusals *rs);
/* Copies what it is given. */
void refusals_add(struct refusals *rs, const struct refusal *r);

#endif
