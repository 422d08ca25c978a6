/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about recipients and their routes.
 */
#ifndef RELAY_CLI_ROUTE_ROUTE_COMMANDS_H
#define RELAY_CLI_ROUTE_ROUTE_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Each ends with a row whose name is NULL. */
extern const struct cli_command cmd_explain[], cmd_flip[], cmd_hold[],
    cmd_rollback[], cmd_route[], cmd_route_file[],
    cmd_route_import[], cmd_route_list[], cmd_tag[], cmd_undo[], cmd_whereis[];

#endif
