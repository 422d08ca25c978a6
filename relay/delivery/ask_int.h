/* SPDX-License-Identifier: ISC
 *
 * Inside of asking. ask_way.c is the one way of a question to a leg, MAIL, RCPT
 * and RSET without content. Above it: ask.c (a session's questions, and which
 * sessions wait for them) with ask_said.c (what a leg's answers mean and
 * teach), ask_doubt.c (the queue thread's questions), and ask_batch.c (those of
 * a preflight).
 */
#ifndef RELAY_DELIVERY_ASK_INT_H
#define RELAY_DELIVERY_ASK_INT_H

#include "relay/base/clock.h"
#include "relay/base/hash.h"
#include "relay/client/client.h"
#include "relay/delivery/ask.h"
#include "relay/delivery/ask_cache.h"
#include "policy/reply_class.h"
#include "relay/mail/addr.h"

enum { QUIET_MS = 10000 }; /* a silent leg is left alone so long */

/* A question to a leg about one recipient; its owner embeds it. */
struct ask_way {
	struct worker *w;
	int leg;
	struct conf_snapshot *snapshot;
	struct arena *arena; /* of the question and its answer */
	struct client_request req;
	struct client_rcpt rcpt; /* rcpt.result is the answer */
};

/* A question of sessions. */
struct question {
	struct ask_way way;
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
	return hash_stored(key) | 1; /* mail_key_hash() drops by it */
}

/* ---- ask_way.c ---- */

void ask_way_init(struct ask_way *y, struct worker *w, int leg);
void ask_way_fini(struct ask_way *y);
/* Asks about `to`, which lives as long; the owner sets req.done and req.arg. */
void ask_way_fill(struct ask_way *y, const char *from, const char *to,
    bool utf8);
/* Gives it to the client, over an idle connection or a new one with the slot
 * that `take` takes. False: the leg is unknown, or there is neither. */
bool ask_way_put(struct ask_way *y, bool (*take)(struct ledger *l, int leg));
/* A slot that no delivery wants: they keep the last quarter of the leg's. */
bool ask_way_spare(struct ledger *l, int leg);
/* In req.done: it is under way no more. */
void ask_way_over(struct ask_way *y);
/* By the leg's profile; the row that fits, or NULL. */
const struct conf_reply *ask_way_classify(struct ask_way *y);
/* RCPT was answered, so MAIL was taken. */
bool ask_way_came_to_rcpt(const struct ask_way *y);

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
