/* SPDX-License-Identifier: ISC
 *
 * The audit index in a backup. Sealed hours never change and are copied as
 * files; the current one and ledger.db are copied by SQLite while they are
 * written. Behind them comes events.jsonl, which has all lines of before their
 * cursor.
 */
#include "relay/cli/backup/backup_files.h"
#include "relay/cli/backup/restore_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 10000 };

/* ---- copies of what is in use ---- */

static int copy_pages(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
	int rc = SQLITE_ERROR;

	if (copy == NULL)
		return rc;
	rc = sqlite3_backup_step(copy, -1);
	sqlite3_backup_finish(copy);
	return rc;
}

/* In one read transaction, so that it is of one moment. The copy is one file,
 * without a log. */
static int copy_database(struct backing_up *b, const char *path,
    const char *name)
{
	char to_path[PATH_MAX];
	sqlite3 *from = NULL, *to = NULL;
	int rc;

	if (snprintf(to_path, sizeof(to_path), "%s/%s", b->dir, name) >=
	    (int)sizeof(to_path))
		return cli_fail(b->c, "%s: the name is too long", b->dir);
	rc = sqlite3_open_v2(path, &from, SQLITE_OPEN_READWRITE, NULL);
	if (rc == SQLITE_OK)
		sqlite3_busy_timeout(from, BUSY_MS);
	if (rc == SQLITE_OK)
		rc = sqlite3_open_v2(to_path, &to,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(to, "PRAGMA journal_mode = OFF", NULL, NULL,
		    NULL);
	if (rc == SQLITE_OK)
		rc = copy_pages(from, to);
	if (rc == SQLITE_DONE)
		rc = sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL,
		    NULL, NULL);
	if (rc != SQLITE_OK)
		cli_fail(b->c, "copying %s to %s: %s", path, to_path,
		    sqlite3_errstr(rc));
	sqlite3_close(to);
	sqlite3_close(from);
	return rc == SQLITE_OK ? backup_note(b, name, path) : CLI_NO;
}

/* ---- the folder ---- */

/* One that a restore takes. */
static bool is_index(const char *name)
{
	char whole[NAME_MAX + 16];

	snprintf(whole, sizeof(whole), "audit/%s", name);
	return restore_place(whole) == TO_AUDIT;
}

static int copy_one(struct backing_up *b, const char *file, bool sealed)
{
	char path[PATH_MAX], name[NAME_MAX + 16];
	struct stat st;
	int fd, code = CLI_DONE;

	snprintf(path, sizeof(path), "%s/%s", b->conf->audit.path, file);
	snprintf(name, sizeof(name), "audit/%s", file);
	if (backup_has(b, name))
		return CLI_DONE;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return CLI_DONE; /* it was too old to be kept */
	if (fd < 0 || fstat(fd, &st) != 0)
		code = cli_fail(b->c, "%s: %s", path, strerror(errno));
	else if ((st.st_mode & S_IWUSR) == 0)
		code = backup_copy_from(b, fd, path, name, UINT64_MAX);
	else if (!sealed)
		code = copy_database(b, path, name);
	if (fd >= 0)
		close(fd);
	return code;
}

static int copy_sealed(struct backing_up *b, const char *file)
{
	return is_index(file) ? copy_one(b, file, true) : CLI_DONE;
}

static int copy_rest(struct backing_up *b, const char *file)
{
	return is_index(file) ? copy_one(b, file, false) : CLI_DONE;
}

int backup_audit_sealed(struct backing_up *b)
{
	return backup_each(b, &(struct backup_folder){b->conf->audit.path, "",
	    copy_sealed});
}

int backup_audit_rest(struct backing_up *b)
{
	int code = backup_each(b, &(struct backup_folder){b->conf->audit.path,
	    "", copy_rest});

	return code == CLI_DONE ? backup_events_rest(b) : code;
}
