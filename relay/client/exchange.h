/* SPDX-License-Identifier: ISC
 *
 * The recipients of a request: what is still to be said, and their results.
 */
#ifndef RELAY_CLIENT_EXCHANGE_H
#define RELAY_CLIENT_EXCHANGE_H

#include "relay/client/client.h"

enum rcpt_state {
	RCPT_OPEN,     /* in no transaction yet                  */
	RCPT_SENT,     /* in this one, no answer yet             */
	RCPT_ACCEPTED, /* the answer to the content decides      */
	RCPT_SETTLED,  /* its result stands                      */
};
#define STATE_BIT(s) (1u << (s))

struct exchange_rcpt {
	unsigned same;	/* said once: the index that stands for it */
	unsigned notify; /* of all that it stands for */
	enum rcpt_state state;
	bool utf8, utf8_local; /* as of struct addr */
};

/* A request under way. Lives in the request's arena. */
struct exchange {
	struct client_request *req;
	struct exchange_rcpt *rcpt; /* as req->rcpt */
	unsigned *batch;      /* those of this transaction, in order */
	unsigned batched, answered, accepted;
	unsigned judged; /* LMTP: the content was answered for these of them */
	unsigned enough; /* so many were taken when the next was too many; 0 */
	unsigned open;	      /* RCPT_OPEN in all */
	/* Of the connection; for results. */
	const char *remote, *tls, *tls_failed;
};

struct exchange *exchange_new(struct client_request *r);
/* Takes up to `limit` open recipients into a new transaction; those of one
 * domain, when it is not NULL. */
void exchange_begin(struct exchange *t, unsigned limit, const char *domain);
/* The domain of the first open recipient; "" when there is none. */
const char *exchange_domain(const struct exchange *t);
/* The transaction was never met by the leg: its recipients are open again. */
void exchange_undo(struct exchange *t);
/* One recipient has its result (a copy is kept). */
void exchange_settle(struct exchange *t, unsigned i, const struct result *r);
/* All whose state is in `states` (STATE_BIT). */
void exchange_settle_all(struct exchange *t, unsigned states,
    const struct result *r);
/* The first recipient in order that the answer to the content still decides;
 * -1: none. */
long exchange_undecided(struct exchange *t);
/* Too many recipients for one transaction: this one goes into the next. */
void exchange_reopen(struct exchange *t, unsigned i);
/* The request is over: open ones are untried; equal addresses share. */
void exchange_finish(struct exchange *t);

#endif
