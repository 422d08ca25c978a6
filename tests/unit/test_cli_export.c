/* SPDX-License-Identifier: ISC
 *
 * queue export, queue export --all and purge against a made-up daemon: which
 * files are written, what is asked of it, and what is said where a message is
 * over, shorter than announced, or not to be read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "relay/base/mem.h"
#include "relay/base/strbuf.h"
#include "relay/ops/ctl.h"
#include "tests/unit/cli_rig.h"
#include "tests/unit/conf_tmp.h"

/* "Subject: x\r\n", "\r\nx\r\n" */
#define CHUNK_1 "{%s\"chunk\":\"U3ViamVjdDogeA0K\"}"
#define CHUNK_2 "{%s\"chunk\":\"DQp4DQo=\"}"
#define EML "Subject: x\r\n\r\nx\r\n"
#define SHA "bba0f4af655951bf67a87e5b9098b436f502a2d5e0d94a4c3859af52e0bf953a"

/* ---- a daemon, whose messages are ids of one letter ---------------------- */

struct daemon {
	const char *ids;   /* whose deliveries wait; twice: it has two */
	const char *over;  /* those that are over when they are asked for */
	const char *cut;   /* ... that are announced longer than they are */
	const char *bad;   /* ... that cannot be read */
	const char *stays; /* ... that are under way, and are not deleted */
	const char *state; /* of the leg */
	char *deleted;	   /* NULL until queue.act */
	char asked[1024];  /* each, in order */
};

static void note_asked(struct daemon *d, const char *what, const json_t *args)
{
	char *text = json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS);
	size_t n = strlen(d->asked);

	snprintf(d->asked + n, sizeof(d->asked) - n, "%s%s\n", what, text);
	mem_free(text);
}

static void row(struct ctl_request *r, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ctl_row_text(r, slice_str(text));
}

static void on_legs(void *arg, struct ctl_request *r, const json_t *args)
{
	struct daemon *d = arg;

	(void)args;
	row(r, "{\"leg\":\"legacy\",\"state\":\"suspended\"}");
	row(r, "{\"leg\":\"cloud\",\"state\":\"%s\"}", d->state);
	ctl_end(r, 0, NULL);
}

static void on_list(void *arg, struct ctl_request *r, const json_t *args)
{
	struct daemon *d = arg;

	note_asked(d, "list ", args);
	for (const char *id = d->ids; *id != '\0'; id++)
		row(r, "{\"id\":\"%c\",\"to\":\"ann@a.example\"}", *id);
	ctl_end(r, 0, NULL);
}

/* All wait; after the delete those that stay. */
static void on_act(void *arg, struct ctl_request *r, const json_t *args)
{
	struct daemon *d = arg;
	const char *ids = d->deleted != NULL ? d->stays : d->ids;

	if (json_is_true(json_object_get(args, "count"))) {
		note_asked(d, "count ", args);
		row(r, "{\"count\":%zu,\"last\":%s}", strlen(ids),
		    ids[0] == '\0' ? "null" : "\"LAST\"");
		ctl_end(r, 0, NULL);
		return;
	}
	note_asked(d, "act ", args);
	d->deleted = mem_strdup(ids);
	for (const char *id = ids; *id != '\0'; id++)
		row(r, "{\"id\":\"%c\",\"done\":%s}", *id,
		    strchr(d->stays, *id) == NULL ? "true" : "false");
	ctl_end(r, 0, NULL);
}

static void send_envelope(struct daemon *d, struct ctl_request *r, char id)
{
	row(r, "{\"section\":\"envelope\",\"id\":\"%c\",\"size\":%zu}", id,
	    strlen(EML) + (strchr(d->cut, id) != NULL));
	row(r, "{\"section\":\"recipient\",\"to\":\"ann@a.example\"}");
	row(r, "{\"section\":\"recipient\",\"to\":\"bob@a.example\"}");
	row(r, "{\"section\":\"delivery\",\"leg\":\"legacy\"}");
	/* A newer daemon may say more. */
	row(r, "{\"section\":\"moon\",\"leg\":\"legacy\"}");
	row(r, "{\"nothing\":0}");
}

