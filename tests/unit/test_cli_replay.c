/* SPDX-License-Identifier: ISC
 *
 * replay, replay list, replay show and undo --replay against a made-up daemon:
 * what is asked of it, in which order, and what is said and asked here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>

#include "policy/wave/file/decided.h"
#include "relay/base/mem.h"
#include "relay/base/strbuf.h"
#include "relay/observed/observed.h"
#include "relay/ops/ctl.h"
#include "tests/unit/cli_rig.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

enum { ASKED_MAX = 1 << 16, LACKING = 21 };

#define SPAN "--from-leg cloud --to-leg legacy --since 2026-11-22T05:00:00Z "
#define UNTIL "--until 2026-11-22T06:00:00Z "
#define PREVIEW(deliveries, unread) "{\"kind\":\"dry-run\",\"deliveries\":" \
	#deliveries ",\"messages\":3,\"there\":7,\"waits\":2,\"unread\":" \
	#unread "}"
#define MISSING " missing on legacy that cloud got; 7 are there already, 2 " \
	"may still get there by their route.\n"
#define FIGURES(n) #n " deliveries of 3 messages are" MISSING
#define ONE_FIGURE "1 delivery of 3 messages is" MISSING
#define NOT_COVERED "Not covered: mail that did not pass here or stayed in " \
	"the cloud, sent items,\nread flags; and what comes by an MX that "  \
	"points elsewhere.\n  MX of a.example: unknown, its name servers " \
	"were not looked at\n"
#define SPAN_ARGS "\"from_leg\":\"cloud\",\"note\":\"%s\","             \
	"\"since_us\":1795323600000000,\"to_leg\":\"legacy\","         \
	"\"until_us\":1795327200000000,\"wave\":\"%s\"}\n"

/* ---- the daemon ---------------------------------------------------------- */

struct daemon {
	const char *preview; /* rows, a line each */
	const char *started;
	const char *no;	     /* why a start is refused; NULL: it is not */
	int wait_code;	     /* of route.wait */
	bool dry_run;	     /* of the order at hand */
	char asked[ASKED_MAX];
};

static void note_asked(struct daemon *d, const char *what, const json_t *args)
{
	char *text = json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS);
	size_t n = strlen(d->asked);

	snprintf(d->asked + n, sizeof(d->asked) - n, "%s %s\n", what, text);
	mem_free(text);
}

static void rows(struct ctl_request *r, const char *text)
{
	struct slice rest = slice_str(text), line;

	while (slice_next(&rest, '\n', &line))
		if (line.n > 0)
			ctl_row_text(r, line);
}

struct order {
	struct daemon *d;
	struct ctl_request *r;
};

static void on_line(void *arg, const json_t *line)
{
	struct order *o = arg;
	struct daemon *d = o->d;

	assert_non_null(line);
	if (json_array_size(json_object_get(line, "addresses")) < 100)
		note_asked(d, "line", line);
	else
		snprintf(d->asked + strlen(d->asked), 64, "many %zu\n",
		    json_array_size(json_object_get(line, "addresses")));
	if (!json_is_true(json_object_get(line, "end"))) {
		ctl_more(o->r, on_line, o);
		return;
	}
	if (d->dry_run || d->no == NULL)
		rows(o->r, d->dry_run ? d->preview : d->started);
	ctl_end(o->r, d->no != NULL && !d->dry_run, "%s",
	    d->no == NULL ? "" : d->no);
	mem_free(o);
}

/* Those of an undo are of now. */
static void take_times(json_t *order)
{
	assert_true(json_integer_value(json_object_get(order, "since_us")) > 0);
	assert_true(json_integer_value(json_object_get(order, "since_us")) <
	    json_integer_value(json_object_get(order, "until_us")));
	json_object_del(order, "since_us");
	json_object_del(order, "until_us");
}

static void on_start(void *arg, struct ctl_request *r, const json_t *args)
{
	struct daemon *d = arg;
	struct order *o = NEW(struct order);
	json_t *copy = json_copy((json_t *)(uintptr_t)args);
	const char *who = json_string_value(json_object_get(args, "who"));

	assert_non_null(who);
	assert_true(who[0] != '\0');
	json_object_del(copy, "who");
	if (strcmp(json_string_value(json_object_get(args, "command")),
		"undo") == 0)
		take_times(copy);
	note_asked(d, "start", copy);
	json_decref(copy);
	*o = (struct order){d, r};
	d->dry_run = json_is_true(json_object_get(args, "dry_run"));
	ctl_more(r, on_line, o);
}

