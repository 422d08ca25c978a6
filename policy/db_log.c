/* SPDX-License-Identifier: ISC
 *
 * Does the write-ahead log beside the table belong to it? SQLite believes a
 * log by its name: after a copy was put over the table, pages of the old table
 * would be read as pages of the copy.
 *
 * Each table has a mark, and each change writes page 1 and the page of the
 * mark, so a log that holds a change holds the mark as well. The mark as
 * SQLite reads it (through the log) must then stand in the file itself. A
 * backup gets a mark of its own, and the daemon draws another one when it
 * starts; until the file has it, the former one stands beside it
 * (table_log.c). The mark of a table that was upgraded or restored through
 * the log stands in the file after the next checkpoint.
 */
#include "policy/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "relay/base/mem.h"

enum { PAGE_MAX = 65536, LOG_HEADER = 32 };

struct file_mark {
	int64_t page; /* where it stands; 0: a table without marks */
	int64_t page_bytes;
	char now[DB_MARK_TEXT], former[DB_MARK_TEXT];
};

void db_beside(const char *path, const char *end, char name_out[DB_BESIDE])
{
	char file[PATH_MAX];

	snprintf(name_out, DB_BESIDE, "%.*s%s", PATH_MAX - 1,
	    realpath(path, file) == NULL ? path : file, end);
}

int64_t db_log_bytes(const char *path)
{
	char log[DB_BESIDE];
	struct stat st;

	db_beside(path, "-wal", log);
	return stat(log, &st) < 0 ? 0 : st.st_size;
}

/* Through the log. A table of format 1 has no mark: page 0. */
static int read_mark(struct db *db, struct file_mark *m, struct error *err)
{
	static const char where[] = "SELECT coalesce((SELECT rootpage FROM "
	    "main.sqlite_schema WHERE name = 'about'), 0)";
	sqlite3_stmt *st = NULL;
	int rc;

	if (db_int(db, where, &m->page, err) < 0 ||
	    db_int(db, "PRAGMA page_size", &m->page_bytes, err) < 0)
		return -1;
	if (m->page == 0)
		return 0;
	rc = sqlite3_prepare_v2(db->handle, "SELECT mark, former FROM about",
	    -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		snprintf(m->now, sizeof(m->now), "%s", db_str(st, 0));
		snprintf(m->former, sizeof(m->former), "%s", db_str(st, 1));
	} else {
		db_error(db, err);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : -1;
}

static bool page_has(const void *page, size_t bytes, const char *mark)
{
	size_t n = strlen(mark);

	return n == DB_MARK_TEXT - 1 &&
	       memmem(page, bytes, mark, n) != NULL;
}

/* The page as it stands in the file, read by SQLite's own descriptor: closing
 * another one would drop the locks of this process (db.c: check_file()). */
static bool file_has(struct db *db, const struct file_mark *m,
    const char *mark)
{
	sqlite3_file *file = NULL;
	bool found = false;
	size_t bytes;
	void *page;

	if (m->page_bytes <= 0 || m->page_bytes > PAGE_MAX ||
	    sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER,
		&file) != SQLITE_OK || file == NULL || file->pMethods == NULL)
		return false;
	bytes = (size_t)m->page_bytes;
	page = mem_new(bytes);
	if (file->pMethods->xRead(file, page, (int)bytes,
		(m->page - 1) * m->page_bytes) == SQLITE_OK)
		found = page_has(page, bytes, mark);
	mem_free(page);
	return found;
}

int db_mark_in_file(struct db *db, struct error *err)
{
	struct file_mark m = {0};

	if (read_mark(db, &m, err) < 0)
		return -1;
	return m.page > 0 && file_has(db, &m, m.now);
}

int db_log_foreign(struct db *db, struct error *err)
{
	struct file_mark m = {0};
	char log[DB_BESIDE];

	if (db_log_bytes(db->path) <= LOG_HEADER)
		return 0;
	/* A checkpoint that ends between the two looks has written the mark
	 * into the file by then. */
	for (int look = 0; look < 2; look++) {
		if (read_mark(db, &m, err) < 0)
			return -1;
		if (m.page == 0 || strcmp(m.former, DB_MARK_ANY) == 0 ||
		    file_has(db, &m, m.now) || file_has(db, &m, m.former))
			return 0;
	}
	db_beside(db->path, "-wal", log);
	error_set(err, "%s is the write-ahead log of another file than %s: "
	    "a copy was put over the table while its log was there. "
	    "`posthouse table accept` uses the copy and sets the log aside; "
	    "`posthouse table restore FILE` puts a backup in place of both",
	    log, db->path);
	return 1;
}
