/* SPDX-License-Identifier: ISC
 *
 * A backup folder: spool/, audit/, events.jsonl, table.db, config/N and
 * manifest.json, which comes last and has the size and SHA-256 of each.
 * doc/backup.md says how the parts belong together. Each function says what
 * went wrong.
 */
#ifndef RELAY_CLI_BACKUP_BACKUP_FILES_H
#define RELAY_CLI_BACKUP_BACKUP_FILES_H

#include <jansson.h>
#include <limits.h>

#include "relay/cli/common/cli.h"

#define BACKUP_MANIFEST "manifest.json"
#define BACKUP_KEY "posthouse_backup"
#define BACKUP_TABLE "table.db"
#define BACKUP_EVENTS "events.jsonl"
enum { BACKUP_FORMAT = 1 };

/* Is that what rotation puts behind the name of a file of events: ".1",
 * "-20261130.gz"? What a restore leaves when it is cut off is none. */
bool backup_is_rotated(const char *behind);

struct backup_events;

struct backing_up {
	struct cli *c;
	const struct conf *conf;
	const char *dir;
	json_t *files;	  /* of the manifest */
	json_t *names;	  /* of them, as keys */
	json_t *copied;	  /* rotated files of events, as keys */
	struct backup_events *events; /* while they are open */
	json_t *slots;	  /* rows of backup.hold; NULL: no daemon runs */
	json_t *position; /* its last row */
	uint64_t bytes;
	unsigned steps;	  /* lines that the daemon asked for */
	int code;	  /* of what failed */
};

/* A file of that path as DIR/`name`: its first `bytes` bytes (UINT64_MAX: all),
 * at the size that it has. */
int backup_copy(struct backing_up *b, const char *path, const char *name,
    uint64_t bytes);
/* The same of a file that is open, with another `path` for messages. */
int backup_copy_from(struct backing_up *b, int from, const char *path,
    const char *name, uint64_t bytes);
/* DIR/`name` was written by another hand: into the manifest. `like`: the file
 * whose mode it has. */
int backup_note(struct backing_up *b, const char *name, const char *like);
bool backup_has(const struct backing_up *b, const char *name);
/* `fn` with each name in the folder that begins with `prefix`; CLI_DONE when
 * there is no folder. */
struct backup_folder {
	const char *path, *prefix;
	int (*fn)(struct backing_up *b, const char *name);
};
int backup_each(struct backing_up *b, const struct backup_folder *f);
/* More of a file of the manifest: "path" and the like. */
json_t *backup_last(const struct backing_up *b);

/* ---- the parts ---- */

/* Hour files that are sealed; then, while the spool is held, all others,
 * ledger.db and last events.jsonl. */
int backup_audit_sealed(struct backing_up *b);
int backup_audit_rest(struct backing_up *b);
/* Files of events that were rotated before the hold; then, while the spool is
 * held and behind the index, events.jsonl and what was rotated since. */
int backup_events_rotated(struct backing_up *b);
int backup_events_rest(struct backing_up *b);
/* The segments that b->slots names; without them all, under the spool's
 * lock. */
int backup_spool(struct backing_up *b);
int backup_spool_alone(struct backing_up *b);

#endif
