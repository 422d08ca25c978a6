/* SPDX-License-Identifier: ISC
 *
 * Brings a table of an older format to the one of this program.
 */
#ifndef POLICY_CHANGE_TABLE_UPGRADE_H
#define POLICY_CHANGE_TABLE_UPGRADE_H

#include "policy/db.h"

/* In one transaction, after a backup beside it (PATH.formatN). A table that
 * is of our format stays as it is. Command line, table thread at its start,
 * each before it opens the table. Waits for another writer. */
int table_upgrade(const char *path, struct error *err) PH_CHECK;
/* The same without a backup: of a file that is a copy already. */
int table_upgrade_copy(const char *path, struct error *err) PH_CHECK;

#endif
