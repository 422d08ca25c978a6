/* SPDX-License-Identifier: ISC
 *
 * The system's file calls for those who only look: what reads goes through,
 * what writes is refused.
 */
#include "relay/spool/disk/diskio_look.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

/* ---- what reads ---- */

static int look_open(struct diskio *d, const char *path, int flags, int mode)
{
	(void)d;
	if ((flags & O_CREAT) != 0) {
		errno = EROFS;
		return -1;
	}
	return diskio_system.open(&diskio_system, path,
	    (flags & ~O_ACCMODE) | O_RDONLY, mode);
}

static ssize_t look_pread(struct diskio *d, int fd, void *p, size_t n,
    int64_t off)
{
	(void)d;
	return diskio_system.pread(&diskio_system, fd, p, n, off);
}

static int look_close(struct diskio *d, int fd)
{
	(void)d;
	return diskio_system.close(&diskio_system, fd);
}

static int64_t look_space(struct diskio *d, const char *path)
{
	(void)d;
	return diskio_system.space(&diskio_system, path);
}

static int64_t look_total(struct diskio *d, const char *path)
{
	(void)d;
	return diskio_system.total(&diskio_system, path);
}

static int64_t look_size(struct diskio *d, int fd)
{
	(void)d;
	return diskio_system.size(&diskio_system, fd);
}

static int look_list(struct diskio *d, const char *path,
    void (*name)(void *arg, const char *name), void *arg)
{
	(void)d;
	return diskio_system.list(&diskio_system, path, name, arg);
}

/* Others may look at the same time. */
static int look_lock(struct diskio *d, int fd)
{
	(void)d;
	return flock(fd, LOCK_SH | LOCK_NB);
}

static bool look_copies_on_write(struct diskio *d, const char *path)
{
	(void)d;
	return diskio_system.copies_on_write(&diskio_system, path);
}

/* ---- what writes ---- */

static int refuse(void)
{
	errno = EROFS;
	return -1;
}

static ssize_t look_pwrite(struct diskio *d, int fd, const void *p, size_t n,
    int64_t off)
{
	(void)d;
	(void)fd;
	(void)p;
	(void)n;
	(void)off;
	return refuse();
}

static ssize_t look_pwritev(struct diskio *d, int fd, const struct iovec *iov,
    int n, int64_t off)
{
	(void)d;
	(void)fd;
	(void)iov;
	(void)n;
	(void)off;
	return refuse();
}

static int look_sync(struct diskio *d, int fd)
{
	(void)d;
	(void)fd;
	return 0;
}

static int look_rename(struct diskio *d, const char *from, const char *to)
{
	(void)d;
	(void)from;
	(void)to;
	return refuse();
}

static int look_unlink(struct diskio *d, const char *path)
{
	(void)d;
	(void)path;
	return refuse();
}

static int look_mkdir(struct diskio *d, const char *path, int mode)
{
	(void)d;
	(void)path;
	(void)mode;
	return refuse();
}

static int look_allocate(struct diskio *d, int fd, uint64_t n)
{
	(void)d;
	(void)fd;
	(void)n;
	return refuse();
}

struct diskio diskio_look = {
	.open = look_open,
	.pread = look_pread,
	.pwrite = look_pwrite,
	.pwritev = look_pwritev,
	.fdatasync = look_sync,
	.fsync = look_sync,
	.close = look_close,
	.rename = look_rename,
	.unlink = look_unlink,
	.mkdir = look_mkdir,
	.space = look_space,
	.total = look_total,
	.size = look_size,
	.allocate = look_allocate,
	.list = look_list,
	.lock = look_lock,
	.copies_on_write = look_copies_on_write,
};
