/* SPDX-License-Identifier: ISC
 *
 * The commands that ask a daemon, against a made-up one: the true command
 * line in a process of its own, its output in a file. And events in words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "relay/base/mem.h"
#include "relay/cli/audit/event_words.h"
#include "relay/cli/common/cli.h"
#include "relay/ops/ctl.h"
#include "tests/unit/cli_rig.h"
#include "tests/unit/conf_tmp.h"

enum { WORDS_MAX = 4096 };

/* ---- a daemon of two deliveries ---------------------------------------- */

struct daemon {
	struct loop *loop;
	struct ctl *ctl;
	unsigned acted; /* queue.act that was no dry run */
	char asked[512];
};

static void on_status(void *arg, struct ctl_request *r, const json_t *args)
{
	(void)arg;
	(void)args;
	ctl_row_text(r, SLICE("{\"section\":\"node\",\"change\":7,"
	    "\"used_bytes\":1536,\"up_s\":3661,\"n\":1234567,"
	    "\"oldest\":null}"));
	ctl_row_text(r, SLICE("{\"section\":\"leg\",\"leg\":\"legacy\","
	    "\"state\":\"suspended\",\"reason\":\"lunch\",\"since\":"
	    "\"2026-01-01T00:00:00Z\",\"oldest_s\":125,\"concurrency\":3,"
	    "\"limit\":20,\"configured\":40,"
	    "\"created\":5,\"delivered\":2,\"open\":1,\"parked\":2,"
	    "\"bounced\":0,\"superseded\":0,\"deleted\":0,"
	    "\"gap\":0}"));
	ctl_end(r, 0, NULL);
}

static void note_asked(struct daemon *d, const json_t *args)
{
	char *text = json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS);

	snprintf(d->asked, sizeof(d->asked), "%s", text);
	mem_free(text);
}

static void on_list(void *arg, struct ctl_request *r, const json_t *args)
{
	note_asked(arg, args);
	ctl_row_text(r, SLICE("{\"id\":\"A\",\"to\":\"ann@example.com\","
	    "\"from\":\"\",\"role\":\"primary\",\"attempts\":2,"
	    "\"leg\":\"legacy\",\"state\":\"deferred\",\"age_s\":125,"
	    "\"reason\":\"421 busy\"}"));
	ctl_end(r, 0, NULL);
}

/* Two match; the second is refused. */
static void on_act(void *arg, struct ctl_request *r, const json_t *args)
{
	struct daemon *d = arg;
	const char *to = json_string_value(json_object_get(args, "to"));
	bool none = to != NULL && strcmp(to, "nobody@example.com") == 0;

	if (json_is_true(json_object_get(args, "count"))) {
		ctl_row_text(r, none ? SLICE("{\"count\":0,\"last\":null}")
		    : SLICE("{\"count\":2,\"last\":\"L\"}"));
		ctl_end(r, 0, NULL);
		return;
	}
	if (none || json_is_true(json_object_get(args, "dry_run"))) {
		on_list(arg, r, args);
		return;
	}
	d->acted++;
	note_asked(d, args);
	ctl_row_text(r, SLICE("{\"id\":\"A\",\"to\":\"ann@example.com\","
	    "\"leg\":\"legacy\",\"state\":\"deferred\",\"done\":true,"
	    "\"why\":null}"));
	ctl_row_text(r, SLICE("{\"id\":\"B\",\"to\":\"bob@example.com\","
	    "\"leg\":\"legacy\",\"state\":\"queued\",\"done\":false,"
	    "\"why\":\"under way\"}"));
	/* Of many not each has a row. */
	if (json_is_true(json_object_get(args, "brief")) && to != NULL &&
	    strcmp(to, "many@example.com") == 0)
		ctl_row_text(r, SLICE("{\"total\":5000,\"refused\":1}"));
	ctl_end(r, 1, "1 of 2 could not be changed");
}

static void on_export(void *arg, struct ctl_request *r, const json_t *args)
{
	(void)arg;
	(void)args;
	ctl_row_text(r, SLICE("{\"chunk\":\"U3ViamVjdDogeA0K\"}"));
	ctl_row_text(r, SLICE("{\"chunk\":\"DQp4DQo=\"}"));
	ctl_end(r, 0, NULL);
}

static void on_suspend(void *arg, struct ctl_request *r, const json_t *args)
{
	(void)arg;
	ctl_end(r, 1, "there is no leg %s",
	    json_string_value(json_object_get(args, "leg")));
}

