/* SPDX-License-Identifier: ISC
 *
 * The report of a replay, for people.
 */
#ifndef RELAY_CLI_REPLAY_REPLAY_SHOW_H
#define RELAY_CLI_REPLAY_REPLAY_SHOW_H

#include "relay/cli/common/cli.h"

/* As the row function of replay.show; `arg` is a struct cli. */
void replay_show_row(void *arg, json_t *row);

#endif
