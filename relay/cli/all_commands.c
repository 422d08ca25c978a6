/* SPDX-License-Identifier: ISC
 *
 * All tables of commands, in the order of `posthouse --help`.
 */
#include "relay/cli/common/cli.h"

const struct cli_command *const cli_tables[] = {
	cmd_status,
	cmd_explain,
	cmd_route,
	cmd_route_list,
	cmd_route_file,
	cmd_flip,
	cmd_changes,
	cmd_queue,
	cmd_queue_act,
	cmd_queue_export,
	cmd_purge,
	cmd_leg,
	cmd_probe,
	cmd_trace,
	cmd_audit,
	cmd_table,
	cmd_help,
	NULL,
};
