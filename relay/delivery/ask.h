/* SPDX-License-Identifier: ISC
 *
 * Does the leg know this recipient? (unknown = "probe", T5.) Asked by MAIL
 * FROM:<>, RCPT, RSET over the connections of its deliveries; what it says is
 * remembered (ask_cache.h). A worker's loop.
 *
 * A leg that is slow, down, suspended or busy costs a sender at most
 * probe.timeout, and its silence refuses no recipient.
 */
#ifndef RELAY_DELIVERY_ASK_H
#define RELAY_DELIVERY_ASK_H

#include "policy/route.h"
#include "relay/net/sockaddr.h"
#include "relay/post/worker.h"

struct ask_cache;

enum ask_answer {
	ASK_YES, /* the leg takes the recipient */
	ASK_NO,	 /* it refused it for good, as one it does not have */
	ASK_NO_ANSWER, /* neither: by probe.no_answer */
	ASK_LATER, /* wait.done follows */
};

/* A session that waits for an answer; the caller's memory. */
struct ask_wait {
	struct list node;
	void (*done)(void *arg, enum ask_answer answer);
	void *arg;
	uint64_t client; /* ask_client() of who asks: it has a share */
};

/* The same for all addresses of a client's network (IPv4 /24, IPv6 /56); in
 * private networks each address is a client. */
uint64_t ask_client(const struct netaddr *a);

struct asker *asker_new(struct worker *w, struct ask_cache *cache);
/* After the client: all questions have come back. NULL is fine. */
void asker_free(struct asker *a);

/* Whether the first leg of the route knows the recipient: at once, or
 * ASK_LATER, and wait->done is called once, later, within probe.timeout. */
enum ask_answer ask_leg(struct asker *a, const struct decision *d,
    const struct addr *to, struct ask_wait *wait);
/* The answer is not wanted any more; also when none was waited for. */
void ask_cancel(struct ask_wait *wait);

/* A connection of that leg is free. Questions and deliveries take turns:
 * ask_turn() is true when it was the question's, ask_rest() takes what no
 * delivery wants. */
bool ask_turn(struct asker *a, int leg);
bool ask_rest(struct asker *a, int leg);
/* The daemon stops: who waits is answered now. */
void ask_drain(struct asker *a);

#endif
