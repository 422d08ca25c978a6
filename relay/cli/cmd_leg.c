/* SPDX-License-Identifier: ISC
 *
 * leg: the next hops and their state, as the daemon has it.
 */
#include "relay/cli/cli.h"

static const struct out_column columns[] = {
	{"leg", "LEG", false},		     {"state", "STATE", false},
	{"open", "OPEN", true},		     {"parked", "PARKED", true},
	{"concurrency", "CONNECTIONS", true}, {"limit", "LIMIT", true},
	{"configured", "OF", true},
	{"authentication", "DISBELIEVED", true}, {"reason", "REASON", false},
	{NULL, NULL, false},
};

static int run_list(struct cli *c)
{
	out_table(&c->out, columns);
	return cli_call(c, "leg.list", NULL, NULL, NULL);
}

static int run_gate(struct cli *c)
{
	bool suspend = strcmp(c->command->name, "leg suspend") == 0;
	const char *reason = cli_value(c, "reason");

	out_table(&c->out, columns);
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
	{.name = "leg list",
	    .args = "",
	    .summary = "The legs, what waits for each and how it does",
	    .details = "LIMIT is how many connections a leg gets for now: a "
		       "leg that asks for less gets half, and one more each "
		       "time that so many deliveries were made; OF is what "
		       "the configuration allows. DISBELIEVED counts the "
		       "messages whose sender the leg did not believe. A leg "
		       "that suspended itself is tried again by itself.",
	    .example = "posthouse leg list",
	    .run = run_list},
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
