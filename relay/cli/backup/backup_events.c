/* SPDX-License-Identifier: ISC
 *
 * events.jsonl in a backup, with the files that were rotated. Those are copied
 * before the spool is held; under the hold comes what is new since then. A file
 * may get another name, be compressed, or be copied and begin anew at any time:
 * all are open before the first is copied, and the folder is listed once more
 * after the last, so what is rotated meanwhile is in the backup twice rather
 * than not at all.
 */
#include "relay/cli/backup/backup_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"

enum {
	LISTS_MAX = 16,
	BEHIND_BYTES = 128,
	BEHIND_KEPT = 80, /* of a name that gets a number */
	KEY_BYTES = 128,
};

struct events_file {
	struct events_file *next;
	int fd; /* while it is open, its inode is no other file's */
	struct stat st;
	int list; /* the last one that has it, … */
	char behind[BEHIND_BYTES]; /* … and what stands behind the name there */
	bool copied;
};

struct backup_events {
	struct events_file *first;
	int list;
	bool more; /* that one has files that were not open */
};

/* ---- a file -------------------------------------------------------------- */

/* A file of that name has the same lines while it has the same key. */
static void key_of(const struct stat *st, char out[KEY_BYTES])
{
	snprintf(out, KEY_BYTES, "%ju:%ju:%jd:%jd.%09ld",
	    (uintmax_t)st->st_dev, (uintmax_t)st->st_ino,
	    (intmax_t)st->st_size, (intmax_t)st->st_mtim.tv_sec,
	    st->st_mtim.tv_nsec);
}

static bool is_copied(const struct backing_up *b, const struct stat *st)
{
	char key[KEY_BYTES];

	key_of(st, key);
	return json_object_get(b->copied, key) != NULL;
}

/* A name that nothing in the backup has, and that a restore takes. */
static int copy_as(struct backing_up *b, const struct events_file *f)
{
	char path[PATH_MAX], name[BEHIND_BYTES + 32], key[KEY_BYTES];

	snprintf(path, sizeof(path), "%s%s", b->conf->audit.events, f->behind);
	snprintf(name, sizeof(name), BACKUP_EVENTS "%s", f->behind);
	for (int n = 2; backup_has(b, name); n++)
		snprintf(name, sizeof(name), BACKUP_EVENTS "%.*s-%d",
		    BEHIND_KEPT, f->behind, n);
	key_of(&f->st, key);
	json_object_set_new(b->copied, key, json_true());
	return backup_copy_from(b, f->fd, path, name, UINT64_MAX);
}

/* 1: it is open; 0: it is gone, or keeps no line as a pipe or a device does;
 * -1: what is wrong was said. */
static int open_file(struct backing_up *b, const char *behind,
    struct events_file *out)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", b->conf->audit.events, behind);
	snprintf(out->behind, sizeof(out->behind), "%s", behind);
	out->fd = -1;
	/* To open a pipe would wake what writes to it. */
	if (stat(path, &out->st) == 0 && !S_ISREG(out->st.st_mode))
		return 0;
	out->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (out->fd >= 0 && fstat(out->fd, &out->st) == 0)
		return 1;
	if (out->fd < 0 && errno == ENOENT)
		return 0;
	cli_fail(b->c, "%s: %s", path, strerror(errno));
	if (out->fd >= 0)
		close(out->fd);
	return -1;
}

/* ---- the folder ---------------------------------------------------------- */

static const char *base(const struct backing_up *b)
{
	const char *slash = strrchr(b->conf->audit.events, '/');

	return slash == NULL ? b->conf->audit.events : slash + 1;
}

/* `fn` with what stands behind the name of each of them, "" included. */
static int each_file(struct backing_up *b,
    int (*fn)(struct backing_up *b, const char *file))
{
	const char *path = b->conf->audit.events;
	char folder[PATH_MAX];

	if (path[0] == '\0')
		return CLI_DONE;
	snprintf(folder, sizeof(folder), "%.*s", base(b) == path ? 1 :
	    (int)(base(b) - path), base(b) == path ? "." : path);
	return backup_each(b, &(struct backup_folder){folder, base(b), fn});
}

