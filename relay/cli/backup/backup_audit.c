/* SPDX-License-Identifier: ISC
 *
 * The audit index in a backup. Sealed hours never change and are copied as
 * files; the current one and ledger.db are copied by SQLite while they are
 * written. Behind them events.jsonl, which has all lines of before their
 * cursor.
 */
#include "relay/cli/backup/backup_files.h"
#include "relay/cli/backup/restore_files.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>

enum { BUSY_MS = 10000, ROTATED_NAME = 128 };

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
	bool is_sealed;

	snprintf(path, sizeof(path), "%s/%s", b->conf->audit.path, file);
	snprintf(name, sizeof(name), "audit/%s", file);
	if (stat(path, &st) != 0)
		return errno == ENOENT /* it was too old to be kept */
			   ? CLI_DONE
			   : cli_fail(b->c, "%s: %s", path, strerror(errno));
	is_sealed = (st.st_mode & S_IWUSR) == 0;
	if (backup_has(b, name) || (sealed && !is_sealed))
		return CLI_DONE;
	return is_sealed ? backup_copy(b, path, name, UINT64_MAX)
			 : copy_database(b, path, name);
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

/* A pipe or a device keeps no line. */
static int copy_events(struct backing_up *b)
{
	const char *path = b->conf->audit.events;
	struct stat st;

	if (path[0] == '\0')
		return CLI_DONE;
	if (stat(path, &st) != 0)
		return errno == ENOENT
			   ? CLI_DONE
			   : cli_fail(b->c, "%s: %s", path, strerror(errno));
	return S_ISREG(st.st_mode)
		   ? backup_copy(b, path, BACKUP_EVENTS, UINT64_MAX)
		   : CLI_DONE;
}

/* One that is gone meanwhile was rotated on, or was given up. */
static int copy_rotated(struct backing_up *b, const char *file)
{
	const char *path = b->conf->audit.events, *slash = strrchr(path, '/');
	size_t n = strlen(slash == NULL ? path : slash + 1);
	char from[PATH_MAX], name[ROTATED_NAME];
	struct stat st;

	if (strlen(file) <= n || !backup_is_rotated(file + n))
		return CLI_DONE;
	snprintf(from, sizeof(from), "%s%s", path, file + n);
	snprintf(name, sizeof(name), BACKUP_EVENTS "%s", file + n);
	return stat(from, &st) == 0 && S_ISREG(st.st_mode)
		   ? backup_copy(b, from, name, UINT64_MAX)
		   : CLI_DONE;
}

/* After events.jsonl: a rotation between the two brings lines twice. One while
 * these are copied may hide a file, if it renames them (doc/backup.md). */
static int copy_all_rotated(struct backing_up *b)
{
	const char *path = b->conf->audit.events, *slash = strrchr(path, '/');
	char folder[PATH_MAX];

	if (path[0] == '\0')
		return CLI_DONE;
	snprintf(folder, sizeof(folder), "%.*s", slash == NULL ? 1 :
	    (int)(slash - path) + 1, slash == NULL ? "." : path);
	return backup_each(b, &(struct backup_folder){folder,
	    slash == NULL ? path : slash + 1, copy_rotated});
}

int backup_audit_rest(struct backing_up *b)
{
	int code = backup_each(b, &(struct backup_folder){b->conf->audit.path,
	    "", copy_rest});

	if (code == CLI_DONE)
		code = copy_events(b);
	return code == CLI_DONE ? copy_all_rotated(b) : code;
}
