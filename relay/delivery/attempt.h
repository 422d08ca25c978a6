/* SPDX-License-Identifier: ISC
 *
 * An attempt: the deliveries of one message to one leg in one role, in a
 * worker's hand. dispatch.c makes them, attempt.c sees them through.
 */
#ifndef RELAY_DELIVERY_ATTEMPT_H
#define RELAY_DELIVERY_ATTEMPT_H

#include "relay/client/client.h"
#include "relay/egress/egress_judge.h"
#include "relay/post/mail.h"
#include "relay/post/queue_letters.h"
#include "relay/post/worker.h"

struct attempt {
	struct list node; /* of a list of struct outgoing, or nowhere */
	struct worker *w;
	struct mail *mail;
	struct conf_snapshot *snapshot; /* the snapshot that it runs under */
	int leg;
	enum role role;
	bool slot;	   /* a slot of the ledger is ours */
	struct permit permit; /* for its recipients' domain */
	int64_t began_us;  /* the dialog; monotonic */
	bool trial;	   /* shut gates do not stop it */
	uint64_t memory;   /* bytes counted there, of a message in memory */
	int64_t since_ms;  /* waiting since */
	uint64_t planned;  /* its deliveries are what the routes made of
			    * them at this change, or at a later one */
	uint64_t change;   /* … and this is the table's, when looked up */
	struct job_row *row; /* in arena */
	struct table_word *word; /* by row, once the routes were looked up */
	unsigned n;
	struct client_request req;
	struct arena *arena; /* goes along with the outcome */
	struct source *content;
	bool suppressed; /* content stands behind X-Auto-Response-Suppress */
	struct egress_question *question; /* is under way */
	void (*go_on)(struct attempt *at); /* … and then */
	const struct egress_judged *judged; /* the way out, once it is known */
	enum leg_sender sender; /* what the leg is told, once it is known */
	const char *sender_spf; /* … by this result; "": it was not asked */
	bool sender_dmarc_fails; /* … and its From domain will fail it */
	struct outcome_letter *outcome; /* waits for the header of a DSN */
	struct strbuf head;
};

enum giving_back {
	BACK_READY,   /* whenever there is a connection                     */
	BACK_STALE,   /* its route is another by now                        */
	BACK_TROUBLE, /* the table or the journal could not be read: later  */
};

/* Those deliveries go back to the queue unattempted. */
void attempt_give_back(struct worker *w, uint64_t id,
    const struct job_row *row, unsigned n, enum giving_back how);

struct attempt *attempt_new(struct worker *w, struct mail *m, int leg,
    enum role role, unsigned cap);
/* Before the queue hears of the attempt: what waits for the permit is looked
 * at then. Nothing when it has none. */
void attempt_permit_end(struct attempt *at, enum permit_end end);
void attempt_free(struct attempt *at); /* its slot and memory go back */
/* Gives all of it back. Takes `at`. */
void attempt_return(struct attempt *at, enum giving_back how);
/* Has this worker less than its part of the leg's connections? */
bool attempt_below_share(const struct attempt *at);
/* A letter with a row for each delivery; results are the caller's to fill. */
struct outcome_letter *attempt_outcome(const struct attempt *at,
    enum why why);

#endif
