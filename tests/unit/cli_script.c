/* SPDX-License-Identifier: ISC
 *
 * Reads a transcript, runs its lines and puts together the text that the file
 * should have; at the end the two are compared.
 */
#include "tests/unit/cli_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/ops/ctl.h"
#include "relay/ops/who.h"
#include "tests/unit/cli_rig.h"
#include "tests/unit/conf_tmp.h"

enum { ANSWERS = 16, ROWS = 64, LINES = 1000, TEXT_MAX = 1 << 20 };

/* 2027-01-15T08:00:00Z, until a line sets another time. */
#define WALL_US (INT64_C(1800000000) * 1000000)
static int64_t wall_us = WALL_US;

/* The answer of the daemon to one command. */
struct answer {
	char *command;
	char *row[ROWS];
	int rows;
};

struct script {
	const char *dir;
	struct answer answer[ANSWERS];
	int answers;
	struct answer *last; /* that the file names */
	struct strbuf file;  /* of the lines "| " */
	char *file_name;     /* NULL: none is being written */
	struct strbuf asked; /* of the command that runs */
	struct strbuf is;    /* the transcript as it comes out */
	char *out;
};

/* ---- the world of the command ------------------------------------------- */

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_gethostname(char *name, size_t n);
void __wrap_who_self(char out[WHO_TEXT]);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	if (id != CLOCK_REALTIME)
		return __real_clock_gettime(id, ts);
	ts->tv_sec = (time_t)(wall_us / 1000000);
	ts->tv_nsec = (long)(wall_us % 1000000) * 1000;
	return 0;
}

int __wrap_gethostname(char *name, size_t n)
{
	snprintf(name, n, "relay.test");
	return 0;
}

void __wrap_who_self(char out[WHO_TEXT])
{
	snprintf(out, WHO_TEXT, "ann(1000)");
}

/* `text` with each `from` replaced; the caller frees. */
static char *replaced(const char *text, const char *from, const char *to)
{
	struct strbuf b;
	const char *at;
	char *copy;

	strbuf_init(&b, TEXT_MAX);
	for (; (at = strstr(text, from)) != NULL; text = at + strlen(from)) {
		strbuf_add(&b, text, (size_t)(at - text));
		strbuf_adds(&b, to);
	}
	strbuf_adds(&b, text);
	copy = mem_strdup(strbuf_cstr(&b));
	strbuf_fini(&b);
	return copy;
}

/* ---- the daemon --------------------------------------------------------- */

/* One request that is being answered. */
struct talk {
	struct script *s;
	struct answer *a;
	struct ctl_request *r;
	int at;
};

static void note_asked(struct script *s, const char *what,
    const json_t *args)
{
	char *text = json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS |
	    JSON_ENCODE_ANY);

	strbuf_addf(&s->asked, "> %s %s\n", what, text);
	free(text);
}

static void go_on(struct talk *t);

static void on_more(void *arg, const json_t *line)
{
	struct talk *t = arg;

	if (line == NULL)
		strbuf_adds(&t->s->asked, "> gave up\n");
	else
		note_asked(t->s, "+", line);
	if (line == NULL)
		t->at = t->a->rows;
	go_on(t);
}

static void end_talk(struct talk *t, const char *how)
{
	int code = how == NULL ? 0 : how[4] - '0';

	if (how == NULL || how[5] == '\0')
		ctl_end(t->r, code, NULL);
	else
		ctl_end(t->r, code, "%s", how + 6);
	mem_free(t);
}

static void go_on(struct talk *t)
{
	while (t->at < t->a->rows) {
		const char *row = t->a->row[t->at++];

		if (strncmp(row, "end ", 4) == 0) {
			end_talk(t, row);
			return;
		}
		if (strcmp(row, "more") == 0) {
			ctl_more(t->r, on_more, t);
			return;
		}
		ctl_row_text(t->r, slice_str(row));
	}
	end_talk(t, NULL);
}

static void answer_number(struct script *s, int n, struct ctl_request *r,
    const json_t *args)
{
	struct talk *t = NEW(struct talk);

	note_asked(s, s->answer[n].command, args);
	*t = (struct talk){s, &s->answer[n], r, 0};
	go_on(t);
}