static void on_list(void *arg, struct ctl_request *r, const json_t *args)
{
	struct daemon *d = arg;

	(void)args;
	rows(r, d->started);
	ctl_end(r, 0, NULL);
}

static void on_show(void *arg, struct ctl_request *r, const json_t *args)
{
	note_asked(arg, "show", args);
	on_list(arg, r, args);
}

static void on_wait(void *arg, struct ctl_request *r, const json_t *args)
{
	struct daemon *d = arg;

	note_asked(d, "wait", args);
	ctl_end(r, d->wait_code, d->wait_code == 0 ? NULL : "1 goes on");
}

static const struct ctl_command table[] = {
	{"replay.start", on_start}, {"replay.list", on_list},
	{"replay.show", on_show},   {"route.wait", on_wait},
	{NULL, NULL},
};

/* ---- the folder ---------------------------------------------------------- */

static struct daemon *daemon_new(const char *preview)
{
	struct daemon *d = NEW(struct daemon);

	d->preview = preview;
	d->started = "{\"kind\":\"replay\",\"number\":7,\"users\":2}";
	return d;
}

static void write_conf(const char *dir)
{
	char text[2048];

	snprintf(text, sizeof(text), "hostname = \"relay.test\"\n"
	    "leg \"legacy\" { hosts = \"127.0.0.1:1\" tls = \"none\" }\n"
	    "leg \"cloud\" { hosts = \"127.0.0.1:1\" tls = \"none\" }\n"
	    "leg \"third\" { hosts = \"127.0.0.1:1\" tls = \"none\" }\n"
	    "domain \"a.example\" { route = \"legacy\" }\n"
	    "domain \"example.com\" { route = \"legacy\" }\n"
	    "table { path = \"%s/cutover.db\" }\n"
	    "spool { path = \"%s/spool\" }\n"
	    "audit { path = \"%s/audit\" }\n"
	    "control { socket = \"%s/sock\" }\n", dir, dir, dir, dir);
	conf_tmp_write(dir, "posthouse.conf", text);
	snprintf(text, sizeof(text), "%s/audit", dir);
	mkdir(text, 0755);
	assert_true(observed_prepare(text, 1)); /* with no look in it */
}

static char out[CLI_RIG_OUT];

/* Runs `line`, of which the first DIR is the folder; it says `out`. */
static int run(const char *dir, struct daemon *d, const char *line)
{
	struct loop *loop = loop_new(&clock_system);
	const char *at = strstr(line, "DIR");
	char text[1024], sock[128];
	struct error err;
	struct ctl *ctl;
	int code;

	write_conf(dir);
	snprintf(sock, sizeof(sock), "%s/sock", dir);
	snprintf(text, sizeof(text), "%.*s%s%s",
	    at == NULL ? (int)strlen(line) : (int)(at - line), line,
	    at == NULL ? "" : dir, at == NULL ? "" : at + strlen("DIR"));
	d->asked[0] = '\0';
	ctl = ctl_open(loop, sock, table, d, &err);
	assert_non_null(ctl);
	code = cli_rig_run(dir, text, loop, out);
	ctl_close(ctl);
	loop_free(loop);
	return code;
}

