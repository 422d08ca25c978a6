/* SPDX-License-Identifier: ISC
 *
 * One command line: find the row, take its options and operands apart, run
 * it, end. Options may stand anywhere behind the command; `--` ends them.
 */
#include "relay/cli/command_line.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cli/command_find.h"
#include "relay/cli/command_help.h"
#include "relay/ops/who.h"

/* ---- the line --------------------------------------------------------- */

static const struct cli_option *find_option(const struct cli_option *o,
    struct slice name)
{
	for (; o != NULL && o->name != NULL; o++)
		if (slice_eq(slice_str(o->name), name))
			return o;
	return NULL;
}

/* A word that is not UTF-8 cannot be sent to the daemon: a filter would be
 * lost on the way, and without it all would be meant. Names of files may be
 * anything. True: it was said. */
static bool not_text(const struct cli *c, const char *placeholder,
    const char *value)
{
	if (utf8_valid(slice_str(value)) ||
	    strstr(placeholder, "FILE") != NULL ||
	    strcmp(placeholder, "FOLDER") == 0 ||
	    strcmp(placeholder, "DIR") == 0)
		return false;
	cli_usage(c, "%s is not UTF-8", value);
	return true;
}

/* "--note=TEXT", or "--note" with TEXT in `next`. Returns how many words it
 * took, or -1 when the reason was said. */
static int take_option(struct cli *c, char *word, char *next)
{
	struct slice name = slice_str(word + 2);
	long eq = slice_find(name, '=');
	const struct cli_option *o;
	const char *value = eq < 0 ? NULL : name.p + eq + 1;
	int used = 1;

	if (eq >= 0)
		name = slice_head(name, (size_t)eq);
	o = find_option(c->command->options, name);
	if (o == NULL)
		o = find_option(cli_common_options, name);
	if (o == NULL || (o->value == NULL && value != NULL)) {
		cli_usage(c, o == NULL ? "there is no option %s here"
				       : "%s takes no value", word);
		return -1;
	}
	if (o->value != NULL && value == NULL) {
		value = next;
		used = 2;
	}
	if (o->value != NULL && value == NULL) {
		cli_usage(c, "%s wants %s", word, o->value);
		return -1;
	}
	if (value != NULL && not_text(c, o->value, value))
		return -1;
	c->given[c->givens++] =
	    (struct cli_given){o, value == NULL ? "" : value};
	return used;
}

static int take_line(struct cli *c, int argc, char **argv)
{
	bool options = true;

	for (int i = 0; i < argc;) {
		char *word = argv[i];
		int used = 1;

		if (options && strcmp(word, "--") == 0)
			options = false;
		else if (options && strncmp(word, "--", 2) == 0)
			used = take_option(c, word,
			    i + 1 < argc ? argv[i + 1] : NULL);
		else if (options && word[0] == '-' && word[1] != '\0')
			return cli_usage(c, "there is no option %s", word);
		else if (not_text(c, c->command->args, word))
			return CLI_USAGE;
		else
			c->arg[c->args++] = word;
		if (used < 0)
			return CLI_USAGE;
		i += used;
	}
	return CLI_DONE;
}

/* --timeout means the same in every command: how long a change waits for
 * another one. */
static int read_timeout(struct cli *c)
{
	const char *text = cli_value(c, "timeout");
	int64_t us = 0;

	if (text != NULL && clock_duration(slice_str(text), &us) < 0)
		return cli_usage(c, "--timeout wants a time like 30s, 5m, 2h");
	c->timeout_ms = us / 1000;
	return CLI_DONE;
}

