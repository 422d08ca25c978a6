/* SPDX-License-Identifier: ISC
 *
 * A function that runs on another thread; used where a letter of its own
 * would only carry a function.
 */
#ifndef RELAY_POST_CALL_H
#define RELAY_POST_CALL_H

#include "relay/base/mailbox.h"

struct call {
	struct letter letter;
	void (*fn)(void *arg);
	void *arg;
};

/* `kind`: the receiver's letter kind for a call. Any thread. */
void call_post(struct mailbox *to, int kind, void (*fn)(void *arg), void *arg);
/* The receiver's part: runs fn(arg) and frees the letter. */
void call_run(struct letter *l);

#endif
