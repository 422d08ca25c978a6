/* SPDX-License-Identifier: ISC
 *
 * The login at a leg (RFC 4954): which mechanism, what is said, what becomes
 * of a refusal, and that the password is sent over TLS only and to no other
 * server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/testcert.h"
#include "tests/unit/testclient.h"

#define OK "delivered 250 2.0.0 body none"
#define START "EHLO", "250-leg.test\r\n250 STARTTLS\r\n", 1
#define OFFERS(auth) "EHLO", "250-leg.test\r\n" auth "250 HELP\r\n", 0
#define BOTH "250-AUTH LOGIN GSSAPI PLAIN\r\n"
#define MAIL "MAIL FROM:<from@src.test>\nRCPT TO:<a@x.test>\nDATA\n"
#define IN "235 2.7.0 welcome\r\n"
/* "\0posthouse\0s3cret", "posthouse", "s3cret" */
#define PLAIN "AHBvc3Rob3VzZQBzM2NyZXQ="
#define USER "cG9zdGhvdXNl"
#define PASS "czNjcmV0"

static char cert_file[TESTCERT_PATH];

static int setup(void **state)
{
	static const struct testcert_spec spec = {
	    .cn = "leg", .names = "IP:127.0.0.1"};
	struct testcert *c = testcert_new(&spec, NULL);

	(void)state;
	testcert_file(c, cert_file);
	testcert_free(c);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(cert_file);
	return 0;
}

static struct world *new_world(const struct leg_rule *rules)
{
	struct world *w = world_new(NULL);
	struct conf_certificate pair = {cert_file, cert_file};
	struct conf_listen l = {
	    .name = "leg", .certificate = &pair, .certificates = 1};
	struct error err;

	w->cl.tls = TLS_ENCRYPT;
	w->cl.auth_user = "posthouse";
	w->cl.password = "s3cret";
	w->leg->tls = tls_server_new(&l, &err);
	assert_non_null(w->leg->tls);
	w->tls = tls_client_new(&w->cl, &err);
	assert_non_null(w->tls);
	leg_script(w->leg, rules);
	return w;
}

static void end_world(struct world *w)
{
	tls_server_unref(w->leg->tls);
	tls_client_unref(w->tls);
	world_free(w);
}

/* clang-format off */
static const struct {
	const char *name;
	struct leg_rule rules[6];
	const char *result;
	const char *said; /* after STARTTLS */
} cases[] = {
	{ "PLAIN is the better one",
	  { { START }, { OFFERS(BOTH) }, { "AUTH PLAIN " PLAIN, IN, 0 } },
	  OK, "AUTH PLAIN " PLAIN "\n" MAIL },
	{ "LOGIN", { { START }, { OFFERS("250-AUTH=LOGIN\r\n") },
	    { "AUTH LOGIN", "334 VXNlcm5hbWU6\r\n", 0 },
	    { USER, "334 UGFzc3dvcmQ6\r\n", 0 }, { PASS, IN, 0 } },
	  OK, "AUTH LOGIN\n" USER "\n" PASS "\n" MAIL },
	{ "LOGIN, and the name alone will do", { { START },
	    { OFFERS("250-AUTH LOGIN\r\n") }, { "AUTH", "334 \r\n", 0 },
	    { USER, IN, 0 } }, OK, "AUTH LOGIN\n" USER "\n" MAIL },
	{ "LOGIN with a third question", { { START },
	    { OFFERS("250-AUTH LOGIN\r\n") }, { "AUTH", "334 \r\n", 0 },
	    { USER, "334 x\r\n", 0 }, { PASS, "334 x\r\n", 0 } },
	  "deferred 0 4.5.0 auth network", "AUTH LOGIN\n" USER "\n" PASS "\n" },
	{ "PLAIN with a question", { { START }, { OFFERS(BOTH) },
	    { "AUTH", "334 \r\n", 0 } },
	  "deferred 0 4.5.0 auth network", "AUTH PLAIN " PLAIN "\n" },
	{ "the password is wrong", { { START }, { OFFERS(BOTH) },
	    { "AUTH", "535 5.7.8 no\r\n", 0 } },
	  "deferred 535 5.7.8 auth configuration", "AUTH PLAIN " PLAIN "\n" },
	{ "the name is wrong", { { START }, { OFFERS("250-AUTH LOGIN\r\n") },
	    { "AUTH", "334 \r\n", 0 }, { USER, "535 5.7.8 no\r\n", 0 } },
	  "deferred 535 5.7.8 auth configuration", "AUTH LOGIN\n" USER "\n" },
	{ "the mechanism is too weak", { { START }, { OFFERS(BOTH) },
	    { "AUTH", "534 5.7.9 no\r\n", 0 } },
	  "deferred 534 5.7.9 auth configuration", "AUTH PLAIN " PLAIN "\n" },
	{ "not now", { { START }, { OFFERS(BOTH) },
	    { "AUTH", "454 4.7.0 later\r\n", 0 } },
	  "deferred 454 4.7.0 auth network", "AUTH PLAIN " PLAIN "\n" },
	{ "bye", { { START }, { OFFERS(BOTH) },
	    { "AUTH", "421 4.3.2 bye\r\n" LEG_CLOSE, 0 } },
	  "deferred 421 4.3.2 auth network", "AUTH PLAIN " PLAIN "\n" },
	{ "250 is no welcome", { { START }, { OFFERS(BOTH) },
	    { "AUTH", "250 2.0.0 ok\r\n", 0 } },
	  "deferred 0 4.5.0 auth network", "AUTH PLAIN " PLAIN "\n" },
	{ "closes", { { START }, { OFFERS(BOTH) }, { "AUTH", LEG_CLOSE, 0 } },
	  "deferred 0 4.4.2 auth network", "AUTH PLAIN " PLAIN "\n" },
	{ "AUTH is not offered", { { START }, { OFFERS("") } },
	  "deferred 0 4.7.0 ehlo configuration", "" },
	{ "… but was, in the clear",
	  { { "EHLO", "250-x\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", 1 },
	    { OFFERS("") } }, "deferred 0 4.7.0 ehlo configuration", "" },
	{ "HELO alone", { { START }, { "EHLO", "500 5.5.1 no\r\n", 0 } },
	  "deferred 0 4.7.0 helo configuration", "HELO relay.test\n" },
	{ "other mechanisms", { { START }, { OFFERS("250-AUTH NTLM\r\n") } },
	  "deferred 0 4.7.0 ehlo configuration", "" },
};
/* clang-format on */