static void on_probe(void *arg, struct ctl_request *r, const json_t *args)
{
	note_asked(arg, args);
	ctl_row_text(r, SLICE("{\"host\":\"mx.cloud.example\",\"address\":"
	    "\"192.0.2.7\",\"port\":25,\"state\":\"ok\",\"connect_ms\":3,"
	    "\"tls\":\"TLSv1.3\",\"verified_by\":\"ca\",\"stage\":\"rset\","
	    "\"problem\":\"\",\"note\":null,\"greeting\":\"220 hi\\u001b\","
	    "\"greeting_ms\":4,\"offers\":[\"SIZE\",\"DSN\"],\"auth\":[],"
	    "\"size\":0,\"max_recipients\":100,\"max_messages\":20,"
	    "\"tls_ms\":5,\"dane\":2,\"fingerprint_fits\":true,"
	    "\"certificate\":{\"subject\":\"S\",\"names\":[\"a\",\"b\"],"
	    "\"issuer\":\"I\",\"key\":\"RSA 2048\",\"expires\":\"E\","
	    "\"days_left\":-1,\"chain\":3,\"fingerprint\":\"F\"}}"));
	ctl_row_text(r, SLICE("{\"host\":\"mx2\",\"address\":null,"
	    "\"port\":26,\"state\":\"failed\",\"problem\":\"refused\","
	    "\"fingerprint_fits\":false,\"verify_error\":\"old\"}"));
	ctl_end(r, 0, NULL);
}

static const struct ctl_command table[] = {
	{"status", on_status},	      {"queue.list", on_list},
	{"queue.act", on_act},	      {"queue.export", on_export},
	{"leg.suspend", on_suspend},  {"leg.list", on_status},
	{"leg.probe", on_probe},
	{NULL, NULL},
};

/* ---- commands ----------------------------------------------------------- */

static void write_conf(const char *dir)
{
	char text[1024];

	snprintf(text, sizeof(text), "%scontrol { socket = \"%s/sock\" }\n"
	    "audit { path = \"%s/audit\" }\n", CONF_BASE, dir, dir);
	conf_tmp_write(dir, "posthouse.conf", text);
}

static int run(const char *dir, struct daemon *d, const char *line, char *out)
{
	char path[128];
	struct error err;
	int code;

	write_conf(dir);
	snprintf(path, sizeof(path), "%s/sock", dir);
	d->loop = loop_new(&clock_system);
	d->ctl = ctl_open(d->loop, path, table, d, &err);
	assert_non_null(d->ctl);
	code = cli_rig_run(dir, line, d->loop, out);
	ctl_close(d->ctl);
	loop_free(d->loop);
	return code;
}

