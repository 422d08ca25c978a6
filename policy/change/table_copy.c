/* SPDX-License-Identifier: ISC
 *
 * Copies of the table, made by SQLite's online backup, page by page, and
 * named when they are whole.
 */
#include "policy/change/table_copy.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "policy/change/change_int.h"
#include "policy/change/table_copy_int.h"
#include "policy/change/table_lock.h"
#include "relay/base/mem.h"
#include "relay/base/newfile.h"

enum { COPY_BYTES = 1 << 20 };

static int write_whole(int to, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = write(to, p, n);

		if (k < 0 && errno != EINTR)
			return -1;
		if (k > 0) {
			p += k;
			n -= (size_t)k;
		}
	}
	return 0;
}

int table_copy_bytes(int from, int to)
{
	char *buffer = mem_new(COPY_BYTES);
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = read(from, buffer, COPY_BYTES)) != 0)
		if (n < 0 ? errno != EINTR
			  : write_whole(to, buffer, (size_t)n) < 0)
			rc = -1;
	mem_free(buffer);
	return rc;
}

/* Without a journal: the file gets its name when it is whole. */
static int copy_pages(struct db *from, const char *to, struct error *err)
{
	sqlite3 *copy = NULL;
	sqlite3_backup *b = NULL;
	int rc = sqlite3_open_v2(to, &copy, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(copy, "PRAGMA journal_mode = OFF", NULL,
		    NULL, NULL);
	if (rc == SQLITE_OK)
		b = sqlite3_backup_init(copy, "main", from->handle, "main");
	if (b != NULL) {
		rc = sqlite3_backup_step(b, -1);
		sqlite3_backup_finish(b);
	}
	rc = b != NULL && rc == SQLITE_DONE
		 ? 0
		 : error_set(err, "the copy failed: %s",
		       copy == NULL ? "no memory" : sqlite3_errmsg(copy));
	sqlite3_close(copy);
	return rc;
}

/* One file without a log of its own. A table of format 1 has no mark. */
static const char alone[] =
    "PRAGMA locking_mode = EXCLUSIVE;"
    "PRAGMA journal_mode = DELETE;";

int table_copy_mark(const char *path, const char *former, struct error *err)
{
	struct db db;
	int64_t format = 0;
	int rc;

	if (db_open(&db, path, DB_UPGRADE, change_sql, err) < 0)
		return -1;
	rc = db_script(&db, alone, err);
	if (rc == 0)
		rc = db_int(&db, "PRAGMA user_version", &format, err);
	if (rc == 0 && format > 1) {
		sqlite3_stmt *st = db_stmt(&db, CS_MARK_COPY, err);

		rc = st == NULL ? -1 : 0;
		if (rc == 0) {
			db_bind_str(st, 1, former);
			rc = db_run(&db, st, err);
		}
	}
	db_close(&db);
	return rc;
}

static int copy_to(struct db *from, const char *to, struct error *err)
{
	char part[NEWFILE_PATH];
	int fd = newfile_open(to, part), rc;

	if (fd < 0)
		return error_sys(err, errno, "%s", to);
	rc = copy_pages(from, part, err);
	if (rc == 0)
		rc = table_copy_mark(part, "", err);
	if (rc == 0 && (fsync(fd) < 0 || newfile_keep(part, to) < 0))
		rc = error_sys(err, errno, "%s", to);
	close(fd);
	if (rc < 0)
		unlink(part);
	return rc;
}

int table_backup(const char *path, const char *to, struct error *err)
{
	struct db db;
	int rc;

	if (db_open(&db, path, DB_LOOK, change_sql, err) < 0)
		return -1;
	rc = copy_to(&db, to, err);
	db_close(&db);
	return rc;
}

int table_keep(struct db *from, const char *label,
    char kept_out[TABLE_KEPT_PATH], struct error *err)
{
	if (table_free_name(from->path, label, kept_out, TABLE_KEPT_PATH,
		err) < 0)
		return -1;
	return copy_to(from, kept_out, err);
}
