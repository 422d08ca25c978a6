/* SPDX-License-Identifier: ISC
 *
 * posthoused -t: what is said of the folders, the table and the addresses of a
 * configuration, and of its owner.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/base/strbuf.h"
#include "relay/daemon/start_check.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

enum { LINE_MAX_BYTES = 1024, SAID_MAX = 8192, OTHER_USER = 65534 };

/* ---- what is said -------------------------------------------------------- */

struct said {
	char text[SAID_MAX]; /* the lines; DIR stands for the folder */
	const char *dir;
};

static void on_fault(void *arg, const char *line)
{
	struct said *s = arg;
	size_t n = strlen(s->text), dir = strlen(s->dir);
	const char *at;

	for (; (at = strstr(line, s->dir)) != NULL; line = at + dir)
		n += (size_t)snprintf(s->text + n, SAID_MAX - n, "%.*sDIR",
		    (int)(at - line), line);
	snprintf(s->text + n, SAID_MAX - n, "%s\n", line);
}

/* Checks `text`, of which DIR stands for the folder, behind lines that make
 * a configuration whole; the check begins at line 4. */
static void check(const char *dir, const char *text, struct said *s)
{
	struct names *names = names_new();
	struct strbuf b;
	struct conf *c;
	const char *at;
	int faults, lines = 0;

	strbuf_init(&b, SAID_MAX);
	strbuf_adds(&b, CONF_BASE);
	for (; (at = strstr(text, "DIR")) != NULL; text = at + 3) {
		strbuf_add(&b, text, (size_t)(at - text));
		strbuf_adds(&b, dir);
	}
	strbuf_adds(&b, text);
	c = conf_tmp_good(dir, strbuf_cstr(&b), names);
	strbuf_fini(&b);
	*s = (struct said){.dir = dir};
	faults = start_check(c, on_fault, s);
	conf_unref(c);
	names_free(names);
	print_message("%s", s->text);
	for (at = s->text; *at != '\0'; at++)
		lines += *at == '\n';
	assert_int_equal(faults, lines);
}

/* All that is written, in folders that are there. */
#define PLACES                                                \
	"spool { path = \"DIR/spool\" }\n"                     \
	"audit { path = \"DIR/audit\" events = \"DIR/events\" }\n" \
	"table { path = \"DIR/cutover.db\" }\n"                \
	"control { socket = \"DIR/sock\" }\n"

static void expect(const char *dir, const char *text, const char *lines)
{
	struct said *s = NEW(struct said);

	check(dir, text, s);
	assert_string_equal(s->text, lines);
	mem_free(s);
}

/* ---- folders ------------------------------------------------------------- */