static void on_export(void *arg, struct ctl_request *r, const json_t *args)
{
	struct daemon *d = arg;
	char id = json_string_value(json_object_get(args, "id"))[0];
	bool whole = json_is_true(json_object_get(args, "envelope"));
	const char *section = whole ? "\"section\":\"body\"," : "";

	note_asked(d, "export ", args);
	if (strchr(d->bad, id) != NULL) {
		ctl_end(r, 1, "%c cannot be read", id);
		return;
	}
	if (strchr(d->over, id) == NULL) {
		if (whole)
			send_envelope(d, r, id);
		row(r, CHUNK_1, section);
		row(r, CHUNK_2, section);
	}
	ctl_end(r, 0, NULL);
}

static const struct ctl_command table[] = {
	{"leg.list", on_legs},	{"queue.list", on_list},
	{"queue.act", on_act},	{"queue.export", on_export},
	{NULL, NULL},
};

/* ---- the folder ---------------------------------------------------------- */

static void set_up(const char *dir)
{
	char text[2048];

	snprintf(text, sizeof(text), "hostname = \"relay.test\"\n"
	    "leg \"legacy\" { hosts = \"127.0.0.1:1\" tls = \"none\" }\n"
	    "leg \"cloud\" { hosts = \"127.0.0.1:1\" tls = \"none\" }\n"
	    "domain \"a.example\" { route = \"legacy\" customer = \"acme\" }\n"
	    "domain \"b.example\" { route = \"cloud\" }\n"
	    "table { path = \"%s/cutover.db\" }\n"
	    "spool { path = \"%s/spool\" }\n"
	    "audit { path = \"%s/audit\" }\n"
	    "control { socket = \"%s/sock\" }\n", dir, dir, dir, dir);
	conf_tmp_write(dir, "posthouse.conf", text);
}

static char *path_of(const char *dir, const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/mail/%s", dir, name);
	return path;
}

/* The names in DIR/mail, in order; the folder is for its owner alone. */
static void names_in(const char *dir, char *text, size_t max)
{
	struct dirent **entry;
	struct stat st;
	char path[256];
	int n;

	snprintf(path, sizeof(path), "%s/mail", dir);
	n = scandir(path, &entry, NULL, alphasort);
	if (n >= 0) {
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 077, 0);
	}
	text[0] = '\0';
	for (int i = 0; i < n; i++) {
		size_t at = strlen(text);

		if (entry[i]->d_name[0] != '.')
			snprintf(text + at, max - at, "%s ", entry[i]->d_name);
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
}

static char *read_file(const char *dir, const char *name)
{
	static char text[4096];
	FILE *in = fopen(path_of(dir, name), "r");

	assert_non_null(in);
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	return text;
}

static void remove_out(const char *dir)
{
	char names[1024], *name, *rest = names;

	names_in(dir, names, sizeof(names));
	while ((name = strtok_r(rest, " ", &rest)) != NULL)
		unlink(path_of(dir, name));
	rmdir(path_of(dir, ""));
}

static void has(const char *text, const char *piece)
{
	if (strstr(text, piece) == NULL)
		fail_msg("missing: %s\nin: %s", piece, text);
}

/* Runs `line`, of which %s is DIR/mail. */
static int run(const char *dir, struct daemon *d, const char *line, char *out)
{
	struct loop *loop = loop_new(&clock_system);
	char text[256], place[128], sock[128], *at;
	struct error err;
	struct ctl *ctl;
	int code;

	snprintf(place, sizeof(place), "%s/mail", dir);
	snprintf(sock, sizeof(sock), "%s/sock", dir);
	at = strstr(line, "OUT");
	snprintf(text, sizeof(text), "%.*s%s%s",
	    at == NULL ? (int)strlen(line) : (int)(at - line), line,
	    at == NULL ? "" : place, at == NULL ? "" : at + strlen("OUT"));
	d->asked[0] = '\0';
	ctl = ctl_open(loop, sock, table, d, &err);
	assert_non_null(ctl);
	code = cli_rig_run(dir, text, loop, out);
	ctl_close(ctl);
	loop_free(loop);
	return code;
}