static int run_command(struct cli *c, int argc, char **argv)
{
	const struct cli_command *cmd = c->command;
	int code;

	c->arg = NEW_ARRAY(char *, argc + 1);
	c->given = NEW_ARRAY(struct cli_given, argc + 1);
	code = take_line(c, argc, argv);
	if (code == CLI_DONE && cli_flag(c, "help")) {
		cli_print_help(cmd, stdout);
	} else if (code == CLI_DONE && c->args < cmd->min_args) {
		code = cli_usage(c, "something is missing: %s", cmd->args);
	} else if (code == CLI_DONE && cmd->max_args >= 0 &&
		   c->args > cmd->max_args) {
		code = cli_usage(c, "%s is too much", c->arg[cmd->max_args]);
	} else if (code == CLI_DONE) {
		code = read_timeout(c);
	}
	if (code == CLI_DONE && !cli_flag(c, "help")) {
		out_init(&c->out, stdout, c->json || cli_flag(c, "json"));
		c->json = c->out.json;
		code = cmd->run(c);
		out_fini(&c->out);
	}
	mem_free(c->arg);
	mem_free(c->given);
	return code;
}

/* ---- the program ------------------------------------------------------ */

static char *where_it_runs(void)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) < 0)
		return mem_strdup("");
	return mem_strdup(name);
}

/* Reads the options before the command. Returns the index of the command's
 * first word, or -1: it was answered, *code_out is the exit code. */
static int take_front(struct cli *c, int argc, char **argv, int *code_out)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		const char *word = argv[i];

		*code_out = CLI_DONE;
		if (strcmp(word, "--json") == 0) {
			c->json = true;
		} else if (strcmp(word, "-c") == 0 && i + 1 < argc) {
			c->conf_file = argv[++i];
		} else if (strcmp(word, "-V") == 0 ||
			   strcmp(word, "--version") == 0) {
			puts("posthouse " PACKAGE_VERSION);
			return -1;
		} else if (strcmp(word, "-h") == 0 ||
			   strcmp(word, "--help") == 0) {
			cli_print_commands(c->tables, stdout);
			return -1;
		} else {
			*code_out = cli_usage(c, "what is %s? "
			    "(posthouse --help)", word);
			return -1;
		}
	}
	if (i < argc)
		return i;
	cli_print_commands(c->tables, stderr);
	*code_out = CLI_USAGE;
	return -1;
}

/* A noun alone ("posthouse route --help") lists its commands. */
static int no_such_command(const struct cli *c, int argc, char **argv)
{
	bool help = argc > 1 && strcmp(argv[1], "--help") == 0;

	if (cli_print_list(c->tables, help ? stdout : stderr, argv[0]) == 0)
		return cli_usage(c, "there is no command %s "
		    "(posthouse --help lists them)", argv[0]);
	if (argc > 1 && !help)
		cli_usage(c, "there is no command %s %s; those of %s are "
		    "listed above", argv[0], argv[1], argv[0]);
	return help ? CLI_DONE : CLI_USAGE;
}

int cli_main(int argc, char **argv, const struct cli_command *const *tables)
{
	struct cli c = {.tables = tables, .conf_file = CLI_CONF_FILE,
	    .out.to = stdout};
	int at, used, code = CLI_USAGE;

	at = take_front(&c, argc, argv, &code);
	if (at < 0)
		return code;
	c.command = cli_find(tables, argc - at, argv + at, &used);
	if (c.command == NULL)
		return no_such_command(&c, argc - at, argv + at);
	c.who = NEW_ARRAY(char, WHO_TEXT);
	who_self(c.who);
	c.host = where_it_runs();
	c.names = names_new();
	c.arena = arena_new();
	code = run_command(&c, argc - at - used, argv + at + used);
	if (c.conf != NULL)
		conf_unref(c.conf);
	names_free(c.names);
	arena_free(c.arena);
	mem_free(c.who);
	mem_free(c.host);
	/* An earlier write may have failed: ferror() remembers it. */
	fflush(stdout);
	if (ferror(stdout)) {
		fputs("posthouse: the output could not be written; is the "
		      "disk full?\n", stderr);
		code = code == CLI_DONE ? CLI_NO : code;
	}
	return code;
}
