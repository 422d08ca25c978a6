/* SPDX-License-Identifier: ISC
 *
 * The table of the commands about watermarks, and a watermark as a row.
 */
#ifndef RELAY_CLI_WATERMARK_WATERMARK_COMMANDS_H
#define RELAY_CLI_WATERMARK_WATERMARK_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Ends with a row whose name is NULL. */
extern const struct cli_command cmd_watermark[];

#endif
