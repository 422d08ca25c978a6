/* SPDX-License-Identifier: ISC
 *
 * A disk in memory that forgets what was not synced, for tests of the
 * journal. It keeps what a file holds now and what is safe; a power cut makes
 * a new disk from what is safe and, by variant, some of the rest: sectors of
 * 512 bytes in any combination, names that were not synced lost. One thread.
 */
#ifndef TESTS_FAULT_FAKEDISK_H
#define TESTS_FAULT_FAKEDISK_H

#include "relay/base/rng.h"
#include "relay/spool/disk/diskio.h"

enum { FAKE_FILES = 256, FAKE_FDS = 256, FAKE_SECTOR = 512 };

enum fake_cut {
	CUT_DROPS_ALL, /* nothing unsynced is left               */
	CUT_TEARS,     /* any subset of sectors and names is left */
	CUT_KEEPS_ALL, /* the process was killed, not the machine */
	CUTS
};

enum fake_fault {
	FAULT_NONE, FAULT_EIO, FAULT_ENOSPC, FAULT_EMFILE, FAULT_SHORT
};

/* Calls that change the disk, and may be made to fail. */
enum fake_call {
	CALL_OPEN, /* with O_CREAT */
	CALL_WRITE, CALL_SYNC, CALL_RENAME, CALL_UNLINK, CALL_MKDIR,
	CALL_ALLOCATE,
	CALL_READ,
	CALL_REOPEN, /* of what is there */
	CALLS
};

struct fake_inode {
	char *now, *safe;
	size_t now_n, safe_n, cap;
	unsigned char *dirty; /* by sector */
	bool locked;
};

struct fake_entry {
	char *path;
	struct fake_inode *now, *safe;
};

struct fakedisk {
	struct diskio io;
	struct fake_entry file[FAKE_FILES];
	unsigned files;
	struct fake_inode *inode[FAKE_FILES * 2];
	unsigned inodes;
	struct fake_inode *fd[FAKE_FDS]; /* a directory's is `dir` */
	struct fake_inode dir;
	bool dir_made;
	bool read_only;
	bool cow;      /* an overwrite needs new blocks until it is done */
	int64_t space; /* bytes left for new blocks */
	int64_t total; /* of the file system; 0: no reserve is kept */
	/* The fail_at-th call of a kind in `fail_mask` fails (from 1). */
	unsigned calls, fail_at;
	unsigned fail_mask;
	bool fail_on; /* from then on all do */
	unsigned fail_more; /* so many after it fail too */
	const char *fail_path; /* only of this file, if not NULL */
	size_t bad_at; /* ... and reads of this byte, if not 0 */
	enum fake_fault fault;
	bool hit;
	/* Called before each call that changes the disk. */
	void (*before)(void *arg, enum fake_call call);
	void *before_arg;
};

struct fakedisk *fakedisk_new(void);
void fakedisk_free(struct fakedisk *d);
struct fakedisk *fakedisk_cut(const struct fakedisk *d, enum fake_cut how,
    uint64_t seed);
/* The present bytes of a file, to look at or to damage; NULL: none. */
char *fakedisk_bytes(struct fakedisk *d, const char *path, size_t *n_out);
/* Copies what stands in `from` into `to`, which must have the same files. */
void fakedisk_restore(struct fakedisk *to, const struct fakedisk *from);

#endif
