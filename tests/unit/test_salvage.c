/* SPDX-License-Identifier: ISC
 *
 * The control socket is found in files that cannot be read as a whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/cli/common/salvage.h"
#include "relay/base/mem.h"

#define DEFAULT "/run/posthouse/control.sock"

/* clang-format off */
static const struct { const char *text, *socket; } cases[] = {
	{ "control { socket = \"/a\" }", "/a" },
	{ "control {\n\tsocket = '/a'\n}", "/a" },
	{ "control { socket \"/a\" }", "/a" },
	{ "control { hostname socket = \"/a\" }", "/a" },
	{ "contrl { socket = \"/a\" }", "/a" },
	{ "spool { path = \"/s\ncontrol { socket = \"/a\" }", "/a" },
	{ "domain \"x\" { {{{ \ncontrol { socket = \"/a\" }", "/a" },
	{ "# socket = \"/b\"\ncontrol { socket = \"/a\" }", "/a" },
	{ "// socket = \"/b\"\n/* socket = \"/b\" */ socket = \"/a\"", "/a" },
	{ "hostname = \"socket\"\ncontrol { socket = \"/a\" }", "/a" },
	{ "control { socket = \"/a", "/a" },
	{ "control { socket = }", DEFAULT },
	{ "/* never closed socket = \"/b\"", DEFAULT },
	{ "control { }", DEFAULT },
	{ "", DEFAULT },
};
/* clang-format on */

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void finds(const char *file, const char *want)
{
	struct strbuf path;

	strbuf_init(&path, 4096);
	conf_salvage_socket(file, &path);
	assert_string_equal(strbuf_cstr(&path), want);
	strbuf_fini(&path);
}

static void the_socket_is_found_whatever_else_is_broken(void **state)
{
	char dir[] = "/tmp/salvage-XXXXXX", file[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/a.conf", dir);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].text);
		write_file(file, cases[i].text);
		finds(file, cases[i].socket);
	}
	unlink(file);
	finds(file, DEFAULT);
	rmdir(dir);
}

static void included_files_are_looked_through(void **state)
{
	char dir[] = "/tmp/salvage-XXXXXX", file[64], other[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/a.conf", dir);
	snprintf(other, sizeof(other), "%s/b.conf", dir);
	write_file(file, "spol { }\ninclude(\"b.conf\")\n");
	write_file(other, "control { socket = \"/b\" }\n");
	finds(file, "/b");
	/* A circle ends. */
	write_file(other, "include(\"a.conf\")\n");
	finds(file, DEFAULT);
	unlink(file);
	unlink(other);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_socket_is_found_whatever_else_is_broken),
	    cmocka_unit_test(included_files_are_looked_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
