/* SPDX-License-Identifier: ISC
 *
 * The commands that read the audit trail, over an index of a made-up journal:
 * what trace shows and sums up, and the verdict of audit verify beside a
 * daemon that only says how far its journal is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/id.h"
#include "relay/base/log.h"
#include "relay/ops/ctl.h"
#include "tests/unit/auditfixture.h"
#include "tests/unit/cli_rig.h"
#include "tests/unit/conf_tmp.h"

#define ID1 "0RPBTVKVM0000"
#define ID2 "0RPBTVKVM0001"
#define DAY_OF_T0 " --utc --since 2026-11-22T00:00:00Z"

/* ---- helpers ----------------------------------------------------------- */

static void write_conf(struct fixture *f)
{
	char text[1024];

	snprintf(text, sizeof(text), "%scontrol { socket = \"%s/sock\" }\n"
	    "spool { path = \"%s/spool\" }\naudit { path = \"%s\" }\n",
	    CONF_BASE, f->dir, f->dir, f->index);
	conf_tmp_write(f->dir, "posthouse.conf", text);
}

/* Is the text in what was printed? A ! before it: is it not? */
static void assert_said(const char *out, const char *text)
{
	bool want = *text != '!';

	assert_int_equal(strstr(out, want ? text : text + 1) != NULL, want);
}

/* ---- trace ------------------------------------------------------------- */

/* The first is delivered, the second waits. */
static void two_messages(struct fixture *f)
{
	usual_mail(f, 1, MINUTE);
	fake_accepted(&f->j, fake_id(T0 + MINUTE, 1), T0 + MINUTE,
	    "eve@example.org", ann, f->cloud);
	sent(f, fake_id(T0 + MINUTE, 1), T0 + 2 * MINUTE, D_QUEUED,
	    D_DEFERRED, 1);
	run(f);
}

static void a_trace_ends_with_the_last_word_on_each_delivery(void **state)
{
	static const struct {
		const char *line;
		int code;
		const char *said;
	} cases[] = {
		{"trace --to ann@example.com" DAY_OF_T0, 0,
		    "\n2 messages: 1 delivered, 1 deferred\n"},
		{"trace --from eve@example.org" DAY_OF_T0, 0,
		    "\n1 message: 1 deferred\n"},
		{"trace --from eve@example.org" DAY_OF_T0, 0,
		    "\n  2026-11-22 05:13:17.000Z  accepted from "},
		{"trace --to ann@example.com --json" DAY_OF_T0, 0,
		    "\"event\":\"delivered\""},
		/* One line an event, and nothing else. */
		{"trace --to ann@example.com --json" DAY_OF_T0, 0,
		    "!messages"},
		{"trace --to bob@example.com" DAY_OF_T0, 1,
		    "nothing is known of such a message"},
		{"trace --to ann@example.com --limit 1" DAY_OF_T0, 0,
		    "there are more messages; narrow the search"},
		{"trace --to ann@example.com --utc "
		 "--since 2026-11-22T00:00:00Z --until 2026-11-22T05:12:30Z",
		    0, "\n1 message: 1 delivered\n"},
		{"trace --to ann@example.com --since 2026-11-22T05:00:00Z "
		 "--until 2026-11-22T04:00:00Z", 2, "--until"},
	};
	struct fixture *f = *state;
	char *out = mem_new(CLI_RIG_OUT), line[80], id[ID_TEXT];

	two_messages(f);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(cli_rig_run(f->dir, cases[i].line, NULL, out),
		    cases[i].code);
		assert_said(out, cases[i].said);
	}
	/* One message is told whole, without a sum. */
	id_text(fake_id(T0, 0), id);
	snprintf(line, sizeof(line), "trace %s --utc", id);
	assert_int_equal(cli_rig_run(f->dir, line, NULL, out), 0);
	assert_said(out, "delivered");
	assert_said(out, "!1 message:");
	mem_free(out);
}

/* ---- audit verify ------------------------------------------------------ */

/* A daemon whose journal is synced to `at`. */
struct daemon {
	struct spool_pos at;
	unsigned asked; /* how far the index is behind */
};

static void on_position(void *arg, struct ctl_request *r, const json_t *args)
{
	struct daemon *d = arg;
	struct jout *j = ctl_row(r);

	(void)args;
	jout_int(j, "generation", (int64_t)d->at.generation);
	jout_int(j, "offset", (int64_t)d->at.offset);
	ctl_row_end(r);
	ctl_end(r, 0, NULL);
}

static void on_behind(void *arg, struct ctl_request *r, const json_t *args)
{
	struct daemon *d = arg;

	(void)args;
	d->asked++;
	jout_int(ctl_row(r), "records", 3);
	ctl_row_end(r);
	ctl_end(r, 0, NULL);
}