static struct daemon daemon_of(const char *ids)
{
	return (struct daemon){.ids = ids, .over = "", .cut = "", .bad = "",
	    .stays = "", .state = "suspended"};
}

static int64_t number_in(const char *dir, const char *name, const char *key)
{
	json_t *o = json_loads(read_file(dir, name), 0, NULL);
	json_t *value;
	int64_t n;

	assert_non_null(o);
	value = json_object_get(o, key);
	n = json_is_boolean(value) ? json_is_true(value)
				   : json_integer_value(value);
	if (json_is_array(value))
		n = (int64_t)json_array_size(value);
	json_decref(o);
	return n;
}

/* ---- queue export --all -------------------------------------------------- */

static void all_that_waits_is_written(void **state)
{
	const char *dir = *state;
	struct daemon d = daemon_of("AAB");
	char *out = mem_new(CLI_RIG_OUT), names[1024];

	set_up(dir);
	assert_int_equal(run(dir, &d, "queue export --all OUT", out),
	    0);
	names_in(dir, names, sizeof(names));
	assert_string_equal(names, "A.eml A.json B.eml B.json manifest.json ");
	assert_string_equal(d.asked, "list {}\n"
	    "export {\"envelope\":true,\"id\":\"A\"}\n"
	    "export {\"envelope\":true,\"id\":\"B\"}\n");
	assert_string_equal(read_file(dir, "A.eml"), EML);
	has(read_file(dir, "B.json"), "\"sha256\": \"" SHA "\"");
	has(read_file(dir, "B.json"), "\"id\": \"B\"");
	assert_null(strstr(read_file(dir, "B.json"), "section"));
	assert_int_equal(number_in(dir, "B.json", "recipients"), 2);
	assert_int_equal(number_in(dir, "B.json", "deliveries"), 1);
	assert_int_equal(number_in(dir, "B.json", "posthouse_mail"), 1);
	has(read_file(dir, "manifest.json"), "\"hostname\": \"relay.test\"");
	has(read_file(dir, "manifest.json"), "\"version\": \"" PACKAGE_VERSION
	    "\"");
	assert_int_equal(number_in(dir, "manifest.json", "messages"), 2);
	assert_int_equal(number_in(dir, "manifest.json", "deliveries"), 2);
	assert_int_equal(number_in(dir, "manifest.json", "bytes"),
	    2 * (int)strlen(EML));
	assert_int_equal(number_in(dir, "manifest.json", "unread"), 0);
	assert_int_equal(number_in(dir, "manifest.json", "delivering"), 0);
	assert_true(number_in(dir, "manifest.json", "time_us") > 0);
	has(out, "MESSAGES  DELIVERIES  BYTES  OVER MEANWHILE  UNREADABLE\n"
	    "       2           2     34               0           0\n");
	has(out, "/mail: copy it, then `posthouse queue import` there");
	assert_null(strstr(out, "not all legs"));
	/* A folder with files in it is not written to. */
	assert_int_equal(run(dir, &d, "queue export --all OUT", out),
	    1);
	has(out, "/mail: it is there and is no empty folder; say a new one");
	remove_out(dir);
	mem_free(out);
}

static void an_empty_folder_will_do_and_a_leg_at_work_is_told(void **state)
{
	const char *dir = *state;
	struct daemon d = daemon_of("");
	char *out = mem_new(CLI_RIG_OUT), names[1024];

	set_up(dir);
	d.state = "up";
	assert_int_equal(mkdir(path_of(dir, ""), 0755), 0);
	assert_int_equal(run(dir, &d, "queue export --all OUT", out),
	    0);
	names_in(dir, names, sizeof(names));
	assert_string_equal(names, "manifest.json ");
	assert_int_equal(number_in(dir, "manifest.json", "delivering"), 1);
	has(out, "not all legs are suspended");
	remove_out(dir);
	mem_free(out);
}

