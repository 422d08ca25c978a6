/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about the cutover table and its changes.
 */
#ifndef RELAY_CLI_TABLE_TABLE_COMMANDS_H
#define RELAY_CLI_TABLE_TABLE_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Each ends with a row whose name is NULL. */
extern const struct cli_command cmd_changes[], cmd_table[];

#endif
