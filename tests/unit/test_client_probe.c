/* SPDX-License-Identifier: ISC
 *
 * A look at a leg: what is found, how far it came, and that no leg can hold
 * it up or bring it down.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/testcert.h"
#include "tests/unit/testclient.h"

#define TLS "EHLO", "250-leg.test\r\n250-SIZE 99\r\n250 STARTTLS\r\n", 0

struct looked {
	struct client_probe job;
	int done;
	char file[TESTCERT_PATH];
};

static void on_done(void *arg, struct client_probe *p)
{
	(void)p;
	((struct looked *)arg)->done++;
}

/* The leg has a certificate of leg.test that no authority signed. */
static void look_init(struct looked *l, struct world *w)
{
	static const struct testcert_spec spec = {
	    .cn = "leg", .names = "DNS:leg.test"};
	struct testcert *c = testcert_new(&spec, NULL);
	struct conf_certificate pair = {l->file, l->file};
	struct conf_listen listen = {
	    .name = "leg", .certificate = &pair, .certificates = 1};
	struct error err;

	*l = (struct looked){.done = 0};
	testcert_file(c, l->file);
	testcert_free(c);
	w->leg->tls = tls_server_new(&listen, &err);
	assert_non_null(w->leg->tls);
	l->job = (struct client_probe){.conf = &w->conf,
	    .leg = &w->cl,
	    .tls = tls_client_for_probe(&w->cl, &err),
	    .timeout_ms = 20000,
	    .from = "postmaster@ours.test",
	    .to = "ann@ours.test",
	    .arena = arena_new(),
	    .done = on_done,
	    .arg = l};
	assert_non_null(l->job.tls);
}

static void look_fini(struct looked *l, struct world *w)
{
	assert_int_equal(l->done, 1);
	tls_client_unref(l->job.tls);
	arena_free(l->job.arena);
	tls_server_unref(w->leg->tls);
	unlink(l->file);
	world_free(w);
}

