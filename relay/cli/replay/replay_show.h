/* SPDX-License-Identifier: ISC
 *
 * The report of a replay, for people.
 */
#ifndef RELAY_CLI_REPLAY_REPLAY_SHOW_H
#define RELAY_CLI_REPLAY_REPLAY_SHOW_H

#include "relay/cli/common/cli.h"

struct replay_shown {
	struct cli *c;
	size_t domains; /* rows about one, so far */
};

/* As the row function of replay.show; `arg` is a struct replay_shown. */
void replay_show_row(void *arg, json_t *row);

#endif
