/* SPDX-License-Identifier: ISC
 *
 * The system's file calls.
 */
#include "relay/spool/disk/diskio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MAGIC_ZFS 0x2fc12fc1
#define MAGIC_BCACHEFS 0xca451a4e
#define MAGIC_BTRFS 0x9123683e

static int sys_open(struct diskio *d, const char *path, int flags, int mode)
{
	(void)d;
	return open(path, flags | O_CLOEXEC, mode);
}

static ssize_t sys_pread(struct diskio *d, int fd, void *p, size_t n,
    int64_t off)
{
	ssize_t rc;

	(void)d;
	do {
		rc = pread(fd, p, n, off);
	} while (rc < 0 && errno == EINTR);
	return rc;
}

static ssize_t sys_pwrite(struct diskio *d, int fd, const void *p, size_t n,
    int64_t off)
{
	ssize_t rc;

	(void)d;
	do {
		rc = pwrite(fd, p, n, off);
	} while (rc < 0 && errno == EINTR);
	return rc;
}

static ssize_t sys_pwritev(struct diskio *d, int fd, const struct iovec *iov,
    int n, int64_t off)
{
	ssize_t rc;

	(void)d;
	do {
		rc = pwritev(fd, iov, n, off);
	} while (rc < 0 && errno == EINTR);
	return rc;
}

static int sys_fdatasync(struct diskio *d, int fd)
{
	(void)d;
	return fdatasync(fd);
}

static int sys_fsync(struct diskio *d, int fd)
{
	(void)d;
	return fsync(fd);
}

static int sys_close(struct diskio *d, int fd)
{
	(void)d;
	return close(fd);
}

static int sys_rename(struct diskio *d, const char *from, const char *to)
{
	(void)d;
	return rename(from, to);
}

static int sys_unlink(struct diskio *d, const char *path)
{
	(void)d;
	return unlink(path);
}

static int sys_mkdir(struct diskio *d, const char *path, int mode)
{
	(void)d;
	return mkdir(path, (mode_t)mode);
}

static int64_t sys_space(struct diskio *d, const char *path)
{
	struct statvfs v;

	(void)d;
	if (statvfs(path, &v) < 0)
		return -1;
	return (int64_t)v.f_bavail * (int64_t)v.f_frsize;
}

static int64_t sys_total(struct diskio *d, const char *path)
{
	struct statvfs v;

	(void)d;
	if (statvfs(path, &v) < 0)
		return -1;
	return (int64_t)v.f_blocks * (int64_t)v.f_frsize;
}

static int64_t sys_size(struct diskio *d, int fd)
{
	struct stat st;

	(void)d;
	return fstat(fd, &st) < 0 ? -1 : (int64_t)st.st_size;
}

static int sys_allocate(struct diskio *d, int fd, uint64_t n)
{
	int no;

	(void)d;
	do {
		no = posix_fallocate(fd, 0, (off_t)n);
	} while (no == EINTR);
	errno = no;
	return no == 0 ? 0 : -1;
}

static int sys_list(struct diskio *d, const char *path,
    void (*name)(void *arg, const char *name), void *arg)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	int no;

	(void)d;
	if (dir == NULL)
		return -1;
	/* NULL is the end, or an error, after which files are missing. */
	while (errno = 0, (e = readdir(dir)) != NULL)
		name(arg, e->d_name);
	no = errno;
	closedir(dir);
	errno = no;
	return no == 0 ? 0 : -1;
}

/* flock, not fcntl: it stays when another descriptor of the file closes. */
static int sys_lock(struct diskio *d, int fd)
{
	(void)d;
	return flock(fd, LOCK_EX | LOCK_NB);
}

static bool sys_copies_on_write(struct diskio *d, const char *path)
{
	struct statfs v;

	(void)d;
	if (statfs(path, &v) < 0)
		return false;
	switch ((unsigned long)v.f_type & 0xffffffffUL) {
	case MAGIC_BTRFS:
	case MAGIC_ZFS:
	case MAGIC_BCACHEFS:
		return true;
	default:
		return false;
	}
}

struct diskio diskio_system = {
	.open = sys_open,
	.pread = sys_pread,
	.pwrite = sys_pwrite,
	.pwritev = sys_pwritev,
	.fdatasync = sys_fdatasync,
	.fsync = sys_fsync,
	.close = sys_close,
	.rename = sys_rename,
	.unlink = sys_unlink,
	.mkdir = sys_mkdir,
	.space = sys_space,
	.total = sys_total,
	.size = sys_size,
	.allocate = sys_allocate,
	.list = sys_list,
	.lock = sys_lock,
	.copies_on_write = sys_copies_on_write,
};
