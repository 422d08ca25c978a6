/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about SPF.
 */
#ifndef RELAY_CLI_SPF_SPF_COMMANDS_H
#define RELAY_CLI_SPF_SPF_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Each ends with a row whose name is NULL. */
extern const struct cli_command cmd_spf_check[];
extern const struct cli_command cmd_spf_egress[];
extern const struct cli_command cmd_spf_forecast[];
extern const struct cli_command cmd_spf_what_if[];

#endif
