/* SPDX-License-Identifier: ISC
 *
 * The administrator's command line: one row of a table per command, one
 * function per row. Parsing, help, the man page's list, shell completion and
 * the tests all read the rows. One thread.
 *
 * To add a command: a row in the table of a cmd_*.c of its room, a function,
 * an entry in doc/posthouse.1 and a test. A new table is named in the room's
 * *_commands.h and in relay/cli/all_commands.c.
 */
#ifndef RELAY_CLI_COMMON_CLI_H
#define RELAY_CLI_COMMON_CLI_H

#include <jansson.h>

#include "conf/conf.h"
#include "relay/base/error.h"
#include "relay/cli/common/out.h"
#include "relay/cli/common/progress.h"

/* The result of a command: the exit code of the program. */
enum {
	CLI_DONE = 0,
	CLI_NO = 1,	   /* refused, failed, or the answer is no */
	CLI_USAGE = 2,
	CLI_NO_DAEMON = 3, /* needed, and not running */
};

struct cli_option {
	const char *name;  /* "note", given as --note TEXT or --note=TEXT */
	const char *value; /* "TEXT"; NULL: a flag */
	const char *help;
};

struct cli;
struct cli_command {
	const char *name;    /* "route set": one word or two */
	const char *args;    /* operands in the usage line, "" : none */
	const char *summary; /* one line, no full stop */
	const char *details; /* more lines for --help, NULL: none */
	const char *example; /* whole command lines, LF between */
	const struct cli_option *options; /* ends with name NULL; NULL: none */
	int min_args, max_args;		  /* operands; -1: no limit */
	int (*run)(struct cli *c);
};

struct cli_given {
	const struct cli_option *option;
	const char *value; /* "" for a flag */
};

struct cli {
	const struct cli_command *const *tables; /* all, ends with NULL */
	const struct cli_command *command;
	const char *conf_file;
	bool json;
	char **arg; /* operands */
	int args;
	struct cli_given *given; /* options, in the order of the line */
	int givens;
	char *who, *host; /* who runs it, and where: for the history */
	struct names *names;
	struct arena *arena; /* lives as long as the command */
	struct conf *conf; /* NULL until cli_conf() */
	struct error conf_fault; /* why it cannot be read; "" */
	bool conf_fault_said;
	const char *input; /* file that a change is read from, NULL: none */
	int input_faults;  /* lines of it that were named as wrong */
	struct progress bar;
	int64_t timeout_ms; /* --timeout of a change; 0: none was given */
	struct out out;
};

bool cli_flag(const struct cli *c, const char *name);
/* The last value given, or NULL. */
const char *cli_value(const struct cli *c, const char *name);
/* The n-th value given (from 0), or NULL: `--tag a --tag b`. */
const char *cli_value_at(const struct cli *c, const char *name, int n);

/* The last value given as an address: without blanks around it and without
 * its angle brackets; "" is the null sender, written `<>`. NULL: not given. */
const char *cli_address(const struct cli *c, const char *name);

/* The configuration, read at the first call. NULL: the reason was said. */
struct conf *cli_conf(struct cli *c);
/* The same without a word: c->conf_fault says why. */
struct conf *cli_conf_try(struct cli *c);

/* Says "posthouse: …" on stderr and returns CLI_NO, CLI_USAGE. */
int cli_fail(const struct cli *c, const char *fmt, ...) PH_PRINTF(2, 3);
int cli_usage(const struct cli *c, const char *fmt, ...) PH_PRINTF(2, 3);
/* Rows or deliveries above which even what can be taken back is asked for. */
enum { CLI_ASK_ABOVE = 1000 };
/* Asks on the terminal; without one the answer is no unless --yes. */
bool cli_confirm(const struct cli *c, const char *question);

/* Asks the daemon (relay/ops/ctl.h): rows go to `row`, or to c->out when it
 * is NULL. Takes `args` (NULL: none). What went wrong was said. */
int cli_call(struct cli *c, const char *command, json_t *args,
    void (*row)(void *arg, json_t *row), void *arg);

/* The same for a command that takes several lines: `more` gives the next one
 * each time that the daemon asks for it; NULL, the reason said, gives up
 * (CLI_NO). */
struct cli_talk {
	const char *command;
	const char *about; /* before an error's text */
	json_t *args;
	void (*row)(void *arg, json_t *row);
	json_t *(*more)(void *arg);
	void *arg;
	bool if_running; /* that no daemon answers is not said */
};
int cli_converse(struct cli *c, const struct cli_talk *t);

/* The same for what there is another way to know: that no daemon answers
 * (CLI_NO_DAEMON) is not said. `row` is not NULL. */
int cli_call_if_running(struct cli *c, const char *command, json_t *args,
    void (*row)(void *arg, json_t *row), void *arg);

/* As `row`: appends it to `arg`, a JSON array. */
void cli_append_row(void *arg, json_t *row);

#endif
