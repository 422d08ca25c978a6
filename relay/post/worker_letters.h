/* SPDX-License-Identifier: ISC
 *
 * The letters that a worker's box takes, by kind.
 */
#ifndef RELAY_POST_WORKER_LETTERS_H
#define RELAY_POST_WORKER_LETTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/reply_class.h"
#include "relay/base/mailbox.h"
#include "relay/mail/addr.h"
#include "relay/queue/permits.h"
#include "relay/spool/spool.h"

enum worker_letter {
	W_ACCEPTED = 1, /* struct accepted                              */
	W_STORED,	/* struct spool_draft_letter: a commit's answer */
	W_ROOM,		/* struct spool_draft_letter: go on adding      */
	W_FETCHED,	/* struct spool_fetch; arg is a struct worker_job */
	W_CALL,		/* struct call                                  */
	W_OWN_MAIL,	/* struct spool_draft_letter: for own_mail.c    */
	W_FOUND,	/* struct lookup                                */
	W_YIELD,	/* struct leg_letter: give up idle connections  */
	W_OFFER,	/* struct leg_letter: the queue has mail for it */
	W_LOGIN,	/* struct login_job (relay/login)               */
	W_QUESTION,	/* struct question_letter                       */
};

/* Why a job was handed out. */
enum job_kind {
	JOB_ATTEMPT, /* send it                                          */
	JOB_EXPIRED, /* its lifetime is over: tell the sender, park      */
	JOB_BOUNCE,  /* an administrator said so: tell the sender        */
	JOB_LATE,    /* it waits for long: tell the sender, and go on    */
	JOB_RESOLVE, /* look its routes up; without deliveries           */
};

/* A delivery in a worker's hand, as it was when the job was made. */
struct job_row {
	struct delivery_ref ref;
	bool stranger; /* the table has no row of the recipient's own; known
			* after an attempt has asked it */
	int64_t until_us; /* of JOB_LATE: when it will be given up; wall */
};

/* Deliveries of one message to one leg in one role, from the queue; of
 * JOB_LATE all its primaries, whatever their legs. It comes with the message,
 * from a reader of the spool. */
struct worker_job {
	enum job_kind kind;
	uint64_t id;
	int leg;
	enum role role;
	uint64_t change; /* as in struct queue_job */
	bool slot; /* a slot of the ledger comes along */
	struct permit permit; /* … and a permit, where one is needed */
	bool trial; /* it goes in spite of shut gates */
	const char *who, *reason; /* of JOB_BOUNCE; owned by the job */
	unsigned n;
	struct job_row row[];
};

/* About the connections of one leg. */
struct leg_letter {
	struct letter letter;
	int leg;
};

/* Asks a leg whose set-up is in doubt: MAIL FROM our postmaster, RCPT, RSET.
 * The same letter returns to the queue thread as S_ANSWERED, exactly once,
 * unless the daemon stops. */
struct question_letter {
	struct letter letter;
	int leg;
	unsigned run;		/* given back                           */
	char to[ADDR_MAX + 1];	/* the recipient that is asked about    */
	enum reply_class class; /* from here on the answer              */
	bool taken;
	bool at_rcpt; /* RCPT was answered, so MAIL was taken */
	char said[400];
};

#endif
