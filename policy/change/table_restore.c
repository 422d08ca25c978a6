/* SPDX-License-Identifier: ISC
 *
 * Puts a backup in the place of the table. The backup is copied beside the
 * table first, so what was looked at is what is used, and a user who may read
 * it need not be the table's. Then its pages are written through SQLite: the
 * readers see the old table until the commit, the new one after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/change/change_int.h"
#include "policy/change/table_copy.h"
#include "policy/change/table_copy_int.h"
#include "policy/change/table_lock.h"
#include "policy/change/table_upgrade.h"
#include "policy/table_check.h"
#include "relay/base/mem.h"

enum { COPY_BYTES = 1 << 20, BUSY_STEP_MS = 20, BUSY_STEPS = 500 };

struct restoring {
	const char *path;
	char copy[TABLE_KEPT_PATH]; /* of the backup, beside the table */
	struct table_restored *done;
};

/* ---- the copy that is looked at --------------------------------------- */

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

static int copy_bytes(int from, int to)
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

static int make_copy(struct restoring *r, const struct table_source *from,
    struct error *err)
{
	int fd, rc;

	/* A backup is one file; the newest changes of a table that is in use
	 * are in the log beside it. */
	if (db_log_bytes(from->name) > 0)
		return error_set(err, "%s has a write-ahead log beside it: it "
		    "is a table in use, not a backup; make one with posthouse "
		    "table backup FILE", from->name);
	if (table_free_name(r->path, "restoring", r->copy, sizeof(r->copy),
		err) < 0)
		return -1;
	fd = open(r->copy, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_sys(err, errno, "%s", r->copy);
	rc = copy_bytes(from->fd, fd);
	if (rc < 0)
		error_sys(err, errno, "copying %s to %s", from->name, r->copy);
	close(fd);
	return rc;
}

static int look_at_copy(struct restoring *r, const char *name,
    struct error *err)
{
	struct table_checked checked;
	struct error why;

	if (table_check(r->copy, true, &checked, &why) < 0 ||
	    table_checked_say(&checked, &why) < 0)
		return error_set(err, "%s can not be used: its copy %s",
		    name, why.text);
	r->done->is = checked.change;
	/* The file at the path has another mark until the checkpoint. */
	return table_upgrade_copy(r->copy, err) < 0
		   ? -1 : table_copy_mark(r->copy, DB_MARK_ANY, err);
}

/* ---- into the table ---------------------------------------------------- */

/* SQLite asks for no patience of its own here. */
static int step(sqlite3_backup *b, int pages)
{
	int rc = sqlite3_backup_step(b, pages);

	for (int i = 0; (rc == SQLITE_BUSY || rc == SQLITE_LOCKED) &&
			i < BUSY_STEPS; i++) {
		sqlite3_sleep(BUSY_STEP_MS);
		rc = sqlite3_backup_step(b, pages);
	}
	return rc;
}

/* The first page takes the lock of writers, so what is kept is the last of
 * the old table. */
static int write_pages(struct restoring *r, struct db *to, struct db *from,
    struct error *err)
{
	sqlite3_backup *b = sqlite3_backup_init(to->handle, "main",
	    from->handle, "main");
	struct db old;
	int code, rc = 0;

	if (b == NULL)
		return db_error(to, err);
	code = step(b, 1);
	if ((code == SQLITE_OK || code == SQLITE_DONE) &&
	    r->done->kept[0] == '\0') {
		rc = db_open(&old, r->path, DB_LOOK, change_sql, err);
		if (rc == 0) {
			rc = table_keep(&old, "before-restore", r->done->kept,
			    err);
			db_close(&old);
		}
	}
	if (rc == 0 && code == SQLITE_OK)
		code = step(b, -1);
	sqlite3_backup_finish(b); /* unfinished: all is taken back */
	if (rc == 0 && code != SQLITE_DONE)
		rc = db_error(to, err);
	return rc;
}

static int write_table(struct restoring *r, struct db *to, struct error *err)
{
	struct db from;
	int rc;

	if (db_open(&from, r->copy, DB_READ, change_sql, err) < 0)
		return -1;
	rc = write_pages(r, to, &from, err);
	db_close(&from);
	return rc;
}

/* ---- a table that cannot be opened ------------------------------------- */

/* A file as it is, whatever it holds. */
static int keep_bytes(const char *path, int fd, char kept[TABLE_KEPT_PATH],
    struct error *err)
{
	int to, rc;

