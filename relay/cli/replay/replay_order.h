/* SPDX-License-Identifier: ISC
 *
 * Orders a replay: says first what the retention lacks, asks, and records the
 * decision. For `replay`, and for the commands that take flips back.
 */
#ifndef RELAY_CLI_REPLAY_REPLAY_ORDER_H
#define RELAY_CLI_REPLAY_REPLAY_ORDER_H

#include "relay/cli/common/cli.h"

struct replay_wish {
	json_t *addresses; /* keys of rows; the caller's */
	const char *from_leg, *to_leg;
	int64_t since_us, until_us; /* wall: [since, until) */
	const char *wave; /* that they are of; "" */
	const char *note; /* "" */
	bool dry_run;
};

/* Asks the daemon what there is, and says so: by user and span what is not kept
 * any more. CLI_DONE: it may be ordered. Asks when something is lacking, or for
 * many; without a terminal --yes is wanted then. */
int replay_preview(struct cli *c, const struct replay_wish *w);
/* Orders it, and says its number. After a preview. */
int replay_start(struct cli *c, const struct replay_wish *w);
/* Kept where decisions are: ledger.db may be lost. Root becomes the owner of
 * the table here. What goes wrong is said, and stops nothing. */
void replay_decided(struct cli *c, int64_t number, const char *note,
    const char *detail);

#endif