/* clang-format off */
static const struct {
	const char *name;
	enum tls_level level;
	struct leg_rule rules[4];
	enum stage stage;
	const char *problem, *note; /* the beginning of each */
	const char *said; /* the verbs that the leg heard */
} cases[] = {
	{ "none", TLS_NONE, { { 0 } }, STAGE_DONE, "", "tls = \"none\": mail goes in the clear",
	  "EHLO MAIL RCPT RSET QUIT " },
	{ "may, without STARTTLS", TLS_MAY, { { 0 } }, STAGE_DONE, "",
	  "STARTTLS is not offered: mail goes in the clear", "EHLO MAIL RCPT RSET QUIT " },
	{ "may, any certificate", TLS_MAY, { { TLS } }, STAGE_DONE, "", "",
	  "EHLO STARTTLS EHLO MAIL RCPT RSET QUIT " },
	{ "encrypt, any certificate", TLS_ENCRYPT, { { TLS } }, STAGE_DONE, "", "",
	  "EHLO STARTTLS EHLO MAIL RCPT RSET QUIT " },
	{ "encrypt, without STARTTLS", TLS_ENCRYPT, { { 0 } }, STAGE_DONE,
	  "STARTTLS is not offered, and tls = \"encrypt\" wants it", "", "EHLO QUIT " },
	{ "verify: it is looked at all the same", TLS_VERIFY, { { TLS } }, STAGE_DONE,
	  "the certificate is not believed: self-signed certificate; it is for leg.test, issued "
	  "by CN=leg. Write it in tls_ca", "", "EHLO STARTTLS EHLO QUIT " },
	{ "a greeting of 554", TLS_MAY, { { "CONNECT", "554 5.7.1 go away\r\n", 0 } },
	  STAGE_GREETING, "it answered 554 5.7.1: go away", "", "" },
	{ "a greeting of 421", TLS_MAY, { { "CONNECT", "421 4.3.2 busy\r\n" LEG_CLOSE, 0 } },
	  STAGE_GREETING, "it answered 421 4.3.2: busy", "", "" },
	{ "no SMTP", TLS_MAY, { { "CONNECT", "SSH-2.0-x\r\n", 0 } },
	  STAGE_GREETING, "it does not speak SMTP: ", "", "" },
	{ "our own name", TLS_MAY, { { "CONNECT", "220 relay.test\r\n", 0 } },
	  STAGE_GREETING, "it says our own name", "", "" },
	{ "our own name in EHLO", TLS_MAY, { { "EHLO", "250 Relay.Test\r\n", 0 } },
	  STAGE_EHLO, "it says our own name", "", "EHLO " },
	{ "it closes", TLS_MAY, { { "CONNECT", LEG_CLOSE, 0 } },
	  STAGE_GREETING, "the connection was closed", "", "" },
	{ "it resets", TLS_MAY, { { "EHLO", LEG_RESET, 0 } },
	  STAGE_EHLO, "the connection was lost", "", "EHLO " },
	{ "it is silent", TLS_MAY, { { "CONNECT", "", 0 } }, STAGE_GREETING, "no answer", "", "" },
	{ "it is silent after EHLO", TLS_MAY, { { "EHLO", "", 0 } }, STAGE_EHLO, "no answer", "",
	  "EHLO " },
	{ "it is silent at the end", TLS_NONE, { { "QUIT", LEG_CLOSE, 0 } }, STAGE_DONE, "",
	  "tls = ", "EHLO MAIL RCPT RSET QUIT " },
	{ "may: STARTTLS is refused", TLS_MAY, { { TLS }, { "STARTTLS", "454 4.7.0 no\r\n", 0 } },
	  STAGE_DONE, "", "mail goes in the clear: it answered 454 4.7.0: no",
	  "EHLO STARTTLS MAIL RCPT RSET QUIT " },
	{ "may: it hangs up at STARTTLS", TLS_MAY, { { TLS }, { "STARTTLS", LEG_CLOSE, 0 } },
	  STAGE_DONE, "", "mail goes in the clear: the connection was closed",
	  "EHLO STARTTLS EHLO MAIL RCPT RSET QUIT " },
	{ "may: 421 at STARTTLS", TLS_MAY,
	  { { TLS }, { "STARTTLS", "421 4.7.0 no\r\n" LEG_CLOSE, 0 } },
	  STAGE_DONE, "", "mail goes in the clear: it answered 421 4.7.0: no",
	  "EHLO STARTTLS EHLO MAIL RCPT RSET QUIT " },
	{ "may: the handshake is cut", TLS_MAY,
	  { { TLS }, { "STARTTLS", "220 go\r\n" LEG_CLOSE, 0 } },
	  STAGE_DONE, "", "mail goes in the clear: ",
	  "EHLO STARTTLS EHLO MAIL RCPT RSET QUIT " },
	{ "our address is blocked", TLS_NONE,
	  { { "MAIL", "550 5.7.606 Access denied\r\n", 0 } }, STAGE_MAIL,
	  "MAIL FROM:<postmaster@ours.test> was answered 550 5.7.606: Access denied", "",
	  "EHLO MAIL " },
	{ "everybody is refused", TLS_NONE, { { "RCPT", "550 5.1.1 who?\r\n", 0 } }, STAGE_RCPT,
	  "RCPT TO:<ann@ours.test> (--to names another) was answered 550 5.1.1: who?", "",
	  "EHLO MAIL RCPT " },
	{ "later, says the leg", TLS_NONE, { { "RCPT", "451 4.7.1 later\r\n", 0 } }, STAGE_RCPT,
	  "RCPT TO:<ann@ours.test> (--to names another) was answered 451 4.7.1: later", "",
	  "EHLO MAIL RCPT " },
	{ "silence at MAIL", TLS_NONE, { { "MAIL", "", 0 } }, STAGE_MAIL, "no answer", "",
	  "EHLO MAIL " },
	{ "RSET is refused", TLS_NONE, { { "RSET", "502 5.5.1 what?\r\n", 0 } }, STAGE_DONE, "",
	  "tls = ", "EHLO MAIL RCPT RSET QUIT " },
	{ "HELO is all that it knows", TLS_NONE, { { "EHLO", "500 5.5.1 what?\r\n", 0 } },
	  STAGE_DONE, "", "tls = ", "EHLO HELO MAIL RCPT RSET QUIT " },
	{ "verify: STARTTLS is refused", TLS_VERIFY,
	  { { TLS }, { "STARTTLS", "454 4.7.0 no\r\n", 0 } },
	  STAGE_STARTTLS, "it answered 454 4.7.0: no", "", "EHLO STARTTLS " },
	{ "plaintext ahead of the handshake", TLS_ENCRYPT,
	  { { TLS }, { "STARTTLS", "220 go\r\n250 leg.test\r\n" LEG_TLS, 0 } },
	  STAGE_TLS, "it spoke between its answer", "", "EHLO STARTTLS " },
	{ "the handshake is cut", TLS_ENCRYPT,
	  { { TLS }, { "STARTTLS", "220 go\r\n" LEG_CLOSE, 0 } },
	  STAGE_TLS, "", "", "EHLO STARTTLS " },
	{ "silence in the handshake", TLS_ENCRYPT,
	  { { TLS }, { "STARTTLS", "220 go\r\n" LEG_DEAF, 0 } },
	  STAGE_TLS, "no answer", "", "EHLO STARTTLS " },
};
/* clang-format on */

