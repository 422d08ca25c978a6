/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands that tell other servers where recipients are.
 */
#ifndef RELAY_CLI_COEXIST_COEXIST_COMMANDS_H
#define RELAY_CLI_COEXIST_COEXIST_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Ends with a row whose name is NULL. */
extern const struct cli_command cmd_export[];

#endif
