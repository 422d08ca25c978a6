/* SPDX-License-Identifier: ISC
 *
 * observed.db, beside ledger.db: what the daemon itself saw and cannot get
 * again, as the answers of name servers and of legs. It is made again from
 * nothing, so what is missing in it is unknown, never good news.
 *
 * A handle belongs to one thread, and each thread has its own. Calls block, up
 * to two seconds for another writer. A handle is opened for a piece of work and
 * closed behind it: one that is kept goes on with a file that was removed.
 */
#ifndef RELAY_OBSERVED_OBSERVED_H
#define RELAY_OBSERVED_OBSERVED_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay/base/error.h"

#define OBSERVED_NAME "observed.db"
enum {
	OBSERVED_FORMAT = 4,	   /* the newest, which is written      */
	OBSERVED_PAGES_MAX = 65536 /* of 4 KiB; then writes are refused */
};

struct observed;

/* At a start, before any thread: makes the file in the folder `dir`, or adds
 * what its format lacks. One that is damaged or of a newer version is set aside
 * as observed.db.damaged or .newer, with a line in the log. False: not now,
 * which is logged too; mail does not need it. */
bool observed_prepare(const char *dir, int64_t now_us);
/* For writing; a file that is missing is made. NULL and `err`. */
struct observed *observed_open(const char *dir, int64_t now_us,
    struct error *err) PH_CHECK;
/* For reading. NULL also where there is no file, or one of another format. */
struct observed *observed_read(const char *dir, struct error *err) PH_CHECK;
void observed_close(struct observed *o); /* NULL is fine */

sqlite3 *observed_db(struct observed *o);
/* When the file was made (wall, us): nothing of before is known. */
int64_t observed_since(const struct observed *o);
/* Fills `err` with the last failure of the connection, as a sentence; -1. */
int observed_error(const struct observed *o, struct error *err);
/* Constant text of one or more statements without rows, as BEGIN IMMEDIATE. */
int observed_do(struct observed *o, const char *sql,
    struct error *err) PH_CHECK;

#endif
