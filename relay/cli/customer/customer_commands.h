/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about a customer as a whole.
 */
#ifndef RELAY_CLI_CUSTOMER_CUSTOMER_COMMANDS_H
#define RELAY_CLI_CUSTOMER_CUSTOMER_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Ends with a row whose name is NULL. */
extern const struct cli_command cmd_purge[];

#endif
