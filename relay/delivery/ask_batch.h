/* SPDX-License-Identifier: ISC
 *
 * A question about several recipients of one leg: MAIL FROM:<>, RCPT for each,
 * RSET. No mail is sent. It goes behind mail: over an idle connection, or one
 * that no delivery wants. Made and freed by another thread, asked by a worker.
 */
#ifndef RELAY_DELIVERY_ASK_BATCH_H
#define RELAY_DELIVERY_ASK_BATCH_H

#include "policy/preflight/preflight.h"
#include "relay/post/worker.h"

enum { ASK_BATCH_MAX = 20, ASK_REPLY_MAX = 300 };

/* About one recipient. */
struct ask_batch_row {
	const char *address; /* as the leg is told it; lives in the arena */
	/* The answer. */
	enum preflight_class class; /* UNASKED: it was not put */
	int code;		    /* 0: no server spoke */
	char enh[12];
	char reply[ASK_REPLY_MAX]; /* one line */
};

struct ask_batch {
	struct arena *arena; /* of the batch */
	int leg;
	bool idle_only; /* only while no mail for the leg waits */
	struct ask_batch_row row[ASK_BATCH_MAX];
	unsigned n;
	/* Called once on the thread of `back`, by a letter of kind 0. */
	struct mailbox *back;
	void (*done)(void *arg, struct ask_batch *b);
	void *arg;
	/* The answer as a whole. */
	bool asked; /* false: there was no connection for it now */
	enum preflight_stop stop; /* the first sign in a reply, … */
	char stopped_by[ASK_REPLY_MAX]; /* … and that reply */
};

struct ask_batch *ask_batch_new(int leg);
void ask_batch_free(struct ask_batch *b); /* NULL is fine */
/* One more recipient: false when it is full. */
bool ask_batch_add(struct ask_batch *b, const char *address);

/* Any thread; `b` is the worker's until done. */
void ask_batch_post(struct worker *w, struct ask_batch *b);

#endif
