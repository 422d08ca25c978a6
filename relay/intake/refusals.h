/* SPDX-License-Identifier: ISC
 *
 * Counts events that strangers can cause as often as they like: refusals,
 * connections that end without an answer, and faults that were accepted all
 * the same. Each is in the audit trail (A3), but under flood the same one
 * (event, client, stage, code, sender, recipient, words) is one event a second
 * with a count. The table of them is bounded: past it clients and addresses
 * are no longer told apart. Owned by one loop; so a worker has one, and the
 * acceptor has one.
 */
#ifndef RELAY_INTAKE_REFUSALS_H
#define RELAY_INTAKE_REFUSALS_H

#include "relay/base/loop.h"
#include "relay/mail/reply.h"
#include "relay/mail/stage.h"
#include "relay/net/sockaddr.h"
#include "relay/spool/spool.h"

enum refusal_kind { REFUSAL_REFUSED, REFUSAL_ABORTED, REFUSAL_REPAIRED };

struct refusal {
	enum refusal_kind kind; /* the event */
	const struct netaddr *client;
	const char *listen; /* the listener's name */
	enum stage stage;
	struct slice from, to; /* as far as known */
	struct slice said; /* the argument of the command, as it came */
	uint64_t bytes; /* of content, of REFUSAL_ABORTED */
	const struct reply *reply; /* of REFUSAL_REFUSED */
	const char *why; /* of the others */
};

struct refusals;
struct refusals *refusals_new(struct loop *l, const struct clock *clock,
    struct spool *spool);
/* Writes what is left. NULL is fine. */
void refusals_free(struct refusals *rs);
/* Copies what it is given. */
void refusals_add(struct refusals *rs, const struct refusal *r);

#endif
