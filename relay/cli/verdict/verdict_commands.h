/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about verdicts.
 */
#ifndef RELAY_CLI_VERDICT_VERDICT_COMMANDS_H
#define RELAY_CLI_VERDICT_VERDICT_COMMANDS_H

#include "relay/cli/common/cli.h"

/* It ends with a row whose name is NULL. */
extern const struct cli_command cmd_verdict[];

#endif
