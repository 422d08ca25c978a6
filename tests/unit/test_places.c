/* SPDX-License-Identifier: ISC
 *
 * Which folders the daemon may write, and which any user may.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/daemon/places.h"
#include "tests/unit/conf_tmp.h"

static const char *const folders[] = {"spool", "audit", "table", "log", "run",
    "outside"};
static void *home;

/* A path below `home`; lives until eight more are made. */
static char *at(const char *name)
{
	static char text[8][200];
	static unsigned n;
	char *t = text[n++ % ARRAY_LEN(text)];

	snprintf(t, sizeof(text[0]), "%s/%s", (char *)home, name);
	return t;
}

static struct conf *conf(void)
{
	struct conf *c = NEW(struct conf);

	c->spool.path = mem_strdup(at("spool"));
	c->audit.path = mem_strdup(at("audit"));
	c->table.path = mem_strdup(at("table/cutover.db"));
	c->audit.events = mem_strdup(at("log/events.jsonl"));
	c->log.file = mem_strdup("");
	c->control.socket = mem_strdup(at("run/control.sock"));
	return c;
}

static void conf_drop(struct conf *c)
{
	mem_free(c->spool.path);
	mem_free(c->audit.path);
	mem_free(c->table.path);
	mem_free(c->audit.events);
	mem_free(c->log.file);
	mem_free(c->control.socket);
	mem_free(c);
}

static int create(const char *name)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? -1 : close(fd);
}

static void what_the_daemon_may_write_is_no_place_for_a_program(void **state)
{
	static const struct { const char *path; bool writable; } cases[] = {
		{ "spool/page", true }, { "audit/page", true },
		{ "table/page", true }, { "run/page", true },
		{ "log/page", true }, { "outside/there", false },
		{ "outside/link", true }, { "outside/absent", false },
	};
	struct conf *c = conf();

	(void)state;
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(create(cases[i].path), 0);
	assert_int_equal(symlink(at("spool/page"), at("outside/link")), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].path);
		assert_int_equal(
		    place_may_write(c, at(cases[i].path)) != NULL,
		    cases[i].writable);
	}
	conf_drop(c);
}

static void what_everybody_may_write_is_named(void **state)
{
	static const struct {
		const char *path;
		unsigned mode;
		const char *key; /* NULL: it is fine */
	} cases[] = {
		{ "spool", 0700, NULL }, { "spool", 0770, NULL },
		{ "spool", 0777, "path" }, { "spool", 01777, "path" },
		{ "table", 0777, "path" }, { "table", 01777, "path" },
		{ "table/cutover.db", 0666, "path" },
		{ "audit", 0707, "path" },
		{ "run", 0777, "socket" }, { "run", 01777, NULL },
		{ "log", 0777, "events" }, { "log", 01777, NULL },
	};
	struct conf *c = conf();

	(void)state;
	assert_int_equal(create("table/cutover.db"), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct place_open o;
		bool bad;

		print_message("%s %o\n", cases[i].path, cases[i].mode);
		assert_int_equal(chmod(at(cases[i].path), cases[i].mode), 0);
		bad = place_open_to_all(c, &o);
		assert_int_equal(bad, cases[i].key != NULL);
		if (bad) {
			assert_string_equal(o.key, cases[i].key);
			assert_string_equal(o.path, at(cases[i].path));
		}
		assert_int_equal(chmod(at(cases[i].path), 0700), 0);
	}
	conf_drop(c);
}

static int setup(void **state)
{
	(void)state;
	if (conf_tmp_setup(&home) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (mkdir(at(folders[i]), 0700) != 0)
			return -1;
	return 0;
}

static int teardown(void **state)
{
	static const char *const files[] = {"spool/page", "audit/page",
	    "table/page", "run/page", "log/page", "outside/link",
	    "outside/there", "table/cutover.db"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlink(at(files[i]));
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		rmdir(at(folders[i]));
	return conf_tmp_teardown(&home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		what_the_daemon_may_write_is_no_place_for_a_program),
	    cmocka_unit_test(what_everybody_may_write_is_named),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