static void commands_ask_the_daemon_and_show_its_answer(void **state)
{
	static const struct {
		const char *line;
		int code;
		const char *out, *asked; /* part of it */
		unsigned acted;
	} cases[] = {
		{"queue list --leg legacy --state deferred --limit 5", 0,
		    "ann@example.com",
		    "{\"leg\":\"legacy\",\"limit\":5,\"state\":\"deferred\"}",
		    0},
		{"queue list", 0, "2 min", "", 0},
		{"queue list", 0, "\n1 delivery\n", "", 0},
		{"queue list", 0, "ID  FROM  TO               LEG     ROLE     "
		    "STATE     TRIES        AGE  SIZE  NEXT  REASON\n"
		    "A   -     ann@example.com  legacy  primary  "
		    "deferred      2  2 min 5 s     -  -     421 busy\n",
		    "", 0},
		{"queue list --limit 1", 0, "the first 1; --limit N shows ",
		    "{\"limit\":1}", 0},
		{"queue list --json", 0,
		    "{\"id\":\"A\",\"to\":\"ann@example.com\",", "{}", 0},
		{"queue list --state sad", 2, "there is no state sad", "", 0},
		{"queue list --age 2h", 0, "ann@example.com",
		    "{\"age_s\":7200}", 0},
		{"queue list --age soon", 2, "--age wants", "", 0},
		{"queue retry A B --yes", 1,
		    "retry: 1 done, 1 refused\n",
		    "{\"action\":\"retry\",\"brief\":true,\"ids\":["
		    "\"A\",\"B\"],\"reason\":\"\"}", 1},
		{"queue retry --to many@example.com", 1,
		    "retry: 4999 done, 1 refused\n", "\"brief\":true", 1},
		{"queue retry --to many@example.com --json", 1,
		    "\"why\":\"under way\"",
		    "{\"action\":\"retry\",\"ids\":[]", 1},
		{"queue retry A", 1, "under way",
		    "\"until\":\"L\"}", 1}, /* no question is asked */
		{"queue retry", 2, "say which", "", 0},
		{"queue retry --leg= --yes", 2, "--leg is empty", "", 0},
		{"queue freeze --age 3d --dry-run", 0, "ann@example.com",
		    "{\"action\":\"freeze\",\"age_s\":259200,"
		    "\"dry_run\":true,\"ids\":[],", 0},
		{"queue delete --to ann@example.com", 1,
		    "delete 2 deliveries of the queue? (nobody is told, and "
		    "nothing is kept) Say --yes to do it", "", 0},
		{"queue delete --to nobody@example.com", 1,
		    "nothing in the queue fits", "", 0},
		{"queue delete --to ann@example.com --yes --reason spam", 1,
		    "A", "{\"action\":\"delete\",\"brief\":true,\"ids\":[],"
		    "\"reason\":\"spam\",\"to\":\"ann@example.com\"}", 1},
		{"queue bounce A --yes --json", 1,
		    "\"done\":true,\"why\":null}\n", "", 1},
		{"queue export A", 0, "Subject: x\r\n\r\nx\r\n", "", 0},
		{"queue export", 2, "say --to-dir", "", 0},
		{"queue export A B", 2, "say --to-dir", "", 0},
		{"queue export --leg legacy", 2, "say --to-dir", "", 0},
		{"queue export --to-dir /nonexistent/dir A", 1,
		    "/nonexistent/dir", "\"ids\":[\"A\"]", 0},
		{"leg suspend moon", 1, "there is no leg moon", "", 0},
		{"leg resume moon", 2, "unknown command", "", 0},
		{"queue list", 0, "\nlegacy: lunch\nlegacy is suspended, ",
		    "", 0},
		{"queue list --leg legacy", 0, "posthouse leg resume legacy\n",
		    "{\"leg\":\"legacy\"}", 0},
		{"status", 0, "node        change 7, used 1.5 KiB, up "
		    "1 h 1 min, n 1,234,567\n\nLEG", "", 0},
		{"status", 0, "legacy  suspended", "", 0},
		{"status", 0, "3/20 of 40  lunch\n", "", 0},
		{"status", 0, "posthouse leg resume legacy\n", "", 0},
		{"status", 0, "2 deliveries of legacy are parked: posthouse "
		    "queue list --state parked --leg legacy\n", "", 0},
		{"status", 0, "2 min", "", 0},
		{"status --json", 0, "{\"section\":\"node\",\"change\":7,"
		    "\"used_bytes\":1536,", "", 0},
	};
	char *out = mem_new(CLI_RIG_OUT);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct daemon d = {0};

		assert_int_equal(run(*state, &d, cases[i].line, out),
		    cases[i].code);
		assert_non_null(strstr(out, cases[i].out));
		assert_non_null(strstr(d.asked, cases[i].asked));
		assert_int_equal(d.acted, cases[i].acted);
	}
	mem_free(out);
}

/* Only what is known has a line. */
static void a_probe_is_a_table_and_what_is_behind_each_row(void **state)
{
	static const char shown[] =
	    "HOST              ADDRESS    STATE   CONNECT MS  TLS      "
	    "VERIFIED BY  DAYS LEFT\n"
	    "mx.cloud.example  192.0.2.7  ok               3  TLSv1.3  "
	    "ca                  -1\n"
	    "mx2               -          failed           -  -        "
	    "-                    -\n"
	    "\nmx.cloud.example 192.0.2.7 port 25\n"
	    "  came to                  rset\n"
	    "  greeting                 220 hi\\x1b\n"
	    "  greeted after ms         4\n"
	    "  offers                   SIZE, DSN\n"
	    "  largest message          0\n"
	    "  recipients a transaction 100\n"
	    "  messages a connection    20\n"
	    "  handshake ms             5\n"
	    "  TLSA records             2\n"
	    "  fingerprint fits         yes\n"
	    "  certificate of           S\n"
	    "  names                    a, b\n"
	    "  issued by                I\n"
	    "  key                      RSA 2048\n"
	    "  expires                  E\n"
	    "  days left                -1\n"
	    "  certificates sent        3\n"
	    "  SHA-256                  F\n"
	    "\nmx2 no port 26\n"
	    "  problem                  refused\n"
	    "  fingerprint fits         no\n"
	    "  not verified             old\n";
	char *out = mem_new(CLI_RIG_OUT);
	struct daemon d = {0};

	assert_int_equal(run(*state, &d, "leg probe cloud", out), 0);
	assert_string_equal(out, shown);
	assert_string_equal(d.asked,
	    "{\"domain\":\"\",\"leg\":\"cloud\",\"to\":\"\"}");
	assert_int_equal(run(*state, &d,
	    "leg probe cloud b.example --to ann@b.example --json", out), 0);
	assert_null(strstr(out, "came to"));
	assert_string_equal(d.asked, "{\"domain\":\"b.example\",\"leg\":"
	    "\"cloud\",\"to\":\"ann@b.example\"}");
	mem_free(out);
}

