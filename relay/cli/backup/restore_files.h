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

enum place_kind {
	TO_SPOOL,
	TO_AUDIT,
	TO_TABLE,
	TO_EVENTS,
	TO_CONFIG,
	PLACES
};

struct putting_back {
	struct cli *c;
	const char *dir;
	json_t *manifest;
	const char *place[PLACES]; /* folders; of table and events the file;
				    * of the configuration NULL. Of events
				    * also while no configuration is there to
				    * name it; "": it is not restored */
	uint64_t known; /* the generation that the index has seen */
	unsigned configs, kept; /* files of the configuration: written, left */
	int lock; /* of the spool; -1: there was none yet */
	bool again; /* an earlier one was interrupted while it moved files */
};

/* Where a file of the manifest goes, by its name; PLACES: nowhere. */
enum place_kind restore_place(const char *name);
/* The part of the name behind the folder. */
const char *restore_base(const char *name);
/* Where the copy goes first, and where it is moved to. */
void restore_paths(const struct putting_back *p, const char *name,
    char first_out[PATH_MAX], char last_out[PATH_MAX]);

/* Calls `fn` for each file of the manifest, under a bar with that title. The
 * first one that fails ends it; with `all` the others follow. CLI_DONE, or the
 * code of the last one that failed. */
struct restore_walk {
	const char *title;
	int (*fn)(struct putting_back *p, const json_t *file);
	bool all;
};
int restore_each(struct putting_back *p, const struct restore_walk *walk);

/* The manifest has events.jsonl, and it has a place. */
bool restore_has_events(const struct putting_back *p);

/* Each file is what the manifest says. CLI_DONE, or all faults were said. */
int restore_check(struct putting_back *p);
/* Each file of the configuration that is to be written goes where the backup's
 * own configuration says. Call it after restore_check(). */
int restore_check_conf(struct putting_back *p);
/* The places are free, but for what an interrupted restore of this backup left,
 * and no daemon runs. */
int restore_look(struct putting_back *p);
/* All of it. What was begun is taken away again when it fails. */
int restore_put(struct putting_back *p);

/* A restore has begun in the spool, and its key is not there yet. */
bool restore_is_half(const struct putting_back *p);
/* Takes the files away that were moved into their places: those that are byte
 * for byte the backup's. CLI_NO: others were named, and stay. */
int restore_take_back(struct putting_back *p);

#endif
