/* SPDX-License-Identifier: ISC
 *
 * passwd: its line is one that outbound.users takes, of that password.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <crypt.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/mem.h"
#include "tests/unit/cli_rig.h"
#include "tests/unit/conf_tmp.h"

enum { LONGEST = 511 };

static int run(const char *dir, const char *password, const char *line,
    char *out)
{
	conf_tmp_write(dir, "in", password);
	return cli_rig_run(dir, line, NULL, out);
}

/* Is `line`, without its name, a hash of that password? The rest is put into
 * `senders`. */
static bool opens(const char *line, const char *password, char *senders)
{
	struct crypt_data data = {0};
	char hash[CRYPT_OUTPUT_SIZE];
	int n = 0;

	senders[0] = '\0';
	if (sscanf(line, "scanner:%383[^:]:%n%63[^\n]", hash, &n,
		senders) < 1 ||
	    n == 0)
		return false;
	return strncmp(hash, "$y$", 3) == 0 &&
	       strcmp(crypt_r(password, hash, &data), hash) == 0;
}

static void the_line_is_of_that_password(void **state)
{
	char *out = mem_new(CLI_RIG_OUT), senders[64];
	char longest[LONGEST + 1];
	const char *dir = *state;

	conf_tmp_write(dir, "posthouse.conf", CONF_BASE);
	assert_int_equal(run(dir, "the sea\nand more\n", "passwd scanner", out),
	    0);
	assert_true(opens(out, "the sea", senders));
	assert_false(opens(out, "the see", senders));
	assert_string_equal(senders, "");
	assert_int_equal(run(dir, "x\r\n", "passwd scanner --sender "
	    "s@example.com --sender @example.org", out), 0);
	assert_true(opens(out, "x", senders));
	assert_string_equal(senders, "s@example.com,@example.org");
	memset(longest, 'x', LONGEST);
	longest[LONGEST] = '\0';
	assert_int_equal(run(dir, longest, "passwd scanner", out), 0);
	assert_true(opens(out, longest, senders));
	assert_int_equal(run(dir, "y", "passwd scanner --json", out), 0);
	assert_memory_equal(out, "{\"line\":\"scanner:$y$", 20);
	mem_free(out);
}

static void what_the_daemon_would_refuse_is_not_made(void **state)
{
	static const struct {
		const char *password, *line;
		int code;
		const char *out;
	} cases[] = {
		{"", "passwd scanner", 1, "the password is empty or longer "
		    "than 511 characters; nothing is printed"},
		{"\n", "passwd scanner", 1, "the password is empty"},
		{"x", "passwd a:b", 2, "; write printable characters without "
		    "a colon"},
		{"x", "passwd scanner --sender moon", 2, "\"moon\" is no "
		    "sender; write an address, or a domain as @example.com"},
		{"x", "passwd scanner --sender a@example.com --sender b", 2,
		    "\"b\" is no sender"},
		{"x", "passwd", 2, "usage: posthouse passwd"},
	};
	char *out = mem_new(CLI_RIG_OUT), longer[LONGEST + 2];
	const char *dir = *state;

	conf_tmp_write(dir, "posthouse.conf", CONF_BASE);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(run(dir, cases[i].password, cases[i].line,
		    out), cases[i].code);
		assert_non_null(strstr(out, cases[i].out));
		assert_null(strstr(out, "$y$"));
	}
	memset(longer, 'x', LONGEST + 1);
	longer[LONGEST + 1] = '\0';
	assert_int_equal(run(dir, longer, "passwd scanner", out), 1);
	assert_null(strstr(out, "$y$"));
	mem_free(out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_line_is_of_that_password),
	    cmocka_unit_test(what_the_daemon_would_refuse_is_not_made),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
