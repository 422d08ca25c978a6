/* SPDX-License-Identifier: ISC
 *
 * Shared by table_copy.c and table_restore.c.
 */
#ifndef POLICY_CHANGE_TABLE_COPY_INT_H
#define POLICY_CHANGE_TABLE_COPY_INT_H

#include "policy/db.h"

/* Gives a file that is open nowhere else a mark of its own (a table of format
 * 1 has none), and makes it one file without a log. */
int table_copy_mark(const char *path, const char *former, struct error *err)
    PH_CHECK;
/* All bytes from where `from` stands to `to`. -1 and errno. */
int table_copy_bytes(int from, int to) PH_CHECK;

#endif
