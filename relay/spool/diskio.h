/* SPDX-License-Identifier: ISC
 *
 * The file calls of the journal behind a table: the fault tests' door. All
 * return as their system calls do. Any thread.
 */
#ifndef RELAY_SPOOL_DISKIO_H
#define RELAY_SPOOL_DISKIO_H

#include <stdint.h>
#include <sys/types.h>

struct diskio {
	int (*open)(struct diskio *d, const char *path, int flags, int mode);
	ssize_t (*pread)(struct diskio *d, int fd, void *p, size_t n,
	    int64_t off);
	ssize_t (*pwrite)(struct diskio *d, int fd, const void *p, size_t n,
	    int64_t off);
	int (*fdatasync)(struct diskio *d, int fd);
	int (*fsync)(struct diskio *d, int fd);
	int (*close)(struct diskio *d, int fd);
	int (*rename)(struct diskio *d, const char *from, const char *to);
	int (*unlink)(struct diskio *d, const char *path);
	/* Bytes free for us on the file system of `path`, or -1. */
	int64_t (*space)(struct diskio *d, const char *path);
};

extern struct diskio diskio_system;

#endif
