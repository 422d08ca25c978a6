/* SPDX-License-Identifier: ISC
 *
 * Help: the list of commands, and one command's page, both from the rows.
 */
#include "relay/cli/command_help.h"

#include <string.h>

#include "relay/cli/command_find.h"

static bool starts_with_word(const char *name, const char *word)
{
	size_t n = strlen(word);

	return strncmp(name, word, n) == 0 &&
	       (name[n] == ' ' || name[n] == '\0');
}

int cli_print_list(const struct cli_command *const *tables, FILE *to,
    const char *noun)
{
	int shown = 0;

	for (int t = 0; tables[t] != NULL; t++) {
		const struct cli_command *cmd = tables[t];

		for (; cmd->name != NULL; cmd++) {
			if (noun != NULL && !starts_with_word(cmd->name, noun))
				continue;
			fprintf(to, "  %-18s %s\n", cmd->name, cmd->summary);
			shown++;
		}
	}
	return shown;
}

void cli_print_commands(const struct cli_command *const *tables, FILE *to)
{
	fprintf(to, "usage: posthouse [-c FILE] [--json] COMMAND ...\n"
		    "       posthouse COMMAND --help\n\n");
	cli_print_list(tables, to, NULL);
	fprintf(to, "\n  -c FILE            the configuration (%s)\n"
		    "  -V, --version      the version\n", CLI_CONF_FILE);
}

static void print_options(FILE *to, const struct cli_option *o)
{
	for (; o->name != NULL; o++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", o->name,
		    o->value == NULL ? "" : " ",
		    o->value == NULL ? "" : o->value);
		fprintf(to, "  %-22s %s\n", left, o->help);
	}
}

void cli_print_help(const struct cli_command *cmd, FILE *to)
{
	struct slice rest = slice_str(cmd->example), line;

	fprintf(to, "usage: posthouse %s%s%s\n\n%s.\n", cmd->name,
	    cmd->args[0] == '\0' ? "" : " ", cmd->args, cmd->summary);
	if (cmd->details != NULL)
		fprintf(to, "\n%s\n", cmd->details);
	fputs("\noptions:\n", to);
	if (cmd->options != NULL)
		print_options(to, cmd->options);
	print_options(to, cli_common_options);
	fputs("\nexample:\n", to);
	while (slice_next(&rest, '\n', &line))
		fprintf(to, "  %.*s\n", (int)line.n, line.p);
}