static int copy_rotated(struct backing_up *b, const char *file)
{
	const char *behind = file + strlen(base(b));
	struct events_file f;
	int rc, code;

	if (!backup_is_rotated(behind))
		return CLI_DONE;
	rc = open_file(b, behind, &f);
	if (rc <= 0)
		return rc == 0 ? CLI_DONE : CLI_NO;
	code = copy_as(b, &f);
	close(f.fd);
	return code;
}

int backup_events_rotated(struct backing_up *b)
{
	return each_file(b, copy_rotated);
}

/* ---- under the hold ------------------------------------------------------ */

static struct events_file *known(const struct backup_events *e,
    const struct stat *st)
{
	struct events_file *f = e->first;

	while (f != NULL && (f->st.st_dev != st->st_dev ||
				f->st.st_ino != st->st_ino))
		f = f->next;
	return f;
}

static int take_file(struct backing_up *b, const char *file)
{
	const char *behind = file + strlen(base(b));
	struct backup_events *e = b->events;
	struct events_file f = {.copied = false}, *there;
	int rc;

	if (behind[0] != '\0' && !backup_is_rotated(behind))
		return CLI_DONE;
	rc = open_file(b, behind, &f);
	if (rc <= 0)
		return rc == 0 ? CLI_DONE : CLI_NO;
	there = known(e, &f.st);
	if (there == NULL && (behind[0] == '\0' || !is_copied(b, &f.st))) {
		there = NEW(struct events_file);
		*there = f;
		there->next = e->first;
		e->first = there;
		e->more = true;
	} else {
		close(f.fd);
	}
	/* A link to a rotated file is events.jsonl. */
	if (there != NULL && (there->list < e->list ||
				 there->behind[0] != '\0')) {
		there->list = e->list;
		snprintf(there->behind, sizeof(there->behind), "%s", behind);
	}
	return CLI_DONE;
}

/* events.jsonl is taken by its name: a list leaves out what begins with a
 * dot. */
static int take_list(struct backing_up *b)
{
	struct backup_events *e = b->events;
	int code = CLI_DONE;

	e->more = false;
	e->list++;
	if (b->conf->audit.events[0] != '\0')
		code = take_file(b, base(b));
	return code == CLI_DONE ? each_file(b, take_file) : code;
}

/* Until a list has nothing that is not open. */
static int open_all(struct backing_up *b)
{
	struct backup_events *e = b->events;
	int code;

	do {
		code = take_list(b);
	} while (code == CLI_DONE && e->more && e->list < LISTS_MAX);
	if (code == CLI_DONE && e->more)
		return cli_fail(b->c, "%s: it is rotated again and again; say "
		    "it once more", b->conf->audit.events);
	return code;
}

/* The names of the last list first: a file that is gone from it may have had
 * one of them. */
static int copy_all(struct backing_up *b)
{
	const struct backup_events *e = b->events;
	int code = CLI_DONE;

	for (int gone = 0; gone < 2; gone++)
		for (struct events_file *f = e->first;
		     f != NULL && code == CLI_DONE; f = f->next)
			if (!f->copied && (f->list < e->list) == (gone == 1)) {
				code = copy_as(b, f);
				f->copied = true;
			}
	return code;
}

int backup_events_rest(struct backing_up *b)
{
	struct backup_events e = {.first = NULL};
	struct events_file *f;
	int code;

	b->events = &e;
	do {
		code = open_all(b);
		if (code == CLI_DONE)
			code = copy_all(b);
		if (code == CLI_DONE)
			code = take_list(b);
	} while (code == CLI_DONE && e.more);
	while ((f = e.first) != NULL) {
		e.first = f->next;
		close(f->fd);
		mem_free(f);
	}
	b->events = NULL;
	return code;
}
