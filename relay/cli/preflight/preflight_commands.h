/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands by which legs are asked about recipients.
 */
#ifndef RELAY_CLI_PREFLIGHT_PREFLIGHT_COMMANDS_H
#define RELAY_CLI_PREFLIGHT_PREFLIGHT_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Each ends with a row whose name is NULL. */
extern const struct cli_command cmd_wave_preflight[], cmd_leg_compare[];

#endif
