/* SPDX-License-Identifier: ISC
 *
 * The file of outbound.users: which lines are users, and which hashes are no
 * protection; and listeners that make no sense with what may be sent out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "conf/users.h"
#include "tests/unit/conf_tmp.h"

#define YES "$y$j9T$gyNSrKDq4gXQf7d9fqI1//$" \
	"jLeFvz4ZFiG1uxkb7Y8hW2ru/pjFG35TUy1ae5G3m32"
#define SALT "$WvIHnlqqm1b/wfYbuUnXmO"
#define BCRYPT(cost) "$2b$" cost SALT "u/LgPkYXsm5lPzbL/yvYWWr6GGp.IWq"
#define SHA "lonUPzrM8tkN7RyMqDHrbWnkMNyv/TJAd8Ar0prwkG3MbVnVHBr4QUlH" \
	"gzlVaHmiZ3emKEcUwQWR3TZjVmmup."

/* clang-format off */
static const struct { const char *hash, *fault; } hashes[] = {
	{ YES, NULL },
	{ BCRYPT("10"), NULL },
	{ BCRYPT("14"), NULL },
	{ BCRYPT("09"), "is bcrypt of a cost below 10, which is quick to guess" },
	{ BCRYPT("15"), "is bcrypt of a cost over 14, which takes seconds for each login" },
	{ BCRYPT("1"), "is not whole" },
	{ BCRYPT("10") "x", "is not whole" },
	{ "$6$abcdefgh$" SHA, NULL },
	{ "$6$rounds=5000$abcdefgh$" SHA, NULL },
	{ "$6$rounds=4999$abcdefgh$" SHA,
	  "is SHA-512 of less than 5000 rounds, which is quick to guess" },
	{ "$6$rounds=1000001$abcdefgh$" SHA,
	  "is SHA-512 of over 1000000 rounds, which takes seconds for each login" },
	{ "$6$rounds=x$abcdefgh$" SHA, "is not whole" },
	{ "$6$$" SHA, "is not whole" },
	{ "$6$ab c$" SHA, "is not whole" },
	{ "$6$abcdefgh$" "x", "is not whole" },
	{ "$y$j75$abcdefgh$" "jLeFvz4ZFiG1uxkb7Y8hW2ru/pjFG35TUy1ae5G3m32", NULL },
	{ "$y$j65$abcdefgh$" "jLeFvz4ZFiG1uxkb7Y8hW2ru/pjFG35TUy1ae5G3m32",
	  "is yescrypt of less than 1 MB, which is quick to guess" },
	{ "$y$jDT$abcdefgh$" "jLeFvz4ZFiG1uxkb7Y8hW2ru/pjFG35TUy1ae5G3m32",
	  "is yescrypt that takes over 128 MB for each login" },
	{ "$y$jzz$abcdefgh$" "jLeFvz4ZFiG1uxkb7Y8hW2ru/pjFG35TUy1ae5G3m32",
	  "is yescrypt that takes too much memory" },
	{ "$y$/9T$abcdefgh$" "jLeFvz4ZFiG1uxkb7Y8hW2ru/pjFG35TUy1ae5G3m32",
	  "is yescrypt with parameters that are not those of crypt_gensalt(3)" },
	{ "$y$j9T$abcdefgh$", "is not whole" },
	{ "$1$abcdefgh$EyEmPcK4vrv6lZFCAvnXU/", "is of a method that is weak or not known here" },
	{ "$5$abcdefgh$x", "is of a method that is weak or not known here" },
	{ "rl0uE0e2WKB0.", "is of a weak method, or the password itself" },
	{ "secret", "is of a weak method, or the password itself" },
	{ "$", "is of a method that is weak or not known here" },
	{ "", "is empty" },
};

static const struct { const char *text, *says; } files[] = {
	{ "", NULL }, { "# none\n\n", NULL },
	{ "ann:" YES "\n", NULL }, { "ann:" YES ":", NULL },
	{ "ann:" YES ":\r\nbob:" YES ": a@example.com , @b.example\n", NULL },
	{ "\nann\n", "2: there is no colon; write NAME:HASH:SENDERS, as posthouse passwd NAME "
	  "prints it" },
	{ ":" YES ":\n", "1: the name of a user is empty; write printable characters without a "
	  "colon" },
	{ "a\x1b[1m:" YES ":\n", "1: the name of a user has characters that cannot be printed; "
	  "write printable characters without a colon" },
	{ "ann:" YES ":\nbob:x:\n", "2: user \"bob\": the hash is of a weak method, or the "
	  "password itself; take the line that posthouse passwd bob prints" },
	{ "ann:" YES ":ann\n", "1: \"ann\" is no sender of user \"ann\"; write an address, or a "
	  "domain as @example.com" },
	{ "ann:" YES ":a@example.com:x\n", "1: \"a@example.com:x\" is no sender of user \"ann\"; "
	  "write an address, or a domain as @example.com" },
	{ "ann:" YES ":\nbob:" YES ":\nann:" YES ":\n",
	  "3: user \"ann\" has line 1 already; keep one of the two" },
};