static void what_cannot_be_had_is_named_and_the_rest_is_written(void **state)
{
	const char *dir = *state;
	struct daemon d = daemon_of("ABCDE");
	char *out = mem_new(CLI_RIG_OUT), names[1024];

	set_up(dir);
	d.over = "B";
	d.cut = "C";
	d.bad = "D";
	assert_int_equal(run(dir, &d, "queue export --all OUT", out),
	    1);
	names_in(dir, names, sizeof(names));
	assert_string_equal(names, "A.eml A.json E.eml E.json manifest.json ");
	has(out, "/mail/C.eml: the daemon gave 17 bytes of a message of 18");
	has(out, "D cannot be read");
	has(out, "posthouse: 2 could not be read and are not in ");
	assert_int_equal(number_in(dir, "manifest.json", "messages"), 2);
	assert_int_equal(number_in(dir, "manifest.json", "unread"), 2);
	has(out, "       2           2     34               1           2\n");
	remove_out(dir);
	d.cut = "";
	assert_int_equal(run(dir, &d, "queue export --all OUT --json",
	    out), 1);
	has(out, "{\"messages\":3,\"deliveries\":3,\"bytes\":51,\"gone\":1,"
	    "\"unread\":1}\n");
	has(out, "posthouse: 1 could not be read and is not in ");
	remove_out(dir);
	mem_free(out);
}

/* ---- queue export -------------------------------------------------------- */

static void each_message_is_a_file(void **state)
{
	const char *dir = *state;
	struct daemon d = daemon_of("AABB");
	char *out = mem_new(CLI_RIG_OUT), names[1024];

	set_up(dir);
	assert_int_equal(run(dir, &d, "queue export --leg legacy --to-dir OUT",
	    out), 0);
	names_in(dir, names, sizeof(names));
	assert_string_equal(names, "A.eml B.eml ");
	has(d.asked, "export {\"id\":\"A\"}\nexport {\"id\":\"B\"}\n");
	assert_string_equal(read_file(dir, "B.eml"), EML);
	has(out, "ID  FILE\nA   ");
	/* A file that is there is left alone; the others are written. */
	unlink(path_of(dir, "B.eml"));
	assert_int_equal(run(dir, &d, "queue export --leg legacy --to-dir OUT",
	    out), 1);
	has(out, "/mail/A.eml: File exists");
	assert_string_equal(read_file(dir, "B.eml"), EML);
	remove_out(dir);
	/* Nor does one that cannot be read leave a file. */
	d.bad = "A";
	assert_int_equal(run(dir, &d, "queue export --leg legacy --to-dir OUT",
	    out), 1);
	names_in(dir, names, sizeof(names));
	assert_string_equal(names, "B.eml ");
	remove_out(dir);
	mem_free(out);
}

/* ---- purge --------------------------------------------------------------- */

