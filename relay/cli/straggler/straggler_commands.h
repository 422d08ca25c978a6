/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about stragglers.
 */
#ifndef RELAY_CLI_STRAGGLER_STRAGGLER_COMMANDS_H
#define RELAY_CLI_STRAGGLER_STRAGGLER_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Each ends with a row whose name is NULL. */
extern const struct cli_command cmd_straggler_import[];
extern const struct cli_command cmd_straggler_set[];
extern const struct cli_command cmd_stragglers[]; /* after the others */

#endif