static const struct { const char *text, *says; } doors[] = {
	{ "listen \"a\" { auth = true }\n", "4: listen \"a\" has auth = true, which takes "
	  "passwords over TLS alone, and has no certificate; add certificate = { \"FILE\" }" },
	{ "listen \"a\" { tls = \"implicit\" }\n", "4: listen \"a\" has tls = \"implicit\" and no "
	  "certificate; add certificate = { \"FILE\" }" },
	{ "listen \"a\" { outbound = \"only\" }\n", "4: listen \"a\" has outbound = \"only\", and "
	  "no client can use it; write outbound { clients = { \"192.0.2.10\" } }, or auth = true" },
	{ "outbound {\n users = \"/no/such\"\n}\n", "5: outbound.users: \"/no/such\" cannot be "
	  "read: No such file or directory" },
};
/* clang-format on */

static void only_hashes_that_protect_are_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		const char *fault = user_hash_fault(slice_str(hashes[i].hash));

		print_message("case %zu: %s\n", i, hashes[i].hash);
		if (hashes[i].fault == NULL)
			assert_null(fault);
		else
			assert_string_equal(fault, hashes[i].fault);
	}
}

static void a_bad_line_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct arena *a = arena_new();
		struct conf c = {.file = NULL};
		struct error err = {0};
		int rc = users_parse(slice_str(files[i].text), "U", a, &c,
		    &err);

		print_message("case %zu: %s\n", i, files[i].text);
		if (files[i].says == NULL) {
			assert_int_equal(rc, 0);
		} else {
			assert_int_equal(rc, -1);
			assert_string_equal(err.text + 2, files[i].says);
		}
		arena_free(a);
	}
}

static void users_are_found_by_name(void **state)
{
	static const char text[] = "bob:" YES ":B@Example.COM,@Other.example\n"
				   "ann:" YES ":\n"
				   "an:" YES ":\n";
	struct arena *a = arena_new();
	const struct conf_user *u;
	struct conf c = {.file = NULL};
	struct error err;

	(void)state;
	assert_int_equal(users_parse(slice_str(text), "U", a, &c, &err), 0);
	assert_int_equal(c.outbound.user_count, 3);
	u = conf_user(&c, SLICE("bob"));
	assert_string_equal(u->hash, YES);
	assert_int_equal(u->senders.count, 2);
	assert_string_equal(u->senders.s[0], "b@example.com");
	assert_string_equal(u->senders.s[1], "@other.example");
	assert_int_equal(conf_user(&c, SLICE("ann"))->senders.count, 0);
	assert_string_equal(conf_user(&c, SLICE("an"))->name, "an");
	assert_null(conf_user(&c, SLICE("a")));
	assert_null(conf_user(&c, SLICE("Bob")));
	assert_null(conf_user(&c, SLICE("bobb")));
	arena_free(a);
}

static void a_door_that_makes_no_sense_is_named(void **state)
{
	struct names *names = names_new();
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(doors); i++) {
		char text[1000];

		snprintf(text, sizeof(text), CONF_BASE "%s", doors[i].text);
		assert_null(conf_tmp_load(*state, text, names, &err));
		assert_non_null(strstr(err.text, doors[i].says));
	}
	names_free(names);
}

static void a_file_that_others_read_is_refused(void **state)
{
	const char *path = conf_tmp_secret(*state, "users", "ann:" YES ":\n");
	char text[1000];
	struct names *names = names_new();
	struct error err;
	struct conf *c;

	snprintf(text, sizeof(text), CONF_BASE "outbound { users = \"%s\" }\n",
	    path);
	c = conf_tmp_good(*state, text, names);
	assert_int_equal(c->outbound.user_count, 1);
	conf_unref(c);
	snprintf(text, sizeof(text), "%s/users", (const char *)*state);
	assert_int_equal(chmod(text, 0644), 0);
	snprintf(text, sizeof(text), CONF_BASE
	    "outbound { users = \"%s/users\" }\n", (const char *)*state);
	assert_null(conf_tmp_load(*state, text, names, &err));
	assert_non_null(strstr(err.text, "chmod o-rwx it"));
	names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_hashes_that_protect_are_taken),
		cmocka_unit_test(a_bad_line_is_named),
		cmocka_unit_test(users_are_found_by_name),
		cmocka_unit_test(a_door_that_makes_no_sense_is_named),
		cmocka_unit_test(a_file_that_others_read_is_refused),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup, conf_tmp_teardown);
}