static void asked_is(const struct daemon *d, const char *fmt, ...)
{
	char want[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	assert_string_equal(d->asked, want);
}

/* The decisions in the table: "about: detail; note". */
static void on_decided(void *arg, const struct decided *e)
{
	char *text = arg;
	size_t n = strlen(text);

	assert_true(e->time_us > 0 && e->who[0] != '\0' && e->host[0] != '\0');
	snprintf(text + n, 1024 - n, "%s %s: %s; %s\n", e->command, e->about,
	    e->detail, e->note);
}

static void decided_is(const char *dir, const char *want)
{
	char path[128], text[1024] = "";
	struct error err;
	struct wave_file *f;

	snprintf(path, sizeof(path), "%s/cutover.db", dir);
	f = wave_file_open(path, false, &err);
	assert_non_null(f);
	assert_int_equal(decided_each(f, &(struct decided_page){
	    .fn = on_decided, .arg = text}, &err) < 0, false);
	wave_file_close(f);
	assert_string_equal(text, want);
}

/* ---- what is ordered ----------------------------------------------------- */

static void it_is_counted_ordered_and_recorded(void **state)
{
	const char *dir = *state;
	struct table_tmp *t = table_tmp_new(dir);
	struct daemon *d = daemon_new(PREVIEW(5, 0));

	assert_int_equal(run(dir, d, "replay --to Ann@a.example " SPAN UNTIL
	    "--note why bob@a.example"), 0);
	assert_string_equal(out, FIGURES(5) NOT_COVERED
	    "replay 7: 2 recipients, from cloud to legacy; see `posthouse "
	    "replay show 7`\n");
	asked_is(d, "start {\"command\":\"replay\",\"dry_run\":true," SPAN_ARGS
	    "line {\"addresses\":[\"ann@a.example\",\"bob@a.example\"]}\n"
	    "line {\"end\":true}\n"
	    "start {\"command\":\"replay\",\"dry_run\":false," SPAN_ARGS
	    "line {\"addresses\":[\"ann@a.example\",\"bob@a.example\"]}\n"
	    "line {\"end\":true}\n", "why", "", "why", "");
	decided_is(dir, "replay replay 7: cloud to legacy, 2 recipients; "
	    "why\n");
	/* For a script, one object. */
	assert_int_equal(run(dir, d, "--json replay --to ann@a.example " SPAN),
	    0);
	assert_string_equal(out,
	    "{\"kind\":\"replay\",\"number\":7,\"users\":2}\n");
	table_tmp_free(t);
	mem_free(d);
}

static void a_dry_run_orders_nothing(void **state)
{
	const char *dir = *state;
	struct daemon *d = daemon_new(PREVIEW(5000, 2));

	assert_int_equal(run(dir, d, "replay --dry-run --to ann@a.example "
	    SPAN UNTIL), 0);
	assert_string_equal(out, FIGURES(5000) "Parts of the journal cannot "
	    "be read now (2 segments).\n" NOT_COVERED);
	asked_is(d, "start {\"command\":\"replay\",\"dry_run\":true," SPAN_ARGS
	    "line {\"addresses\":[\"ann@a.example\"]}\n"
	    "line {\"end\":true}\n", "", "");
	assert_int_equal(run(dir, d, "--json replay --dry-run --to "
	    "ann@a.example " SPAN UNTIL), 0);
	assert_string_equal(out, PREVIEW(5000, 2) "\n");
	mem_free(d);
}

/* 1,000 is asked about by none, 1,001 and what is not kept by all. */
static void many_and_what_is_not_kept_want_a_word(void **state)
{
	const char *dir = *state;
	struct table_tmp *t = table_tmp_new(dir);
	struct daemon *d = daemon_new(PREVIEW(1000, 0));

	assert_int_equal(run(dir, d, "replay --to ann@a.example " SPAN), 0);
	d->preview = PREVIEW(1001, 0);
	assert_int_equal(run(dir, d, "replay --to ann@a.example " SPAN), 1);
	assert_string_equal(out, FIGURES(1001) NOT_COVERED
	    "posthouse: replay 1001 deliveries? Say --yes to do it.\n");
	assert_null(strstr(d->asked, "\"dry_run\":false"));
	d->preview = PREVIEW(1, 0) "\n{\"kind\":\"lacks\",\"address\":"
	    "\"ann@a.example\",\"from\":\"F\",\"until\":\"U\"}";
	assert_int_equal(run(dir, d, "replay --to ann@a.example " SPAN), 1);
	assert_string_equal(out, "Mail of that time is not all kept any more; "
	    "what came before it cannot be replayed:\n  ann@a.example  from F "
	    "until U\n" ONE_FIGURE NOT_COVERED "posthouse: replay 1 "
	    "delivery, without what is not kept? Say --yes to do it.\n");
	assert_int_equal(run(dir, d, "replay --yes --to ann@a.example " SPAN),
	    0);
	assert_non_null(strstr(d->asked, "\"dry_run\":false"));
	d->no = "the disk is full";
	assert_int_equal(run(dir, d, "replay --yes --to ann@a.example " SPAN),
	    1);
	assert_non_null(strstr(out, "posthouse: replay: the disk is full\n"));
	assert_null(strstr(out, "replay 7"));
	table_tmp_free(t);
	mem_free(d);
}

static void twenty_that_lack_mail_are_named(void **state)
{
	struct daemon *d = daemon_new(NULL);
	struct strbuf preview, want;

	strbuf_init(&preview, ASKED_MAX);
	strbuf_init(&want, ASKED_MAX);
	strbuf_adds(&preview, PREVIEW(5, 0));
	strbuf_adds(&want, "Mail of that time is not all kept any more; what "
	    "came before it cannot be replayed:\n");
	for (int i = 1; i <= LACKING; i++) {
		strbuf_addf(&preview, "\n{\"kind\":\"lacks\",\"address\":"
		    "\"u%d@a.example\",\"from\":\"F\",\"until\":\"U\"}", i);
		if (i < LACKING)
			strbuf_addf(&want, "  u%d@a.example  from F until U\n",
			    i);
	}
	strbuf_adds(&want, "  and 1 more\n" FIGURES(5) NOT_COVERED);
	d->preview = strbuf_cstr(&preview);
	assert_int_equal(run(*state, d, "replay --dry-run --to ann@a.example "
	    SPAN), 0);
	assert_string_equal(out, strbuf_cstr(&want));
	strbuf_fini(&preview);
	strbuf_fini(&want);
	mem_free(d);
}

static void a_table_that_is_gone_is_a_warning(void **state)
{
	const char *dir = *state;
	struct daemon *d = daemon_new(PREVIEW(5, 0));
	char path[128];

	snprintf(path, sizeof(path), "%s/cutover.db", dir);
	remove(path);
	assert_int_equal(run(dir, d, "replay --to ann@a.example " SPAN), 0);
	assert_non_null(strstr(out, "posthouse: warning: the decision is not "
	    "in the table: "));
	mem_free(d);
}

/* ---- recipients ---------------------------------------------------------- */

static void a_file_names_a_recipient_a_line(void **state)
{
	const char *dir = *state;
	struct daemon *d = daemon_new(PREVIEW(5, 0));
	char *many = mem_new(ASKED_MAX * 8);
	size_t n = 0;

	conf_tmp_write(dir, "who",
	    "ann@a.example\r\n\n  Bob@a.example  \ncid@a.example");
	assert_int_equal(run(dir, d, "replay --dry-run --file DIR/who " SPAN
	    UNTIL), 0);
	asked_is(d, "start {\"command\":\"replay\",\"dry_run\":true," SPAN_ARGS
	    "line {\"addresses\":[\"ann@a.example\",\"bob@a.example\","
	    "\"cid@a.example\"]}\nline {\"end\":true}\n", "", "");
	for (int i = 0; i <= 10000; i++)
		n += (size_t)snprintf(many + n, ASKED_MAX * 8 - n,
		    "u%d@a.example\n", i);
	conf_tmp_write(dir, "in", many);
	assert_int_equal(run(dir, d, "replay --dry-run --file - " SPAN UNTIL),
	    0);
	asked_is(d, "start {\"command\":\"replay\",\"dry_run\":true," SPAN_ARGS
	    "many 10000\nline {\"addresses\":[\"u10000@a.example\"]}\n"
	    "line {\"end\":true}\n", "", "");
	mem_free(many);
	mem_free(d);
}

static void a_bad_line_is_named(void **state)
{
	const char *dir = *state;
	struct daemon *d = daemon_new(PREVIEW(5, 0));
	char *text = mem_new(8192);
	static const struct {
		int blanks; /* in front of it */
		const char *text, *says;
	} cases[] = {
		{0, "ann@a.example\n\n@a.example\n",
		    "/who:3: it is a domain: name recipients\n"},
		{0, "\n\n", "posthouse: no recipient is named\n"},
		{0, "", "posthouse: no recipient is named\n"},
		{4096 - 13, "ann@a.example\n", ""},
		{4096 - 12, "ann@a.example\n",
		    "/who:1: the line is longer than 4096 bytes\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, 8192, "%*s%s", cases[i].blanks, "",
		    cases[i].text);
		conf_tmp_write(dir, "who", text);
		assert_int_equal(run(dir, d, "replay --dry-run --file DIR/who "
		    SPAN), cases[i].says[0] != '\0');
		if (cases[i].says[0] != '\0') {
			assert_non_null(strstr(out, cases[i].says));
			assert_string_equal(d->asked, "");
		}
	}
	assert_int_equal(run(dir, d, "replay --dry-run --file DIR/none " SPAN),
	    1);
	assert_non_null(strstr(out, "/none: No such file"));
	mem_free(text);
	mem_free(d);
}

static void what_makes_no_order_is_refused(void **state)
{
	static const struct {
		const char *words, *says;
	} cases[] = {
		{"replay --to ann@a.example --to-leg legacy --since -2d",
		    "say --from-leg, --to-leg and --since"},
		{"replay --to ann@a.example --from-leg legacy --since -2d",
		    "say --from-leg, --to-leg and --since"},
		{"replay --to ann@a.example --from-leg cloud --to-leg legacy",
		    "say --from-leg, --to-leg and --since"},
		{"replay " SPAN, "in one way: --wave, --file or --to"},
		{"replay --wave w --file f " SPAN,
		    "in one way: --wave, --file or --to"},
		{"replay --file f ann@a.example " SPAN,
		    "in one way: --wave, --file or --to"},
		{"replay --to @a.example " SPAN, "'@a.example' is no "
		    "recipient: it is a domain: name recipients"},
		{"replay ann@a.example a@b@c " SPAN, "'a@b@c' is no recipient"},
		{"replay ann@a.example --from-leg cloud --to-leg legacy "
		    "--since soon", "--since soon: a time is "},
		{"replay ann@a.example " SPAN "--until late",
		    "--until late: a time is 2026-11-22T05:00:00Z, "
		    "'2026-11-22 05:00' (local), -2h, -3d, yesterday or now"},
		{"replay ann@a.example " SPAN "--until 2026-11-22T05:00:00Z",
		    "--since is not before --until"},
		{"replay show seven", "'seven' is no number of a replay"},
	};
	struct daemon *d = daemon_new(PREVIEW(5, 0));

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(run(*state, d, cases[i].words), 2);
		assert_non_null(strstr(out, cases[i].says));
		assert_string_equal(d->asked, "");
	}
	mem_free(d);
}

