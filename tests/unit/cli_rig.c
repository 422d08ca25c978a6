/* SPDX-License-Identifier: ISC
 *
 * The true command line in a child; its output goes to a file.
 */
#include "tests/unit/cli_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/loop.h"
#include "relay/base/mem.h"
#include "relay/cli/all_commands.h"
#include "relay/cli/command_line.h"

enum { TURN_MS = 10, WORDS_MAX = 48 };

static void child(const char *dir, char *const *word, int words)
{
	char conf[128], out[128], in[128];
	char *argv[3 + WORDS_MAX + 1] = {"posthouse", "-c", conf};
	int code, fd, from;

	snprintf(in, sizeof(in), "%s/in", dir);
	from = open(in, O_RDONLY);
	if (from < 0)
		from = open("/dev/null", O_RDONLY);
	snprintf(conf, sizeof(conf), "%s/posthouse.conf", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
	fd = open(out, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	dup2(from, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	for (int i = 0; i < words; i++)
		argv[3 + i] = word[i];
	alarm(60); /* a daemon that a failed test left does not answer */
	code = cli_main(3 + words, argv, all_commands);
	fflush(stdout);
	_exit(code);
}

/* Cuts `line` into words, in place. */
static int cut(char *line, char *word[WORDS_MAX])
{
	int words = 0;

	while (*line != '\0') {
		char end = *line == '\'' ? '\'' : ' ';

		assert_true(words < WORDS_MAX);
		line += *line == '\'';
		word[words++] = line;
		while (*line != end && *line != '\0')
			line++;
		if (*line != '\0')
			*line++ = '\0';
		while (*line == ' ')
			line++;
	}
	return words;
}

int cli_rig_run(const char *dir, const char *line, struct loop *serving,
    char *out)
{
	char *copy = mem_strdup(line), *word[WORDS_MAX], path[128];
	int words = cut(copy, word), status = -1;
	FILE *in;
	pid_t pid = fork();

	if (pid == 0)
		child(dir, word, words);
	/* Its alarm ends it. */
	while (waitpid(pid, &status, serving != NULL ? WNOHANG : 0) == 0)
		loop_once(serving, TURN_MS);
	mem_free(copy);
	snprintf(path, sizeof(path), "%s/out", dir);
	in = fopen(path, "r");
	assert_non_null(in);
	out[fread(out, 1, CLI_RIG_OUT - 1, in)] = '\0';
	fclose(in);
	print_message("%s\n%s", line, out);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}
