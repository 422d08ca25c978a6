/* SPDX-License-Identifier: ISC
 *
 * Copies of the cutover table: backups, what is kept beside it, and the way
 * back. Command line.
 */
#ifndef POLICY_CHANGE_TABLE_COPY_H
#define POLICY_CHANGE_TABLE_COPY_H

#include <limits.h>
#include <stdint.h>

#include "relay/base/error.h"

struct db;

enum { TABLE_KEPT_PATH = PATH_MAX };

/* A consistent copy in one file, also while the daemon runs; `to` must not
 * exist. It has a mark of its own, so that the log of the table it was taken
 * of is not taken for its own. */
int table_backup(const char *path, const char *to, struct error *err)
    PH_CHECK;
/* The same beside the table: PATH.LABEL, or PATH.LABEL-2 … */
int table_keep(struct db *from, const char *label,
    char kept_out[TABLE_KEPT_PATH], struct error *err) PH_CHECK;

struct table_restored {
	uint64_t was;	/* newest change of the table until now, */
	uint64_t is;	/* and of the one that was put in its place */
	/* The old one; "": there was none. */
	char kept[TABLE_KEPT_PATH];
};

struct table_source {
	int fd;
	const char *name; /* for messages */
};
/* Puts the backup that is open at `fd` in the place of the table, through
 * SQLite, in one transaction, while others read the table. It is looked at
 * first: integrity, format (an older one is upgraded), history. A table that
 * is damaged, or whose log is that of another file, is replaced when no program
 * has it open; one that a later version made is refused. One restore at a time.
 * -1: the table is as it was; `kept` is "", or, after an error of the disk, a
 * copy of it. */
int table_restore(const char *path, const struct table_source *from,
    struct table_restored *done_out, struct error *err) PH_CHECK;

#endif
