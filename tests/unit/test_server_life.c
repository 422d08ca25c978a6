/* SPDX-License-Identifier: ISC
 *
 * The life of a session: how long it may take, how much it may ask for, how
 * it ends, what it costs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/servertest.h"

static void hello(struct rig *r)
{
	rig_connect(r, "192.0.2.1");
	assert_null(rig_expect(r, "220"));
	rig_say(r, "EHLO a\r\n");
	assert_null(rig_expect(r, "250-"));
}

/* ---- time ---- */

static void silence_ends_a_session(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	hello(&r);
	r.conf.limits.command_timeout_ms = 20;
	rig_say(&r, "NOOP\r\n");
	assert_null(rig_expect(&r, "250\n421 4.4.2\nEND"));
	rig_fini(&r);

	rig_init(&r);
	r.conf.limits.proxy_timeout_ms = 20;
	r.listen.proxy_from = (struct conf_nets){r.net, 1};
	r.net[0] = (struct conf_net){AF_INET, {192, 0, 2, 1}, 32};
	rig_connect(&r, "192.0.2.1");
	rig_say(&r, "PROXY ");
	assert_null(rig_expect(&r, "END"));
	rig_fini(&r);
}

static void a_command_that_comes_by_single_bytes_must_end_in_time(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	hello(&r);
	r.conf.limits.command_timeout_ms = 40;
	rig_say(&r, "NOOP\r\n");
	for (int turns = 0; turns < 1000 && !r.eof; turns++) {
		rig_say(&r, "x");
		rig_turn(&r);
	}
	assert_null(rig_expect(&r, "250\n421 4.4.2\nEND"));
	rig_fini(&r);
}

static void commands_keep_a_session_alive(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.conf.limits.command_timeout_ms = 400;
	hello(&r);
	for (int i = 0; i < 10; i++) {
		for (int turns = 0; turns < 30; turns++)
			rig_turn(&r);
		rig_say(&r, "NOOP\r\n");
		assert_null(rig_expect(&r, "250"));
	}
	rig_fini(&r);
}

/* The timer is moved lazily; it must not stay behind a shorter limit. */
static void a_shorter_limit_counts_at_once(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.conf.limits.command_timeout_ms = 300;
	rig_connect(&r, "192.0.2.1");
	rig_begin(&r, false);
	r.conf.limits.command_timeout_ms = 60000;
	r.conf.limits.data_timeout_ms = 20;
	rig_say(&r, "NOOP\r\n");
	assert_null(rig_expect(&r, "250"));
	for (int turns = 0; turns < 200; turns++)
		rig_turn(&r);
	rig_say(&r, "DATA\r\n");
	assert_null(rig_expect(&r, "354\n421 4.4.2\nEND"));
	rig_fini(&r);
}

/* ---- too much ---- */

static void errors_have_an_end(void **state)
{
	char got[200];
	struct rig r;
	int n;

	(void)state;
	rig_init(&r);
	hello(&r);
	for (n = 0; n < 30; n++) {
		rig_say(&r, "WHAT\r\n");
		rig_hear(&r, got, sizeof(got));
		if (strncmp(got, "500 5.5.1", 9) != 0)
			break;
	}
	assert_int_equal(n, 20);
	assert_memory_equal(got, "421 4.7.0", 9);
	assert_null(rig_expect(&r, "END"));
	rig_fini(&r);
}

static void a_mail_that_was_taken_forgives_errors(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.conf.limits.errors = 3;
	r.conf.limits.commands = 3;
	hello(&r);
	for (int i = 0; i < 4; i++) {
		rig_say(&r, "MAIL FROM:<>\r\nRCPT TO:<unknown@b.example>\r\n"
		    "RCPT TO:<unknown@b.example>\r\nNOOP\r\n"
		    "RCPT TO:<t@b.example>\r\nDATA\r\n");
		assert_null(
		    rig_expect(&r, "250\n550\n550\n250\n250\n354"));
		rig_say(&r, ".\r\n");
		assert_null(rig_expect(&r, "250"));
	}
	rig_fini(&r);
}

static void deferrals_are_no_errors(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.conf.limits.errors = 2;
	hello(&r);
	rig_say(&r, "MAIL FROM:<>\r\n");
	assert_null(rig_expect(&r, "250"));
	for (int i = 0; i < 5; i++) {
		rig_say(&r, "RCPT TO:<defer@b.example>\r\n");
		assert_null(rig_expect(&r, "450 4.2.0"));
	}
	rig_fini(&r);
}

static void idle_commands_have_an_end(void **state)
{
	static const char *const idle[] = {"NOOP\r\n", "RSET\r\n",
	    "VRFY a\r\n", "HELP\r\n", "EHLO a\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
		char got[400];
		struct rig r;
		int n;

		rig_init(&r);
		r.conf.limits.commands = 10; /* one is EHLO */
		hello(&r);
		for (n = 0; n < 20; n++) {
			rig_say(&r, idle[i]);
			rig_hear(&r, got, sizeof(got));
			if (got[0] != '2')
				break;
		}
		assert_int_equal(n, 9);
		assert_memory_equal(got, "421 4.7.0", 9);
		assert_null(rig_expect(&r, "END"));
		rig_fini(&r);
	}
}

