/* SPDX-License-Identifier: ISC
 *
 * Puts a backup in the place of the table. The backup is copied beside the
 * table first, so what was looked at is what is used, and a user who may read
 * it need not be the table's. Then its pages are written through SQLite: the
 * readers see the old table until the commit, the new one after it. Where
 * there is no table that SQLite can open, the copy itself becomes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/change/change_int.h"
#include "policy/change/table_copy.h"
#include "policy/change/table_copy_int.h"
#include "policy/change/table_lock.h"
#include "policy/change/table_upgrade.h"
#include "policy/check/table_check.h"
#include "relay/base/newfile.h"

enum { BUSY_STEP_MS = 20, BUSY_STEPS = 500 };

struct restoring {
	const char *path;
	char copy[TABLE_KEPT_PATH]; /* of the backup, beside the table */
	int fd; /* of the copy, locked: a restore is at work; -1 */
	struct table_restored *done;
};

/* ---- the copy that is looked at --------------------------------------- */

/* SQLite would take it for that of the next copy. */
static void drop_beside(const struct restoring *r)
{
	static const char *const ends[] = {"-journal", "-wal", "-shm"};
	char name[TABLE_KEPT_PATH + 16];

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", r->copy, ends[i]);
		unlink(name);
	}
}

static bool has_name(int fd, const char *name)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(name, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* One restore at a time. The file that a killed one left is used again. */
static int open_copy(struct restoring *r, struct error *err)
{
	int n = snprintf(r->copy, sizeof(r->copy), "%s.restoring", r->path);

	if (n < 0 || (size_t)n >= sizeof(r->copy))
		return error_set(err, "%s: the name is too long", r->path);
	r->fd = open(r->copy, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (r->fd < 0)
		return error_sys(err, errno, "%s", r->copy);
	if (flock(r->fd, LOCK_EX | LOCK_NB) < 0 ||
	    !has_name(r->fd, r->copy)) {
		close(r->fd);
		r->fd = -1;
		return error_set(err, "another restore of %s is at work; wait "
		    "for its end", r->path);
	}
	drop_beside(r);
	if (ftruncate(r->fd, 0) < 0 || fchmod(r->fd, 0600) < 0)
		return error_sys(err, errno, "%s", r->copy);
	return 0;
}

static int make_copy(struct restoring *r, const struct table_source *from,
    struct error *err)
{
	/* A backup is one file; the newest changes of a table that is in use
	 * are in the log beside it. */
	if (db_log_bytes(from->name) > 0)
		return error_set(err, "%s has a write-ahead log beside it: it "
		    "is a table in use, not a backup; make one with posthouse "
		    "table backup FILE", from->name);
	if (open_copy(r, err) < 0)
		return -1;
	if (table_copy_bytes(from->fd, r->fd) < 0)
		return error_sys(err, errno, "copying %s to %s", from->name,
		    r->copy);
	return 0;
}

/* Last of all: SQLite's locks of a file go with any descriptor of it. */
static void drop_copy(struct restoring *r)
{
	if (r->fd < 0)
		return;
	drop_beside(r);
	if (has_name(r->fd, r->copy))
		unlink(r->copy);
	close(r->fd);
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

/* The table has all that was kept of it. After an error of the disk that is
 * not sure: the next start shows what was committed. */
static void forget_kept(struct restoring *r, int code)
{
	if (r->done->kept[0] == '\0' || (code & 0xff) == SQLITE_IOERR)
		return;
	unlink(r->done->kept);
	r->done->kept[0] = '\0';
}

/* Once: what is kept is the last of the old table. */
static int keep_pages(struct restoring *r, struct error *err)
{
	struct db old;
	int rc;

	if (db_open(&old, r->path, DB_LOOK, change_sql, err) < 0)
		return -1;
	rc = table_keep(&old, "before-restore", r->done->kept, err);
	if (rc < 0)
		r->done->kept[0] = '\0';
	db_close(&old);
	return rc;
}

/* The first page takes the lock of writers. */
static int write_pages(struct restoring *r, struct db *to, struct db *from,
    struct error *err)
{
	sqlite3_backup *b = sqlite3_backup_init(to->handle, "main",
	    from->handle, "main");
	int code, rc = 0;

	if (b == NULL)
		return db_error(to, err);
	code = step(b, 1);
	if (code == SQLITE_OK || code == SQLITE_DONE)
		rc = keep_pages(r, err);
	if (rc == 0 && code == SQLITE_OK)
		code = step(b, -1);
	sqlite3_backup_finish(b); /* unfinished: all is taken back */
	if (rc == 0 && code != SQLITE_DONE) {
		rc = db_error(to, err);
		forget_kept(r, code);
	}
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

/* ---- the copy becomes the table ---------------------------------------- */

/* It comes by its name, while the lock says that no program has the old file
 * open: all or nothing, also on a disk that is full. */
/* A file that SQLite would take for one of the new table. */
struct beside {
	char path[TABLE_KEPT_PATH + 16];
	char kept[TABLE_KEPT_PATH + 16]; /* its other name; "": it has none */
};

enum { LOG, JOURNAL, BESIDE };

struct replacing {
	struct restoring *r;
	int old; /* the file at the path, locked */
	struct beside beside[BESIDE];
};

/* All of the new table that can fail, before the old one is touched. */
static int make_whole(const char *copy, int fd, struct error *err)
{
	struct db db;
	int rc;

	if (db_open(&db, copy, DB_WRITE, change_sql, err) < 0)
		return -1;
	rc = db_script(&db, "PRAGMA journal_mode = WAL", err);
	db_close(&db);
	if (rc == 0 && fsync(fd) < 0)
		rc = error_sys(err, errno, "%s", copy);
	return rc;
}

/* Its bytes, whatever they are; nothing of an empty file. */
static int keep_file(struct replacing *re, struct error *err)
{
	char *kept = re->r->done->kept;
	struct stat st;
	int to, rc;

	if (fstat(re->old, &st) == 0 && st.st_size == 0)
		return 0;
	if (table_free_name(re->r->path, "before-restore", kept,
		TABLE_KEPT_PATH, err) < 0)
		to = -1;
	else if ((to = open(kept, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		      0600)) < 0)
		error_sys(err, errno, "%s", kept);
	if (to < 0) {
		kept[0] = '\0';
		return -1;
	}
	rc = table_copy_bytes(re->old, to) < 0 || fsync(to) < 0
		 ? error_sys(err, errno, "%s", kept) : 0;
	close(to);
	return rc;
}

/* Next to the file that is kept, or alone, as `table accept` does it. */
static int keep_beside(struct replacing *re, struct beside *b,
    const char *end, struct error *err)
{
	const char *kept = re->r->done->kept;
	struct stat st;
	int rc;

	snprintf(b->path, sizeof(b->path), "%s%s", re->r->path, end);
	if (stat(b->path, &st) == 0 && st.st_size == 0)
		unlink(b->path);
	if (kept[0] != '\0')
		snprintf(b->kept, sizeof(b->kept), "%s%s", kept, end);
	else if (table_free_name(b->path, "aside", b->kept, sizeof(b->kept),
		     err) < 0)
		return -1;
	if (newfile_keep(b->path, b->kept) == 0)
		return 0;
	rc = errno == ENOENT ? 0 : error_sys(err, errno, "%s can not become "
	    "%s", b->path, b->kept);
	b->kept[0] = '\0';
	return rc;
}

static int keep_all(struct replacing *re, struct error *err)
{
	char shm[TABLE_KEPT_PATH + 16];

	/* While no program can have the new one open. */
	snprintf(shm, sizeof(shm), "%s-shm", re->r->path);
	unlink(shm);
	if (keep_file(re, err) < 0 ||
	    keep_beside(re, &re->beside[LOG], "-wal", err) < 0)
		return -1;
	return keep_beside(re, &re->beside[JOURNAL], "-journal", err);
}

/* A name that can not be given back is told. */
static void put_back(struct replacing *re, struct error *err)
{
	for (int i = 0; i < BESIDE; i++) {
		const struct beside *b = &re->beside[i];

		if (b->kept[0] != '\0' && newfile_keep(b->kept, b->path) < 0)
			error_set(err, "%s can not be replaced, and %s is "
			    "named %s now: give it its name back",
			    re->r->path, b->path, b->kept);
	}
	forget_kept(re->r, 0);
}

/* A program that opened the old file and waits for its lock would use it
 * beside the new one, with the same log: it is to find no table there. */
static void spoil_old(int old)
{
	static const char none[] = "this table was replaced\n";
	ssize_t ignored = pwrite(old, none, sizeof(none), 0);

	/* A file that has no room for it is empty: no table either. */
	(void)ignored;
}

/* A power cut before the names are on disk shows the old table again. */
static void sync_folder(const char *path)
{
	char folder[TABLE_KEPT_PATH];
	char *slash;
	int fd;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash != NULL)
		slash[slash == folder] = '\0';
	fd = open(slash == NULL ? "." : folder,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static int swap(struct replacing *re, struct error *err)
{
	int rc = keep_all(re, err);

	if (rc == 0 && rename(re->r->copy, re->r->path) < 0)
		rc = error_sys(err, errno, "%s", re->r->path);
	if (rc < 0) {
		put_back(re, err);
		return -1;
	}
	spoil_old(re->old);
	sync_folder(re->r->path);
	return 0;
}

/* Where there is no table, an empty file is what is locked: a daemon that
 * starts meanwhile makes its own there, or none. */
static int replace(struct restoring *r, struct error *err)
{
	struct replacing re = {.r = r};
	struct table_lock lock;
	struct stat st;
	int made, rc;

	if (make_whole(r->copy, r->fd, err) < 0)
		return -1;
	made = open(r->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (made >= 0)
		close(made);
	if (table_lock(&lock, r->path, err) < 0)
		return -1;
	re.old = lock.fd;
	rc = swap(&re, err);
	if (rc < 0 && made >= 0 && fstat(re.old, &st) == 0 && st.st_size == 0)
		unlink(r->path);
	table_unlock(&lock);
	return rc;
}

/* ------------------------------------------------------------------------ */

static bool is_empty(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? errno == ENOENT
				   : S_ISREG(st.st_mode) && st.st_size == 0;
}

static int newest(struct db *db, uint64_t *change_out, struct error *err)
{
	int64_t value = 0;
	int rc = db_int(db, "SELECT coalesce(max(change), 0) FROM main.change",
	    &value, err);

	*change_out = (uint64_t)value;
	return rc;
}

/* A table that is merely locked, or that a later version made, stays. */
static int restore_into(struct restoring *r, struct error *err)
{
	struct db to;
	bool broken;
	int rc;

	if (is_empty(r->path))
		return replace(r, err);
	if (db_open(&to, r->path, DB_UPGRADE, change_sql, err) < 0)
		return to.foreign || to.broken ? replace(r, err) : -1;
	rc = newest(&to, &r->done->was, err);
	broken = rc < 0 && db_broken(&to);
	if (rc == 0)
		rc = write_table(r, &to, err);
	db_close(&to);
	return broken ? replace(r, err) : rc;
}

int table_restore(const char *path, const struct table_source *from,
    struct table_restored *done_out, struct error *err)
{
	char file[PATH_MAX]; /* where a link leads, as SQLite sees it */
	struct restoring r = {.path = path, .fd = -1, .done = done_out};
	int rc;

	*done_out = (struct table_restored){0};
	if (realpath(path, file) != NULL)
		r.path = file;
	rc = make_copy(&r, from, err);
	if (rc == 0)
		rc = look_at_copy(&r, from->name, err);
	if (rc == 0)
		rc = restore_into(&r, err);
	drop_copy(&r);
	return rc;
}
