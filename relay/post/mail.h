/* SPDX-License-Identifier: ISC
 *
 * A message in a worker's hand: its envelope, its deliveries, and where its
 * bytes are. Counted by the attempts that stand on it; one worker's.
 */
#ifndef RELAY_POST_MAIL_H
#define RELAY_POST_MAIL_H

#include "policy/route.h"
#include "relay/mail/envelope.h"
#include "relay/queue/queue.h"
#include "relay/spool/spool.h"

/* Of so many recipients the table's word is kept from RCPT to the attempt. */
enum { MAIL_DECISIONS = 4 };

struct kept_decision;

struct mail {
	int refs;
	struct arena *arena;
	struct envelope env;
	struct spool_delivery *delivery;
	unsigned deliveries;
	uint64_t *hash;		   /* by recipient: the queue's key */
	struct spool_draft *draft; /* accepted here: bytes in memory */
	struct spool_fetch *fetch; /* read back: bytes on disk */
	/* decision[i]: what RCPT found for recipient i, or NULL; decided: the
	 * configuration used. */
	const struct kept_decision *decision[MAIL_DECISIONS];
	struct conf *decided;
};

struct mail *mail_new(void);
struct mail *mail_ref(struct mail *m);
void mail_unref(struct mail *m);
/* The envelope and deliveries of a fetched message. Takes `f`, also when it
 * fails. NULL: not an envelope. */
struct mail *mail_of_fetch(struct spool_fetch *f);
/* The content, for one reader at a time; NULL when it is not at hand. */
struct source *mail_source(struct mail *m);
/* Keeps what route_decide() found for a recipient by a row of its own; of
 * others nothing is kept. */
void mail_keep_decision(struct mail *m, unsigned rcpt, struct conf *c,
    const struct decision *d);
/* The decision that route_resolve() would come to under `c`, where no look-up
 * is needed: the table is still at the change that RCPT saw. */
bool mail_decision(const struct mail *m, unsigned rcpt, const struct conf *c,
    int64_t change, struct decision *decision_out);
/* The recipient's address, parsed again from its text. */
bool mail_rcpt_addr(const struct mail *m, unsigned rcpt, struct addr *out);
/* The queue's key of a recipient: of its base address (route.h). The same in
 * every process that has this spool, and stored in it, as are the two below. */
uint64_t mail_hash(const char *base);
/* The same without the table, of an address as it stands in an envelope;
 * QUEUE_ANYBODY when only the table could tell. */
uint64_t mail_rcpt_hash(const struct conf *c, const char *to);
/* The same of a row of the table: of its folded base address; 0 for a domain's
 * row. */
uint64_t mail_key_hash(const struct conf *c, struct slice key);
/* Hashes of the sender's domain and address, as queue_sender() has them; those
 * of the null sender included; never 0. Case does not count. */
uint64_t mail_sender(const char *from);
/* The same of one that was read from the journal, where earlier versions have
 * put the domain alone. */
uint64_t mail_sender_stored(uint64_t sender);
/* Hashes that the queue may have for that recipient, each once, whichever
 * character its domain had as `subaddress` when the mail came. Returns how
 * many; 0: only the table could tell. */
enum { RCPT_HASHES = 3 + sizeof(CONF_SEPARATORS) };
unsigned mail_rcpt_hashes(const struct conf *c, const char *to,
    uint64_t out[RCPT_HASHES]);
/* A keyed hash of a recipient's domain in normal form, as permits have it
 * (relay/queue/permits.h); never 0. */
uint32_t mail_domain(const char *to);
/* Takes out of the recipient's route the legs that handed the message back
 * (D6); what is held waits for another. False: none is left, it would loop. */
bool mail_without_loops(const struct mail *m, unsigned rcpt,
    const struct names *names, struct decision *d);

#endif