static void recipients_over_the_limit_are_to_be_sent_again(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.conf.limits.errors = 2;
	hello(&r);
	rig_say(&r, "MAIL FROM:<>\r\n");
	assert_null(rig_expect(&r, "250"));
	for (int i = 0; i < 200; i++) {
		rig_say(&r, "RCPT TO:<t@b.example>\r\n");
		assert_null(
		    rig_expect(&r, i < 10 ? "250 2.1.5" : "452 4.5.3"));
	}
	assert_int_equal(rig_logged(&r, "rcpt"), 10);
	assert_int_equal(
	    rig_logged(&r, "refused rcpt <> <t@b.example> 452 4.5.3"), 190);
	rig_say(&r, "DATA\r\n");
	assert_null(rig_expect(&r, "354"));
	rig_fini(&r);
}

static void a_line_too_long_is_thrown_away(void **state)
{
	static const size_t sizes[] = {2049, 4096, 70000, 1000000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *p = mem_new(sizes[i]);
		struct rig r;

		memset(p, 'N', sizes[i]);
		rig_init(&r);
		hello(&r);
		rig_send(&r, p, sizes[i]);
		rig_say(&r, " MAIL FROM:<>\r\nNOOP\r\n");
		assert_null(rig_expect(&r, "500 5.5.6\n250 2.0.0"));
		rig_send(&r, p, sizes[i]);
		rig_say(&r, "\r\nNOOP\r\n");
		assert_null(rig_expect(&r, "500 5.5.6\nEND"));
		assert_int_equal(rig_logged(&r, "mail"), 0);
		rig_fini(&r);
		mem_free(p);
	}
}

static void the_end_of_a_line_too_long_may_come_alone(void **state)
{
	char line[4000];
	struct rig r;

	(void)state;
	memset(line, 'N', sizeof(line));
	rig_init(&r);
	hello(&r);
	rig_send(&r, line, sizeof(line));
	assert_null(rig_expect(&r, "500 5.5.6"));
	rig_say(&r, "\nNOOP\r\n");
	assert_null(rig_expect(&r, "250 2.0.0"));
	rig_fini(&r);
}

static void the_longest_line_is_taken(void **state)
{
	char line[2051];
	struct rig r;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "NOOP ", 5);
	memcpy(line + 2048, "\r\n", 3);
	rig_init(&r);
	hello(&r);
	rig_say(&r, line);
	assert_null(rig_expect(&r, "250"));
	rig_send(&r, line, 2048);
	for (int i = 0; i < 5; i++)
		rig_poll(&r);
	rig_say(&r, "\r");
	for (int i = 0; i < 5; i++)
		rig_poll(&r);
	rig_say(&r, "\n");
	assert_null(rig_expect(&r, "250"));
	rig_fini(&r);
}

/* Sends commands until the server takes no more; bytes that it took. */
static size_t stuff(struct rig *r)
{
	static const char chunk[] = "BDAT 1\r\nx";
	size_t n = 0;
	int full = 0;

	while (full < 50 && n < 8 << 20) {
		ssize_t sent =
		    send(r->fd, chunk, sizeof(chunk) - 1, MSG_NOSIGNAL);

		full = sent < 0 ? full + 1 : 0;
		n += sent > 0 ? (size_t)sent : 0;
		if (sent < 0)
			loop_once(r->loop, 0);
	}
	return n;
}

static void who_reads_no_replies_is_not_read(void **state)
{
	struct rig r;
	size_t n;

	(void)state;
	rig_init(&r);
	r.conf.limits.message_bytes = 100000000;
	rig_connect(&r, "192.0.2.1");
	rig_begin(&r, false);
	n = stuff(&r);
	assert_true(n < 2 << 20);
	for (size_t i = 0; i < n / 9; i++) {
		char got[100];

		rig_hear(&r, got, sizeof(got));
		assert_string_equal(got, "250 2.0.0 1 octets received\r\n");
	}
	rig_fini(&r);
}

/* ---- ends ---- */

static const char talk[] =
    "EHLO a\r\nMAIL FROM:<s@a.example>\r\nRCPT TO:<t@b.example>\r\n"
    "BDAT 4\r\nab\r\nBDAT 2 LAST\r\n\r\n"
    "MAIL FROM:<s@a.example>\r\nRCPT TO:<t@b.example>\r\nDATA\r\n";
static const char content[] = "x\r\ny\r\n.\r\nQUIT\r\n";

/* The talk up to its n-th byte, as far as the server is by then. */
static void talk_until(struct rig *r, size_t n, bool slow)
{
	size_t head = n < sizeof(talk) - 1 ? n : sizeof(talk) - 1;

	rig_connect(r, "192.0.2.1");
	assert_null(rig_expect(r, "220"));
	rig_send(r, talk, head);
	for (int i = 0; i < (slow ? 3 : 30); i++)
		rig_poll(r);
	if (n > head && r->o.in_body)
		rig_send(r, content, n - head);
	for (int i = 0; slow && i < 2; i++)
		rig_poll(r);
}

