/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about what one leg got and the other did not.
 */
#ifndef RELAY_CLI_REPLAY_REPLAY_COMMANDS_H
#define RELAY_CLI_REPLAY_REPLAY_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Ends with a row whose name is NULL. */
extern const struct cli_command cmd_replay[];

#endif
