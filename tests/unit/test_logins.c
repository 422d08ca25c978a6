/* SPDX-License-Identifier: ISC
 *
 * Logins by the true threads and the true crypt(3): who is let in, what is
 * remembered, how many wait, and what a stop does to them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <crypt.h>

#include "relay/base/mem.h"
#include "relay/login/logins.h"

enum { KIND = 3 };

struct fix {
	struct clock_fake clock;
	struct logins *l;
	struct mailbox back;
	struct conf conf;
	struct conf_user user;
	char hash[CRYPT_OUTPUT_SIZE];
};

static struct fix f;

static int setup(void **state)
{
	struct crypt_data *data = NEW(struct crypt_data);

	(void)state;
	memset(&f, 0, sizeof(f));
	clock_fake_init(&f.clock, 0);
	f.l = logins_new(&f.clock.clock, &rng_system);
	mailbox_init(&f.back);
	snprintf(f.hash, sizeof(f.hash), "%s", crypt_r("secret",
	    "$6$rounds=5000$abcdefgh$", data));
	mem_free(data);
	f.user = (struct conf_user){.name = (char *)"ann", .hash = f.hash};
	f.conf.outbound.user = &f.user;
	f.conf.outbound.user_count = 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	logins_free(f.l);
	mailbox_fini(&f.back);
	return 0;
}

static enum login_verdict ask(const char *name, const char *password,
    unsigned client)
{
	struct credentials said = {slice_str(name), slice_str(password)};
	struct netaddr from;
	struct login_ask q = {.conf = &f.conf, .client = &from, .said = &said,
	    .back = &f.back, .kind = KIND};
	struct login_job *job;
	enum login_verdict v;
	char ip[32];

	snprintf(ip, sizeof(ip), "192.0.2.%u", client);
	assert_int_equal(netaddr_parse(&from, slice_str(ip), 4000), 0);
	v = logins_ask(f.l, &q, &job);
	assert_int_equal(v == LOGIN_LATER, job != NULL);
	return v;
}

/* Takes `n` letters; how many say each verdict. */
static void answers(unsigned n, unsigned count[LOGIN_LATER])
{
	memset(count, 0, LOGIN_LATER * sizeof(*count));
	while (n > 0) {
		struct letter *m = mailbox_take(&f.back), *next;

		if (m == NULL)
			mailbox_wait(&f.back, -1);
		for (; m != NULL; m = next, n--) {
			next = m->next;
			assert_int_equal(m->kind, KIND);
			count[logins_finish(f.l, (struct login_job *)m)]++;
		}
	}
}

static enum login_verdict result(const char *name, const char *password,
    unsigned client)
{
	enum login_verdict v = ask(name, password, client);
	unsigned count[LOGIN_LATER];

	if (v != LOGIN_LATER)
		return v;
	answers(1, count);
	for (int i = 0; i < LOGIN_LATER; i++)
		if (count[i] > 0)
			return (enum login_verdict)i;
	return LOGIN_LATER;
}

static void the_right_password_is_right(void **state)
{
	char longer[LOGIN_PASSWORD_MAX + 100];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(result("ann", "secret", 1), LOGIN_RIGHT);
	assert_int_equal(result("ann", "Secret", 1), LOGIN_WRONG);
	assert_int_equal(result("ann", "secret ", 1), LOGIN_WRONG);
	assert_int_equal(result("ann", longer, 1), LOGIN_WRONG);
	/* The hash that is compared for an unknown name is a user's. */
	assert_int_equal(result("bob", "secret", 2), LOGIN_WRONG);
	f.conf.outbound.user_count = 0;
	assert_int_equal(ask("ann", "secret", 3), LOGIN_WRONG);
}

static void a_right_one_is_not_hashed_again(void **state)
{
	unsigned count[LOGIN_LATER];

	(void)state;
	assert_int_equal(result("ann", "secret", 1), LOGIN_RIGHT);
	assert_int_equal(ask("ann", "secret", 2), LOGIN_RIGHT);
	assert_int_equal(result("ann", "other", 2), LOGIN_WRONG);
	clock_fake_step(&f.clock, 5 * MINUTE_US);
	assert_int_equal(ask("ann", "secret", 2), LOGIN_LATER);
	answers(1, count);
	assert_int_equal(count[LOGIN_RIGHT], 1);
}

static void a_blocked_client_gets_no_quick_answer_either(void **state)
{
	(void)state;
	assert_int_equal(result("ann", "secret", 1), LOGIN_RIGHT);
	for (int i = 0; i < THROTTLE_FAILURES; i++)
		assert_int_equal(result("x", "guess", 9), LOGIN_WRONG);
	assert_int_equal(ask("ann", "secret", 9), LOGIN_BLOCKED);
	assert_int_equal(ask("ann", "secret", 1), LOGIN_RIGHT);
	clock_fake_step(&f.clock, MINUTE_US);
	assert_int_equal(ask("ann", "secret", 9), LOGIN_RIGHT);
}

/* The threads have two; the letters are not taken, so they get no third. */
static void sixty_four_wait(void **state)
{
	unsigned n = LOGIN_THREADS + LOGINS_WAITING, count[LOGIN_LATER];

	(void)state;
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(ask("ann", "secret", i), LOGIN_LATER);
	assert_int_equal(ask("ann", "secret", 200), LOGIN_BUSY);
	answers(n, count);
	assert_int_equal(count[LOGIN_RIGHT], n);
}

/* Six at once: the last is not looked at, for five before it failed. */
static void what_waits_is_blocked_by_what_failed_before(void **state)
{
	unsigned count[LOGIN_LATER];

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(ask("ann", "guess", 7), LOGIN_LATER);
	answers(40, count);
	assert_true(count[LOGIN_WRONG] >= THROTTLE_FAILURES);
	assert_true(count[LOGIN_WRONG] < THROTTLE_FAILURES + LOGIN_THREADS);
	assert_int_equal(count[LOGIN_WRONG] + count[LOGIN_BLOCKED], 40);
}

static void a_stop_answers_all(void **state)
{
	unsigned count[LOGIN_LATER];

	(void)state;
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(ask("ann", "secret", i), LOGIN_LATER);
	logins_stop(f.l);
	answers(30, count);
	assert_true(count[LOGIN_BUSY] >= 30 - LOGIN_THREADS);
	assert_int_equal(count[LOGIN_RIGHT] + count[LOGIN_BUSY], 30);
	assert_int_equal(ask("ann", "other", 1), LOGIN_BUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_right_password_is_right,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(a_right_one_is_not_hashed_again,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_blocked_client_gets_no_quick_answer_either, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(sixty_four_wait, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    what_waits_is_blocked_by_what_failed_before, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(a_stop_answers_all, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
