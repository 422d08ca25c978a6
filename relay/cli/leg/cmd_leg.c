/* SPDX-License-Identifier: ISC
 *
 * leg suspend, resume: an administrator closes and opens a leg.
 */
#include "relay/cli/leg/leg_commands.h"

static int run_gate(struct cli *c)
{
	bool suspend = strcmp(c->command->name, "leg suspend") == 0;
	const char *reason = cli_value(c, "reason");

	return cli_call(c, suspend ? "leg.suspend" : "leg.resume",
	    json_pack("{s:s, s:s}", "leg", c->arg[0], "reason",
		reason == NULL ? "" : reason),
	    NULL, NULL);
}

static const struct cli_option gate_options[] = {
	{"reason", "R", "Why, for the audit trail."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_leg[] = {
	{.name = "leg suspend",
	    .args = "NAME",
	    .summary = "Begins no delivery to a leg until it is resumed",
	    .details = "Mail for it is accepted and waits; that time does not "
		       "count for its lifetime.",
	    .example = "posthouse leg suspend cloud --reason 'tenant moves'",
	    .options = gate_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_gate},
	{.name = "leg resume",
	    .args = "NAME",
	    .summary = "Lets the mail of a suspended leg go",
	    .example = "posthouse leg resume cloud",
	    .options = gate_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_gate},
	{.name = NULL},
};
