/* SPDX-License-Identifier: ISC
 *
 * The list of commands as mdoc(7), for posthouse(1): printed from the rows,
 * so that the page says what --help says. `make cli-doc` puts it in place.
 */
#include "relay/cli/command_man.h"

#include <string.h>

enum { WIDTH = 72 };

/* Text of the page: a sentence a line, nothing that mdoc takes for itself. */
static void put_text(FILE *to, struct slice text)
{
	struct slice word;
	size_t column = 0;

	while (slice_next(&text, ' ', &word)) {
		if (word.n == 0)
			continue;
		if (column > 0 && column + word.n > WIDTH) {
			fputc('\n', to);
			column = 0;
		}
		if (column > 0)
			fputc(' ', to);
		else if (strchr(".'", word.p[0]) != NULL)
			fputs("\\&", to);
		for (size_t i = 0; i < word.n; i++)
			fputs(word.p[i] == '\\' ? "\\e"
						: (char[]){word.p[i], '\0'},
			    to);
		column += word.n + 1;
		if (word.p[word.n - 1] == '.')
			column = WIDTH;
	}
	fputc('\n', to);
}

static void put_lines(FILE *to, const char *text)
{
	struct slice rest = slice_str(text), line;

	while (slice_next(&rest, '\n', &line))
		put_text(to, line);
}

/* One argument of a macro, whatever it holds. */
static void put_quoted(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text != '\0'; text++)
		fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, to);
	fputc('"', to);
}

static void put_options(FILE *to, const struct cli_option *o)
{
	if (o == NULL || o->name == NULL)
		return;
	fputs(".Pp\n.Bl -tag -width Ds -compact\n", to);
	for (; o->name != NULL; o++) {
		fprintf(to, ".It Fl -%s", o->name);
		if (o->value != NULL) {
			fputs(" Ar ", to);
			put_quoted(to, o->value);
		}
		fputc('\n', to);
		put_lines(to, o->help);
	}
	fputs(".El\n", to);
}

static void put_summary(FILE *to, const char *summary)
{
	struct strbuf b;

	strbuf_init(&b, 400);
	strbuf_addf(&b, "%s.", summary);
	put_text(to, strbuf_view(&b));
	strbuf_fini(&b);
}

static void put_command(FILE *to, const struct cli_command *cmd)
{
	fprintf(to, ".It Ic %s", cmd->name);
	if (cmd->args[0] != '\0') {
		fputs(" Ar ", to);
		put_quoted(to, cmd->args);
	}
	fputc('\n', to);
	put_summary(to, cmd->summary);
	if (cmd->details != NULL)
		put_lines(to, cmd->details);
	put_options(to, cmd->options);
	fprintf(to, ".Bd -literal -offset indent\n%s\n.Ed\n", cmd->example);
}

void cli_print_man(const struct cli_command *const *tables, FILE *to)
{
	for (int t = 0; tables[t] != NULL; t++)
		for (const struct cli_command *cmd = tables[t];
		     cmd->name != NULL; cmd++)
			put_command(to, cmd);
}
