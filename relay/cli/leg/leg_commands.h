/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about the legs and the state of the whole.
 */
#ifndef RELAY_CLI_LEG_LEG_COMMANDS_H
#define RELAY_CLI_LEG_LEG_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Each ends with a row whose name is NULL. */
extern const struct cli_command cmd_leg[], cmd_leg_guide[], cmd_leg_probe[],
    cmd_status[];

#endif