static void whoever_hangs_up_anywhere_leaves_nothing_behind(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(talk) + sizeof(content) - 2; n++) {
		for (int mode = 0; mode < 4; mode++) {
			struct rig r;

			rig_init(&r);
			r.o.later = mode & 1;
			r.o.hold = mode & 1;
			talk_until(&r, n, mode & 2);
			rig_hang_up(&r);
			for (int i = 0; i < 200 && !r.o.closed; i++)
				rig_poll(&r);
			assert_true(r.o.closed);
			assert_int_equal(server_sessions(r.server), 0);
			rig_fini(&r);
			assert_int_equal(r.o.left, 1);
		}
	}
}

static void the_server_can_be_freed_at_any_moment(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(talk) + sizeof(content) - 2; n++) {
		for (int mode = 0; mode < 4; mode++) {
			struct rig r;

			rig_init(&r);
			r.o.later = mode & 1;
			r.o.hold = mode & 1;
			talk_until(&r, n, mode & 2);
			rig_fini(&r);
			assert_true(r.o.closed);
			assert_false(r.o.in_tx);
		}
	}
}

static void a_drained_server_ends_sessions_between_mails(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	hello(&r);
	server_drain(r.server);
	assert_null(rig_expect(&r, "421 4.3.2\nEND"));
	rig_fini(&r);
}

static void a_drained_server_lets_a_mail_end(void **state)
{
	static const char *const ends[] = {"x\r\n.\r\n", "x\n.\r\n.\r\n"};
	static const char *const hears[] = {
		"250 2.0.0\n421 4.3.2\nEND", "550 5.6.11\nEND",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct rig r;

		rig_init(&r);
		r.o.later = true;
		rig_connect(&r, "192.0.2.1");
		rig_begin(&r, true);
		server_drain(r.server);
		assert_null(rig_expect(&r, ""));
		rig_say(&r, ends[i]);
		assert_null(rig_expect(&r, hears[i]));
		rig_fini(&r);
	}
}

static void a_client_that_closed_its_side_hears_what_it_asked(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.o.later = true;
	hello(&r);
	rig_say(&r, "MAIL FROM:<>\r\nRCPT TO:<t@b.example>\r\n"
	    "BDAT 3 LAST\r\nx\r\nQUIT\r\n");
	shutdown(r.fd, SHUT_WR);
	assert_null(rig_expect(&r, "250\n250\n250 2.0.0 Ok\n221\nEND"));
	rig_fini(&r);
}

/* ---- cost ---- */

static long anonymous_kib(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[200];
	long kib = -1;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kib;
}

static void an_idle_session_costs_little(void **state)
{
	enum { SESSIONS = 450 };
	int fd[SESSIONS];
	struct rig r;
	long before, used;

	(void)state;
	rig_init(&r);
	hello(&r);
	r.o.many = true;
	before = anonymous_kib();
	for (int i = 0; i < SESSIONS; i++) {
		/* Past the transaction: that is what idle sessions are. */
		rig_connect(&r, "192.0.2.1");
		rig_begin(&r, true);
		rig_say(&r, ".\r\n");
		assert_null(rig_expect(&r, "250"));
		fd[i] = r.fd;
		r.fd = -1;
	}
	used = anonymous_kib() - before;
	print_message("%d idle sessions: %ld KiB\n", SESSIONS, used);
	if (PH_SANITIZED)
		print_message("under a sanitizer that says nothing\n");
	else
		assert_true(used < SESSIONS * 5); /* 2,000 in 10 MB */
	rig_fini(&r);
	for (int i = 0; i < SESSIONS; i++)
		close(fd[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_session_costs_little),
		cmocka_unit_test(silence_ends_a_session),
		cmocka_unit_test(
		    a_command_that_comes_by_single_bytes_must_end_in_time),
		cmocka_unit_test(commands_keep_a_session_alive),
		cmocka_unit_test(a_shorter_limit_counts_at_once),
		cmocka_unit_test(errors_have_an_end),
		cmocka_unit_test(a_mail_that_was_taken_forgives_errors),
		cmocka_unit_test(deferrals_are_no_errors),
		cmocka_unit_test(idle_commands_have_an_end),
		cmocka_unit_test(
		    recipients_over_the_limit_are_to_be_sent_again),
		cmocka_unit_test(a_line_too_long_is_thrown_away),
		cmocka_unit_test(the_end_of_a_line_too_long_may_come_alone),
		cmocka_unit_test(the_longest_line_is_taken),
		cmocka_unit_test(who_reads_no_replies_is_not_read),
		cmocka_unit_test(
		    whoever_hangs_up_anywhere_leaves_nothing_behind),
		cmocka_unit_test(the_server_can_be_freed_at_any_moment),
		cmocka_unit_test(a_drained_server_ends_sessions_between_mails),
		cmocka_unit_test(a_drained_server_lets_a_mail_end),
		cmocka_unit_test(
		    a_client_that_closed_its_side_hears_what_it_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
