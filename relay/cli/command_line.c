/* SPDX-License-Identifier: ISC
 *
 * One command line: find the row, take its options and operands apart, run
 * it, end. Options may stand anywhere behind the command; `--` ends them.
 */
#include "relay/cli/common/cli.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "relay/base/mem.h"

#define CONF_FILE PH_SYSCONFDIR "/posthouse/posthouse.conf"

static const struct cli_option common[] = {
	{"json", NULL, "One JSON object a line, for programs."},
	{"help", NULL, "This text."},
	{NULL, NULL, NULL},
};

/* ---- what the commands use -------------------------------------------- */

bool cli_flag(const struct cli *c, const char *name)
{
	return cli_value_at(c, name, 0) != NULL;
}

const char *cli_value(const struct cli *c, const char *name)
{
	const char *value = NULL, *next;

	for (int i = 0; (next = cli_value_at(c, name, i)) != NULL; i++)
		value = next;
	return value;
}

const char *cli_value_at(const struct cli *c, const char *name, int n)
{
	for (int i = 0; i < c->givens; i++)
		if (strcmp(c->given[i].option->name, name) == 0 && n-- == 0)
			return c->given[i].value;
	return NULL;
}

const char *cli_address(const struct cli *c, const char *name)
{
	struct slice s = slice_str(cli_value(c, name));

	if (s.p == NULL)
		return NULL;
	s = slice_trim(s);
	if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		s = slice_trim(slice_of(s.p + 1, s.n - 2));
	return arena_slicedup(c->arena, s);
}

/* Names from files and answers from outside are part of it. */
static void say(const struct cli *c, const char *fmt, va_list ap)
{
	char text[2000];
	struct strbuf clean;

	vsnprintf(text, sizeof(text), fmt, ap);
	strbuf_init(&clean, 4 * sizeof(text));
	utf8_show(slice_str(text), &clean);
	fflush(c->out.to);
	fprintf(stderr, "posthouse: %s\n", strbuf_cstr(&clean));
	strbuf_fini(&clean);
}

int cli_fail(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(c, fmt, ap);
	va_end(ap);
	return CLI_NO;
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(c, fmt, ap);
	va_end(ap);
	if (c->command != NULL)
		fprintf(stderr, "usage: posthouse %s%s%s\n"
				"More: posthouse %s --help\n",
		    c->command->name, c->command->args[0] == '\0' ? "" : " ",
		    c->command->args, c->command->name);
	return CLI_USAGE;
}

bool cli_confirm(const struct cli *c, const char *question)
{
	struct strbuf clean;
	char answer[8];

	if (cli_flag(c, "yes"))
		return true;
	if (!isatty(STDIN_FILENO)) {
		cli_fail(c, "%s Say --yes to do it.", question);
		return false;
	}
	strbuf_init(&clean, 8000);
	utf8_show(slice_str(question), &clean);
	fprintf(stderr, "%s [y/N] ", strbuf_cstr(&clean));
	strbuf_fini(&clean);
	return fgets(answer, sizeof(answer), stdin) != NULL &&
	       (answer[0] == 'y' || answer[0] == 'Y');
}

struct conf *cli_conf_try(struct cli *c)
{
	if (c->conf == NULL && c->conf_fault.text[0] == '\0')
		c->conf = conf_load(c->conf_file, c->names, &c->conf_fault);
	return c->conf;
}

struct conf *cli_conf(struct cli *c)
{
	if (cli_conf_try(c) == NULL)
		cli_fail(c, "%s", c->conf_fault.text);
	return c->conf;
}

/* ---- which command ---------------------------------------------------- */

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

const struct cli_command *cli_find(int words, char **word, int *used_out)
{
	for (int t = 0; cli_tables[t] != NULL; t++) {
		const struct cli_command *cmd = cli_tables[t];

		for (; cmd->name != NULL; cmd++) {
			*used_out = match_words(cmd->name, words, word);
			if (*used_out > 0)
				return cmd;
		}
	}
	return NULL;
}

