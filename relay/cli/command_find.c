/* SPDX-License-Identifier: ISC
 *
 * Finds the row of a command among the tables.
 */
#include "relay/cli/command_find.h"

#include <string.h>

const struct cli_option cli_common_options[] = {
	{"json", NULL, "One JSON object a line, for programs."},
	{"help", NULL, "This text."},
	{NULL, NULL, NULL},
};

/* Does the name begin with these words? Returns how many it took. */
static int match_words(const char *name, int words, char **word)
{
	struct slice rest = slice_str(name), part;
	int n = 0;

	while (slice_next(&rest, ' ', &part)) {
		if (n == words || !slice_eq(part, slice_str(word[n])))
			return 0;
		n++;
	}
	return n;
}

/* The longest name counts: "verdict waive" is no operand of "verdict". */
const struct cli_command *cli_find(const struct cli_command *const *tables,
    int words, char **word, int *used_out)
{
	const struct cli_command *best = NULL;

	*used_out = 0;
	for (int t = 0; tables[t] != NULL; t++)
		for (const struct cli_command *cmd = tables[t];
		     cmd->name != NULL; cmd++) {
			int used = match_words(cmd->name, words, word);

			if (used <= *used_out)
				continue;
			*used_out = used;
			best = cmd;
		}
	return best;
}
