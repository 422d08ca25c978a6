/* SPDX-License-Identifier: ISC
 *
 * Messages between threads: many post, one takes, in order of posting. The
 * bell (an eventfd) rings once for all that is posted until the next take.
 *
 * A wake-up costs more than most letters are worth. What may wait a moment is
 * posted lazily: it is taken with the next letter that rings, or when
 * MAILBOX_LAZY_MS are over, and rings only where the taker sleeps for longer.
 */
#ifndef RELAY_BASE_MAILBOX_H
#define RELAY_BASE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

#include "relay/base/loop.h"

/* First member of every message; memory is the poster's until posted, the
 * taker's afterwards. */
struct letter {
	struct letter *next;
	int kind; /* the receiver's own enum */
	bool posted; /* and not taken yet: it is in one mailbox */
};

enum { MAILBOX_LAZY_MS = 2 };

struct mailbox {
	_Atomic(struct letter *) head; /* newest first */
	_Atomic bool rung; /* since the last take */
	_Atomic bool warm; /* the taker looks again by itself */
	int fd;
	struct io io;
	void (*fn)(void *arg, struct letter *l);
	void *arg;
};

void mailbox_init(struct mailbox *m);
void mailbox_fini(struct mailbox *m); /* letters left are not freed */
void mailbox_post(struct mailbox *m, struct letter *l); /* any thread */
/* The same, to a thread without a loop, for what has MAILBOX_LAZY_MS. */
void mailbox_post_lazy(struct mailbox *m, struct letter *l);
/* For a thread with a loop: fn is called once per letter, in order. */
void mailbox_attach(struct mailbox *m, struct loop *l,
    void (*fn)(void *arg, struct letter *l), void *arg);
/* For a thread without one: all letters, oldest first, or NULL; and a wait
 * until there may be one (-1: for ever). */
struct letter *mailbox_take(struct mailbox *m);
void mailbox_wait(struct mailbox *m, int timeout_ms);
void mailbox_wake(struct mailbox *m); /* ends a wait without a letter */

#endif
