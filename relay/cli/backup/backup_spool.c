/* SPDX-License-Identifier: ISC
 *
 * The spool in a backup: its key, and the segments that count, up to a
 * position that the daemon tells.
 */
#include "relay/cli/backup/backup_files.h"
#include "relay/cli/backup/restore_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "relay/cli/common/json_get.h"

static int copy(struct backing_up *b, const char *file, uint64_t bytes)
{
	char path[PATH_MAX], name[NAME_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", b->conf->spool.path, file);
	snprintf(name, sizeof(name), "spool/%s", file);
	return backup_copy(b, path, name, bytes);
}

int backup_spool(struct backing_up *b)
{
	int code = copy(b, "spool.key", UINT64_MAX);
	json_t *slot;
	size_t i;

	json_array_foreach(b->slots, i, slot) {
		char file[32];

		if (code != CLI_DONE)
			break;
		snprintf(file, sizeof(file), "seg.%04d",
		    (int)json_number(slot, "slot"));
		code = copy(b, file, (uint64_t)json_number(slot, "bytes"));
	}
	return code;
}

/* ---- without the daemon ---- */

static int copy_whole(struct backing_up *b, const char *file)
{
	return copy(b, file, UINT64_MAX);
}

/* Also a file that was put aside is called seg.…; a restore would refuse it. */
static int copy_segment(struct backing_up *b, const char *file)
{
	char name[NAME_MAX + 16];

	snprintf(name, sizeof(name), "spool/%s", file);
	if (restore_place(name) == TO_SPOOL)
		return copy_whole(b, file);
	cli_fail(b->c, "%s/%s: it is no segment of the spool, and is left out",
	    b->conf->spool.path, file);
	return CLI_DONE;
}

static int copy_all(struct backing_up *b)
{
	int code = copy_whole(b, "spool.key");

	return code != CLI_DONE ? code : backup_each(b,
	    &(struct backup_folder){b->conf->spool.path, "seg.", copy_segment});
}

int backup_spool_alone(struct backing_up *b)
{
	char path[PATH_MAX];
	int fd, code;

	snprintf(path, sizeof(path), "%s/lock", b->conf->spool.path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return cli_fail(b->c, "%s: %s", path, strerror(errno));
	code = flock(fd, LOCK_EX | LOCK_NB) == 0
		   ? backup_audit_rest(b)
		   : cli_fail(b->c, "%s: posthoused runs, and does not answer "
			 "at control.socket", b->conf->spool.path);
	if (code == CLI_DONE)
		code = copy_all(b);
	close(fd);
	return code;
}
