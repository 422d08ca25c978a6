/* SPDX-License-Identifier: ISC
 *
 * A backup that is put back: looked at as a whole before anything is written,
 * written beside the places, then moved into them, the spool's key last.
 * Without it no daemon starts, so nothing is half restored.
 */
#ifndef RELAY_CLI_BACKUP_RESTORE_FILES_H
#define RELAY_CLI_BACKUP_RESTORE_FILES_H

#include <jansson.h>
#include <limits.h>

#include "relay/cli/common/cli.h"

enum place_kind { TO_SPOOL, TO_AUDIT, TO_TABLE, TO_CONFIG, PLACES };

struct putting_back {
	struct cli *c;
	const char *dir;
	json_t *manifest;
	const char *place[PLACES]; /* folders; of the table the file; of the
				    * configuration NULL */
	uint64_t known; /* the generation that the index has seen */
	unsigned configs, kept; /* files of the configuration: written, left */
	int lock; /* of the spool */
};

/* Where a file of the manifest goes, by its name; PLACES: nowhere. */
enum place_kind restore_place(const char *name);
/* The part of the name behind the folder. */
const char *restore_base(const char *name);

/* Each file is what the manifest says. CLI_DONE, or all faults were said. */
int restore_check(struct putting_back *p);
/* The places are free, and no daemon runs. */
int restore_look(struct putting_back *p);
/* All of it. What was begun is taken away again when it fails. */
int restore_put(struct putting_back *p);

#endif
