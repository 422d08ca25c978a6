/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about backups.
 */
#ifndef RELAY_CLI_BACKUP_BACKUP_COMMANDS_H
#define RELAY_CLI_BACKUP_BACKUP_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Each ends with a row whose name is NULL. */
extern const struct cli_command cmd_backup[], cmd_restore[];

#endif
