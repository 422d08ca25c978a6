/* SPDX-License-Identifier: ISC
 *
 * Looks at a backup, and at the places that it is to go to. Nothing is written
 * here, but the lock of the spool.
 */
#include "relay/cli/backup/restore_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/cli/backup/backup_files.h"
#include "relay/cli/common/file_hash.h"
#include "relay/cli/common/folder.h"
#include "relay/cli/common/json_get.h"

/* ---- names ---- */

static bool all_of(const char *s, const char *set)
{
	return *s != '\0' && s[strspn(s, set)] == '\0';
}

const char *restore_base(const char *name)
{
	const char *slash = strchr(name, '/');

	return slash == NULL ? name : slash + 1;
}

enum place_kind restore_place(const char *name)
{
	static const char digits[] = "0123456789";
	static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	const char *base = restore_base(name);
	size_t n = strlen(base), events = strlen(BACKUP_EVENTS);

	if (strcmp(name, BACKUP_TABLE) == 0)
		return TO_TABLE;
	if (strncmp(name, BACKUP_EVENTS, events) == 0 &&
	    (name[events] == '\0' || backup_is_rotated(name + events)))
		return TO_EVENTS;
	if (strncmp(name, "spool/", 6) == 0 &&
	    (strcmp(base, "spool.key") == 0 ||
		(strncmp(base, "seg.", 4) == 0 && all_of(base + 4, digits))))
		return TO_SPOOL;
	if (strncmp(name, "config/", 7) == 0 && all_of(base, digits))
		return TO_CONFIG;
	if (strncmp(name, "audit/", 6) == 0 && n > 3 &&
	    strspn(base, letters) == n - 3 && strcmp(base + n - 3, ".db") == 0)
		return TO_AUDIT;
	return PLACES;
}

/* ---- files ---- */

static int check_bytes(struct putting_back *p, const json_t *file, int fd,
    uint64_t size)
{
	const char *name = json_text(file, "name");
	uint64_t want = (uint64_t)json_number(file, "bytes");
	char sha[FILE_HASH_TEXT];

	if (size != want)
		return cli_fail(p->c, "%s/%s: it has %" PRIu64 " bytes and "
		    "should have %" PRIu64 ": cut, or of another backup",
		    p->dir, name, size, want);
	if (file_hash_copy(fd, -1, (struct file_part){size, size}, sha) != 0)
		return cli_fail(p->c, "%s/%s: %s", p->dir, name,
		    strerror(errno));
	if (strcmp(sha, json_text(file, "sha256")) == 0)
		return CLI_DONE;
	return cli_fail(p->c, "%s/%s: it is not what the manifest says "
	    "(SHA-256): spoilt, or of another backup", p->dir, name);
}

static int check_file(struct putting_back *p, const json_t *file)
{
	const char *name = json_text(file, "name");
	enum place_kind kind = restore_place(name);
	uint64_t size = 0;
	int fd, code;

	if (kind == PLACES ||
	    (kind == TO_CONFIG && json_text(file, "path")[0] != '/'))
		return cli_fail(p->c, "%s/" BACKUP_MANIFEST ": \"%s\" is no "
		    "name of a file of a backup", p->dir, name);
	fd = folder_open(p->c, p->dir, name, &size);
	if (fd < 0)
		return CLI_NO;
	code = check_bytes(p, file, fd, size);
	close(fd);
	return code;
}

/* `base` NULL: is there one of that kind? */
static bool is_of_backup(const struct putting_back *p, enum place_kind kind,
    const char *base)
{
	const json_t *files = json_object_get(p->manifest, "files");
	json_t *file;
	size_t i;

	json_array_foreach(files, i, file) {
		const char *name = json_text(file, "name");

		if (restore_place(name) == kind &&
		    (base == NULL || strcmp(restore_base(name), base) == 0))
			return true;
	}
	return false;
}

int restore_check(struct putting_back *p)
{
	int code = restore_each(p, &(struct restore_walk){"check", check_file,
	    true});

	if (code != CLI_DONE)
		return code;
	if (!is_of_backup(p, TO_SPOOL, "spool.key"))
		return cli_fail(p->c, "%s: its spool has no spool.key", p->dir);
	if (!is_of_backup(p, TO_TABLE, NULL))
		return cli_fail(p->c, "%s: it has no " BACKUP_TABLE, p->dir);
	return CLI_DONE;
}