/* A handler is not told which command it is called for: one a row. */
#define ROW(n)                                                          \
	static void on_##n(void *arg, struct ctl_request *r,            \
	    const json_t *args)                                         \
	{                                                               \
		answer_number(arg, n, r, args);                         \
	}
ROW(0) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7)
ROW(8) ROW(9) ROW(10) ROW(11) ROW(12) ROW(13) ROW(14) ROW(15)

static void (*const handler[ANSWERS])(void *, struct ctl_request *,
    const json_t *) = {on_0, on_1, on_2, on_3, on_4, on_5, on_6, on_7, on_8,
    on_9, on_10, on_11, on_12, on_13, on_14, on_15};

static void forget(struct answer *a)
{
	for (int i = 0; i < a->rows; i++)
		mem_free(a->row[i]);
	a->rows = 0;
}

static struct answer *answer_to(struct script *s, const char *command)
{
	for (int i = 0; i < s->answers; i++)
		if (strcmp(s->answer[i].command, command) == 0) {
			forget(&s->answer[i]);
			return &s->answer[i];
		}
	assert_true(s->answers < ANSWERS);
	s->answer[s->answers].command = mem_strdup(command);
	return &s->answer[s->answers++];
}

static void no_daemon(struct script *s)
{
	for (int i = 0; i < s->answers; i++) {
		forget(&s->answer[i]);
		mem_free(s->answer[i].command);
	}
	s->answers = 0;
	s->last = NULL;
}

/* ---- a command ---------------------------------------------------------- */

static int run_served(struct script *s, const char *line)
{
	struct ctl_command table[ANSWERS + 1] = {{NULL, NULL}};
	struct loop *loop = loop_new(&clock_system);
	struct error err = {0};
	struct ctl *ctl;
	char sock[200];
	int code;

	for (int i = 0; i < s->answers; i++)
		table[i] = (struct ctl_command){s->answer[i].command,
		    handler[i]};
	snprintf(sock, sizeof(sock), "%s/sock", s->dir);
	ctl = ctl_open(loop, sock, table, s, &err);
	if (ctl == NULL)
		fail_msg("%s", err.text);
	code = cli_rig_run(s->dir, line, loop, s->out);
	ctl_close(ctl);
	loop_free(loop);
	return code;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of a listing whose order is none of its promises. */
static void sort_lines(char *out)
{
	char *line[LINES], *copy = mem_strdup(out), *rest = copy;
	size_t n = 0;

	while (n < LINES && (line[n] = strsep(&rest, "\n")) != NULL &&
	       rest != NULL)
		n++;
	assert_true(n < LINES);
	qsort(line, n, sizeof(line[0]), by_text);
	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(line[i]);

		memcpy(out, line[i], length);
		out[length] = '\n';
		out += length + 1;
	}
	mem_free(copy);
}

/* Shows blanks at the end of a printed line, or that it has no end. */
static const char *mark_of(const char *line, bool ended)
{
	size_t n = strlen(line);

	if (!ended)
		return "%";
	return n == 0 || line[n - 1] == ' ' ? "\\" : "";
}

static void put_out(struct script *s)
{
	char *text = replaced(s->out, s->dir, "DIR"), *line, *rest = text;

	while ((line = strsep(&rest, "\n")) != NULL)
		if (rest != NULL || *line != '\0')
			strbuf_addf(&s->is, "  %s%s\n", line,
			    mark_of(line, rest != NULL));
	mem_free(text);
}

static void run_line(struct script *s, const char *line, bool sorted)
{
	char *say = replaced(line, "DIR", s->dir);
	char *asked;
	int code;

	strbuf_reset(&s->asked);
	code = s->answers > 0 ? run_served(s, say)
			      : cli_rig_run(s->dir, say, NULL, s->out);
	asked = replaced(strbuf_cstr(&s->asked), s->dir, "DIR");
	strbuf_adds(&s->is, asked);
	if (sorted)
		sort_lines(s->out);
	put_out(s);
	if (code != 0)
		strbuf_addf(&s->is, "[%d]\n", code);
	mem_free(asked);
	mem_free(say);
}

/* ---- the file ----------------------------------------------------------- */

