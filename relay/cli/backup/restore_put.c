/* SPDX-License-Identifier: ISC
 *
 * Puts a backup back. Copies go to a folder "restoring" in each place, where no
 * daemon looks; then they are moved up.
 */
#include "relay/cli/backup/restore_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/base/newfile.h"
#include "relay/base/rng.h"
#include "relay/cli/backup/backup_files.h"
#include "relay/cli/common/file_hash.h"
#include "relay/cli/common/folder.h"
#include "relay/cli/common/json_get.h"
#include "relay/spool/backup/renew.h"
#include "relay/spool/disk/diskio.h"

/* ---- paths ---- */

/* The file's or folder's owner, or that of what it is in. */
static void owner_of(const char *path, struct stat *st_out)
{
	char up[PATH_MAX], *slash;

	snprintf(up, sizeof(up), "%s", path);
	while (stat(up, st_out) != 0) {
		slash = strrchr(up, '/');
		if (slash == NULL || slash == up) {
			(void)stat(slash == up ? "/" : ".", st_out);
			return;
		}
		*slash = '\0';
	}
}

/* Root writes for the daemon's user. */
static int give_to(int fd, const struct stat *owner)
{
	return geteuid() != 0 ? 0 : fchown(fd, owner->st_uid, owner->st_gid);
}

