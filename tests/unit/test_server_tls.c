/* SPDX-License-Identifier: ISC
 *
 * STARTTLS (RFC 3207), with a certificate that is made here.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/servertest.h"
#include "tests/unit/testcert.h"

struct tls_rig {
	struct rig r;
	struct conf_certificate files;
	char path[TESTCERT_PATH];
	SSL_CTX *client;
};

static void init(struct tls_rig *t)
{
	struct testcert_spec spec = {.cn = "relay.example",
	    .names = "DNS:relay.example"};
	struct testcert *cert = testcert_new(&spec, NULL);
	struct error err;

	testcert_file(cert, t->path);
	testcert_free(cert);
	rig_init(&t->r);
	t->files = (struct conf_certificate){t->path, t->path};
	t->r.listen.certificate = &t->files;
	t->r.listen.certificates = 1;
	t->r.o.tls = tls_server_new(&t->r.listen, &err);
	assert_non_null(t->r.o.tls);
	t->client = SSL_CTX_new(TLS_client_method());
}

static void fini(struct tls_rig *t)
{
	rig_fini(&t->r);
	tls_server_unref(t->r.o.tls);
	SSL_CTX_free(t->client);
	unlink(t->path);
}

static void hello(struct rig *r, const char *wants)
{
	char got[1000];

	rig_connect(r, "192.0.2.1");
	assert_null(rig_expect(r, "220"));
	rig_say(r, "EHLO a\r\n");
	rig_hear(r, got, sizeof(got));
	assert_non_null(strstr(got, wants));
}

/* The client's handshake; false: it failed. */
static bool shake(struct tls_rig *t)
{
	SSL *ssl = SSL_new(t->client);
	int rc = 0;

	SSL_set_fd(ssl, t->r.fd);
	for (int turns = 0; turns < 2000 && rc != 1; turns++) {
		ERR_clear_error();
		rc = SSL_connect(ssl);
		if (rc != 1 && SSL_get_error(ssl, rc) != SSL_ERROR_WANT_READ)
			break;
		loop_once(t->r.loop, 1);
	}
	if (rc == 1)
		t->r.ssl = ssl;
	else
		SSL_free(ssl);
	return rc == 1;
}

static void start(struct tls_rig *t)
{
	hello(&t->r, "STARTTLS\r\n");
	rig_say(&t->r, "STARTTLS\r\n");
	assert_null(rig_expect(&t->r, "220 2.0.0"));
	assert_true(shake(t));
}

static void what_was_said_before_tls_is_forgotten(void **state)
{
	struct tls_rig t;
	char got[1000];

	(void)state;
	init(&t);
	start(&t);
	rig_say(&t.r, "RCPT TO:<t@b.example>\r\n");
	assert_null(rig_expect(&t.r, "503 5.5.1"));
	rig_say(&t.r, "STARTTLS\r\n");
	assert_null(rig_expect(&t.r, "503 5.5.1"));
	rig_say(&t.r, "EHLO b\r\n");
	rig_hear(&t.r, got, sizeof(got));
	assert_null(strstr(got, "STARTTLS"));
	rig_say(&t.r, "STARTTLS\r\n");
	assert_null(rig_expect(&t.r, "503 5.5.1"));
	fini(&t);
}

static void mail_comes_through_tls_in_every_cut_of_its_end(void **state)
{
	static const char end[] = "\r\n.\r\n";
	struct tls_rig t;

	(void)state;
	init(&t);
	start(&t);
	rig_say(&t.r, "EHLO b\r\n");
	assert_null(rig_expect(&t.r, "250-"));
	for (unsigned cuts = 0; cuts < 16; cuts++) {
		rig_say(&t.r, "MAIL FROM:<>\r\nRCPT TO:<t@b.example>\r\n"
		    "DATA\r\n");
		assert_null(rig_expect(&t.r, "250\n250\n354"));
		rig_say(&t.r, "x");
		for (size_t i = 0, from = 0; i < 5; i++) {
			if (i < 4 && (cuts & (1u << i)) == 0)
				continue;
			rig_send(&t.r, end + from, i + 1 - from);
			rig_poll(&t.r);
			from = i + 1;
		}
		assert_null(rig_expect(&t.r, "250 2.0.0"));
		assert_string_equal(strbuf_cstr(&t.r.o.body), "x\r\n");
	}
	assert_int_equal(rig_logged(&t.r, "mail "), 16);
	assert_memory_equal(t.r.o.tls_text, "TLSv1.", 6);
	fini(&t);
}

static void bytes_ahead_of_the_handshake_end_the_session(void **state)
{
	static const char *const says[] = {
		"STARTTLS\r\nMAIL FROM:<evil@a.example>\r\n",
		"STARTTLS\r\nE", "STARTTLS\r\n\r\n",
		"NOOP\r\nSTARTTLS\r\nRSET\r\n",
	};
	static const char *const hears[] = {
		"554 5.5.0\nEND", "554 5.5.0\nEND", "554 5.5.0\nEND",
		"250\n554 5.5.0\nEND",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(says); i++) {
		struct tls_rig t;

		init(&t);
		hello(&t.r, "STARTTLS\r\n");
		rig_say(&t.r, says[i]);
		assert_null(rig_expect(&t.r, hears[i]));
		assert_int_equal(rig_logged(&t.r, "mail"), 0);
		fini(&t);
	}
}

