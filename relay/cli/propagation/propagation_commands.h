/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about the change of a domain's MX.
 */
#ifndef RELAY_CLI_PROPAGATION_PROPAGATION_COMMANDS_H
#define RELAY_CLI_PROPAGATION_PROPAGATION_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Ends with a row whose name is NULL. */
extern const struct cli_command cmd_propagation[];

#endif