static const char *verbs(struct world *w)
{
	struct slice all = strbuf_view(&w->leg->said), line, verb;
	static char out[200];

	out[0] = '\0';
	while (slice_next(&all, '\n', &line)) {
		slice_next(&line, ' ', &verb);
		if (verb.n > 0)
			snprintf(out + strlen(out), sizeof(out) - strlen(out),
			    "%.*s ", (int)verb.n, verb.p);
	}
	return out;
}

static void begins_with(const char *text, const char *start)
{
	if (start[0] == '\0' || strncmp(text, start, strlen(start)) != 0)
		assert_string_equal(text, start);
}

static void what_is_found_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new(NULL);
		struct probe_row *r;
		struct looked l;
		bool cut = strcmp(cases[i].name, "the handshake is cut") == 0;

		print_message("%s\n", cases[i].name);
		w->cl.tls = cases[i].level;
		w->cl.connect_timeout_ms = w->cl.greeting_timeout_ms =
		    w->cl.command_timeout_ms = w->cl.tls_timeout_ms =
			strstr(cases[i].name, "silen") != NULL ? 100 : 20000;
		look_init(&l, w);
		leg_script(w->leg, cases[i].rules);
		client_probe(w->client, &l.job);
		assert_int_equal(l.done, 0);
		world_until(w, &l.done, 1);
		assert_string_equal(l.job.fault, "");
		assert_int_equal(l.job.rows, 1);
		r = &l.job.row[0];
		assert_int_equal(r->stage, cases[i].stage);
		if (cut)
			assert_true(r->problem[0] != '\0');
		else
			begins_with(r->problem, cases[i].problem);
		begins_with(r->note, cases[i].note);
		assert_string_equal(verbs(w), cases[i].said);
		assert_int_equal(w->slots, 4);
		look_fini(&l, w);
	}
}

/* clang-format off */
#define LOGIN "EHLO", "250-leg.test\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", 0
static const struct {
	struct leg_rule rules[3];
	enum stage stage;
	const char *problem, *said;
	enum tls_level tls; /* TLS_NONE: encrypt */
} logins[] = {
	{ { { LOGIN }, { "AUTH", "235 2.7.0 welcome\r\n", 0 } }, STAGE_DONE, "",
	  "EHLO STARTTLS EHLO AUTH MAIL RCPT RSET QUIT ", 0 },
	{ { { LOGIN }, { "AUTH", "535 5.7.8 no\r\n", 0 } }, STAGE_AUTH,
	  "the login was answered 535 5.7.8: no", "EHLO STARTTLS EHLO AUTH ", 0 },
	{ { { LOGIN }, { "AUTH", "535 5.7.8 not with secret\r\n", 0 } }, STAGE_AUTH,
	  "the login was answered 535 5.7.8: (not shown", "EHLO STARTTLS EHLO AUTH ", 0 },
	{ { { TLS } }, STAGE_EHLO, "auth_user is set, and AUTH is not offered over TLS: have",
	  "EHLO STARTTLS EHLO ", 0 },
	/* As a dialog: a password never goes in the clear. */
	{ { { LOGIN }, { "STARTTLS", "454 4.7.0 no\r\n", 0 } }, STAGE_STARTTLS,
	  "it answered 454 4.7.0: no", "EHLO STARTTLS ", TLS_MAY },
};
/* clang-format on */

