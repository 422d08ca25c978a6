/* SPDX-License-Identifier: ISC
 *
 * Common to all commands: options, configuration, messages on stderr and
 * questions on the terminal.
 */
#include "relay/cli/common/cli.h"

#include <stdarg.h>
#include <unistd.h>

#include "relay/base/mem.h"

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
