/* SPDX-License-Identifier: ISC
 *
 * Writes a large transaction to the disk bit by bit while it is made. Left to
 * the commit, all of it would be on its way to the disk at once, and each sync
 * of the journal, which mail waits for, would wait behind it.
 */
#ifndef POLICY_CHANGE_LOG_PUSH_H
#define POLICY_CHANGE_LOG_PUSH_H

#include "policy/db.h"

struct log_push {
	int fd;	     /* of the write-ahead log; -1: not open */
	int written; /* pages, when it was last pushed */
};

void log_push_init(struct log_push *p);
void log_push_fini(struct log_push *p);
/* Inside a transaction: moves its pages from memory into the log, and has the
 * disk begin with them when they are a megabyte or more; waits for the ones
 * before. A page that a cursor holds is not written to the log. A page that is
 * written to again later costs: the log is read once more from there on.
 * Temporary tables of the connection have to be in memory (PRAGMA temp_store):
 * the pages of all its databases are written. */
int log_push(struct log_push *p, struct db *db, struct error *err) PH_CHECK;

#endif