static void plaintext_in_place_of_a_handshake_ends_the_session(void **state)
{
	struct tls_rig t;

	(void)state;
	init(&t);
	hello(&t.r, "STARTTLS\r\n");
	rig_say(&t.r, "STARTTLS\r\n");
	assert_null(rig_expect(&t.r, "220 2.0.0"));
	rig_say(&t.r, "MAIL FROM:<evil@a.example>\r\n");
	for (int i = 0; i < 500 && !t.r.o.closed; i++)
		loop_once(t.r.loop, 1);
	assert_true(t.r.o.closed);
	assert_int_equal(rig_logged(&t.r, "mail"), 0);
	fini(&t);
}

static void a_handshake_must_end_in_time(void **state)
{
	struct tls_rig t;

	(void)state;
	init(&t);
	t.r.conf.limits.tls_timeout_ms = 20;
	hello(&t.r, "STARTTLS\r\n");
	rig_say(&t.r, "STARTTLS\r\n");
	assert_null(rig_expect(&t.r, "220 2.0.0\nEND"));
	fini(&t);
}

static void starttls_has_its_place(void **state)
{
	static const struct { const char *say, *hear; } cases[] = {
		{"STARTTLS x\r\n", "501 5.5.4"},
		{"MAIL FROM:<>\r\n", "250"},
		{"STARTTLS\r\n", "503 5.5.1"},
		{"RCPT TO:<t@b.example>\r\n", "250"},
		{"STARTTLS\r\n", "503 5.5.1"},
		{"BDAT 0\r\n", "250"},
		{"STARTTLS\r\n", "503 5.5.1"},
	};
	struct tls_rig t;

	(void)state;
	init(&t);
	rig_connect(&t.r, "192.0.2.1");
	assert_null(rig_expect(&t.r, "220"));
	rig_say(&t.r, "EHLO a\r\n");
	assert_null(rig_expect(&t.r, "250-"));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		rig_say(&t.r, cases[i].say);
		assert_null(rig_expect(&t.r, cases[i].hear));
	}
	fini(&t);
}

static void records_of_one_byte_make_commands(void **state)
{
	static const char said[] = "EHLO b\r\nMAIL FROM:<>\r\n"
	    "RCPT TO:<t@b.example>\r\nDATA\r\n";
	struct tls_rig t;

	(void)state;
	init(&t);
	t.r.o.later = true;
	start(&t);
	for (size_t i = 0; i < sizeof(said) - 1; i++)
		rig_send(&t.r, said + i, 1);
	assert_null(rig_expect(&t.r, "250-\n250\n250\n354"));
	fini(&t);
}

static void a_drained_server_ends_after_the_handshake(void **state)
{
	struct tls_rig t;

	(void)state;
	init(&t);
	hello(&t.r, "STARTTLS\r\n");
	rig_say(&t.r, "STARTTLS\r\n");
	assert_null(rig_expect(&t.r, "220 2.0.0"));
	server_drain(t.r.server);
	assert_true(shake(&t));
	assert_null(rig_expect(&t.r, "421 4.3.2\nEND"));
	fini(&t);
}

/* NUL user NUL pass; the owner knows "wrong", "busy" and "slam". */
#define RIGHT "AHVzZXIAcGFzcw=="
#define WRONG "AHVzZXIAd3Jvbmc="
#define BUSY "AHVzZXIAYnVzeQ=="
#define SLAM "AHVzZXIAc2xhbQ=="

static void init_login(struct tls_rig *t, bool later)
{
	static char users[] = "/users";

	init(t);
	t->r.listen.auth = true;
	t->r.conf.outbound.users = users;
	t->r.o.later = later;
	t->r.o.say_words = true;
}

/* clang-format off */
static const struct step login_steps[] = {
	{ "AUTH PLAIN " RIGHT "\r\n", "503 5.5.1" }, /* EHLO first */
	{ "EHLO a\r\n", "250-" },
	{ "AUTH PLAIN " WRONG "\r\nNOOP\r\n", "535 5.7.8\n250" },
	{ "AUTH PLAIN\r\n" WRONG "\r\nNOOP\r\n", "334 \n535 5.7.8\n250" },
	{ "AUTH PLAIN " BUSY "\r\n", "454 4.7.0" },
	{ "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6" },
	{ "dXNlcg==\r\n", "334 UGFzc3dvcmQ6" },
	{ "*\r\n", "501 5.7.0" },
	{ "dXNlcg==\r\n", "500 5.5.1" }, /* a command again */
	{ "MAIL FROM:<s@a.example>\r\n", "250" },
	{ "AUTH PLAIN " RIGHT "\r\n", "503 5.5.1" }, /* not in a mail */
	{ "RSET\r\n", "250" },
	{ "AUTH PLAIN\r\n" RIGHT "\r\nEHLO a\r\n", "334 \n235 2.7.0\n250-" },
	{ "AUTH PLAIN " RIGHT "\r\n", "503 5.5.1" },
	{ "QUIT\r\n", "221\nEND" },
};
/* clang-format on */