/* ---- help ------------------------------------------------------------- */

static bool starts_with_word(const char *name, const char *word)
{
	size_t n = strlen(word);

	return strncmp(name, word, n) == 0 &&
	       (name[n] == ' ' || name[n] == '\0');
}

int cli_print_list(FILE *to, const char *noun)
{
	int shown = 0;

	for (int t = 0; cli_tables[t] != NULL; t++) {
		const struct cli_command *cmd = cli_tables[t];

		for (; cmd->name != NULL; cmd++) {
			if (noun != NULL && !starts_with_word(cmd->name, noun))
				continue;
			fprintf(to, "  %-18s %s\n", cmd->name, cmd->summary);
			shown++;
		}
	}
	return shown;
}

void cli_print_commands(FILE *to)
{
	fprintf(to, "usage: posthouse [-c FILE] [--json] COMMAND ...\n"
		    "       posthouse COMMAND --help\n\n");
	cli_print_list(to, NULL);
	fprintf(to, "\n  -c FILE            the configuration (%s)\n"
		    "  -V, --version      the version\n", CONF_FILE);
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
	print_options(to, common);
	fputs("\nexample:\n", to);
	while (slice_next(&rest, '\n', &line))
		fprintf(to, "  %.*s\n", (int)line.n, line.p);
}

/* ---- the line --------------------------------------------------------- */

static const struct cli_option *find_option(const struct cli_option *o,
    struct slice name)
{
	for (; o != NULL && o->name != NULL; o++)
		if (slice_eq(slice_str(o->name), name))
			return o;
	return NULL;
}

/* What is not UTF-8 cannot be said to the daemon: a filter would be lost on
 * the way, and without it all would be meant. Names of files may be anything.
 * True: it was said. */
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
		o = find_option(common, name);
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

/* The person, not root: who called sudo is who changed the table. */
static char *who_runs(void)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *pw;
	char number[24];

	if (getuid() == 0 && sudo != NULL && sudo[0] != '\0')
		return mem_strdup(sudo);
	pw = getpwuid(getuid());
	if (pw != NULL)
		return mem_strdup(pw->pw_name);
	snprintf(number, sizeof(number), "%u", (unsigned)getuid());
	return mem_strdup(number);
}

static char *where_it_runs(void)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) < 0)
		return mem_strdup("");
	return mem_strdup(name);
}

/* What stands before the command. Returns the index of the command's first
 * word, or -1: it was answered, *code_out is the exit code. */
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
			cli_print_commands(stdout);
			return -1;
		} else {
			*code_out = cli_usage(c, "what is %s? "
			    "(posthouse --help)", word);
			return -1;
		}
	}
	if (i < argc)
		return i;
	cli_print_commands(stderr);
	*code_out = CLI_USAGE;
	return -1;
}

/* A noun alone ("posthouse route --help") lists its commands. */
static int no_such_command(const struct cli *c, int argc, char **argv)
{
	bool help = argc > 1 && strcmp(argv[1], "--help") == 0;

	if (cli_print_list(help ? stdout : stderr, argv[0]) == 0)
		return cli_usage(c, "there is no command %s "
		    "(posthouse --help lists them)", argv[0]);
	if (argc > 1 && !help)
		cli_usage(c, "there is no command %s %s; those of %s are "
		    "listed above", argv[0], argv[1], argv[0]);
	return help ? CLI_DONE : CLI_USAGE;
}

int cli_main(int argc, char **argv)
{
	struct cli c = {.conf_file = CONF_FILE, .out.to = stdout};
	int at, used, code = CLI_USAGE;

	at = take_front(&c, argc, argv, &code);
	if (at < 0)
		return code;
	c.command = cli_find(argc - at, argv + at, &used);
	if (c.command == NULL)
		return no_such_command(&c, argc - at, argv + at);
	c.who = who_runs();
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
