/* SPDX-License-Identifier: ISC
 *
 * Makes the cutover table and keeps it: creation, seeds, backup, checkpoint.
 * Table thread or command line.
 */
#ifndef POLICY_CHANGE_TABLE_MAKE_H
#define POLICY_CHANGE_TABLE_MAKE_H

#include "conf/conf.h"
#include "relay/base/error.h"

/* Creates the file when it is missing and seeds the rows @domain of the
 * configuration that were never seeded (R2): one change. Table thread or
 * command line. */
int table_prepare(const char *path, const struct conf *c,
    const char *who, struct error *err) PH_CHECK;
/* A consistent copy, also while the daemon runs; `to` must not exist. */
int table_backup(const char *path, const char *to, struct error *err)
    PH_CHECK;
/* Moves the write-ahead log into the table, a step at a time. */
int table_checkpoint(const char *path, struct error *err);

#endif