/* ---- list, show ---------------------------------------------------------- */

#define ROW "{\"kind\":\"replay\",\"number\":7,\"state\":\"done\"," \
	"\"started\":\"S\",\"from_leg\":\"cloud\",\"to_leg\":\"legacy\"," \
	"\"users\":2,\"replayed\":11,\"delivered\":12,\"waiting\":13," \
	"\"failed\":14,\"there\":15,\"waits\":16,\"came_from\":17,\"gone" \
	"\":18,\"unread\":19,\"who\":\"ann\",\"note\":\"%s\"," \
	"\"since\":\"F\",\"until\":\"U\",\"reason\":\"%s\",\"covered\":\"%s\"}"

static void replays_are_listed_and_shown(void **state)
{
	struct daemon *d = daemon_new(NULL);
	char text[1024];

	d->started = text;
	snprintf(text, sizeof(text), ROW, "", "", "");
	assert_int_equal(run(*state, d, "replay list"), 0);
	assert_string_equal(out, "NUMBER  STATE  STARTED  FROM   TO      "
	    "USERS  REPLAYED  DELIVERED  WAITING  FAILED  WHO\n"
	    "     7  done   S        cloud  legacy      2        11         "
	    "12       13      14  ann\n");
	assert_int_equal(run(*state, d, "replay show 7"), 0);
	/* All of the report stands in tests/data/cli/replay.txt. */
	assert_non_null(strstr(out, "Heads of the chain: not known: the "
	    "cutover table "));
	asked_is(d, "show {\"number\":7}\n");
	mem_free(d);
}

