/* SPDX-License-Identifier: ISC
 *
 * Tables of the commands about waves, and about watermarks.
 */
#ifndef RELAY_CLI_WAVE_WAVE_COMMANDS_H
#define RELAY_CLI_WAVE_WAVE_COMMANDS_H

#include "relay/cli/common/cli.h"

/* Each ends with a row whose name is NULL. */
extern const struct cli_command cmd_wave[], cmd_wave_show[], cmd_wave_plan[],
    cmd_wave_rehearse[], cmd_wave_rule[], cmd_wave_run[], cmd_wave_hold[],
    cmd_watermark[];

#endif
