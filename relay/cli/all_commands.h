/* SPDX-License-Identifier: ISC
 *
 * All tables of commands.
 */
#ifndef RELAY_CLI_ALL_COMMANDS_H
#define RELAY_CLI_ALL_COMMANDS_H

#include "relay/cli/common/cli.h"

/* In the order of `posthouse --help`; ends with NULL. */
extern const struct cli_command *const all_commands[];

#endif
