/* SPDX-License-Identifier: ISC
 *
 * Reads a transcript, plays its commands and puts together the text that the
 * file should have; at the end the two are compared.
 */
#include "tests/unit/worker_script.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/wave/file/wave_make.h"
#include "relay/audit/delivered/watermark_reader.h"
#include "relay/base/mem.h"
#include "relay/daemon/app.h"
#include "tests/sim/sim_trace.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/rig_program.h"
#include "tests/unit/transcript.h"
#include "tests/unit/worker_rig.h"

enum { FURTHER = 40, RULES = 16, WORD = 400,
       LINES = 2000 };

static const char usual_mail[] =
    "Message-ID: <1@client.sim>\nSubject: a mail\n\nhello\n";

static const char *const leg_names[SIM_LEGS] = {"legacy", "cloud", "outside"};

static struct {
	struct strbuf given; /* of the lines "| " */
	struct strbuf is;    /* the transcript as it comes out */
	struct rig_conf conf;
	size_t events, said[SIM_LEGS], content[SIM_LEGS]; /* seen of each */
	struct rig_rule rule[SIM_LEGS][RULES + 1];
	int rules[SIM_LEGS];
	size_t inputs[SPAWN_ROWS];
} s;

/* ---- what is printed ---------------------------------------------------- */

