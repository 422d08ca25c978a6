/* SPDX-License-Identifier: ISC
 *
 * The table's file for one program alone: where SQLite cannot open it, or must
 * not. Command line.
 */
#ifndef POLICY_CHANGE_TABLE_LOCK_H
#define POLICY_CHANGE_TABLE_LOCK_H

#include "relay/base/error.h"

#include <stddef.h>

struct table_lock {
	int fd;
};

/* Takes the lock that every connection of SQLite would share: -1 when a
 * program has the table open, this one too. It belongs to the descriptor, so
 * what else this process opens and closes does not let it go (fcntl(2), open
 * file description locks). */
int table_lock(struct table_lock *lock, const char *path, struct error *err)
    PH_CHECK;
void table_unlock(struct table_lock *lock);
/* PATH.LABEL, or PATH.LABEL-2 … where that name is taken. */
int table_free_name(const char *path, const char *label, char *name_out,
    size_t size, struct error *err) PH_CHECK;

#endif
