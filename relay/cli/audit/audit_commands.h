/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about the audit trail.
 */
#ifndef RELAY_CLI_AUDIT_AUDIT_COMMANDS_H
#define RELAY_CLI_AUDIT_AUDIT_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Each ends with a row whose name is NULL. */
extern const struct cli_command cmd_audit[], cmd_trace[];

#endif