static void put(const char *text)
{
	struct strbuf masked;
	struct slice rest, line;

	strbuf_init(&masked, TRANSCRIPT_MAX);
	worker_mask(&masked, text);
	rest = strbuf_view(&masked);
	while (rest.n > 0 && slice_next(&rest, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		strbuf_addf(&s.is, "  %.*s\n", (int)line.n, line.p);
	}
	strbuf_fini(&masked);
}

/* The content that a row carries in base 64. */
static void put_chunk(struct slice row)
{
	json_t *o = json_loadb(row.p, row.n, 0, NULL);
	const char *chunk = json_string_value(json_object_get(o, "chunk"));
	char *text;
	size_t n;
	int got;

	if (chunk != NULL) {
		n = strlen(chunk);
		text = mem_new(n + 1);
		got = EVP_DecodeBlock((unsigned char *)text,
		    (const unsigned char *)chunk, (int)n);
		CHECK(got >= 0);
		put(text);
		mem_free(text);
	}
	json_decref(o);
}

static void put_rows(const char *rows)
{
	struct slice rest = slice_str(rows), row;

	put(rows);
	while (rest.n > 0 && slice_next(&rest, '\n', &row))
		put_chunk(row);
}

/* The rest behind what was seen before; all of it, when it began anew. */
static void put_new(const char *text, size_t *seen)
{
	size_t n = strlen(text);

	put(text + (*seen <= n ? *seen : 0));
	*seen = n;
}

/* ---- words -------------------------------------------------------------- */

/* The next word of a line, which is shortened by it. */
static const char *word(const char **line, char out[WORD])
{
	size_t n;

	*line += strspn(*line, " ");
	n = strcspn(*line, " ");
	snprintf(out, WORD, "%.*s", (int)n, *line);
	*line += n;
	*line += strspn(*line, " ");
	return out;
}

static int leg_word(const char **line)
{
	char name[WORD];

	word(line, name);
	for (int i = 0; i < SIM_LEGS; i++)
		if (strcmp(name, leg_names[i]) == 0)
			return i;
	sim_fail("no leg is called %s", name);
}

/* ---- the daemon --------------------------------------------------------- */

static void run_conf(const char *line)
{
	const struct {
		const char *name;
		const char **at;
	} part[] = {
	    {"legs", &s.conf.legs}, {"listen", &s.conf.listen},
	    {"domain", &s.conf.domain}, {"retry", &s.conf.retry},
	    {"dsn", &s.conf.dsn}, {"limits", &s.conf.limits},
	    {"more", &s.conf.more}};

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		if (strcmp(line, part[i].name) == 0) {
			*part[i].at = mem_strdup(strbuf_cstr(&s.given));
			return;
		}
	sim_fail("no part of the configuration is called %s", line);
}

static void run_reload(const char *line)
{
	(void)line;
	put(rig_reload(&s.conf) ? "taken" : "refused");
}

static void run_restart(const char *line)
{
	(void)line;
	rig_stop();
	rig_configure(&s.conf);
	rig_start();
}

/* As long as nothing runs, days pass at once. */
static void run_away(const char *line)
{
	rig_stop();
	rig_sleep(atoi(line));
	rig_start();
}

static void run_sleep(const char *line)
{
	rig_sleep(atoi(line));
}

static void run_row(const char *line)
{
	char address[WORD], route[WORD], more[WORD];
	struct strbuf addresses;
	bool held = false;

	strbuf_init(&addresses, TRANSCRIPT_MAX);
	word(&line, address);
	word(&line, route);
	while (word(&line, more)[0] != '\0')
		if (strcmp(more, "held") == 0)
			held = true;
		else
			strbuf_addf(&addresses, "%s\n", more);
	if (addresses.n > 0)
		rig_rewritten(address, route, strbuf_cstr(&addresses));
	else
		rig_row(address, route, held);
	strbuf_fini(&addresses);
	rig_sleep(2); /* it is read by then */
}

/* As `posthouse wave create` makes it. */
static void run_wave(const char *line)
{
	static const struct change_row keep = {.held = -1};
	const struct change_by by = {.who = "ann", .host = "host",
	    .command = "wave create", .note = ""};
	struct change *ch = change_open(rig_table_path(),
	    rig_app()->snapshot->conf, &(struct error){0});
	char name[WORD], route[WORD], address[WORD];
	struct wave_made made;
	struct error err;

	CHECK(ch != NULL);
	word(&line, name);
	word(&line, route);
	while (word(&line, address)[0] != '\0')
		CHECK(change_set(ch, slice_str(address), &keep, &err) == 0);
	CHECK(wave_create(ch, &(struct wave_new){.name = name,
	    .route = route, .by = &by,
	    .now_us = clock_wall_us(rig_app()->shared.clock)}, &made, &err) ==
	    0);
	change_close(ch);
}

/* ---- clients ------------------------------------------------------------ */

static void each_line(struct strbuf *to, const char *text)
{
	for (; *text != '\0'; text++)
		strbuf_addf(to, *text == '\n' ? "\r\n" : "%c", *text);
}

static void run_mail(const char *line)
{
	struct strbuf content;
	char from[WORD], id[16];

	word(&line, from);
	strbuf_init(&content, TRANSCRIPT_MAX);
	each_line(&content, s.given.n > 0 ? strbuf_cstr(&s.given) : usual_mail);
	rig_mail_from("198.51.100.7", from, line, strbuf_cstr(&content), id);
	strbuf_fini(&content);
	put(id);
}

/* False: the connection is over. */
static bool put_reply(struct peer *p, bool *content_out)
{
	char line[PEER_LINE];

	do {
		if (!peer_line(p, line)) {
			put("(closed)");
			return false;
		}
		put(line);
	} while (strlen(line) > 3 && line[3] == '-');
	*content_out = strncmp(line, "354", 3) == 0;
	return true;
}

static void run_talk(const char *line)
{
	struct slice rest = strbuf_view(&s.given), say;
	bool content = false, open;
	struct peer p = {0};

	if (!peer_connect(&p, line, SIM_RELAY_IP)) {
		put("(refused)");
		return;
	}
	open = put_reply(&p, &content);
	while (open && rest.n > 0 && slice_next(&rest, '\n', &say)) {
		if (!slice_eq(say, SLICE("(reply)")))
			peer_sayf(&p, "%.*s\r\n", (int)say.n, say.p);
		if (slice_starts(say, SLICE("BDAT ")))
			continue; /* answered behind the chunk, one line */
		if (!content || slice_eq(say, SLICE(".")))
			open = put_reply(&p, &content);
	}
	peer_close(&p, false);
}

/* ---- legs --------------------------------------------------------------- */

static void run_rule(const char *line)
{
	int leg = leg_word(&line), n = s.rules[leg]++;
	char times[WORD], what[WORD];
	struct strbuf answer;

	CHECK(n < RULES);
	word(&line, times);
	word(&line, what);
	for (char *at = what; (at = strchr(at, '_')) != NULL;)
		*at = ' ';
	strbuf_init(&answer, TRANSCRIPT_MAX);
	for (; *line != '\0' && strcmp(line, "-") != 0; line++) {
		bool end = strncmp(line, "\\n", 2) == 0;

		if (strcmp(line, "(close)") == 0) {
			strbuf_adds(&answer, RIG_CLOSE);
			break;
		}
		strbuf_addf(&answer, end ? "\r\n" : "%c", *line);
		line += end;
	}
	s.rule[leg][n] = (struct rig_rule){mem_strdup(what),
	    mem_strdup(strbuf_cstr(&answer)), atoi(times)};
	strbuf_fini(&answer);
	rig_leg_script(leg, s.rule[leg]);
	s.said[leg] = s.content[leg] = 0;
}

static void run_good(const char *line)
{
	int leg = leg_word(&line);

	s.rules[leg] = 0;
	s.said[leg] = s.content[leg] = 0;
	memset(s.rule[leg], 0, sizeof(s.rule[leg]));
	rig_leg_script(leg, NULL);
}

static void run_down(const char *line)
{
	rig_leg_down(leg_word(&line), true);
}

static void run_up(const char *line)
{
	rig_leg_down(leg_word(&line), false);
}

static void run_said(const char *line)
{
	int leg = leg_word(&line);

	put_new(rig_leg_said(leg), &s.said[leg]);
}

static void run_content(const char *line)
{
	int leg = leg_word(&line);

	put_new(rig_leg_content(leg), &s.content[leg]);
}

/* ---- programs and files ------------------------------------------------- */

static enum spawn_row row_word(const char **line)
{
	static const struct {
		const char *name;
		enum spawn_row row;
	} rows[] = {{"watermark", SPAWN_WATERMARK}, {"held", SPAWN_HELD},
	    {"export", SPAWN_EXPORT}};
	char name[WORD];

	word(line, name);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(name, rows[i].name) == 0)
			return rows[i].row;
	sim_fail("no program is called %s", name);
}