static void a_customer_is_written_then_removed(void **state)
{
	const char *dir = *state;
	struct daemon d = daemon_of("AAB");
	char *out = mem_new(CLI_RIG_OUT), names[1024];

	set_up(dir);
	run(dir, &d, "route set cloud ann@a.example --tag vip", out);
	run(dir, &d, "route set cloud eve@b.example", out);
	/* Without --yes all is written, and nothing is removed. */
	assert_int_equal(run(dir, &d, "purge --customer acme --to OUT", out),
	    1);
	has(out, "The 2 rows and 3 deliveries of the customer acme are in ");
	has(out, "nothing was removed");
	assert_null(d.deleted);
	names_in(dir, names, sizeof(names));
	assert_string_equal(names, "A.eml B.eml rows.csv ");
	has(read_file(dir, "rows.csv"), "ann@a.example,cloud,");
	assert_null(strstr(read_file(dir, "rows.csv"), "b.example"));
	assert_int_equal(run(dir, &d, "route list", out), 0);
	has(out, "4 rows\n");
	/* The folder must be new. */
	assert_int_equal(run(dir, &d,
	    "purge --customer acme --to OUT --yes", out), 1);
	has(out, "/mail: File exists; name a folder that is not there yet");
	remove_out(dir);
	assert_int_equal(run(dir, &d,
	    "purge --customer acme --to OUT --yes --note gone", out), 0);
	has(out, "3 deliveries removed\n");
	assert_string_equal(d.asked,
	    "count {\"action\":\"delete\",\"count\":true,\"customer\":\"acme\","
	    "\"reason\":\"purge\"}\n"
	    "list {\"customer\":\"acme\",\"until\":\"LAST\"}\n"
	    "export {\"id\":\"A\"}\nexport {\"id\":\"B\"}\n"
	    "act {\"action\":\"delete\",\"customer\":\"acme\","
	    "\"reason\":\"purge\",\"until\":\"LAST\"}\n"
	    "count {\"action\":\"delete\",\"count\":true,\"customer\":\"acme\","
	    "\"reason\":\"purge\"}\n");
	assert_int_equal(run(dir, &d, "route list", out), 0);
	has(out, "eve@b.example");
	has(out, "2 rows\n");
	assert_int_equal(run(dir, &d, "changes list", out), 0);
	has(out, "gone");
	mem_free(d.deleted);
	remove_out(dir);
	mem_free(out);
}

static void what_comes_in_meanwhile_is_counted(void **state)
{
	const char *dir = *state;
	struct daemon d = daemon_of("AB");
	char *out = mem_new(CLI_RIG_OUT);

	set_up(dir);
	d.stays = "B";
	assert_int_equal(run(dir, &d,
	    "purge --customer acme --to OUT --yes", out), 1);
	has(out, "1 delivery removed\n");
	has(out, "1 delivery was under way or came in meanwhile and is not "
	    "exported: posthouse queue list --customer acme");
	mem_free(d.deleted);
	remove_out(dir);
	/* Nothing waits: nothing is asked to be deleted. */
	d = daemon_of("");
	run(dir, &d, "route set cloud ann@a.example", out);
	assert_int_equal(run(dir, &d,
	    "purge --customer acme --to OUT --yes", out), 0);
	assert_null(d.deleted);
	has(out, "0 deliveries removed\n");
	remove_out(dir);
	mem_free(out);
}

static void a_purge_wants_a_customer_a_folder_and_the_mail(void **state)
{
	static const struct {
		const char *line;
		int code;
		const char *out;
	} cases[] = {
		{"purge --customer acme", 2,
		    "say --customer C and --to FOLDER"},
		{"purge --to OUT", 2, "say --customer C and --to FOLDER"},
		{"purge --customer moon --to OUT --yes", 1, "moon"},
		{"purge --customer acme --to /nonexistent/x --yes", 1,
		    "/nonexistent/x: No such file or directory\n"},
		{"purge --customer acme --to OUT --yes", 1,
		    "A cannot be read"},
	};
	const char *dir = *state;
	struct daemon d = daemon_of("A");
	char *out = mem_new(CLI_RIG_OUT);

	set_up(dir);
	d.bad = "A";
	run(dir, &d, "route set cloud ann@a.example", out);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(run(dir, &d, cases[i].line, out),
		    cases[i].code);
		has(out, cases[i].out);
		assert_null(d.deleted);
	}
	assert_int_equal(run(dir, &d, "route list", out), 0);
	has(out, "ann@a.example");
	remove_out(dir);
	mem_free(out);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, conf_tmp_setup, \
	    conf_tmp_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(all_that_waits_is_written),
	    TEST(an_empty_folder_will_do_and_a_leg_at_work_is_told),
	    TEST(what_cannot_be_had_is_named_and_the_rest_is_written),
	    TEST(each_message_is_a_file),
	    TEST(a_customer_is_written_then_removed),
	    TEST(what_comes_in_meanwhile_is_counted),
	    TEST(a_purge_wants_a_customer_a_folder_and_the_mail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
