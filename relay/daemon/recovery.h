/* SPDX-License-Identifier: ISC
 *
 * Opens the spool and keeps what was found wrong with it: segments that are
 * not there, damage, messages that could not be read yet. The log names each
 * at once; alarms and the event `spool` follow when all is built.
 */
#ifndef RELAY_DAEMON_RECOVERY_H
#define RELAY_DAEMON_RECOVERY_H

#include "relay/post/shared.h"

struct alarms;
struct conf;
struct projector;
struct queue_thread;
struct recovery;

struct recovery *recovery_new(struct shared *sh, struct queue_thread *q,
    struct alarms *alarms);
void recovery_free(struct recovery *r); /* NULL is fine */
/* Sets shared.spool and gives the queue thread what is live. -1 and err: it
 * cannot be opened, and nothing in it was changed. Before any thread. */
int recovery_open(struct recovery *r, const struct conf *c,
    struct error *err) PH_CHECK;
/* Takes over what the projector found: that the spool is another, or went
 * back. Before recovery_tell() and recovery_degraded(). NULL is fine. */
void recovery_era(struct recovery *r, const struct projector *p);
/* Raises the alarms and writes the events. Before any thread. */
void recovery_tell(struct recovery *r, const struct conf *c);
/* Says for status if something was wrong at the start; NULL: nothing. */
const char *recovery_degraded(const struct recovery *r);
/* The generations of the journal that are not whole: "3, 7-9"; "": all are. */
const char *recovery_missing(const struct recovery *r);

#endif