static enum spawn_fate fate_of(const char *name)
{
	static const char *const fates[] = {
	    [SPAWN_EXITED] = "exited", [SPAWN_SIGNALLED] = "signalled",
	    [SPAWN_LATE] = "late", [SPAWN_LOST] = "lost"};

	for (size_t i = 0; i < ARRAY_LEN(fates); i++)
		if (strcmp(name, fates[i]) == 0)
			return (enum spawn_fate)i;
	sim_fail("no program ends as %s", name);
}

static void run_program(const char *line)
{
	struct rig_program *p = NEW(struct rig_program);
	enum spawn_row row = row_word(&line);
	char name[WORD], code[WORD];
	const char *later;

	word(&line, name);
	p->full = strcmp(name, "full") == 0;
	if (strcmp(name, "none") == 0) {
		rig_program(row, NULL);
		return;
	}
	p->says = mem_strdup(strbuf_cstr(&s.given));
	later = strstr(p->says, "--\n");
	if (later != NULL) {
		p->says_first = mem_slicedup(slice_of(p->says,
		    (size_t)(later - p->says)));
		p->says = later + 3;
	}
	p->fate = p->full ? SPAWN_LOST : fate_of(name);
	p->code = atoi(word(&line, code));
	p->after_s = atoi(line);
	rig_program(row, p);
}

static void run_given(const char *line)
{
	enum spawn_row row = row_word(&line);

	put_new(rig_program_given(row), &s.inputs[row]);
}

static const char *in_folder(const char *name)
{
	static char path[WORD + 100];

	snprintf(path, sizeof(path), "%s/%s", rig_folder(), name);
	return path;
}

static void run_folder(const char *line)
{
	CHECK(mkdir(in_folder(line), 0700) == 0);
}

static void run_unfolder(const char *line)
{
	CHECK(rmdir(in_folder(line)) == 0);
}

static void run_chmod(const char *line)
{
	char mode[WORD];

	word(&line, mode);
	CHECK(chmod(in_folder(line), (mode_t)strtol(mode, NULL, 8)) == 0);
}