static int make_folder(struct putting_back *p, const char *path, int mode)
{
	struct stat owner;
	int fd, rc;

	owner_of(path, &owner);
	if (mkdir(path, (mode_t)mode) != 0)
		return errno == EEXIST ? CLI_DONE : cli_fail(p->c, "%s: %s",
		    path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	rc = fd < 0 ? -1 : give_to(fd, &owner);
	if (fd >= 0)
		close(fd);
	return rc == 0 ? CLI_DONE
		       : cli_fail(p->c, "%s: %s", path, strerror(errno));
}

/* ---- copies ---- */

static int copy_bytes(struct putting_back *p, const json_t *file, int from,
    int to, const char *path)
{
	uint64_t size = (uint64_t)json_number(file, "bytes");
	char sha[FILE_HASH_TEXT];

	if (file_hash_copy(from, to, (struct file_part){size, size}, sha) != 0)
		return cli_fail(p->c, "%s: %s", path, strerror(errno));
	if (strcmp(sha, json_text(file, "sha256")) != 0)
		return cli_fail(p->c, "%s/%s: it changed while it was copied",
		    p->dir, json_text(file, "name"));
	return CLI_DONE;
}

struct copy_to {
	const char *path;
	struct stat owner;
};

static int copy_file(struct putting_back *p, const json_t *file,
    const struct copy_to *to)
{
	uint64_t size;
	int from = folder_open(p->c, p->dir, json_text(file, "name"), &size);
	int fd, code;

	if (from < 0)
		return CLI_NO;
	fd = open(to->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		close(from);
		return cli_fail(p->c, "%s: %s", to->path, strerror(errno));
	}
	code = copy_bytes(p, file, from, fd, to->path);
	if (code == CLI_DONE && (give_to(fd, &to->owner) != 0 ||
	    fchmod(fd, (mode_t)(json_number(file, "mode") & 0770)) != 0 ||
	    fsync(fd) != 0))
		code = cli_fail(p->c, "%s: %s", to->path, strerror(errno));
	close(from);
	close(fd);
	return code;
}

static int copy_part(struct putting_back *p, const json_t *file)
{
	const char *name = json_text(file, "name");
	enum place_kind kind = restore_place(name);
	char first[PATH_MAX], last[PATH_MAX];
	struct copy_to to = {.path = first};

	if (kind == TO_CONFIG || kind == TO_EVENTS)
		return CLI_DONE;
	restore_paths(p, name, first, last);
	owner_of(p->place[kind], &to.owner);
	return copy_file(p, file, &to);
}

/* ---- the configuration: what is not there ---- */

static int put_config(struct putting_back *p, const json_t *file)
{
	struct copy_to to = {.path = json_text(file, "path")};
	char part[PATH_MAX];
	struct stat st;
	int code;

	if (lstat(to.path, &st) == 0) {
		p->kept++;
		return CLI_DONE;
	}
	snprintf(part, sizeof(part), "%s.restoring", to.path);
	unlink(part);
	to.owner.st_uid = (uid_t)json_number(file, "uid");
	to.owner.st_gid = (gid_t)json_number(file, "gid");
	code = copy_file(p, file, &(struct copy_to){part, to.owner});
	if (code == CLI_DONE && newfile_keep(part, to.path) != 0)
		code = cli_fail(p->c, "%s: %s", to.path, strerror(errno));
	p->configs += code == CLI_DONE;
	return code;
}

/* ---- events.jsonl: its place is the configuration's ---- */

static int copy_events(struct putting_back *p, const json_t *file)
{
	const char *name = json_text(file, "name");
	char first[PATH_MAX], last[PATH_MAX];
	struct copy_to to = {.path = first};

	if (restore_place(name) != TO_EVENTS)
		return CLI_DONE;
	restore_paths(p, name, first, last);
	owner_of(last, &to.owner);
	unlink(first);
	return copy_file(p, file, &to);
}

/* The daemon makes a new file when there is none, so a configuration that
 * cannot be read and a folder that is missing do not stop the restore. */
static bool find_events(struct putting_back *p)
{
	const struct conf *conf = cli_conf_try(p->c);
	char path[PATH_MAX];

	p->place[TO_EVENTS] = conf == NULL ? "" : conf->audit.events;
	snprintf(path, sizeof(path), "%s", p->place[TO_EVENTS]);
	if (restore_has_events(p) && access(dirname(path), F_OK) == 0)
		return true;
	if (conf == NULL)
		cli_fail(p->c, "%s/" BACKUP_EVENTS " is left where it is: %s",
		    p->dir, p->c->conf_fault.text);
	else if (restore_has_events(p))
		cli_fail(p->c, "%s/" BACKUP_EVENTS " is left where it is: "
		    "there is no folder %s", p->dir, path);
	p->place[TO_EVENTS] = "";
	return false;
}

/* ---- steps ---- */

/* The first failure ends it. */
static int each_file(struct putting_back *p, const char *title,
    int (*fn)(struct putting_back *p, const json_t *file))
{
	return restore_each(p, &(struct restore_walk){title, fn, false});
}

static int take_event_away(struct putting_back *p, const json_t *file)
{
	const char *name = json_text(file, "name");
	char first[PATH_MAX], last[PATH_MAX];

	if (restore_place(name) != TO_EVENTS)
		return CLI_DONE;
	restore_paths(p, name, first, last);
	unlink(first);
	return CLI_DONE;
}

/* Of an earlier restore that was killed, or of this one that failed. */
static void take_away(struct putting_back *p)
{
	char path[PATH_MAX], sub[PATH_MAX];

	for (int kind = TO_SPOOL; kind <= TO_AUDIT; kind++) {
		DIR *d;
		const struct dirent *e;

		snprintf(path, sizeof(path), "%s/restoring", p->place[kind]);
		d = opendir(path);
		while (d != NULL && (e = readdir(d)) != NULL)
			if (snprintf(sub, sizeof(sub), "%s/%s", path,
				e->d_name) < (int)sizeof(sub))
				unlink(sub);
		if (d != NULL)
			closedir(d);
		rmdir(path);
	}
	snprintf(path, sizeof(path), "%s.restoring", p->place[TO_TABLE]);
	unlink(path);
	if (restore_has_events(p))
		each_file(p, "clean up", take_event_away);
}

/* Made like the daemon's: as its user's, who opens it next. */
static int make_lock(struct putting_back *p)
{
	char path[PATH_MAX];
	struct stat owner;

	if (p->lock >= 0)
		return CLI_DONE;
	snprintf(path, sizeof(path), "%s/lock", p->place[TO_SPOOL]);
	owner_of(p->place[TO_SPOOL], &owner);
	p->lock = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (p->lock < 0 && errno == EEXIST)
		return CLI_DONE;
	return p->lock >= 0 && give_to(p->lock, &owner) == 0
		   ? CLI_DONE
		   : cli_fail(p->c, "%s: %s", path, strerror(errno));
}

/* From here on no daemon starts in the spool. One that did while the backup
 * was checked is seen: it has the lock, or has left its files. */
static int take_places(struct putting_back *p)
{
	int code = make_folder(p, p->place[TO_SPOOL], 0700);

	if (code == CLI_DONE)
		code = make_lock(p);
	if (code == CLI_DONE)
		code = restore_look(p);
	if (code == CLI_DONE && p->again)
		code = restore_take_back(p);
	return code;
}

static int make_places(struct putting_back *p)
{
	static const int modes[] = {[TO_SPOOL] = 0700, [TO_AUDIT] = 0750};
	char path[PATH_MAX];
	int code = CLI_DONE;

	for (int kind = TO_SPOOL; kind <= TO_AUDIT && code == CLI_DONE;
	     kind++) {
		code = make_folder(p, p->place[kind], modes[kind]);
		snprintf(path, sizeof(path), "%s/restoring", p->place[kind]);
		if (code == CLI_DONE)
			code = make_folder(p, path, 0700);
	}
	/* The sign that stops a daemon is on disk before a file is moved. */
	return code == CLI_DONE ? folder_sync(p->c, p->place[TO_SPOOL]) : code;
}

/* The file is written anew, as root's: it goes to the daemon's user again. */
static int renew(struct putting_back *p)
{
	char path[PATH_MAX], key[PATH_MAX];
	struct spool_renewal what = {.path = path, .io = &diskio_system,
	    .rng = &rng_system, .known = p->known};
	struct stat owner;
	struct error err;
	int fd, rc;

	snprintf(path, sizeof(path), "%s/restoring", p->place[TO_SPOOL]);
	snprintf(key, sizeof(key), "%s/restoring/spool.key",
	    p->place[TO_SPOOL]);
	if (spool_renew(&what, &err) < 0)
		return cli_fail(p->c, "%s", err.text);
	owner_of(p->place[TO_SPOOL], &owner);
	fd = open(key, O_RDONLY | O_CLOEXEC);
	rc = fd < 0 ? -1 : give_to(fd, &owner);
	if (fd >= 0)
		close(fd);
	return rc == 0 ? CLI_DONE
		       : cli_fail(p->c, "%s: %s", key, strerror(errno));
}

static int move_up(struct putting_back *p, const char *name)
{
	char first[PATH_MAX], last[PATH_MAX];

	restore_paths(p, name, first, last);
	if (newfile_keep(first, last) == 0)
		return CLI_DONE;
	return cli_fail(p->c, "%s: %s", last, errno == EEXIST
	    ? "something made it while the restore ran; it stays as it is"
	    : strerror(errno));
}

/* The key comes last. */
static int move_part(struct putting_back *p, const json_t *file)
{
	const char *name = json_text(file, "name");

	if (restore_place(name) == TO_CONFIG ||
	    strcmp(name, "spool/spool.key") == 0 ||
	    (restore_place(name) == TO_EVENTS && !restore_has_events(p)))
		return CLI_DONE;
	return move_up(p, name);
}

static int sync_places(struct putting_back *p)
{
	char path[PATH_MAX];
	int code = folder_sync(p->c, p->place[TO_AUDIT]);

	snprintf(path, sizeof(path), "%s", p->place[TO_TABLE]);
	if (code == CLI_DONE)
		code = folder_sync(p->c, dirname(path));
	if (code == CLI_DONE && restore_has_events(p)) {
		snprintf(path, sizeof(path), "%s", p->place[TO_EVENTS]);
		code = folder_sync(p->c, dirname(path));
	}
	return code == CLI_DONE ? folder_sync(p->c, p->place[TO_SPOOL]) : code;
}

static int move_all(struct putting_back *p)
{
	int code = each_file(p, "move", move_part);

	if (code == CLI_DONE)
		code = sync_places(p);
	if (code == CLI_DONE)
		code = move_up(p, "spool/spool.key");
	return code == CLI_DONE ? folder_sync(p->c, p->place[TO_SPOOL]) : code;
}

static int put_configs(struct putting_back *p, const json_t *file)
{
	return restore_place(json_text(file, "name")) == TO_CONFIG
		   ? put_config(p, file)
		   : CLI_DONE;
}

int restore_put(struct putting_back *p)
{
	int code = take_places(p);

	if (code != CLI_DONE)
		return code;
	take_away(p);
	code = make_places(p);
	if (code == CLI_DONE)
		code = each_file(p, "copy", copy_part);
	if (code == CLI_DONE)
		code = renew(p);
	if (code == CLI_DONE)
		code = each_file(p, "configuration", put_configs);
	if (code == CLI_DONE && find_events(p))
		code = each_file(p, "events", copy_events);
	if (code == CLI_DONE)
		code = move_all(p);
	if (code != CLI_DONE && restore_is_half(p))
		restore_take_back(p);
	take_away(p);
	return code;
}
