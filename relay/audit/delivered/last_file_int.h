/* SPDX-License-Identifier: ISC
 *
 * Shared by last_open.c, last_schema.c and last_write.c.
 */
#ifndef RELAY_AUDIT_DELIVERED_LAST_FILE_INT_H
#define RELAY_AUDIT_DELIVERED_LAST_FILE_INT_H

#include <sqlite3.h>

#include "relay/audit/delivered/last_file.h"

enum last_sql {
	LAST_BEGIN, LAST_COMMIT, LAST_ROLLBACK, LAST_PUT_STATE, LAST_PUT_LEG,
	LAST_UPDATE, LAST_INSERT, LAST_OLDEST, LAST_DROP, LAST_DROP_KNOWN,
	LAST_COUNT, LAST_SQLS
};

struct last_file {
	sqlite3 *db;
	struct names *names;
	int format;	/* of the file when it was opened              */
	bool counted;	/* the rows were, in this process              */
	int legs;	/* so many of them are in the file             */
	uint64_t slice; /* where the next search for the oldest begins */
	sqlite3_stmt *stmt[LAST_SQLS];
};

/* last_schema.c: makes what was added to the file since format `from`; 0: all
 * of it. In a transaction of the caller; or in its own, with the header. */
bool last_schema_steps(struct last_file *f, int from);
bool last_schema_upgrade(struct last_file *f, int from);
/* last_write.c: prepares the statements. */
bool last_file_prepare(struct last_file *f);
/* Is that result of SQLite damage, or may it pass? */
bool last_is_damage(int code);

#endif
