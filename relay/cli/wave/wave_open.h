/* SPDX-License-Identifier: ISC
 *
 * Waves for the commands.
 */
#ifndef RELAY_CLI_WAVE_WAVE_OPEN_H
#define RELAY_CLI_WAVE_WAVE_OPEN_H

#include "policy/wave/file/wave_file.h"
#include "relay/cli/common/cli.h"

/* Opens the waves as cli_table() opens the table; NULL: the reason was said. */
struct wave_file *wave_open(struct cli *c, bool write);
/* For the decision: the user of this command, and --note. */
struct change_by wave_by(const struct cli *c);
/* `text`, when it is a route that some domain of the configuration may have
 * (`both` is another in each); NULL: the reason was said. */
const char *wave_route(struct cli *c, const char *text);

#endif
