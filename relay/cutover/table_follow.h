/* SPDX-License-Identifier: ISC
 *
 * The table thread: reads the cutover table's change log and tells the queue
 * whom it concerns and the audit trail that it happened; moves the table's
 * write-ahead log along.
 */
#ifndef RELAY_CUTOVER_TABLE_FOLLOW_H
#define RELAY_CUTOVER_TABLE_FOLLOW_H

#include "relay/daemon/app.h"

/* Prepares the table (creates, seeds); an unreadable one is an error here,
 * later it is 451. Reads the log from `after` on (UINT64_MAX: from now). */
struct follow *follow_new(struct app *a, uint64_t after, struct error *err);
int follow_run(struct follow *f, struct error *err);
/* The queue's key of a row: its folded base address; 0 for a domain's row. */
uint64_t follow_key_hash(const struct conf *c, struct slice key);
void follow_poke(struct follow *f); /* look now; any thread */
void follow_configure(struct follow *f, struct live *l); /* any thread */
void follow_step(struct follow *f); /* its thread, or a test */
void follow_stop(struct follow *f);
void follow_free(struct follow *f);

#endif