static void without_a_daemon_the_code_is_3_and_the_index_is_read(void **state)
{
	static const struct {
		const char *line;
		int code;
		const char *out;
	} cases[] = {
		{"-h", 0, "usage: posthouse"},
		{"--help", 0, "usage: posthouse"},
		{"-V", 0, "posthouse " PACKAGE_VERSION "\n"},
		{"--version", 0, "posthouse " PACKAGE_VERSION "\n"},
		{"--hepl", 2, "what is --hepl? (posthouse --help)"},
		{"--json", 2, "usage: posthouse"},
		{"help", 0, "  queue list "},
		{"help queue", 0, "  queue list "},
		{"help queue list", 0, "usage: posthouse queue list"},
		{"help passwd", 0, "usage: posthouse passwd NAME"},
		{"help queue moon", 2, "there is no command queue moon ("},
		{"help moon", 2, "there is no command moon (posthouse help "},
		{"help --names", 0, "\nqueue list: --leg "},
		{"help --names", 0, " --json --help\n"},
		{"help --man", 0, "queue list"},
		{"queue", 2, "  queue list "},
		{"queue moon", 2, "there is no command queue moon; "},
		{"queue --help", 0, "  queue list "},
		{"moon", 2, "there is no command moon (posthouse --help"},
		{"--json status", 3, "the daemon does not answer"},
		{"status", 3, "the daemon does not answer"},
		{"queue list", 3, "the daemon does not answer"},
		{"leg list", 3, "the daemon does not answer"},
		{"trace --since tomorrow", 2, "a time is"},
		{"trace nonsense", 2, "not a message's id"},
		{"trace --limit 0 --to a@b", 2, "--limit wants"},
		{"trace --to nobody@example.com", 1, "nothing is known"},
		{"trace --to nobody@example.com --json", 1, ""},
		{"audit verify", 0, "the daemon does not run"},
	};
	const char *dir = *state;
	char *out = mem_new(CLI_RIG_OUT), path[128];

	write_conf(dir);
	snprintf(path, sizeof(path), "%s/audit", dir);
	assert_int_equal(
	    cli_rig_run(dir, "trace --to a@b.example", NULL, out), 1);
	assert_non_null(strstr(out, path)); /* there is no index yet */
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
		    cli_rig_run(dir, cases[i].line, NULL, out), cases[i].code);
		assert_non_null(strstr(out, cases[i].out));
	}
	rmdir(path);
	mem_free(out);
}

/* ---- words ------------------------------------------------------------- */

