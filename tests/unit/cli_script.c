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

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "config.h"
#include "relay/audit/delivered/recipient_key.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/ops/ctl.h"
#include "relay/ops/who.h"
#include "tests/unit/cli_rig.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/dnsserver.h"
#include "tests/unit/transcript.h"

enum { ANSWERS = 16, ROWS = 64, NAMES = 64, LINES = 1000 };

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
	struct strbuf lines; /* "| " */
	/* Of the line before them, and what takes them; NULL: there is none. */
	char *rest;
	void (*take)(struct script *s, const char *text);
	struct loop *loop;
	struct dnsserver server;
	struct dnsserver_row name[NAMES + 1];
	int names;
	char at[40]; /* of the name server */
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

	strbuf_init(&b, TRANSCRIPT_MAX);
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

/* ---- a name server ------------------------------------------------------- */

static void name_free(struct dnsserver_row *n)
{
	mem_free((char *)n->name);
	mem_free((char *)n->type);
	mem_free((char *)n->records);
}

static struct dnsserver_row *name_of(struct script *s, const char *name,
    const char *type)
{
	for (int i = 0; i < s->names; i++)
		if (strcmp(s->name[i].name, name) == 0 &&
		    strcmp(s->name[i].type, type) == 0) {
			name_free(&s->name[i]);
			return &s->name[i];
		}
	assert_true(s->names < NAMES);
	return &s->name[s->names++];
}

static void take_name(struct script *s, const char *text)
{
	char name[256], type[16], *records;
	int rcode = 0;

	assert_true(sscanf(s->rest, "%255s %15s %d", name, type, &rcode) >= 2);
	records = mem_strdup(text);
	if (records[0] != '\0')
		records[strlen(records) - 1] = '\0'; /* the last end of line */
	*name_of(s, name, type) = (struct dnsserver_row){mem_strdup(name),
	    mem_strdup(type), rcode, records};
}

static void open_server(struct script *s)
{
	s->loop = loop_new(&clock_system);
	dnsserver_open(&s->server, s->loop, s->name);
	snprintf(s->at, sizeof(s->at), "127.0.0.1:%d", s->server.port);
}

static void close_server(struct script *s)
{
	dnsserver_close(&s->server);
	loop_free(s->loop);
	for (int i = 0; i < s->names; i++)
		name_free(&s->name[i]);
}

/* ---- what the daemon says ------------------------------------------------ */

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
	struct error err = {0};
	struct ctl *ctl;
	char sock[200];
	int code;

	for (int i = 0; i < s->answers; i++)
		table[i] = (struct ctl_command){s->answer[i].command,
		    handler[i]};
	snprintf(sock, sizeof(sock), "%s/sock", s->dir);
	ctl = ctl_open(s->loop, sock, table, s, &err);
	if (ctl == NULL)
		fail_msg("%s", err.text);
	code = cli_rig_run(s->dir, line, s->loop, s->out);
	ctl_close(ctl);
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

#define OURS "Posthouse "
#define DNS_AT "127.0.0.1:DNSPORT"

/* The names of the folder and the server, put into what the file says … */
static char *with_names(const struct script *s, const char *text)
{
	char *first = replaced(text, "DIR", s->dir);
	char *both = replaced(first, DNS_AT, s->at);

	mem_free(first);
	return both;
}

/* … and taken out of what was said. */
static char *without_names(const struct script *s, const char *text)
{
	char *first = replaced(text, s->dir, "DIR");
	char *both = replaced(first, s->at, DNS_AT);
	char *all = replaced(both, OURS PACKAGE_VERSION, OURS "VERSION");

	mem_free(first);
	mem_free(both);
	return all;
}

static void put_text(struct script *s, const char *said)
{
	char *text = without_names(s, said), *line, *rest = text;

	while ((line = strsep(&rest, "\n")) != NULL)
		if (rest != NULL || *line != '\0')
			strbuf_addf(&s->is, "  %s%s\n", line,
			    mark_of(line, rest != NULL));
	mem_free(text);
}

static void run_line(struct script *s, const char *line, bool sorted)
{
	char *say = with_names(s, line);
	char *asked;
	int code;

	strbuf_reset(&s->asked);
	code = s->answers > 0 ? run_served(s, say)
			      : cli_rig_run(s->dir, say, s->loop, s->out);
	asked = without_names(s, strbuf_cstr(&s->asked));
	strbuf_adds(&s->is, asked);
	if (sorted)
		sort_lines(s->out);
	put_text(s, s->out);
	if (code != 0)
		strbuf_addf(&s->is, "[%d]\n", code);
	mem_free(asked);
	mem_free(say);
}

/* ---- the file ----------------------------------------------------------- */

static void take_file(struct script *s, const char *text)
{
	conf_tmp_write(s->dir, s->rest, text);
}

static void take_secret(struct script *s, const char *text)
{
	conf_tmp_secret(s->dir, s->rest, text);
}