	if (table_free_name(path, "before-restore", kept, TABLE_KEPT_PATH,
		err) < 0)
		return -1;
	to = open(kept, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return error_sys(err, errno, "%s", kept);
	rc = copy_bytes(fd, to) < 0 || fsync(to) < 0
		 ? error_sys(err, errno, "%s", kept) : 0;
	close(to);
	return rc;
}

static int keep_log(const char *path, const char *kept, struct error *err)
{
	char from[TABLE_KEPT_PATH + 8], to[TABLE_KEPT_PATH + 8];

	snprintf(from, sizeof(from), "%s-wal", path);
	snprintf(to, sizeof(to), "%s-wal", kept);
	if (rename(from, to) < 0 && errno != ENOENT)
		return error_sys(err, errno, "%s", from);
	snprintf(from, sizeof(from), "%s-shm", path);
	if (unlink(from) < 0 && errno != ENOENT)
		return error_sys(err, errno, "%s", from);
	return 0;
}

/* Under the lock of one program alone. An empty file is what a crash leaves
 * until the commit; the daemon answers 451 for it, since its journal knows a
 * later change. */
static int replace(struct restoring *r, struct error *err)
{
	struct table_lock lock;
	struct db to;
	int rc;

	if (table_lock(&lock, r->path, err) < 0)
		return -1;
	rc = keep_bytes(r->path, lock.fd, r->done->kept, err);
	if (rc == 0)
		rc = keep_log(r->path, r->done->kept, err);
	if (rc == 0 && ftruncate(lock.fd, 0) < 0)
		rc = error_sys(err, errno, "%s", r->path);
	if (rc == 0)
		rc = db_open(&to, r->path, DB_CREATE, change_sql, err);
	if (rc == 0) {
		rc = write_table(r, &to, err);
		if (rc == 0)
			rc = db_script(&to, "PRAGMA journal_mode = WAL", err);
		db_close(&to);
	}
	table_unlock(&lock);
	return rc;
}

static int make_empty(const char *path, struct error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_sys(err, errno, "%s", path);
	close(fd);
	return 0;
}

static int newest(struct db *db, uint64_t *change_out, struct error *err)
{
	int64_t value = 0;
	int rc = db_int(db, "SELECT coalesce(max(change), 0) FROM main.change",
	    &value, err);

	*change_out = (uint64_t)value;
	return rc;
}

static int restore_into(struct restoring *r, struct error *err)
{
	struct error why;
	struct db to;
	int rc;

	if (access(r->path, F_OK) < 0 && make_empty(r->path, err) < 0)
		return -1;
	if (db_open(&to, r->path, DB_UPGRADE, change_sql, &why) < 0)
		return replace(r, err);
	rc = newest(&to, &r->done->was, err);
	if (rc == 0)
		rc = write_table(r, &to, err);
	db_close(&to);
	return rc;
}

int table_restore(const char *path, const struct table_source *from,
    struct table_restored *done_out, struct error *err)
{
	struct restoring r = {.path = path, .done = done_out};
	int rc;

	*done_out = (struct table_restored){0};
	rc = make_copy(&r, from, err);
	if (rc == 0)
		rc = look_at_copy(&r, from->name, err);
	if (rc == 0)
		rc = restore_into(&r, err);
	if (r.copy[0] != '\0')
		unlink(r.copy);
	return rc;
}