static void a_login_is_tried_where_the_leg_has_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(logins); i++) {
		struct world *w = world_new(NULL);
		struct looked l;

		w->cl.tls = logins[i].tls == TLS_NONE ? TLS_ENCRYPT
						      : logins[i].tls;
		w->cl.auth_user = (char *)"ann";
		w->cl.password = (char *)"secret";
		look_init(&l, w);
		leg_script(w->leg, logins[i].rules);
		client_probe(w->client, &l.job);
		world_until(w, &l.done, 1);
		assert_int_equal(l.job.row[0].stage, logins[i].stage);
		begins_with(l.job.row[0].problem, logins[i].problem);
		assert_string_equal(verbs(w), logins[i].said);
		look_fini(&l, w);
	}
}

static void every_address_is_looked_at_at_once(void **state)
{
	static const struct testdns_row zone[] = {
	    {"a.test", DNS_A, "192.0.2.1 192.0.2.2"},
	    {"none.test", DNS_A, "NODATA"},
	    {"broken.test", DNS_A, "FAILED"},
	    {NULL, DNS_A, NULL}};
	static const struct {
		const char *host, *address;
		enum stage stage;
		const char *problem;
	} want[] = {
	    {"a.test", "192.0.2.1", STAGE_DONE, ""},
	    {"a.test", "192.0.2.2", STAGE_DONE, ""},
	    {"none.test", "", STAGE_DNS, "it has no address of the family"},
	    {"broken.test", "", STAGE_DNS, "its name cannot be looked up now"},
	    {"nobody.test", "", STAGE_DNS, "its name does not exist"},
	};
	static char *const names[] = {
	    "a.test", "none.test", "broken.test", "nobody.test"};
	struct world *w = world_new(zone);
	struct looked l;

	(void)state;
	look_init(&l, w);
	for (int i = 0; i < 4; i++)
		w->host[i] = (struct conf_hostport){names[i], 25, false};
	w->cl.hosts = 4;
	w->cl.family = FAMILY_V4_ONLY;
	client_probe(w->client, &l.job);
	world_until(w, &l.done, 1);
	assert_int_equal(l.job.rows, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		print_message("%s %s\n", want[i].host, want[i].address);
		assert_string_equal(l.job.row[i].host, want[i].host);
		assert_string_equal(l.job.row[i].address, want[i].address);
		assert_int_equal(l.job.row[i].stage, want[i].stage);
		begins_with(l.job.row[i].problem, want[i].problem);
	}
	assert_int_equal(w->leg->connected, 2);
	look_fini(&l, w);
}

static void a_domain_without_hosts_says_why(void **state)
{
	static const struct testdns_row zone[] = {
	    {"null.test", DNS_MX, "0 ."}, {NULL, DNS_A, NULL}};
	struct world *w = world_new(zone);
	struct looked l;

	(void)state;
	look_init(&l, w);
	l.job.domain = "null.test";
	client_probe(w->client, &l.job);
	world_until(w, &l.done, 1);
	assert_int_equal(l.job.rows, 0);
	assert_string_equal(
	    l.job.fault, "null.test: the domain takes no mail (null MX)");
	look_fini(&l, w);
}

static void the_end_of_the_client_ends_it(void **state)
{
	static const struct leg_rule silent[] = {
	    {"CONNECT", "", 0}, {NULL, NULL, 0}};

	(void)state;
	for (int turns = 0; turns < 4; turns += 3) {
		struct world *w = world_new(NULL);
		struct looked l;

		look_init(&l, w);
		leg_script(w->leg, silent);
		client_probe(w->client, &l.job);
		if (turns > 0)
			world_until(w, &w->leg->connected, 1);
		client_free(w->client);
		w->client = NULL;
		assert_int_equal(l.done, 1);
		if (turns > 0)
			assert_string_equal(
			    l.job.row[0].problem, "posthoused stopped");
		look_fini(&l, w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_found_is_told),
	    cmocka_unit_test(a_login_is_tried_where_the_leg_has_one),
	    cmocka_unit_test(every_address_is_looked_at_at_once),
	    cmocka_unit_test(a_domain_without_hosts_says_why),
	    cmocka_unit_test(the_end_of_the_client_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
