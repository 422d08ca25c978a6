/* SPDX-License-Identifier: ISC
 *
 * Prints help from the rows of the commands. `tables` ends with NULL.
 */
#ifndef RELAY_CLI_COMMAND_HELP_H
#define RELAY_CLI_COMMAND_HELP_H

#include "relay/cli/common/cli.h"

#define CLI_CONF_FILE PH_SYSCONFDIR "/posthouse/posthouse.conf"

/* How to call the program, and all commands. */
void cli_print_commands(const struct cli_command *const *tables, FILE *to);
/* A line for each command of `noun`, NULL for all. How many there are. */
int cli_print_list(const struct cli_command *const *tables, FILE *to,
    const char *noun);
/* One command: what it does, its options, an example. */
void cli_print_help(const struct cli_command *cmd, FILE *to);

#endif
