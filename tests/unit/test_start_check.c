/* SPDX-License-Identifier: ISC
 *
 * The owner of a configuration, as a start looks at it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/base/strbuf.h"
#include "relay/daemon/start_check.h"
#include "tests/unit/conf_tmp.h"

enum { LINE_MAX_BYTES = 1024 };

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
		cmocka_unit_test(
		    others_who_may_write_the_configuration_are_named),
		cmocka_unit_test(a_configuration_of_another_user_is_named),
	};

	return cmocka_run_group_tests(
	    tests, conf_tmp_setup, conf_tmp_teardown);
}
