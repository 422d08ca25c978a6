/* SPDX-License-Identifier: ISC
 *
 * All tables of commands, in the order of `posthouse --help`.
 */
#include "relay/cli/cli.h"

const struct cli_command *const cli_tables[] = {
	cmd_help,
	NULL,
};