static void what_can_be_made_is_right(void **state)
{
	const char *dir = *state;
	char path[128];

	expect(dir, PLACES, "");
	snprintf(path, sizeof(path), "%s/spool", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	conf_tmp_write(dir, "events", "");
	expect(dir, PLACES, "");
	rmdir(path);
	/* systemd makes that folder. */
	expect(dir, "spool { path = \"DIR/spool\" }\n"
	    "audit { path = \"DIR/audit\" events = \"\" }\n"
	    "table { path = \"DIR/cutover.db\" }\n"
	    "control { socket = \"/run/posthouse-none/sock\" }\n", "");
}

static void each_place_that_cannot_be_is_named(void **state)
{
	const char *dir = *state;
	char path[128];

	expect(dir, "spool { path = \"DIR/none/spool\" }\n"
	    "audit { path = \"DIR/file/audit\" events = \"DIR/none/e\" }\n"
	    "table { path = \"DIR/none/cutover.db\" }\n"
	    "control { socket = \"/run/none/none/sock\" }\n"
	    "log { file = \"DIR\" }\n",
	    "DIR/posthouse.conf:4: spool.path: DIR/none: there is no such "
	    "folder; make it\n"
	    "DIR/posthouse.conf:5: audit.path: DIR/file: there is no such "
	    "folder; make it\n"
	    "DIR/posthouse.conf:5: audit.events: DIR/none: there is no such "
	    "folder; make it\n"
	    "DIR/posthouse.conf:6: table.path: DIR/none: there is no such "
	    "folder; make it\n"
	    "DIR/posthouse.conf:7: control.socket: /run/none/none: there is no "
	    "such folder; make it\n"
	    "DIR/posthouse.conf:8: log.file: DIR: it is a folder; name a "
	    "file\n");
	conf_tmp_write(dir, "file", "x");
	snprintf(path, sizeof(path), "%s/cutover.db", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	expect(dir, "spool { path = \"DIR/file\" }\n"
	    "audit { path = \"DIR/file/audit\" events = \"\" }\n"
	    "table { path = \"DIR/cutover.db\" }\n"
	    "control { socket = \"DIR/sock\" }\n",
	    "DIR/posthouse.conf:4: spool.path: DIR/file: it is not a folder; "
	    "name a folder\n"
	    "DIR/posthouse.conf:5: audit.path: DIR/file: it is not a folder; "
	    "name a folder\n"
	    "DIR/posthouse.conf:6: table.path: DIR/cutover.db: it is not a "
	    "file; name the file of the cutover table\n");
	rmdir(path);
}

static void a_folder_that_all_may_write_is_named(void **state)
{
	const char *dir = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/spool", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0777), 0);
	expect(dir, PLACES, "DIR/posthouse.conf:4: spool.path: everybody on "
	    "this machine can write DIR/spool; chmod o-w DIR/spool\n");
	rmdir(path);
}

static void a_folder_of_profiles_must_be_one(void **state)
{
	const char *dir = *state;
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(dir, CONF_BASE, names);
	static const struct {
		const char *profiles, *line;
	} cases[] = {
		{"none", ":1: profiles: DIR/none: No such file or directory; "
		    "name a folder of NAME.profile files\n"},
		{"posthouse.conf", ":1: profiles: DIR/posthouse.conf: it is "
		    "not a folder; name a folder of NAME.profile files\n"},
		{".", ""},
	};
	struct said *s = NEW(struct said);
	char path[256];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf other = *c;

		snprintf(path, sizeof(path), "%s/%s", dir, cases[i].profiles);
		other.profiles = path;
		*s = (struct said){.dir = dir};
		start_check(&other, on_fault, s);
		print_message("%s", s->text);
		if (cases[i].line[0] != '\0')
			assert_non_null(strstr(s->text, cases[i].line));
		else
			assert_null(strstr(s->text, "profiles"));
	}
	mem_free(s);
	conf_unref(c);
	names_free(names);
}

/* In a child, because root may write everywhere. */
static int as_other_user(const char *dir)
{
	struct said *s = NEW(struct said);
	bool same;

	if (setgid(OTHER_USER) != 0 || setuid(OTHER_USER) != 0)
		return 2;
	*s = (struct said){.dir = dir};
	check(dir, "spool { path = \"DIR/mine/spool\" }\n"
	    "audit { path = \"DIR/mine\" events = \"DIR/mine-too\" }\n"
	    "table { path = \"DIR/mine-db\" }\n"
	    "control { socket = \"DIR/sock\" }\n", s);
	same = strcmp(s->text,
	    "DIR/posthouse.conf:4: spool.path: DIR/mine: this user cannot "
	    "write there; chown or chmod it\n"
	    "DIR/posthouse.conf:5: audit.path: DIR/mine: this user cannot "
	    "write there; chown or chmod it\n"
	    "DIR/posthouse.conf:5: audit.events: DIR/mine-too: this user "
	    "cannot write it; chown or chmod it\n"
	    "DIR/posthouse.conf:6: table.path: DIR/mine-db: this user cannot "
	    "read and write it; chown or chmod it\n") == 0;
	mem_free(s);
	return same ? 0 : 1;
}

static void what_the_user_may_not_write_is_named(void **state)
{
	const char *dir = *state;
	char path[128];
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(dir, OTHER_USER, OTHER_USER), 0);
	snprintf(path, sizeof(path), "%s/mine", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	conf_tmp_secret(dir, "mine-too", "");
	conf_tmp_secret(dir, "mine-db", "");
	unlink(conf_tmp_write(dir, "posthouse.conf", ""));
	pid = fork();
	if (pid == 0)
		_exit(as_other_user(dir));
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	rmdir(path);
	unlink(conf_tmp_write(dir, "posthouse.conf", ""));
	assert_int_equal(chown(dir, 0, 0), 0);
}

/* ---- the table ----------------------------------------------------------- */

static void a_file_that_is_no_table_is_named(void **state)
{
	struct said *s = NEW(struct said);

	conf_tmp_write(*state, "cutover.db", "");
	expect(*state, PLACES, ""); /* an empty one is made a table */
	conf_tmp_write(*state, "cutover.db", "no table");
	check(*state, PLACES, s);
	assert_non_null(strstr(s->text,
	    "DIR/posthouse.conf:6: table.path: DIR/cutover.db"));
	mem_free(s);
}

static void a_domain_wants_a_route_or_a_row(void **state)
{
	static const char text[] = PLACES
	    "leg \"cloud\" { hosts = \"192.0.2.7\" }\n"
	    "leg \"third\" { hosts = \"192.0.2.8\" }\n"
	    "domain \"bare.example\" { }\n"
	    "domain \"reject.example\" { route = \"legacy\" }\n"
	    "domain \"defer.example\" { route = \"legacy\" }\n"
	    "domain \"acme.example\" { route = \"legacy\" }\n"
	    "domain \"beta.example\" { route = \"legacy\" }\n";
	static const char bare[] = "DIR/posthouse.conf:10: domain "
	    "\"bare.example\" has no route, and the table has no row "
	    "@bare.example: a recipient without a row of its own is answered "
	    "451; add route = \"LEG\"\n";
	struct table_tmp *t;

	expect(*state, text, bare);
	t = table_tmp_new(*state);
	table_tmp_route(t, "ann@bare.example", "third");
	expect(*state, text, bare);
	table_tmp_route(t, "@bare.example", "legacy");
	expect(*state, text, "");
	/* Rows of a leg and a domain that are in no file any more. */
	table_tmp_route(t, "ann@beta.example", "legacy");
	table_tmp_route(t, "bob@beta.example", "legacy");
	table_tmp_route(t, "eve@example.com", "third");
	expect(*state, PLACES
	    "leg \"cloud\" { hosts = \"192.0.2.7\" }\n"
	    "domain \"reject.example\" { route = \"legacy\" }\n"
	    "domain \"defer.example\" { route = \"legacy\" }\n"
	    "domain \"acme.example\" { route = \"legacy\" }\n",
	    "DIR/posthouse.conf:1: the configuration has no leg \"third\" any "
	    "more, but 1 row of the cutover table names it; add it again, or "
	    "move them first: posthouse flip ROUTE --where 'leg = third'\n"
	    "DIR/posthouse.conf:1: the configuration has no domain "
	    "\"beta.example\" any more, but 2 rows of the cutover table name "
	    "it; add it again, or remove them first: posthouse route list "
	    "--domain beta.example\n");
	table_tmp_free(t);
}

/* ---- addresses ----------------------------------------------------------- */

static void addresses_of_other_machines_are_named(void **state)
{
	expect(*state, PLACES
	    "listen \"in\" { address = { \"127.0.0.1:2525\", "
	    "\"203.0.113.1:25\" } }\n"
	    "leg \"cloud\" { hosts = \"203.0.113.7\" "
	    "source = \"203.0.113.2\" }\n"
	    "leg \"third\" { hosts = \"203.0.113.7\" "
	    "source = \"127.0.0.1\" }\n"
	    "egress \"out\" { direct = true "
	    "source = \"203.0.113.3\" }\n",
	    "DIR/posthouse.conf:8: listen \"in\": 203.0.113.1 is not an "
	    "address of this machine (ip address shows which there are)\n"
	    "DIR/posthouse.conf:9: leg \"cloud\": source 203.0.113.2 is not an "
	    "address of this machine, so nothing can be sent from it (ip "
	    "address shows which there are)\n"
	    "DIR/posthouse.conf:11: egress \"out\": source 203.0.113.3 is not "
	    "an address of this machine, so nothing can be sent from it (ip "
	    "address shows which there are)\n");
}

static void a_leg_that_is_ourselves_is_named(void **state)
{
#define SELF(n, name) "DIR/posthouse.conf:" n ": leg \"" name "\": every " \
	"host is ourselves, a listener of this file, so it takes no mail; " \
	"name the server that the mail is for\n"
	expect(*state, PLACES
	    "listen \"in\" { address = \"127.0.0.1:2525\" }\n"
	    "leg \"a\" { hosts = \"127.0.0.1:2525\" }\n"
	    "leg \"b\" { hosts = \"127.0.0.1:2526\" }\n"
	    "leg \"c\" { hosts = { \"203.0.113.7\", \"127.0.0.1:2525\" } }\n"
	    "leg \"d\" { hosts = \"relay.example.com:2525\" }\n"
	    "leg \"e\" { hosts = \"relay.example.com:2526\" }\n"
	    "leg \"f\" { hosts = \"other.example.com:2525\" }\n",
	    SELF("9", "a") SELF("12", "d"));
	/* A wildcard is every address of this machine, and no other. */
	expect(*state, PLACES
	    "listen \"in\" { address = { \"0.0.0.0:2525\", \"[::]:2527\" } }\n"
	    "leg \"a\" { hosts = \"127.0.0.1:2525\" }\n"
	    "leg \"b\" { hosts = \"203.0.113.7:2525\" }\n"
	    "leg \"c\" { hosts = \"127.0.0.1:2527\" }\n"
	    "leg \"d\" { hosts = \"127.0.0.1:2526\" }\n",
	    SELF("9", "a") SELF("11", "c"));
}

/* ---- the configuration's owner ------------------------------------------- */

static void others_who_may_write_the_configuration_are_named(void **state)
{
	static const struct {
		mode_t mode;
		bool said;
	} cases[] = {{0600, false}, {0644, false}, {0640, false},
	    {0664, true}, {0660, true}};
	char *path = mem_strdup(
	    conf_tmp_write(*state, "posthouse.conf", CONF_BASE));
	struct conf c = {.file = path};
	struct strbuf out;

	strbuf_init(&out, LINE_MAX_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%o\n", (unsigned)cases[i].mode);
		strbuf_reset(&out);
		assert_int_equal(chmod(path, cases[i].mode), 0);
		assert_int_equal(
		    start_check_writers(&c, &out), cases[i].said);
		assert_int_equal(strstr(strbuf_cstr(&out), ":1: its group") !=
			NULL, cases[i].said);
	}
	unlink(path);
	strbuf_reset(&out);
	assert_false(start_check_writers(&c, &out)); /* it is gone */
	strbuf_fini(&out);
	mem_free(path);
}

/* Only root can make one of another user. */
static void a_configuration_of_another_user_is_named(void **state)
{
	char *path;
	struct conf c = {0};
	struct strbuf out;

	if (geteuid() != 0)
		skip();
	path = mem_strdup(conf_tmp_write(*state, "posthouse.conf", CONF_BASE));
	c.file = path;
	strbuf_init(&out, LINE_MAX_BYTES);
	assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
	assert_true(start_check_writers(&c, &out));
	assert_non_null(strstr(strbuf_cstr(&out),
	    ":1: it belongs to uid 12345, who decides what the daemon does"));
	strbuf_fini(&out);
	mem_free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_be_made_is_right),
		cmocka_unit_test(each_place_that_cannot_be_is_named),
		cmocka_unit_test(a_folder_that_all_may_write_is_named),
		cmocka_unit_test(a_folder_of_profiles_must_be_one),
		cmocka_unit_test(what_the_user_may_not_write_is_named),
		cmocka_unit_test_setup_teardown(
		    a_file_that_is_no_table_is_named, conf_tmp_setup,
		    conf_tmp_teardown),
		cmocka_unit_test_setup_teardown(
		    a_domain_wants_a_route_or_a_row, conf_tmp_setup,
		    conf_tmp_teardown),
		cmocka_unit_test(addresses_of_other_machines_are_named),
		cmocka_unit_test(a_leg_that_is_ourselves_is_named),
		cmocka_unit_test(
		    others_who_may_write_the_configuration_are_named),
		cmocka_unit_test(a_configuration_of_another_user_is_named),
	};

	return cmocka_run_group_tests(
	    tests, conf_tmp_setup, conf_tmp_teardown);
}
