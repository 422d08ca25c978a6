/* SPDX-License-Identifier: ISC
 *
 * A new file that has its name only when it is whole.
 */
#include "relay/base/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_free(const char *name)
{
	struct stat st;

	if (lstat(name, &st) < 0)
		return 0;
	errno = EEXIST;
	return -1;
}

int newfile_open(const char *name, char part_out[NEWFILE_PATH])
{
	int n = snprintf(part_out, NEWFILE_PATH, "%s.part", name);

	if (n < 0 || n >= NEWFILE_PATH) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (is_free(name) < 0)
		return -1;
	unlink(part_out);
	return open(part_out, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

int newfile_keep(const char *part, const char *name)
{
	int rc = renameat2(AT_FDCWD, part, AT_FDCWD, name, RENAME_NOREPLACE);

	/* Some file systems know only the rename that replaces. */
	if (rc < 0 && errno == EINVAL && is_free(name) == 0)
		rc = rename(part, name);
	return rc;
}
