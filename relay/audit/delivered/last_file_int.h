/* SPDX-License-Identifier: ISC
 *
 * Shared by last_open.c, last_schema.c, last_write.c, outcome_write.c and
 * watermark_write.c.
 */
#ifndef RELAY_AUDIT_DELIVERED_LAST_FILE_INT_H
#define RELAY_AUDIT_DELIVERED_LAST_FILE_INT_H

#include <sqlite3.h>

#include "relay/audit/delivered/last_file.h"

enum last_sql {
	LAST_BEGIN, LAST_COMMIT, LAST_ROLLBACK, LAST_PUT_STATE, LAST_PUT_LEG,
	LAST_UPDATE, LAST_INSERT, LAST_OLDEST, LAST_DROP, LAST_DROP_KNOWN,
	LAST_COUNT, LAST_PUT_ADDRESS, LAST_DROP_ADDRESS,
	LAST_MARK_GET, LAST_MARK_PUT, LAST_MARK_END, LAST_MARK_STATE,
	LAST_MARK_LAST, LAST_MARK_TOLD, LAST_MARK_HOOK, LAST_MARK_OPEN,
	LAST_MARK_WAIVE, LAST_MARK_NEWEST, LAST_MARK_ANY,
	LAST_PUT_FAILURE, LAST_PUT_LEG_DAY, LAST_DROP_FAILURE,
	LAST_DROP_LEG_DAY, LAST_SQLS
};

struct last_file {
	sqlite3 *db;
	struct names *names;
	int format;	/* of the file when it was opened              */
	bool counted;	/* the rows were, in this process              */
	bool marks;	/* there may be watermarks                     */
	int legs;	/* so many of them are in the file             */
	uint64_t slice; /* where the next search for the oldest begins */
	sqlite3_stmt *stmt[LAST_SQLS];
	struct straggler_writer *stragglers;
};

/* last_schema.c: makes what was added to the file since format `from`; 0: all
 * of it. In a transaction of the caller; or in its own, with the header. */
bool last_schema_steps(struct last_file *f, int from);
bool last_schema_upgrade(struct last_file *f, int from);
/* last_write.c: prepares the statements. */
bool last_file_prepare(struct last_file *f);
/* watermark_write.c, in a transaction. SQLITE_OK or what went wrong. */
int watermark_delivered(struct last_file *f, const struct last_row *r);
int watermark_apply(struct last_file *f, const struct last_batch *b);
/* outcome_write.c: the function that its statements use; the rest in a
 * transaction. SQLITE_OK or what went wrong. `today`: days since 1970. */
bool outcome_functions(sqlite3 *db);
int outcome_write(struct last_file *f, const struct outcome_fold *o);
int outcome_prune(struct last_file *f, int64_t today);
/* Is that result of SQLite damage, or may it pass? */
bool last_is_damage(int code);

#endif
