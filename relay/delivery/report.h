/* SPDX-License-Identifier: ISC
 *
 * A notice to a sender as a message of its own: what it says of each
 * recipient, and where it goes. A worker's loop.
 */
#ifndef RELAY_DELIVERY_REPORT_H
#define RELAY_DELIVERY_REPORT_H

#include "relay/post/mail.h"
#include "relay/post/queue_letters.h"
#include "relay/post/worker.h"

/* Prepares notice number `number` (from 1) of the letter: its draft and its
 * items. `head` is what there is of the original, from its beginning. False:
 * it cannot be made now. */
bool report_make(struct worker *w, const struct mail *m, struct slice head,
    struct outcome_letter *o, unsigned number);

/* The leg's last reply about a delivery; when there is none, only that it
 * waits. Strings are in `a`. */
struct result report_last_word(const struct mail *m,
    const struct delivery_ref *ref, struct arena *a);

#endif