/* As it counts for those who may not read the index. */
static void on_count(void *arg, struct ctl_request *r, const json_t *args)
{
	struct daemon *d = arg;
	static const char *const rows[] = {
	    "{\"counted\":\"legacy\",\"created\":7,\"delivered\":1,\"open\":2,"
	    "\"parked\":3,\"bounced\":1,\"rows\":7,\"gap\":0,\"journal\":{"
	    "\"created\":7,\"delivered\":1,\"open\":2,\"parked\":3,"
	    "\"bounced\":1}}",
	    "{\"counted\":\"cloud\",\"created\":5,\"superseded\":2,"
	    "\"deleted\":3,\"rows\":4,\"gap\":0,\"journal\":{\"created\":5,"
	    "\"superseded\":3,\"deleted\":2}}",
	    "{\"missing\":\"" ID1 "\",\"to\":\"ann@example.com\","
	    "\"from\":\"eve@example.org\",\"leg\":\"cloud\"}",
	    "{\"lost\":\"" ID2 "\",\"to\":\"bob@example.com\"}",
	    "{\"reached\":true,\"known\":true,\"generation\":1,\"offset\":4096,"
	    "\"messages\":11,\"recipients\":12,\"skipped\":2,"
	    "\"lost_recipients\":1,\"missing_deliveries\":1}"};

	assert_int_equal(json_integer_value(
	    json_object_get(args, "generation")), d->at.generation);
	assert_int_equal(json_integer_value(
	    json_object_get(args, "offset")), d->at.offset);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ctl_row_text(r, slice_str(rows[i]));
	ctl_end(r, 0, NULL);
}

static const struct ctl_command table[] = {
	{"audit.position", on_position}, {"audit.behind", on_behind},
	{"audit.count", on_count},
	{NULL, NULL},
};

static int verify_line(struct fixture *f, struct daemon *d, const char *line,
    char *out)
{
	struct loop *loop = loop_new(&clock_system);
	char path[64];
	struct error err;
	struct ctl *ctl;
	int code;

	snprintf(path, sizeof(path), "%s/sock", f->dir);
	ctl = ctl_open(loop, path, table, d, &err);
	assert_non_null(ctl);
	code = cli_rig_run(f->dir, line, loop, out);
	ctl_close(ctl);
	loop_free(loop);
	return code;
}

static void a_recipient_without_a_delivery_is_named(void **state)
{
	struct fixture *f = *state;
	struct daemon d = {.at = {0}};
	char *out = mem_new(CLI_RIG_OUT), text[80], id[ID_TEXT];
	struct spool_update gone = {.delivery = 0,
	    .to = {.leg = f->cloud, .state = D_SUPERSEDED,
		.reason = WHY_ROUTE, .change = 9}};

	usual_mail(f, 1, MINUTE);
	fake_accepted(&f->j, fake_id(T0 + MINUTE, 1), T0 + MINUTE, "", ann,
	    f->cloud);
	run(f);
	assert_int_equal(verify_line(f, &d, "audit verify", out), 0);
	assert_said(out, "every one is accounted for");
	assert_said(out, "!no delivery stands");
	fake_update(&f->j, fake_id(T0 + MINUTE, 1), T0 + HOUR, D_QUEUED,
	    &gone);
	run(f);
	assert_int_equal(verify_line(f, &d, "audit verify", out), 1);
	id_text(fake_id(T0 + MINUTE, 1), id);
	snprintf(text, sizeof(text), "%s to %s: no delivery stands", id,
	    ann[0]);
	assert_said(out, text);
	assert_said(out, "NOT accounted for; index and journal differ");
	id_text(fake_id(T0, 0), id);
	snprintf(text, sizeof(text), "!%s to", id);
	assert_said(out, text);
	mem_free(out);
}

static void exec(struct fixture *f, const char *sql)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/2026112205.db", f->index);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* Someone altered the index: the line of the leg says which figures differ. */
static void the_figures_that_differ_are_named(void **state)
{
	struct fixture *f = *state;
	struct daemon d = {.at = {0}};
	char *out = mem_new(CLI_RIG_OUT);

	usual_mail(f, 2, MINUTE);
	fake_totals(&f->j);
	run(f);
	assert_int_equal(verify_line(f, &d, "audit verify", out), 0);
	exec(f, "UPDATE total SET created = created + 1");
	assert_int_equal(verify_line(f, &d, "audit verify", out), 1);
	assert_said(out, "leg cloud; created: the index 3, the journal 2; "
			 "created: by the rows 2, by the moves 3\n");
	exec(f, "UPDATE total SET created = created - 1; DELETE FROM "
		"recipient WHERE id = (SELECT max(id) FROM recipient)");
	assert_int_equal(verify_line(f, &d, "audit verify", out), 1);
	assert_said(out, "leg cloud; delivered: the index 1, the journal 2; "
			 "created: by the rows 1, by the moves 2\n");
	mem_free(out);
}

