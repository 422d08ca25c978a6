/* SPDX-License-Identifier: ISC
 *
 * Inside of asking: shared by ask.c (questions, and who waits for them),
 * ask_way.c (their way to the leg) and ask_said.c (what a leg's answers mean
 * and teach).
 */
#ifndef RELAY_DELIVERY_ASK_INT_H
#define RELAY_DELIVERY_ASK_INT_H

#include "relay/base/clock.h"
#include "relay/base/hash.h"
#include "relay/client/client.h"
#include "relay/delivery/ask.h"
#include "relay/delivery/ask_cache.h"
#include "relay/mail/addr.h"

enum { QUIET_MS = 10000 }; /* a silent leg is left alone so long */

struct question {
	struct list node; /* in asker.queued or .sent */
	struct asker *asker;
	struct list waits; /* struct ask_wait */
	struct ask_key key;
	uint64_t client; /* that asked first */
	bool held_share; /* it counts against that client's connections */
	uint64_t era;
	bool of_domain; /* about a name that cannot exist */
	bool late;	/* who waited has given up */
	bool again;	/* it is put for the second time */
	int64_t until_ms;
	struct conf_snapshot *snapshot;
	struct arena *arena;
	struct client_request req;
	struct client_rcpt rcpt;
};

struct asker {
	struct worker *w;
	struct ask_cache *cache;
	struct list queued, sent; /* oldest first */
	unsigned count;
	struct timer look;
	bool draining;
	bool had_turn[NAMES_MAX]; /* the last free connection */
};

static inline uint64_t ask_hash(struct slice key)
{
	return hash_slice(key) | 1;
}

/* ---- ask_way.c ---- */

/* Gives the question to the client. False: no connection, or its client has
 * its share already. */
bool ask_start(struct question *q);
void ask_give_share(struct question *q);

/* ---- ask_said.c ---- */

enum ask_answer ask_answer_of(struct question *q);
/* Whatever it said: did the leg answer? */
void ask_note_silence(struct question *q);
/* Answers without a question, by what is known now or, when there is no
 * answer, from before; `address` is what would be asked. True: *answer_out. */
bool ask_known(struct asker *a, const struct ask_key *k,
    const char *address, enum ask_answer *answer_out);
enum ask_answer ask_last_known(struct asker *a, const struct ask_key *k,
    const char *address);
/* Remembers the answer. True: the leg is to be asked about a name that cannot
 * exist, at `domain_out` ("@domain"), as *k_out. */
bool ask_learn(struct question *q, enum ask_answer answer,
    char domain_out[ADDR_MAX + 1], struct ask_key *k_out);
/* … and what it said of that name. */
void ask_learn_domain(struct question *q, enum ask_answer answer);

#endif
