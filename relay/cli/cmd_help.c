/* SPDX-License-Identifier: ISC
 *
 * help: the list of commands, one command's page, and the bare names for
 * shell completion.
 */
#include "relay/cli/command_find.h"
#include "relay/cli/command_help.h"
#include "relay/cli/command_man.h"
#include "relay/cli/help_commands.h"

static void print_names(const struct cli_command *const *tables)
{
	for (int t = 0; tables[t] != NULL; t++) {
		const struct cli_command *cmd = tables[t];

		for (; cmd->name != NULL; cmd++) {
			const struct cli_option *o = cmd->options;

			printf("%s:", cmd->name);
			for (; o != NULL && o->name != NULL; o++)
				printf(" --%s", o->name);
			puts(" --json --help");
		}
	}
}

static int run_help(struct cli *c)
{
	const struct cli_command *cmd;
	int used;

	if (cli_flag(c, "names")) {
		print_names(c->tables);
		return CLI_DONE;
	}
	if (cli_flag(c, "man")) {
		cli_print_man(c->tables, stdout);
		return CLI_DONE;
	}
	if (c->args == 0) {
		cli_print_commands(c->tables, stdout);
		return CLI_DONE;
	}
	cmd = cli_find(c->tables, c->args, c->arg, &used);
	if (cmd == NULL && c->args == 1 &&
	    cli_print_list(c->tables, stdout, c->arg[0]) > 0)
		return CLI_DONE;
	if (cmd == NULL)
		return cli_usage(c, "there is no command %s%s%s "
		    "(posthouse help lists them)", c->arg[0],
		    c->args > 1 ? " " : "", c->args > 1 ? c->arg[1] : "");
	cli_print_help(cmd, stdout);
	return CLI_DONE;
}

static const struct cli_option options[] = {
	{"names", NULL, "Names and options alone, for shell completion."},
	{"man", NULL, "The list of commands in the language of manual pages."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_help[] = {
	{
	    .name = "help",
	    .args = "[COMMAND]",
	    .summary = "Lists the commands, or explains one",
	    .example = "posthouse help route set",
	    .options = options,
	    .max_args = 2,
	    .run = run_help,
	},
	{.name = NULL},
};
