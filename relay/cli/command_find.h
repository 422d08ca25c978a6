/* SPDX-License-Identifier: ISC
 *
 * Finds a command by its words. Pure.
 */
#ifndef RELAY_CLI_COMMAND_FIND_H
#define RELAY_CLI_COMMAND_FIND_H

#include "relay/cli/common/cli.h"

/* Options that every command has; ends with name NULL. */
extern const struct cli_option cli_common_options[];

/* The command that the words begin with, and how many of them are its name;
 * NULL: there is none. `tables` ends with NULL. */
const struct cli_command *cli_find(const struct cli_command *const *tables,
    int words, char **word, int *used_out);

#endif