static void end_file(struct script *s)
{
	char *text;

	if (s->file_name == NULL)
		return;
	text = replaced(strbuf_cstr(&s->file), "DIR", s->dir);
	conf_tmp_write(s->dir, s->file_name, text);
	mem_free(text);
	mem_free(s->file_name);
	s->file_name = NULL;
	strbuf_reset(&s->file);
}

static bool starts(const char *line, const char *with, const char **rest)
{
	size_t n = strlen(with);

	*rest = line + n;
	return strncmp(line, with, n) == 0;
}

static bool is_command(const char *line)
{
	return (line[0] == '$' || line[0] == '~') && line[1] == ' ';
}

/* False: the line is of what a command printed. */
static bool take(struct script *s, const char *line)
{
	const char *rest;

	if (starts(line, "| ", &rest) || starts(line, "|", &rest)) {
		assert_non_null(s->file_name);
		strbuf_addf(&s->file, "%s\n", rest);
	} else if (starts(line, "< ", &rest)) {
		assert_non_null(s->last);
		assert_true(s->last->rows < ROWS);
		s->last->row[s->last->rows++] = replaced(rest, "DIR", s->dir);
	} else if (starts(line, "daemon ", &rest)) {
		s->last = answer_to(s, rest);
	} else if (strcmp(line, "no daemon") == 0) {
		no_daemon(s);
	} else if (starts(line, "file ", &rest)) {
		end_file(s);
		s->file_name = mem_strdup(rest);
	} else if (starts(line, "time ", &rest)) {
		assert_int_equal(clock_parse(slice_str(rest), 0, &wall_us), 0);
	} else {
		return line[0] == '#' || line[0] == '\0' || is_command(line);
	}
	return true;
}

static void each_line(struct script *s, char *text)
{
	char *line, *rest = text;
	bool printed = false; /* the lines that follow are of a command */

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (rest == NULL && *line == '\0')
			break;
		if (line[0] != '|')
			end_file(s);
		if (!take(s, line)) {
			assert_true(printed);
			continue;
		}
		strbuf_addf(&s->is, "%s\n", line);
		printed = is_command(line) || (printed && *line == '\0');
		if (is_command(line))
			run_line(s, line + 2, line[0] == '~');
	}
}

static void script_path(const char *name, char path[512])
{
	const char *top = getenv("srcdir");

	snprintf(path, 512, "%s/tests/data/cli/%s", top != NULL ? top : "..",
	    name);
}

static char *read_script(const char *path)
{
	char *text = mem_new(TEXT_MAX);
	FILE *f = fopen(path, "r");

	if (f == NULL)
		fail_msg("%s cannot be opened", path);
	text[fread(text, 1, TEXT_MAX - 1, f)] = '\0';
	fclose(f);
	return text;
}

/* Says the first line that differs. */
static void compare(const char *name, const char *is, const char *want)
{
	int line = 1;

	while (*is == *want && *is != '\0') {
		line += *is == '\n';
		is++;
		want++;
	}
	if (*is == *want)
		return;
	fail_msg("tests/data/cli/%s: line %d: is: %.300s\nwant: %.300s", name,
	    line, is, want);
}

static void write_script(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

void cli_script_run(const char *dir, const char *name)
{
	struct script s = {.dir = dir, .out = mem_new(CLI_RIG_OUT)};
	char path[512], *text, *copy;

	setenv("TZ", "UTC", 1);
	wall_us = WALL_US;
	strbuf_init(&s.file, TEXT_MAX);
	strbuf_init(&s.asked, TEXT_MAX);
	strbuf_init(&s.is, TEXT_MAX);
	script_path(name, path);
	text = read_script(path);
	copy = mem_strdup(text);
	each_line(&s, copy);
	end_file(&s);
	no_daemon(&s);
	if (getenv("CLI_SCRIPT_WRITE") != NULL)
		write_script(path, strbuf_cstr(&s.is));
	else
		compare(name, strbuf_cstr(&s.is), text);
	strbuf_fini(&s.file);
	strbuf_fini(&s.asked);
	strbuf_fini(&s.is);
	mem_free(s.out);
	mem_free(copy);
	mem_free(text);
}
