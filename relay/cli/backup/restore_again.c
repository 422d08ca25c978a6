/* SPDX-License-Identifier: ISC
 *
 * Files that a restore moved into the places before it failed or was killed:
 * until the spool's key is there, the backup has them all still, and they go.
 */
#include "relay/cli/backup/restore_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/cli/backup/backup_files.h"
#include "relay/cli/common/file_hash.h"
#include "relay/cli/common/json_get.h"

void restore_paths(const struct putting_back *p, const char *name,
    char first_out[PATH_MAX], char last_out[PATH_MAX])
{
	enum place_kind kind = restore_place(name);
	const char *place = p->place[kind];

	if (kind == TO_TABLE || kind == TO_EVENTS) {
		const char *behind = kind == TO_TABLE
				 ? "" : name + strlen(BACKUP_EVENTS);

		snprintf(first_out, PATH_MAX, "%s%s.restoring", place, behind);
		snprintf(last_out, PATH_MAX, "%s%s", place, behind);
		return;
	}
	snprintf(first_out, PATH_MAX, "%s/restoring/%s", place,
	    restore_base(name));
	snprintf(last_out, PATH_MAX, "%s/%s", place, restore_base(name));
}

bool restore_is_half(const struct putting_back *p)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/restoring", p->place[TO_SPOOL]);
	if (lstat(path, &st) != 0)
		return false;
	snprintf(path, sizeof(path), "%s/spool.key", p->place[TO_SPOOL]);
	return lstat(path, &st) != 0 && errno == ENOENT;
}

static bool is_the_same(const json_t *file, int fd)
{
	uint64_t size = (uint64_t)json_number(file, "bytes");
	char sha[FILE_HASH_TEXT];
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == size &&
	       file_hash_copy(fd, -1, (struct file_part){size, size}, sha) ==
		   0 &&
	       strcmp(sha, json_text(file, "sha256")) == 0;
}

/* False: there is nowhere to look for it. */
static bool has_place(const struct putting_back *p, const json_t *file)
{
	enum place_kind kind = restore_place(json_text(file, "name"));

	return kind != TO_CONFIG &&
	       (kind != TO_EVENTS || restore_has_events(p));
}

static int take_back(struct putting_back *p, const json_t *file)
{
	char first[PATH_MAX], last[PATH_MAX];
	bool same;
	int fd;

	if (!has_place(p, file))
		return CLI_DONE;
	restore_paths(p, json_text(file, "name"), first, last);
	fd = open(last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return CLI_DONE;
	same = fd >= 0 && is_the_same(file, fd);
	if (fd >= 0)
		close(fd);
	if (!same)
		return cli_fail(p->c, "%s: it is there, and is not what the "
		    "backup has: move it away", last);
	return unlink(last) == 0
		   ? CLI_DONE
		   : cli_fail(p->c, "%s: %s", last, strerror(errno));
}

int restore_take_back(struct putting_back *p)
{
	return restore_each(p, &(struct restore_walk){"take back", take_back,
	    true});
}
