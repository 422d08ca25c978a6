/* SPDX-License-Identifier: ISC
 *
 * The program: runs one command line.
 */
#ifndef RELAY_CLI_COMMAND_LINE_H
#define RELAY_CLI_COMMAND_LINE_H

#include "relay/cli/common/cli.h"

/* argv[0] is the program; `tables` ends with NULL. Returns the exit code. */
int cli_main(int argc, char **argv, const struct cli_command *const *tables);

#endif