/* ---- undo --replay ------------------------------------------------------- */

/* Each column of routes is a change; returns the number of the second. */
static uint64_t flip(struct table_tmp *t)
{
	static const struct {
		const char *key, *was, *now;
	} row[] = {
		{"ann@example.com", "legacy", "cloud"},
		{"bob@example.com", "legacy", "cloud"},
		{"cid@example.com", "third+legacy", "cloud"},
		{"dan@example.com", "legacy", "reject"},
		{"eve@example.com", "defer", "cloud"},
		{"fay@example.com", "third", "cloud+third"},
		{"gus@example.com", "legacy+cloud", "legacy"},
		{"new@example.com", NULL, "cloud"},
		{"@example.com", "legacy", "cloud"},
	};
	static const struct change_how how = {.create = true, .as_of = -1};
	uint64_t change = 0;

	for (int step = 0; step < 2; step++) {
		struct change *ch = table_tmp_change(t);
		struct error err;

		for (size_t i = 0; i < ARRAY_LEN(row); i++) {
			struct change_row to = {.held = -1, .route = step == 0
			    ? row[i].was : row[i].now};

			if (to.route != NULL)
				assert_int_equal(change_set(ch,
				    slice_str(row[i].key), &to, &err), 0);
		}
		change = table_tmp_commit(ch, &how).change;
	}
	return change;
}