static void run_file(const char *line)
{
	FILE *f = fopen(in_folder(line), "r");
	struct strbuf text;
	struct stat st;
	char buf[8192];
	size_t n;

	strbuf_init(&text, TRANSCRIPT_MAX);
	if (f == NULL)
		strbuf_adds(&text, "(there is none)");
	else if (fstat(fileno(f), &st) == 0)
		strbuf_addf(&text, "(mode %o)\n", st.st_mode & 0777u);
	while (f != NULL && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		strbuf_add(&text, buf, n);
	if (f != NULL)
		fclose(f);
	put(strbuf_cstr(&text));
	strbuf_fini(&text);
}

/* ---- watermarks ---------------------------------------------------------- */

/* `arg`: addresses; "": all. */
static void put_mark(void *arg, const struct watermark *row)
{
	static const char *const hooks[] = {
	    [HOOK_NONE] = "", [HOOK_DUE] = "due", [HOOK_TAKEN] = "taken",
	    [HOOK_FAILED] = "failed"};

	if (strstr(arg, row->address) == NULL && *(const char *)arg != '\0')
		return;
	strbuf_addf(&s.is, "  %s %s %s%s hook=%s note=%s\n", row->address,
	    row->leg, watermark_state_text((int)row->state),
	    row->waived ? " waived" : "", hooks[row->hook], row->note);
}

static void run_marks(const char *line)
{
	struct watermark_page page = {.which = WATERMARKS_ALL,
	    .recipient = INT64_MIN, .leg = -1, .limit = LINES,
	    .fn = put_mark, .arg = mem_strdup(line)};
	struct watermark_reader *r;
	struct error err;

	r = watermark_reader_open(rig_app()->snapshot->conf, &err);
	CHECK(r != NULL);
	CHECK(watermark_reader_page(r, &page, &err) >= 0);
	watermark_reader_close(r);
	mem_free(page.arg);
}

/* ---- the administrator -------------------------------------------------- */

static void run_ended(const char *line)
{
	rig_becomes(worker_unmask(line), "");
}

static void run_events(const char *line)
{
	(void)line;
	put_new(rig_events(), &s.events);
}

/* The lines that were given, each a text of its own, up to a NULL. */
static void further_lines(char *given, const char *lines[FURTHER + 1])
{
	int n = 0;

	while (n < FURTHER && *given != '\0')
		lines[n++] = strsep(&given, "\n");
	lines[n] = NULL;
}

static void run_ctl(const char *line)
{
	char *given = mem_strdup(worker_unmask(strbuf_cstr(&s.given)));
	const char *lines[FURTHER + 1];
	char command[WORD], end[1000];
	int code;

	further_lines(given, lines);
	word(&line, command);
	line = worker_unmask(*line == '\0' ? "{}" : line);
	put_rows(rig_ctl_any(command, line, lines, &code));
	snprintf(end, sizeof(end), "[%d] %s", code, rig_ctl_error());
	if (code != 0)
		put(end);
	mem_free(given);
}

/* ---- sorted output ------------------------------------------------------ */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The lines from there on. */
static void sort_from(size_t at)
{
	char *text = mem_strdup(strbuf_cstr(&s.is) + at), *rest = text;
	const char *line[LINES];
	size_t n = 0;

	while (n < LINES && rest != NULL && *rest != '\0')
		line[n++] = strsep(&rest, "\n");
	CHECK(n < LINES);
	qsort(line, n, sizeof(line[0]), by_text);
	s.is.n = at;
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&s.is, "%s\n", line[i]);
	mem_free(text);
}

/* ---- the file ----------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(const char *line);
} commands[] = {
	{"conf ", run_conf},       {"reload", run_reload},
	{"restart", run_restart},  {"sleep ", run_sleep},
	{"row ", run_row},         {"wave ", run_wave},
	{"mail ", run_mail},       {"talk ", run_talk},
	{"rule ", run_rule},       {"good ", run_good},
	{"down ", run_down},       {"up ", run_up},
	{"said ", run_said},       {"content ", run_content},
	{"ended ", run_ended},     {"events", run_events},
	{"ctl ", run_ctl},         {"program ", run_program},
	{"given ", run_given},     {"file ", run_file},
	{"marks", run_marks},
	{"chmod ", run_chmod},     {"away ", run_away},
	{"folder ", run_folder},   {"unfolder ", run_unfolder},
};

static void run(const char *line)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		size_t n = strlen(commands[i].name);

		if (strncmp(line, commands[i].name, n) != 0)
			continue;
		commands[i].run(line + n);
		strbuf_reset(&s.given);
		return;
	}
	sim_fail("no command: %s", line);
}

static void run_sorted(const char *line)
{
	size_t at = s.is.n;

	run(line);
	sort_from(at);
}

static void play(char *text)
{
	char *line;

	while ((line = strsep(&text, "\n")) != NULL) {
		if (strncmp(line, "  ", 2) == 0 ||
		    (text == NULL && *line == '\0'))
			continue;
		strbuf_addf(&s.is, "%s\n", line);
		if (strncmp(line, "| ", 2) == 0 || strcmp(line, "|") == 0)
			strbuf_addf(&s.given, "%s\n",
			    line + (line[1] == '\0' ? 1 : 2));
		else if (strncmp(line, "$ ", 2) == 0)
			run(line + 2);
		else if (strncmp(line, "~ ", 2) == 0)
			run_sorted(line + 2);
		else if (line[0] != '#' && line[0] != '\0')
			sim_fail("what is this? %s", line);
	}
}

void worker_script_run(const char *name)
{
	struct transcript t = {.folder = "worker", .name = name};
	char *copy;

	if (transcript_open(&t) != 0)
		sim_fail("%s", t.why);
	strbuf_init(&s.given, TRANSCRIPT_MAX);
	strbuf_init(&s.is, TRANSCRIPT_MAX);
	copy = mem_strdup(t.text);
	play(copy);
	if (transcript_close(&t, strbuf_cstr(&s.is),
		getenv("WORKER_SCRIPT_WRITE") != NULL) != 0)
		sim_fail("%s", t.why);
	mem_free(copy);
}
