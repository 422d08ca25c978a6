/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about those who may log in.
 */
#ifndef RELAY_CLI_LOGIN_LOGIN_COMMANDS_H
#define RELAY_CLI_LOGIN_LOGIN_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Ends with a row whose name is NULL. */
extern const struct cli_command cmd_passwd[];

#endif
