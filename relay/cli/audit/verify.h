/* SPDX-License-Identifier: ISC
 *
 * Inside of audit verify: the recount of the index, and the place in the
 * journal at which it is compared. One thread.
 */
#ifndef RELAY_CLI_AUDIT_VERIFY_H
#define RELAY_CLI_AUDIT_VERIFY_H

#include "relay/audit/verify/conserve.h"
#include "relay/cli/common/cli.h"

/* Deliveries of a message to a leg that the journal does not hold. */
struct verify_missing {
	uint64_t id;
	const char *from, *leg;
	json_t *to; /* array of addresses */
};

struct verifying {
	struct cli *c;
	struct conf *conf;
	int64_t wait_ms;
	bool daemon;	 /* it was asked; else the journal was read  */
	const char *why; /* the index and the journal do not belong
			  * together; NULL: they do                  */
	bool late;	 /* the index did not get there in time      */
	uint64_t behind; /* records, if it is late                   */
	/* Of the table's history: none, unread, whole or altered. */
	const char *history;
	uint64_t lines, decisions; /* of it */
	uint64_t recorded; /* lines that the index recorded */
	uint64_t others;   /* ... that are others by now, or gone */
	struct conserve count;
	struct verify_missing *missing;
	size_t missings, cap;
};

/* 0, or the exit code of a failure that was said. CLI_NO_DAEMON: no daemon
 * answers, and nothing was said. */
int verify_with_daemon(struct verifying *v);
/* Reads the journal itself. */
int verify_alone(struct verifying *v);
/* Looks at the history of the cutover table, after the counts: root becomes the
 * table's owner. CLI_DONE, or CLI_NO: what was altered was said. */
int verify_history(struct verifying *v);

/* For struct conserve; `arg` is a struct verifying. */
void verify_on_lost(void *arg, uint64_t id, const char *to);
void verify_on_missing(void *arg, const struct conserve_missing *m);
/* Ready for another count. */
void verify_reset(struct verifying *v, struct spool_pos want);

#endif