/* A replay a pair of legs, of recipients that have rows; routes without a leg,
 * and legs that had it all the time, get none. */
static void an_undo_replays_by_pairs_of_legs(void **state)
{
#define ORDER(dry, from, to, addresses)                                \
	"start {\"command\":\"undo\",\"dry_run\":" dry                  \
	",\"from_leg\":\"" from "\",\"note\":\"why\",\"to_leg\":\""     \
	to "\",\"wave\":\"\"}\nline {\"addresses\":[" addresses            \
	"]}\nline {\"end\":true}\n"
#define ORDERS(dry)                                                      \
	ORDER(dry, "cloud", "legacy", "\"ann@example.com\","             \
	    "\"bob@example.com\",\"cid@example.com\"")                  \
	ORDER(dry, "cloud", "third", "\"cid@example.com\"")              \
	ORDER(dry, "legacy", "cloud", "\"gus@example.com\"")
	const char *dir = *state;
	struct table_tmp *t = table_tmp_new(dir);
	struct daemon *d = daemon_new(PREVIEW(5, 0));
	char line[64];
	static const char ordered[] =
	    "replay 7: 3 recipients, from cloud to legacy; see `posthouse "
	    "replay show 7`\n"
	    "replay 7: 1 recipient, from cloud to third; see `posthouse "
	    "replay show 7`\n"
	    "replay 7: 1 recipient, from legacy to cloud; see `posthouse "
	    "replay show 7`\n";

	snprintf(line, sizeof(line), "undo %llu --replay --yes --note why",
	    (unsigned long long)flip(t));
	d->wait_code = 1;
	assert_int_equal(run(dir, d, line), 0);
	asked_is(d, ORDERS("true") "wait {\"all\":false,\"change\":5,"
	    "\"timeout_ms\":60000}\n" ORDERS("false"));
	assert_non_null(strstr(out, "Mail of recipients without a row of their "
	    "own is not replayed with the row of their domain: name them to "
	    "`posthouse replay`.\n"));
	assert_non_null(strstr(out, "posthouse: 1 goes on\nposthouse: warning: "
	    "run the replay again when they are over\n"));
	assert_non_null(strstr(out, ordered));
	decided_is(dir,
	    "undo replay 7: cloud to legacy, 3 recipients; why\n"
	    "undo replay 7: cloud to third, 1 recipients; why\n"
	    "undo replay 7: legacy to cloud, 1 recipients; why\n");
	table_tmp_free(t);
	mem_free(d);
}

/* Nothing to replay is no reason to wait for the daemon. */
static void an_undo_without_a_leg_lost_asks_no_daemon(void **state)
{
	const char *dir = *state;
	struct table_tmp *t = table_tmp_new(dir);
	struct daemon *d = daemon_new(PREVIEW(5, 0));
	char line[64];

	table_tmp_route(t, "ann@example.com", "legacy");
	snprintf(line, sizeof(line), "undo %llu --replay --yes",
	    (unsigned long long)table_tmp_route(t, "ann@example.com",
		"reject"));
	assert_int_equal(run(dir, d, line), 0);
	assert_string_equal(d->asked, "");
	assert_null(strstr(out, "row of their domain"));
	table_tmp_free(t);
	mem_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_counted_ordered_and_recorded),
	    cmocka_unit_test(a_dry_run_orders_nothing),
	    cmocka_unit_test(many_and_what_is_not_kept_want_a_word),
	    cmocka_unit_test(twenty_that_lack_mail_are_named),
	    cmocka_unit_test(a_table_that_is_gone_is_a_warning),
	    cmocka_unit_test(a_file_names_a_recipient_a_line),
	    cmocka_unit_test(a_bad_line_is_named),
	    cmocka_unit_test(what_makes_no_order_is_refused),
	    cmocka_unit_test(replays_are_listed_and_shown),
	    cmocka_unit_test(an_undo_replays_by_pairs_of_legs),
	    cmocka_unit_test(an_undo_without_a_leg_lost_asks_no_daemon),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
