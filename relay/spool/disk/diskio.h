/* SPDX-License-Identifier: ISC
 *
 * The file calls of the journal behind a table: the fault tests' door. All
 * return as their system calls do. Any thread.
 */
#ifndef RELAY_SPOOL_DISK_DISKIO_H
#define RELAY_SPOOL_DISK_DISKIO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct diskio {
	int (*open)(struct diskio *d, const char *path, int flags, int mode);
	ssize_t (*pread)(struct diskio *d, int fd, void *p, size_t n,
	    int64_t off);
	ssize_t (*pwrite)(struct diskio *d, int fd, const void *p, size_t n,
	    int64_t off);
	ssize_t (*pwritev)(struct diskio *d, int fd, const struct iovec *iov,
	    int n, int64_t off);
	int (*fdatasync)(struct diskio *d, int fd);
	int (*fsync)(struct diskio *d, int fd);
	int (*close)(struct diskio *d, int fd);
	int (*rename)(struct diskio *d, const char *from, const char *to);
	int (*unlink)(struct diskio *d, const char *path);
	int (*mkdir)(struct diskio *d, const char *path, int mode);
	/* Bytes free for us on the file system of `path`, or -1. */
	int64_t (*space)(struct diskio *d, const char *path);
	/* Bytes of that file system, or -1. */
	int64_t (*total)(struct diskio *d, const char *path);
	int64_t (*size)(struct diskio *d, int fd);
	/* Bytes 0 to n of the file get blocks, and the file at least that
	 * size; what it holds stays. */
	int (*allocate)(struct diskio *d, int fd, uint64_t n);
	/* Calls `name` for each entry of the directory; 0 or -1. */
	int (*list)(struct diskio *d, const char *path,
	    void (*name)(void *arg, const char *name), void *arg);
	/* The file's lock until it is closed; -1, EWOULDBLOCK: another has
	 * it. */
	int (*lock)(struct diskio *d, int fd);
	/* Does an overwrite take new blocks here? Then it may meet a full
	 * disk, and what was there before stays on it. */
	bool (*copies_on_write)(struct diskio *d, const char *path);
};

extern struct diskio diskio_system;

#endif