/* ---- places ---- */

/* The lock is made by the command that looks, and "restoring" is of a restore
 * that was interrupted. What that one moved is taken back later. */
static bool counts(const struct putting_back *p, enum place_kind kind,
    const char *name)
{
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strcmp(name, "lock") != 0 && strcmp(name, "restoring") != 0 &&
	       !(p->again && is_of_backup(p, kind, name));
}

static int look_at_folder(struct putting_back *p, enum place_kind kind)
{
	const char *path = p->place[kind];
	DIR *d = opendir(path);
	const struct dirent *e = NULL;
	int code = CLI_DONE;

	if (d == NULL)
		return errno == ENOENT ? CLI_DONE : cli_fail(p->c, "%s: %s",
		    path, strerror(errno));
	while (code == CLI_DONE && (e = readdir(d)) != NULL)
		if (counts(p, kind, e->d_name))
			code = cli_fail(p->c, "%s is not empty (%s): a restore "
			    "puts nothing over what is there; move it away",
			    path, e->d_name);
	closedir(d);
	return code;
}

static int look_at_table(struct putting_back *p)
{
	static const char *const rests[] = {"", "-wal", "-shm", "-journal"};
	char path[PATH_MAX];
	struct stat st;

	for (size_t i = p->again ? 1 : 0; i < ARRAY_LEN(rests); i++) {
		snprintf(path, sizeof(path), "%s%s", p->place[TO_TABLE],
		    rests[i]);
		if (lstat(path, &st) == 0)
			return cli_fail(p->c, "%s is there: a restore puts "
			    "nothing over a table; move it away, or use "
			    "posthouse table restore", path);
	}
	return CLI_DONE;
}

bool restore_has_events(const struct putting_back *p)
{
	const char *place = p->place[TO_EVENTS];

	return place != NULL && place[0] != '\0' &&
	       is_of_backup(p, TO_EVENTS, NULL);
}

static int look_at_event(struct putting_back *p, const json_t *file)
{
	const char *name = json_text(file, "name");
	char first[PATH_MAX], last[PATH_MAX];
	struct stat st;

	if (restore_place(name) != TO_EVENTS)
		return CLI_DONE;
	restore_paths(p, name, first, last);
	if (lstat(last, &st) != 0)
		return CLI_DONE;
	return cli_fail(p->c, "%s is there: a restore puts nothing over what "
	    "is there; move it away", last);
}

/* One that went on has places of records that the new life may use again. */
static int look_at_events(struct putting_back *p)
{
	if (!restore_has_events(p) || p->again)
		return CLI_DONE;
	return restore_each(p, &(struct restore_walk){"look", look_at_event,
	    true});
}

/* As the daemon does, so none starts meanwhile. Where there is no lock,
 * restore_put() makes it and looks again. */
static int lock_spool(struct putting_back *p)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/lock", p->place[TO_SPOOL]);
	if (p->lock < 0)
		p->lock = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (p->lock < 0 && errno == ENOENT)
		return CLI_DONE;
	if (p->lock >= 0 && flock(p->lock, LOCK_EX | LOCK_NB) == 0)
		return CLI_DONE;
	if (p->lock >= 0 && errno == EWOULDBLOCK)
		return cli_fail(p->c, "%s: it is in use: stop posthoused first",
		    p->place[TO_SPOOL]);
	return cli_fail(p->c, "%s: %s", path, strerror(errno));
}

int restore_look(struct putting_back *p)
{
	int code = lock_spool(p);

	p->again = restore_is_half(p);
	if (code == CLI_DONE)
		code = look_at_folder(p, TO_SPOOL);
	if (look_at_folder(p, TO_AUDIT) != CLI_DONE)
		code = CLI_NO;
	if (look_at_table(p) != CLI_DONE)
		code = CLI_NO;
	if (look_at_events(p) != CLI_DONE)
		code = CLI_NO;
	return code;
}