static void check_said(struct world *w, const char *after)
{
	const char *said = world_said(w);

	assert_true(strncmp(said, "STARTTLS\n", 9) == 0);
	assert_string_equal(said + 9, after);
}

static void a_login_comes_before_the_mail_and_a_refused_one_keeps_it(
    void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = new_world(cases[i].rules);
		struct sent *s = sent_new(w, "a@x.test");

		print_message("%s\n", cases[i].name);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_string_equal(sent_text(s, 0), cases[i].result);
		check_said(w, cases[i].said);
		client_drain(w->client);
		world_until(w, &w->slots, 4);
		sent_free(s);
		end_world(w);
	}
}

static void in_the_clear_there_is_no_login(void **state)
{
	static const struct leg_rule rules[] = {
	    {OFFERS(BOTH)}, {"AUTH", IN, 0}, {NULL, NULL, 0}};
	static const enum tls_level levels[] = {TLS_NONE, TLS_MAY};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		struct world *w = new_world(rules);
		struct sent *s = sent_new(w, "a@x.test");

		w->cl.tls = levels[i];
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_string_equal(
		    sent_text(s, 0), "deferred 0 4.7.0 ehlo configuration");
		assert_string_equal(world_said(w), "");
		sent_free(s);
		end_world(w);
	}
}

static void a_kept_connection_is_logged_in(void **state)
{
	static const struct leg_rule rules[] = {
	    {START}, {OFFERS(BOTH)}, {"AUTH", IN, 1}, {NULL, NULL, 0}};
	struct world *w = new_world(rules);

	(void)state;
	for (int i = 1; i <= 3; i++) {
		struct sent *s = sent_new(w, "a@x.test");

		assert_true(world_send(w, s));
		world_until(w, &w->idle_calls, i);
		assert_string_equal(sent_text(s, 0), OK);
		sent_free(s);
	}
	check_said(w, "AUTH PLAIN " PLAIN "\n" MAIL MAIL MAIL);
	assert_int_equal(w->leg->connected, 1);
	end_world(w);
}

static void a_result_never_has_the_password_in_it(void **state)
{
	static const char *const answers[] = {
	    "535 5.7.8 not posthouse/s3cret\r\n", "535 5.7.8 " PLAIN "?\r\n",
	    "421 4.7.0 s3cret\r\n", "454 4.7.0 later, s3cret\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const struct leg_rule rules[] = {{START}, {OFFERS(BOTH)},
		    {"AUTH", answers[i], 0}, {NULL, NULL, 0}};
		struct world *w = new_world(rules);
		struct sent *s = sent_new(w, "a@x.test");

		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_null(strstr(s->rcpt[0].result.text, "s3cret"));
		assert_null(strstr(s->rcpt[0].result.text, PLAIN));
		assert_non_null(strstr(s->rcpt[0].result.text, "not shown"));
		sent_free(s);
		end_world(w);
	}
}

/* RFC 4954 4: no initial response that would make the line too long. */
static void a_long_password_waits_to_be_asked_for(void **state)
{
	static const struct leg_rule rules[] = {{START}, {OFFERS(BOTH)},
	    {"AUTH PLAIN ", "500 5.5.6 too long\r\n", 0},
	    {"AUTH PLAIN", "334 \r\n", 0}, {"A", IN, 0}, {NULL, NULL, 0}};
	struct world *w = new_world(rules);
	struct sent *s = sent_new(w, "a@x.test");
	char password[400];

	(void)state;
	memset(password, 'x', sizeof(password) - 1);
	password[sizeof(password) - 1] = '\0';
	w->cl.password = password;
	assert_true(world_send(w, s));
	world_wait(w, 1);
	assert_string_equal(sent_text(s, 0), OK);
	assert_non_null(strstr(world_said(w), "AUTH PLAIN\nAHBvc3Rob3VzZQB4"));
	sent_free(s);
	end_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		a_login_comes_before_the_mail_and_a_refused_one_keeps_it),
	    cmocka_unit_test(in_the_clear_there_is_no_login),
	    cmocka_unit_test(a_kept_connection_is_logged_in),
	    cmocka_unit_test(a_result_never_has_the_password_in_it),
	    cmocka_unit_test(a_long_password_waits_to_be_asked_for),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
