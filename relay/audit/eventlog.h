/* SPDX-License-Identifier: ISC
 *
 * events.jsonl: whole lines, appended; at least once. Lines of records before
 * the index's cursor were synced before it moved; of what stands behind them a
 * power cut may have left any part, with NULs for the rest. So at an opening
 * whole lines count from there on, the first that is none ends the file, and
 * writing goes on from the last record that has a line. The projector's
 * thread.
 */
#ifndef RELAY_AUDIT_EVENTLOG_H
#define RELAY_AUDIT_EVENTLOG_H

#include "relay/base/error.h"
#include "relay/base/strbuf.h"
#include "relay/spool/spool.h"

struct eventlog {
	const char *path; /* "" : no file is wanted */
	struct strbuf out; /* whole lines that are not in the file yet */
	int64_t size;	   /* of the file, up to the last whole line   */
	/* Records before this one have their lines in the file, and those
	 * before the other one have them on the disk. */
	struct spool_pos from, synced;
	int fd;
};

void eventlog_init(struct eventlog *l, const char *path);
void eventlog_fini(struct eventlog *l); /* forgets what was not flushed */
/* Opens the file (0640, created if need be) and cuts what is no whole line
 * behind those of records before `cursor`. */
int eventlog_open(struct eventlog *l, struct spool_pos cursor,
    struct error *err) PH_CHECK;

/* Are the lines of this record still wanted? */
bool eventlog_wants(const struct eventlog *l, struct spool_pos pos);
/* To the file, not yet to the disk: others may read along. After a failure
 * nothing of it is in the file, and `next` is where to go on. */
int eventlog_write(struct eventlog *l, struct spool_pos next,
    struct error *err) PH_CHECK;
int eventlog_sync(struct eventlog *l, struct error *err) PH_CHECK;
/* The file was renamed: a new one, without losing a line. */
int eventlog_reopen(struct eventlog *l, struct error *err) PH_CHECK;

#endif
