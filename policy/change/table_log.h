/* SPDX-License-Identifier: ISC
 *
 * The write-ahead log beside the table: kept small, and set aside when it is
 * that of another file (db_log.c). Table thread or command line.
 */
#ifndef POLICY_CHANGE_TABLE_LOG_H
#define POLICY_CHANGE_TABLE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/error.h"

/* Bytes of the log beside the table; 0: there is none. */
int64_t table_log_bytes(const char *path);
/* Does the table refuse to be opened because the log beside it is that of
 * another file (db_log.c)? */
bool table_log_foreign(const char *path);
/* Moves the log into the table and, when no reader needs it, empties it: 1
 * the file alone is the table, 0 something is left for the next time (a
 * writer or a reader is at work), -1. Waits for others 100 ms at most. */
int table_checkpoint(const char *path, struct error *err) PH_CHECK;
/* Gives the table another mark, so that a copy of the file that was made
 * before is known as one. Nothing is done while the log cannot be emptied. */
int table_mark(const char *path, struct error *err) PH_CHECK;
/* The log of another file is renamed to FILE-wal.aside, so that the file at
 * `path` (FILE, where that is a link) is the table. 1 it was, 0 the log is no
 * other file's, -1 (a program has the table open, say). The new name is in
 * `aside_out`. */
enum { TABLE_ASIDE_PATH = 4200 };
int table_log_aside(const char *path, char aside_out[TABLE_ASIDE_PATH],
    struct error *err) PH_CHECK;

#endif