/* The second message is tried in three more hours, the first is over. */
static void a_message_counts_once_in_however_many_hours_it_moves(void **state)
{
	struct fixture *f = *state;
	struct daemon d = {.at = {0}};
	char *out = mem_new(CLI_RIG_OUT);
	uint64_t id = fake_id(T0 + MINUTE, 1);
	static const char *const two[] = {"ann@example.com", "bob@example.com",
	    NULL};

	usual_mail(f, 1, MINUTE);
	fake_accepted(&f->j, id, T0 + MINUTE, "", two, f->cloud);
	for (unsigned i = 1; i <= 3; i++) {
		sent(f, id, T0 + i * HOUR, i == 1 ? D_QUEUED : D_DEFERRED,
		    D_DEFERRED, i);
		run(f);
	}
	assert_int_equal(verify_line(f, &d, "audit verify", out), 0);
	assert_said(out, "2 messages, 3 recipients: every one is accounted");
	mem_free(out);
}

/* It waits as long as it is told, and then says how far the index is behind. */
static void an_index_that_is_behind_is_waited_for_and_told(void **state)
{
	struct fixture *f = *state;
	struct daemon d = {.at = {UINT32_MAX, 0}};
	char *out = mem_new(CLI_RIG_OUT);
	int64_t start;

	usual_mail(f, 1, MINUTE);
	run(f);
	start = clock_mono_ms(&clock_system);
	assert_int_equal(verify_line(f, &d, "audit verify --wait 1s", out), 1);
	assert_true(clock_mono_ms(&clock_system) - start >= 1000);
	assert_said(out, "the index is behind the journal by 3 records");
	assert_int_equal(d.asked, 1);
	assert_int_equal(
	    verify_line(f, &d, "audit verify --wait 0 --json", out), 1);
	assert_said(out, "\"verdict\":\"behind\"");
	assert_said(out, "\"behind\":3");
	assert_int_equal(verify_line(f, &d, "audit verify --wait soon", out),
	    2);
	assert_said(out, "--wait wants a time like 10s, 5m");
	mem_free(out);
}

/* Runs a line as one who may not read the index. The mode is enough for all
 * but root, who has another user's rights on files meanwhile. */
static int verify_shut_out(struct fixture *f, struct daemon *d,
    const char *line, char *out)
{
	enum { ANOTHER = 65534 };
	char path[64];
	int code;

	snprintf(path, sizeof(path), "%s/posthouse.conf", f->dir);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(chmod(f->dir, 0777), 0);
	snprintf(path, sizeof(path), "%s/out", f->dir);
	unlink(path);
	assert_int_equal(chmod(f->index, 0), 0);
	setfsuid(ANOTHER);
	code = verify_line(f, d, line, out);
	setfsuid(geteuid());
	assert_int_equal(chmod(f->index, 0700), 0);
	unlink(path);
	return code;
}

static void the_daemon_counts_for_those_who_may_not_read(void **state)
{
	struct fixture *f = *state;
	struct daemon d = {.at = {1, 4096}};
	char *out = mem_new(CLI_RIG_OUT);

	usual_mail(f, 1, MINUTE);
	run(f);
	assert_int_equal(verify_shut_out(f, &d, "audit verify --lost", out),
	    1);
	assert_said(out, ID2 " to bob@example.com: no delivery stands\n");
	assert_said(out, ID1 "  eve@example.org  ann@example.com  cloud\n");
	assert_said(out, "legacy        7          1     2       3        1"
			 "           0        0    0\n");
	assert_said(out, "!leg legacy");
	assert_said(out, "leg cloud; superseded: the index 2, the journal 3; "
			 "deleted: the index 3, the journal 2; created: by the "
			 "rows 4, by the moves 5\n");
	assert_said(out, "1 delivery is open by the index");
	assert_said(out, "the index has 2 gaps");
	assert_said(out, "11 messages, 12 recipients: NOT accounted for; "
			 "index and journal differ at 1:4096\n");
	mem_free(out);
}

static int begin(void **state)
{
	if (setup(state) != 0)
		return -1;
	write_conf(*state);
	return 0;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, teardown)
	const struct CMUnitTest tests[] = {
		T(a_trace_ends_with_the_last_word_on_each_delivery),
		T(a_recipient_without_a_delivery_is_named),
		T(the_figures_that_differ_are_named),
		T(a_message_counts_once_in_however_many_hours_it_moves),
		T(the_daemon_counts_for_those_who_may_not_read),
		T(an_index_that_is_behind_is_waited_for_and_told),
	};

	log_setup(-1, LOG_LV_ERROR, &clock_system);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
