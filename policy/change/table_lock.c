/* SPDX-License-Identifier: ISC
 *
 * The table's file for one program alone, and free names beside it.
 */
#include "policy/change/table_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Where SQLite locks a database (its pending, reserved and shared bytes). */
enum { LOCK_AT = 0x40000000, LOCK_BYTES = 512, NAMES_MAX = 1000,
	TRIES = 300, TRY_NS = 10000000 };

int table_lock(struct table_lock *lock, const char *path, struct error *err)
{
	struct flock want = {.l_type = F_WRLCK, .l_whence = SEEK_SET,
	    .l_start = LOCK_AT, .l_len = LOCK_BYTES};

	lock->fd = open(path, O_RDWR | O_CLOEXEC);
	if (lock->fd < 0)
		return error_sys(err, errno, "%s", path);
	/* The table thread looks at the file now and then. */
	for (int i = 0; i < TRIES; i++) {
		if (fcntl(lock->fd, F_OFD_SETLK, &want) == 0)
			return 0;
		nanosleep(&(struct timespec){.tv_nsec = TRY_NS}, NULL);
	}
	if (errno == EACCES || errno == EAGAIN)
		error_set(err, "%s is in use: stop posthoused (or wait for "
		    "the other command) and say it again", path);
	else
		error_sys(err, errno, "%s can not be locked", path);
	close(lock->fd);
	return -1;
}

void table_unlock(struct table_lock *lock)
{
	close(lock->fd);
}

int table_free_name(const char *path, const char *label, char *name_out,
    size_t size, struct error *err)
{
	for (int i = 1; i < NAMES_MAX; i++) {
		char number[16] = "";
		int n;

		if (i > 1)
			snprintf(number, sizeof(number), "-%d", i);
		n = snprintf(name_out, size, "%s.%s%s", path, label, number);
		if (n < 0 || (size_t)n >= size)
			return error_set(err, "%s: the name is too long", path);
		if (access(name_out, F_OK) != 0 && errno == ENOENT)
			return 0;
	}
	return error_set(err, "%s.%s and its like are all taken; remove those "
	    "that are not needed", path, label);
}
