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

const struct cli_command *cli_find(const struct cli_command *const *tables,
    int words, char **word, int *used_out)
{
	for (int t = 0; tables[t] != NULL; t++) {
		const struct cli_command *cmd = tables[t];

		for (; cmd->name != NULL; cmd++) {
			*used_out = match_words(cmd->name, words, word);
			if (*used_out > 0)
				return cmd;
		}
	}
	return NULL;
}
