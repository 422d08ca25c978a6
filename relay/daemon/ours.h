/* SPDX-License-Identifier: ISC
 *
 * A message of our own to a person, as alarms are: from the null sender,
 * accepted into the journal like any other, and routed as a notice is: by
 * the table for our own domains, by dsn.via for others. A worker's loop.
 */
#ifndef RELAY_DAEMON_OURS_H
#define RELAY_DAEMON_OURS_H

#include "relay/daemon/worker.h"

/* Prints the whole message; `id` is its own. */
typedef void (*ours_print_fn)(const void *arg, const char *id,
    struct strbuf *out);

/* Takes nothing. What cannot be stored is told in the log as `what`, and
 * that is all. */
void ours_send(struct worker *w, const char *what, const char *to,
    ours_print_fn print, const void *arg);
/* A letter of W_OURS. */
void ours_letter(struct worker *w, struct spool_draft_letter *l);

#endif