static void run_login(bool later)
{
	struct tls_rig t;

	init_login(&t, later);
	start(&t);
	for (size_t i = 0; i < ARRAY_LEN(login_steps); i++) {
		const char *got;

		rig_say(&t.r, login_steps[i].say);
		got = rig_expect(&t.r, login_steps[i].hear);
		if (got != NULL)
			fail_msg("%s: %s", login_steps[i].say, got);
	}
	assert_int_equal(rig_logged(&t.r, "login user pass"), 1);
	assert_int_equal(rig_logged(&t.r, "login user wrong"), 2);
	/* On record is the mechanism, and nothing of the rest. */
	assert_true(rig_logged(&t.r, "said PLAIN bytes") > 0);
	assert_null(strstr(strbuf_cstr(&t.r.o.log), "AHVz"));
	assert_null(strstr(strbuf_cstr(&t.r.o.log), "dXNl"));
	fini(&t);
}

static void a_login_is_asked_of_the_owner(void **state)
{
	(void)state;
	run_login(false);
	run_login(true);
}

static void a_login_may_end_a_session_in_any_way(void **state)
{
	struct tls_rig t;

	(void)state;
	init_login(&t, true);
	start(&t);
	rig_say(&t.r, "EHLO a\r\nAUTH PLAIN " SLAM "\r\n");
	assert_null(rig_expect(&t.r, "250-\n421 4.7.0\nEND"));
	start(&t);
	rig_say(&t.r, "EHLO a\r\nAUTH PLAIN\r\n");
	assert_null(rig_expect(&t.r, "250-\n334 "));
	server_drain(t.r.server);
	assert_null(rig_expect(&t.r, "421 4.3.2\nEND"));
	fini(&t);
}

/* RFC 4954 4: 12,288 octets, of AUTH itself and of a response. */
static void a_response_has_its_own_length(void **state)
{
	static char line[SASL_LINE_MAX + 100];
	struct tls_rig t;

	(void)state;
	init_login(&t, false);
	start(&t);
	memset(line, 'A', sizeof(line));
	rig_say(&t.r, "EHLO a\r\nAUTH PLAIN\r\n");
	assert_null(rig_expect(&t.r, "250-\n334 "));
	rig_send(&t.r, line, SASL_LINE_MAX);
	rig_say(&t.r, "\r\nAUTH PLAIN\r\n");
	assert_null(rig_expect(&t.r, "501 5.5.2\n334 "));
	rig_send(&t.r, line, SASL_LINE_MAX + 1);
	rig_say(&t.r, "\r\nAUTH PLAIN ");
	assert_null(rig_expect(&t.r, "500 5.5.6"));
	rig_send(&t.r, line, SASL_LINE_MAX - 11);
	rig_say(&t.r, "\r\nNOOP ");
	assert_null(rig_expect(&t.r, "501 5.5.2"));
	rig_send(&t.r, line, CMD_LINE_MAX);
	rig_say(&t.r, "\r\n");
	assert_null(rig_expect(&t.r, "500 5.5.6"));
	fini(&t);
}

static void without_tls_or_users_there_is_no_login(void **state)
{
	static char none[] = "";
	struct tls_rig t;

	(void)state;
	init_login(&t, false);
	hello(&t.r, "STARTTLS\r\n");
	rig_say(&t.r, "AUTH PLAIN " RIGHT "\r\n" RIGHT "\r\n");
	assert_null(rig_expect(&t.r, "538 5.7.11\n500 5.5.1"));
	assert_null(strstr(strbuf_cstr(&t.r.o.log), "AHVz"));
	t.r.conf.outbound.users = none;
	start(&t);
	rig_say(&t.r, "EHLO a\r\nAUTH PLAIN " RIGHT "\r\n");
	assert_null(rig_expect(&t.r, "250-\n500 5.5.1"));
	assert_int_equal(rig_logged(&t.r, "login"), 0);
	fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_said_before_tls_is_forgotten),
		cmocka_unit_test(
		    mail_comes_through_tls_in_every_cut_of_its_end),
		cmocka_unit_test(bytes_ahead_of_the_handshake_end_the_session),
		cmocka_unit_test(
		    plaintext_in_place_of_a_handshake_ends_the_session),
		cmocka_unit_test(a_handshake_must_end_in_time),
		cmocka_unit_test(starttls_has_its_place),
		cmocka_unit_test(records_of_one_byte_make_commands),
		cmocka_unit_test(a_drained_server_ends_after_the_handshake),
		cmocka_unit_test(a_login_is_asked_of_the_owner),
		cmocka_unit_test(a_login_may_end_a_session_in_any_way),
		cmocka_unit_test(a_response_has_its_own_length),
		cmocka_unit_test(without_tls_or_users_there_is_no_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
