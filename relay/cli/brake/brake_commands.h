/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about complaints.
 */
#ifndef RELAY_CLI_BRAKE_BRAKE_COMMANDS_H
#define RELAY_CLI_BRAKE_BRAKE_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Each ends with a row whose name is NULL. */
extern const struct cli_command cmd_complaints[];

#endif
