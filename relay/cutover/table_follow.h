/* SPDX-License-Identifier: ISC
 *
 * The table thread: reads the cutover table's change log and tells the queue
 * which recipients changed, writes the change to the audit trail, and
 * checkpoints the table's write-ahead log.
 */
#ifndef RELAY_CUTOVER_TABLE_FOLLOW_H
#define RELAY_CUTOVER_TABLE_FOLLOW_H

#include "relay/post/conf_snapshot.h"
#include "relay/post/shared.h"

struct ask_cache;
struct table_follow;

/* Prepares the table (creates, seeds); an unreadable one is an error here,
 * later it is 451. Reads the log from `after` on (UINT64_MAX: from now). What
 * changes is dropped from `asked`. */
struct table_follow *table_follow_new(struct shared *sh,
    struct ask_cache *asked, struct conf_snapshot *snapshot, uint64_t after,
    struct error *err);
int table_follow_run(struct table_follow *f, struct error *err);
void table_follow_poke(struct table_follow *f); /* look now; any thread */
/* Any thread. */
void table_follow_configure(struct table_follow *f, struct conf_snapshot *l);
void table_follow_step(struct table_follow *f); /* its thread, or a test */
void table_follow_stop(struct table_follow *f);
/* fn(arg) on the table thread, soon. Any thread. */
void table_follow_ask(struct table_follow *f, void (*fn)(void *arg), void *arg);
/* Its table, NULL while it cannot be read; for such a function alone. */
struct table *table_follow_table(struct table_follow *f);
/* Calls the functions that were asked for: its thread, or the caller after
 * table_follow_stop(). */
void table_follow_answer(struct table_follow *f);
void table_follow_free(struct table_follow *f);

#endif
