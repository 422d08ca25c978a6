/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about what waits in the queue.
 */
#ifndef RELAY_CLI_QUEUE_QUEUE_COMMANDS_H
#define RELAY_CLI_QUEUE_QUEUE_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Each ends with a row whose name is NULL. */
extern const struct cli_command cmd_queue[],
    cmd_queue_act[], cmd_queue_export[];

#endif
