/* SPDX-License-Identifier: ISC
 *
 * Messages between threads: many post, one takes, in order of posting. The
 * eventfd is written only when the box was empty, so a burst is one wake-up.
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
};

struct mailbox {
	_Atomic(struct letter *) head; /* newest first */
	int fd;
	struct io io;
	void (*fn)(void *arg, struct letter *l);
	void *arg;
};

void mailbox_init(struct mailbox *m);
void mailbox_fini(struct mailbox *m); /* letters left are not freed */
void mailbox_post(struct mailbox *m, struct letter *l); /* any thread */
/* For a thread with a loop: fn is called once per letter, in order. */
void mailbox_attach(struct mailbox *m, struct loop *l,
    void (*fn)(void *arg, struct letter *l), void *arg);
/* For a thread without one: all letters, oldest first, or NULL; and a wait
 * until there may be one (-1: for ever). */
struct letter *mailbox_take(struct mailbox *m);
void mailbox_wait(struct mailbox *m, int timeout_ms);
void mailbox_wake(struct mailbox *m); /* ends a wait without a letter */

#endif
