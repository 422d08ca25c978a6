/* SPDX-License-Identifier: ISC
 *
 * The upgrade of a cutover table. What an older program could read stays
 * beside the table until an administrator removes it.
 */
#include "policy/change/table_upgrade.h"

#include <stdio.h>
#include <unistd.h>

#include "policy/change_chain.h"
#include "policy/change/change_int.h"
#include "policy/change/table_copy.h"
#include "policy/change/table_schema.h"

/* The line after `number`, which becomes that one: 1, 0 none, -1. */
static int next_line(struct db *db, int64_t *number, struct error *err)
{
	sqlite3_stmt *st = db_stmt(db, CS_NEXT_LINE, err);
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, *number);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*number = sqlite3_column_int64(st, 0);
	else if (rc != SQLITE_DONE)
		db_error(db, err);
	sqlite3_reset(st);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

/* Each line of the history gets the hash of the one before. */
static int write_chain(struct db *db, struct error *err)
{
	sqlite3_stmt *st = db_stmt(db, CS_CHAIN_LINE, err);
	unsigned char hash[CHAIN_BYTES];
	int64_t number = INT64_MIN;
	int rc, n = 0;

	while (st != NULL && (rc = next_line(db, &number, err)) == 1) {
		sqlite3_bind_int64(st, 1, number);
		sqlite3_bind_blob(st, 2, hash, n, SQLITE_TRANSIENT);
		if (sqlite3_step(st) != SQLITE_ROW)
			return db_error(db, err);
		chain_line(st, hash);
		sqlite3_reset(st);
		n = CHAIN_BYTES;
	}
	return st == NULL ? -1 : rc;
}

/* Under the write lock: 1 done, 0 another process did it meanwhile, -1. */
static int upgrade(struct db *db, struct error *err)
{
	int64_t format = 0;

	if (db_do(db, CS_LOCK, err) < 0 ||
	    db_int(db, "PRAGMA user_version", &format, err) < 0)
		return -1;
	if (format == DB_FORMAT)
		return db_do(db, CS_ROLLBACK, err);
	if ((format == 1 && db_script(db, table_upgrade_1, err) < 0) ||
	    db_script(db, table_upgrade_2, err) < 0 ||
	    (format == 1 && write_chain(db, err) < 0))
		return -1; /* closing rolls back */
	return db_script(db, table_upgraded, err) < 0 ? -1 : 1;
}

/* Behind a copy of the old format, which goes again when it is that of no
 * upgrade: each start tries again, and would leave one more. */
static int upgrade_behind_copy(struct db *db, int64_t format,
    struct error *err)
{
	char kept[TABLE_KEPT_PATH], label[24];
	int rc;

	snprintf(label, sizeof(label), "format%lld", (long long)format);
	if (table_keep(db, label, kept, err) < 0)
		return -1;
	rc = upgrade(db, err);
	if (rc <= 0)
		unlink(kept);
	return rc;
}

static int upgrade_old(const char *path, bool keep, struct error *err)
{
	struct error why;
	struct db db;
	int64_t format = 0;
	int rc;

	if (db_open(&db, path, DB_UPGRADE, change_sql, err) < 0)
		return -1;
	rc = db_int(&db, "PRAGMA user_version", &format, err);
	if (rc == 0 && format != DB_FORMAT) {
		rc = keep ? upgrade_behind_copy(&db, format, &why)
			  : upgrade(&db, &why);
		if (rc < 0)
			error_set(err, "%s can not be upgraded from format "
			    "%lld to %d: %s", path, (long long)format,
			    DB_FORMAT, why.text);
	}
	db_close(&db);
	return rc < 0 ? -1 : 0;
}

int table_upgrade(const char *path, struct error *err)
{
	return upgrade_old(path, true, err);
}

int table_upgrade_copy(const char *path, struct error *err)
{
	return upgrade_old(path, false, err);
}