/* key('ann@a.example'): its number in ledger.db. */
static void key_of(sqlite3_context *c, int n, sqlite3_value **value)
{
	static const struct conf none;
	struct separators *plain = separators_new(&none);
	sqlite3_stmt *st = NULL;
	uint64_t secret[2];

	(void)n;
	sqlite3_prepare_v2(sqlite3_context_db_handle(c),
	    "SELECT secret FROM state", -1, &st, NULL);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	memcpy(secret, sqlite3_column_blob(st, 0), sizeof(secret));
	sqlite3_finalize(st);
	sqlite3_result_int64(c, recipient_key(plain, secret, slice_str(
	    (const char *)sqlite3_value_text(value[0]))).base);
	separators_free(plain);
}

static void take_sql(struct script *s, const char *text)
{
	sqlite3 *db = NULL;
	char path[200], *why = NULL;

	snprintf(path, sizeof(path), "%s/%s", s->dir, s->rest);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_create_function(db, "key", 1, SQLITE_UTF8, NULL, key_of, NULL,
	    NULL);
	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", s->rest, why);
	sqlite3_close(db);
}

static void end_lines(struct script *s)
{
	char *text;

	if (s->take == NULL)
		return;
	text = with_names(s, strbuf_cstr(&s->lines));
	s->take(s, text);
	mem_free(text);
	mem_free(s->rest);
	s->take = NULL;
	strbuf_reset(&s->lines);
}

static void begin_lines(struct script *s, const char *rest,
    void (*take)(struct script *s, const char *text))
{
	s->rest = mem_strdup(rest);
	s->take = take;
}

static bool starts(const char *line, const char *with, const char **rest)
{
	size_t n = strlen(with);

	*rest = line + n;
	return strncmp(line, with, n) == 0;
}

/* Lines behind it are what it prints. */
static bool is_command(const char *line)
{
	const char *rest;

	return starts(line, "$ ", &rest) || starts(line, "~ ", &rest) ||
	       starts(line, "show ", &rest);
}

static void show(struct script *s, const char *name)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s is not there", path);
	s->out[fread(s->out, 1, CLI_RIG_OUT - 1, f)] = '\0';
	fclose(f);
	put_text(s, s->out);
}

static void run(struct script *s, const char *line)
{
	const char *rest;

	if (starts(line, "show ", &rest))
		show(s, rest);
	else
		run_line(s, line + 2, line[0] == '~');
}

/* False: the line is of what a command printed. */
static bool take(struct script *s, const char *line)
{
	const char *rest;

	if (starts(line, "| ", &rest) || starts(line, "|", &rest)) {
		assert_true(s->take != NULL);
		strbuf_addf(&s->lines, "%s\n", rest);
	} else if (starts(line, "< ", &rest)) {
		assert_non_null(s->last);
		assert_true(s->last->rows < ROWS);
		s->last->row[s->last->rows++] = with_names(s, rest);
	} else if (starts(line, "daemon ", &rest)) {
		s->last = answer_to(s, rest);
	} else if (strcmp(line, "no daemon") == 0) {
		no_daemon(s);
	} else if (starts(line, "file ", &rest)) {
		begin_lines(s, rest, take_file);
	} else if (starts(line, "secret ", &rest)) {
		begin_lines(s, rest, take_secret);
	} else if (starts(line, "sql ", &rest)) {
		begin_lines(s, rest, take_sql);
	} else if (starts(line, "dns ", &rest)) {
		begin_lines(s, rest, take_name);
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
			end_lines(s);
		if (!take(s, line)) {
			assert_true(printed);
			continue;
		}
		strbuf_addf(&s->is, "%s\n", line);
		printed = is_command(line) || (printed && *line == '\0');
		if (is_command(line))
			run(s, line);
	}
}

void cli_script_run(const char *dir, const char *name)
{
	struct script s = {.dir = dir, .out = mem_new(CLI_RIG_OUT)};
	struct transcript t = {.folder = "cli", .name = name};
	char *copy;

	setenv("TZ", "UTC", 1);
	wall_us = WALL_US;
	strbuf_init(&s.lines, TRANSCRIPT_MAX);
	strbuf_init(&s.asked, TRANSCRIPT_MAX);
	strbuf_init(&s.is, TRANSCRIPT_MAX);
	open_server(&s);
	if (transcript_open(&t) != 0)
		fail_msg("%s", t.why);
	copy = mem_strdup(t.text);
	each_line(&s, copy);
	end_lines(&s);
	no_daemon(&s);
	close_server(&s);
	if (transcript_close(&t, strbuf_cstr(&s.is),
		getenv("CLI_SCRIPT_WRITE") != NULL) != 0)
		fail_msg("%s", t.why);
	strbuf_fini(&s.lines);
	strbuf_fini(&s.asked);
	strbuf_fini(&s.is);
	mem_free(s.out);
	mem_free(copy);
}
