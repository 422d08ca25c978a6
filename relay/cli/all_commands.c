/* SPDX-License-Identifier: ISC
 *
 * All tables of commands, in the order of `posthouse --help`.
 */
#include "relay/cli/all_commands.h"

#include "relay/cli/audit/audit_commands.h"
#include "relay/cli/backup/backup_commands.h"
#include "relay/cli/brake/brake_commands.h"
#include "relay/cli/coexist/coexist_commands.h"
#include "relay/cli/customer/customer_commands.h"
#include "relay/cli/help_commands.h"
#include "relay/cli/leg/leg_commands.h"
#include "relay/cli/login/login_commands.h"
#include "relay/cli/preflight/preflight_commands.h"
#include "relay/cli/propagation/propagation_commands.h"
#include "relay/cli/queue/queue_commands.h"
#include "relay/cli/replay/replay_commands.h"
#include "relay/cli/route/route_commands.h"
#include "relay/cli/spf/spf_commands.h"
#include "relay/cli/straggler/straggler_commands.h"
#include "relay/cli/table/table_commands.h"
#include "relay/cli/verdict/verdict_commands.h"
#include "relay/cli/wave/wave_commands.h"

const struct cli_command *const all_commands[] = {
	cmd_status,
	cmd_explain,
	cmd_whereis,
	cmd_route,
	cmd_route_list,
	cmd_route_import,
	cmd_route_file,
	cmd_tag,
	cmd_flip,
	cmd_undo,
	cmd_rollback,
	cmd_hold,
	cmd_watermark,
	cmd_changes,
	cmd_wave,
	cmd_wave_show,
	cmd_wave_run,
	cmd_wave_hold,
	cmd_wave_plan,
	cmd_wave_rehearse,
	cmd_wave_preflight,
	cmd_wave_rule,
	cmd_complaints,
	cmd_queue,
	cmd_queue_act,
	cmd_queue_export,
	cmd_replay,
	cmd_verdict,
	cmd_export,
	cmd_purge,
	cmd_leg,
	cmd_leg_probe,
	cmd_leg_compare,
	cmd_leg_guide,
	cmd_spf_check,
	cmd_spf_egress,
	cmd_spf_forecast,
	cmd_spf_what_if,
	cmd_straggler_import,
	cmd_straggler_set,
	cmd_stragglers,
	cmd_propagation,
	cmd_trace,
	cmd_audit,
	cmd_passwd,
	cmd_table,
	cmd_backup,
	cmd_restore,
	cmd_help,
	NULL,
};
