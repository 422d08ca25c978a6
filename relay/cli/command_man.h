/* SPDX-License-Identifier: ISC
 *
 * Prints the commands as mdoc(7), for posthouse(1).
 */
#ifndef RELAY_CLI_COMMAND_MAN_H
#define RELAY_CLI_COMMAND_MAN_H

#include "relay/cli/common/cli.h"

/* `tables` ends with NULL. */
void cli_print_man(const struct cli_command *const *tables, FILE *to);

#endif
