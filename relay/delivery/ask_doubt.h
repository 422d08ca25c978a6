/* SPDX-License-Identifier: ISC
 *
 * A question of our own to a leg whose set-up is in doubt: does it take mail
 * from our postmaster for a recipient that got mail there today? A worker's
 * loop.
 */
#ifndef RELAY_DELIVERY_ASK_DOUBT_H
#define RELAY_DELIVERY_ASK_DOUBT_H

#include "relay/post/worker.h"

struct question_letter;

/* W_QUESTION: asks by MAIL, RCPT and RSET, in spite of shut gates, and
 * returns the letter to the queue thread with the answer. Takes `l`. */
void ask_doubt_take(struct worker *w, struct question_letter *l);

#endif