static void events_are_told_in_words(void **state)
{
	static const struct {
		const char *event, *words;
	} cases[] = {
		{"{\"event\":\"accepted\",\"client\":\"192.0.2.1\",\"name\":"
		 "\"mx.example.org\",\"listen\":\"old-mx\",\"from\":\"b@c\","
		 "\"size\":1,\"recipients\":2,\"tls\":\"TLSv1.3\"}",
		    "accepted from mx.example.org [192.0.2.1] at old-mx over "
		    "TLS: from b@c, 2 recipients, 1 byte"},
		{"{\"event\":\"accepted\",\"client\":\"192.0.2.1\",\"helo\":"
		 "\"h\",\"listen\":\"mx\",\"from\":\"b@c\",\"size\":1,"
		 "\"recipients\":1,\"spf\":\"fail\",\"spf_by\":\"-all c\","
		 "\"stripped\":2}",
		    "accepted from h [192.0.2.1] at mx: from b@c (SPF fail by "
		    "-all c), 1 recipient, 1 byte, without 2 forged results"},
		{"{\"event\":\"accepted\",\"listen\":\"\",\"from\":\"\","
		 "\"recipients\":1,\"size\":900}",
		    "a notification of our own: from <>, 1 recipient, "
		    "900 bytes"},
		{"{\"event\":\"delivered\",\"to\":\"a@b\",\"leg\":\"cloud\","
		 "\"role\":\"primary\",\"relay\":\"mx [192.0.2.7]:25\","
		 "\"code\":250,\"enhanced\":\"2.0.0\",\"reply\":\"Ok\","
		 "\"attempt\":2,\"delay_ms\":1560,\"address\":\"a@c\"}",
		    "a@b -> cloud (primary): delivered, mx [192.0.2.7]:25 "
		    "said \"250 2.0.0 Ok\" (attempt 2, after 1.5 s, as a@c)"},
		{"{\"event\":\"delivered\",\"to\":\"a@b\",\"leg\":\"cloud\","
		 "\"role\":\"primary\",\"relay\":\"mx [192.0.2.7]:25\","
		 "\"code\":250,\"enhanced\":\"\",\"reply\":\"Ok\","
		 "\"attempt\":1,\"delay_ms\":0,"
		 "\"tls_failed\":\"421 no\"}",
		    "a@b -> cloud (primary): delivered, mx [192.0.2.7]:25 "
		    "said \"250 Ok\" (attempt 1, after 0.0 s, in the clear "
		    "since TLS failed: 421 no)"},
		{"{\"event\":\"deferred\",\"to\":\"a@b\",\"leg\":\"cloud\","
		 "\"role\":\"copy\",\"code\":0,\"enhanced\":\"4.4.1\","
		 "\"reply\":\"4.4.1 refused\",\"attempt\":1,\"delay_ms\":0,"
		 "\"uncertain\":\"yes\"}",
		    "a@b -> cloud (copy): not yet: 4.4.1 refused (attempt 1, "
		    "after 0.0 s, may arrive twice)"},
		{"{\"event\":\"deferred\",\"to\":\"a@b\",\"leg\":\"x\","
		 "\"role\":\"primary\",\"code\":550,\"enhanced\":\"5.1.1\","
		 "\"reply\":\"who?\",\"class\":\"recipient\",\"attempt\":1,"
		 "\"delay_ms\":0}",
		    "a@b -> x (primary): not yet said \"550 5.1.1 who?\" "
		    "(attempt 1, after 0.0 s); waits: may be new there, or is "
		    "known from lately: retry.grace, retry.known_wait, "
		    "soft_bounce"},
		{"{\"event\":\"parked\",\"to\":\"a@b\",\"leg\":\"x\",\"role\":"
		 "\"copy\",\"by\":\"joe\",\"reason\":\"why\\u001b[2J\"}",
		    "a@b -> x (copy): parked by joe (why\\x1b[2J)"},
		{"{\"event\":\"dsn\",\"id\":\"D\",\"about\":\"A\",\"to\":"
		 "\"a@b\",\"action\":\"failed\",\"sender\":\"s@t\"}",
		    "told s@t that mail for a@b failed, by message D"},
		{"{\"event\":\"refused\",\"client\":\"192.0.2.6\",\"stage\":"
		 "\"rcpt\",\"to\":\"x@y\",\"code\":550,\"enhanced\":\"5.7.1\","
		 "\"reason\":\"relay\",\"count\":3}",
		    "refused 192.0.2.6 at rcpt for x@y: 550 5.7.1 relay "
		    "(3 times)"},
		{"{\"event\":\"alarm\",\"kind\":\"leg-down\",\"about\":"
		 "\"cloud\",\"text\":\"It is down.\"}",
		    "alarm leg-down about cloud: It is down."},
		{"{\"event\":\"audit.gap\",\"records\":9}",
		    "the audit trail has a gap: 9 records could not be kept "
		    "for it"},
		{"{\"event\":\"novel\",\"time\":\"t\",\"a\":1,\"b\":\"c\"}",
		    "novel a=1 b=c"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *e = json_loads(cases[i].event, 0, NULL);
		struct strbuf out;

		print_message("%s\n", cases[i].event);
		strbuf_init(&out, WORDS_MAX);
		words_event(e, &out);
		assert_string_equal(strbuf_cstr(&out), cases[i].words);
		strbuf_fini(&out);
		json_decref(e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_ask_the_daemon_and_show_its_answer),
		cmocka_unit_test(
		    a_probe_is_a_table_and_what_is_behind_each_row),
		cmocka_unit_test(
		    without_a_daemon_the_code_is_3_and_the_index_is_read),
		cmocka_unit_test(events_are_told_in_words),
	};

	return cmocka_run_group_tests(
	    tests, conf_tmp_setup, conf_tmp_teardown);
}
