/* SPDX-License-Identifier: ISC
 *
 * The four levels of TLS towards a leg, what happens when it goes wrong, and
 * that nothing said in the clear is believed afterwards (RFC 3207 4.2).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/client/client_int.h"
#include "tests/unit/testcert.h"
#include "tests/unit/testclient.h"

#define OK "delivered 250 2.0.0 body none"
#define OFFERS "EHLO", "250-leg.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n"
#define MAIL "MAIL FROM:<from@src.test>\nRCPT TO:<a@x.test>\nDATA\n"

enum cert { GOOD, WRONG_NAME, EXPIRED, CERTS };

static const struct testcert_spec specs[CERTS] = {
    [GOOD] = {.cn = "leg", .names = "DNS:leg.test,IP:127.0.0.1"},
    [WRONG_NAME] = {.cn = "127.0.0.1", .names = "DNS:other.test"},
    [EXPIRED] = {.cn = "leg",
	.names = "IP:127.0.0.1",
	.from_days = -9,
	.to_days = -2},
};

struct tls_world {
	struct testcert *ca;
	char ca_file[TESTCERT_PATH], file[CERTS][TESTCERT_PATH];
	char fingerprint[TLS_FINGERPRINT]; /* of GOOD */
};

static int setup(void **state)
{
	static const struct testcert_spec ca = {.cn = "Test CA", .ca = true};
	struct tls_world *t = NEW(struct tls_world);

	t->ca = testcert_new(&ca, NULL);
	testcert_file(t->ca, t->ca_file);
	for (int i = 0; i < CERTS; i++) {
		struct testcert *c = testcert_new(&specs[i], t->ca);

		testcert_file(c, t->file[i]);
		if (i == GOOD)
			tls_fingerprint(c->cert, t->fingerprint);
		testcert_free(c);
	}
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct tls_world *t = *state;

	for (int i = 0; i < CERTS; i++)
		unlink(t->file[i]);
	unlink(t->ca_file);
	testcert_free(t->ca);
	mem_free(t);
	return 0;
}

static void give_tls(
    struct tls_world *t, struct world *w, enum tls_level level, enum cert cert)
{
	struct conf_certificate pair = {t->file[cert], t->file[cert]};
	struct conf_listen l = {
	    .name = "leg", .certificate = &pair, .certificates = 1};
	struct error err;

	w->cl.tls = level;
	w->cl.tls_ca = t->ca_file;
	w->leg->tls = tls_server_new(&l, &err);
	assert_non_null(w->leg->tls);
	w->tls = tls_client_new(&w->cl, &err);
	assert_non_null(w->tls);
}

static void take_tls(struct world *w)
{
	tls_server_unref(w->leg->tls);
	tls_client_unref(w->tls);
	world_free(w);
}

/* clang-format off */
static const struct {
	const char *name;
	enum tls_level level;
	enum cert cert;
	struct leg_rule rules[4];
	const char *result;
	bool secure;
	const char *said; /* NULL: not looked at */
	int connected;
} cases[] = {
	{ "none: not even when offered", TLS_NONE, GOOD, { { OFFERS, 0 } }, OK,
	  false, MAIL, 1 },
	{ "may: offered", TLS_MAY, GOOD, { { OFFERS, 1 } }, OK, true,
	  "STARTTLS\nMAIL FROM:<from@src.test> SIZE=25\nRCPT TO:<a@x.test>\nDATA\n", 1 },
	{ "may: not offered", TLS_MAY, GOOD, { { 0 } }, OK, false, NULL, 1 },
	{ "may: refused", TLS_MAY, GOOD, { { OFFERS, 0 }, { "STARTTLS", "454 4.7.0 no\r\n", 0 } },
	  OK, false, "STARTTLS\n" MAIL, 1 },
	{ "may: any certificate", TLS_MAY, EXPIRED, { { OFFERS, 1 } }, OK, true, NULL, 1 },
	{ "may: the handshake is cut", TLS_MAY, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", "220 go\r\n" LEG_CLOSE, 0 } },
	  OK, false, "STARTTLS\n" MAIL, 2 },
	{ "may: silence in the handshake", TLS_MAY, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", "220 go\r\n" LEG_DEAF, 0 } },
	  OK, false, NULL, 2 },
	{ "may: plaintext in the handshake", TLS_MAY, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", "220 go\r\n", 0 } }, OK, false, NULL, 2 },
	{ "may: 421 to STARTTLS", TLS_MAY, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", "421 4.3.2 bye\r\n" LEG_CLOSE, 0 } },
	  OK, false, "STARTTLS\n" MAIL, 2 },
	{ "may: hangs up at STARTTLS", TLS_MAY, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", LEG_CLOSE, 0 } }, OK, false, "STARTTLS\n" MAIL, 2 },
	{ "may: resets at STARTTLS", TLS_MAY, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", LEG_RESET, 0 } }, OK, false, "STARTTLS\n" MAIL, 2 },
	{ "may: hangs up in its answer to STARTTLS", TLS_MAY, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", "454-4.7.0 no\r\n" LEG_CLOSE, 0 } },
	  OK, false, "STARTTLS\n" MAIL, 2 },
	{ "encrypt: 421 to STARTTLS", TLS_ENCRYPT, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", "421 4.3.2 bye\r\n" LEG_CLOSE, 0 } },
	  "deferred 421 4.3.2 starttls network", false, "STARTTLS\n", 1 },
	{ "encrypt: hangs up at STARTTLS", TLS_ENCRYPT, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", LEG_CLOSE, 0 } },
	  "deferred 0 4.4.2 starttls network", false, "STARTTLS\n", 1 },
	{ "verify: resets at STARTTLS", TLS_VERIFY, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", LEG_RESET, 0 } },
	  "deferred 0 4.4.2 starttls network", false, "STARTTLS\n", 1 },
	{ "encrypt: any certificate", TLS_ENCRYPT, WRONG_NAME, { { OFFERS, 1 } }, OK,
	  true, NULL, 1 },
	{ "encrypt: not offered", TLS_ENCRYPT, GOOD, { { 0 } },
	  "deferred 0 4.7.4 ehlo configuration", false, "", 1 },
	{ "encrypt: HELO only", TLS_ENCRYPT, GOOD, { { "EHLO", "500 5.5.1 no\r\n", 0 } },
	  "deferred 0 4.7.4 helo configuration", false, "HELO relay.test\n", 1 },
	{ "encrypt: refused for now", TLS_ENCRYPT, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", "454 4.7.0 no\r\n", 0 } },
	  "deferred 454 4.7.0 starttls network", false, "STARTTLS\n", 1 },
	{ "encrypt: refused", TLS_ENCRYPT, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", "501 5.5.4 no\r\n", 0 } },
	  "deferred 501 5.5.4 starttls configuration", false, "STARTTLS\n", 1 },
	{ "encrypt: 250 is no go-ahead", TLS_ENCRYPT, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", "250 ok\r\n", 0 } },
	  "deferred 0 4.5.0 starttls network", false, "STARTTLS\n", 1 },
	{ "encrypt: the handshake is cut", TLS_ENCRYPT, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", "220 go\r\n" LEG_CLOSE, 0 } },
	  "deferred 0 4.4.2 tls network", false, "STARTTLS\n", 1 },
	{ "encrypt: silence in the handshake", TLS_ENCRYPT, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", "220 go\r\n" LEG_DEAF, 0 } },
	  "deferred 0 4.4.2 tls network", false, NULL, 1 },
	{ "encrypt: plaintext in the handshake", TLS_ENCRYPT, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", "220 go\r\n", 0 } },
	  "deferred 0 4.7.5 tls configuration", false, NULL, 1 },
	{ "a reply ahead of the handshake", TLS_ENCRYPT, GOOD,
	  { { OFFERS, 0 },
	    { "STARTTLS", "220 go\r\n250-leg.test\r\n250 CHUNKING\r\n" LEG_TLS, 0 } },
	  "deferred 0 4.5.0 tls network", false, "STARTTLS\n", 1 },
	{ "half a reply ahead of the handshake", TLS_ENCRYPT, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", "220 go\r\n2", 0 } },
	  "deferred 0 4.5.0 tls network", false, "STARTTLS\n", 1 },
	{ "may: a reply ahead of the handshake", TLS_MAY, GOOD,
	  { { OFFERS, 0 }, { "STARTTLS", "220 go\r\n250 AUTH PLAIN\r\n", 0 } },
	  OK, false, NULL, 2 },
	{ "verify: the right certificate", TLS_VERIFY, GOOD, { { OFFERS, 1 } }, OK,
	  true, NULL, 1 },
	{ "verify: another's name", TLS_VERIFY, WRONG_NAME, { { OFFERS, 1 } },
	  "deferred 0 4.7.5 tls configuration", false, "STARTTLS\n", 1 },
	{ "verify: expired", TLS_VERIFY, EXPIRED, { { OFFERS, 1 } },
	  "deferred 0 4.7.5 tls configuration", false, "STARTTLS\n", 1 },
	{ "verify: not offered", TLS_VERIFY, GOOD, { { 0 } },
	  "deferred 0 4.7.4 ehlo configuration", false, "", 1 },
	{ "keywords of before are forgotten", TLS_ENCRYPT, GOOD,
	  { { "EHLO", "250-x\r\n250-CHUNKING\r\n250-PIPELINING\r\n250 STARTTLS\r\n", 1 },
	    { "EHLO", "250 leg.test\r\n", 0 } }, OK, true, "STARTTLS\n" MAIL, 1 },
	{ "… even when EHLO is refused then", TLS_ENCRYPT, GOOD,
	  { { "EHLO", "250-x\r\n250-CHUNKING\r\n250-PIPELINING\r\n250 STARTTLS\r\n", 1 },
	    { "EHLO", "500 5.5.1 no\r\n", 0 } }, OK, true,
	  "STARTTLS\nHELO relay.test\n" MAIL, 1 },
	{ "EHLO under TLS is refused later", TLS_ENCRYPT, GOOD,
	  { { OFFERS, 1 }, { "EHLO", "450 4.3.2 no\r\n", 0 } },
	  "deferred 450 4.3.2 ehlo network", true, "STARTTLS\n", 1 },
};
/* clang-format on */

static void each_level_of_tls_keeps_its_word(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new(NULL);
		struct sent *s = sent_new(w, "a@x.test");

		print_message("%s\n", cases[i].name);
		give_tls(*state, w, cases[i].level, cases[i].cert);
		w->cl.tls_timeout_ms = 200;
		leg_script(w->leg, cases[i].rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_string_equal(sent_text(s, 0), cases[i].result);
		assert_int_equal(
		    s->rcpt[0].result.tls[0] != '\0', cases[i].secure);
		if (cases[i].said != NULL)
			assert_string_equal(world_said(w), cases[i].said);
		assert_int_equal(w->leg->connected, cases[i].connected);
		client_drain(w->client);
		world_until(w, &w->slots, 4);
		sent_free(s);
		take_tls(w);
	}
}

/* ---- never silently in the clear ---- */

/* Messages on connections of their own. */
static void send_alone(struct world *w, int n)
{
	w->cl.max_messages = 1;
	for (int i = 0; i < n; i++) {
		struct sent *s = sent_new(w, "a@x.test");

		assert_true(world_send(w, s));
		world_wait(w, w->done + 1);
		world_until(w, &w->slots, 4);
		assert_string_equal(sent_text(s, 0), OK);
		sent_free(s);
	}
}

static void a_failed_handshake_is_said_once(void **state)
{
	static const struct leg_rule cut[] = {{OFFERS, 0},
	    {"STARTTLS", "220 go\r\n" LEG_CLOSE, 0}, {NULL, NULL, 0}};
	struct world *w = world_new(NULL);

	w->conf.alarm.interval_ms = 600000;
	give_tls(*state, w, TLS_MAY, GOOD);
	leg_script(w->leg, cut);
	send_alone(w, 3);
	assert_int_equal(w->in_clear, 1);
	take_tls(w);
}

/* Each message on a connection of its own: what was the last one told? */
static void send_and_see(struct world *w, const char *failed, const char *said)
{
	struct sent *s = sent_new(w, "a@x.test");

	w->cl.max_messages = 1;
	leg_script(w->leg, w->leg->rules);
	assert_true(world_send(w, s));
	world_wait(w, w->done + 1);
	world_until(w, &w->slots, 4);
	assert_string_equal(sent_text(s, 0), OK);
	assert_string_equal(s->rcpt[0].result.tls_failed, failed);
	assert_string_equal(world_said(w), said);
	sent_free(s);
}

static void ten_minutes_pass(struct client *c)
{
	for (int i = 0; i < MARKS_MAX; i++)
		if (c->no_tls.row[i].until_ms != 0)
			c->no_tls.row[i].until_ms -= 600 * 1000;
}

static void a_host_that_hangs_up_is_not_asked_for_ten_minutes(void **state)
{
	static const struct leg_rule shut[] = {{OFFERS, 0},
	    {"STARTTLS", "421 4.7.0 no TLS\r\n" LEG_CLOSE, 0},
	    {NULL, NULL, 0}};
	static const struct leg_rule good[] = {{OFFERS, 1}, {NULL, NULL, 0}};
	static const char lately[] =
	    "it failed here in the last ten minutes";
	static const char in_tls[] = "STARTTLS\nMAIL FROM:<from@src.test> "
	    "SIZE=25\nRCPT TO:<a@x.test>\nDATA\n";
	struct world *w = world_new(NULL);

	w->conf.alarm.interval_ms = 600000;
	give_tls(*state, w, TLS_MAY, GOOD);
	leg_script(w->leg, shut);
	send_and_see(w, "421 no TLS", "STARTTLS\n" MAIL);
	send_and_see(w, lately, MAIL);
	assert_int_equal(w->in_clear, 1);
	assert_string_equal(w->in_clear_why, "421 no TLS");
	leg_script(w->leg, good);
	send_and_see(w, lately, MAIL);
	ten_minutes_pass(w->client);
	send_and_see(w, "", in_tls);
	take_tls(w);
}

/* A password must not be asked for in the clear by a host that hangs up. */
static void with_a_login_mail_waits_for_tls(void **state)
{
	static const char *const answers[] = {"421 4.3.2 bye\r\n" LEG_CLOSE,
	    LEG_CLOSE, "454 4.7.0 no\r\n", "220 go\r\n" LEG_CLOSE};

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const struct leg_rule rules[] = {{OFFERS, 0},
		    {"STARTTLS", answers[i], 0}, {NULL, NULL, 0}};
		struct world *w = world_new(NULL);
		struct sent *s = sent_new(w, "a@x.test");

		print_message("%s\n", answers[i]);
		give_tls(*state, w, TLS_MAY, GOOD);
		w->cl.auth_user = "user";
		w->cl.password = "pw";
		leg_script(w->leg, rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_int_equal(s->rcpt[0].result.outcome, OUT_DEFERRED);
		assert_string_equal(s->rcpt[0].result.tls_failed, "");
		assert_string_equal(world_said(w), "STARTTLS\n");
		assert_int_equal(w->leg->connected, 1);
		assert_int_equal(w->in_clear, 0);
		sent_free(s);
		take_tls(w);
	}
}

static void a_starttls_that_is_gone_is_said(void **state)
{
	static const struct leg_rule offered[] = {
	    {OFFERS, 1}, {NULL, NULL, 0}};
	static const struct leg_rule gone[] = {{NULL, NULL, 0}};
	struct world *w = world_new(NULL);

	w->conf.alarm.interval_ms = 600000;
	give_tls(*state, w, TLS_MAY, GOOD);
	/* That a leg never had it is no news. */
	leg_script(w->leg, gone);
	send_alone(w, 1);
	assert_int_equal(w->in_clear, 0);
	leg_script(w->leg, offered);
	send_alone(w, 1);
	assert_int_equal(w->in_clear, 0);
	leg_script(w->leg, gone);
	send_alone(w, 2);
	assert_int_equal(w->in_clear, 1);
	assert_string_equal(
	    w->in_clear_why, "STARTTLS is not offered any more");
	take_tls(w);
}

/* ---- fingerprints and TLSA records ---- */

#define NO_PIN \
	"0000000000000000000000000000000000000000000000000000000000000000"

static void another_s_fingerprint_waits(void **state)
{
	static const struct leg_rule rules[] = {{OFFERS, 0}, {NULL, NULL, 0}};
	char none[] = NO_PIN, *pin = none;
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test");

	w->cl.fingerprint = (struct conf_strings){&pin, 1};
	give_tls(*state, w, TLS_ENCRYPT, GOOD);
	leg_script(w->leg, rules);
	assert_true(world_send(w, s));
	world_wait(w, 1);
	assert_string_equal(
	    sent_text(s, 0), "deferred 0 4.7.5 tls configuration");
	assert_non_null(strstr(
	    s->rcpt[0].result.text, ((struct tls_world *)*state)->fingerprint));
	assert_string_equal(world_said(w), "STARTTLS\n");
	sent_free(s);
	take_tls(w);
}

/* clang-format off */
enum record { RIGHT, WRONG, UNUSABLE, NONE, FAILS };
static const struct {
	const char *name;
	const char *mx;	 /* of the leg's domain; NULL: the leg lists leg.test */
	const char *address; /* of leg.test */
	enum record record;
	bool signed_record;
	const char *rule; /* of EHLO; NULL: STARTTLS is offered */
	const char *result;
	int connected;
} dane[] = {
	{ "the right one", NULL, "AD 192.0.2.1", RIGHT, true, NULL, OK, 1 },
	{ "the wrong one", NULL, "AD 192.0.2.1", WRONG, true, NULL,
	  "deferred 0 4.7.5 tls configuration", 1 },
	{ "wrong, and not signed", NULL, "AD 192.0.2.1", WRONG, false, NULL, OK, 1 },
	{ "wrong, of an unsigned address", NULL, "192.0.2.1", WRONG, true, NULL, OK, 1 },
	{ "of a kind that is not used", NULL, "AD 192.0.2.1", UNUSABLE, true, NULL, OK, 1 },
	{ "none", NULL, "AD 192.0.2.1", NONE, true, NULL, OK, 1 },
	{ "none, and no STARTTLS", NULL, "AD 192.0.2.1", NONE, true, "250 leg.test\r\n",
	  "deferred 0 4.7.4 ehlo configuration", 1 },
	{ "right, and no STARTTLS", NULL, "AD 192.0.2.1", RIGHT, true, "250 leg.test\r\n",
	  "deferred 0 4.7.4 ehlo configuration", 1 },
	{ "cannot be looked up", NULL, "AD 192.0.2.1", FAILS, true, NULL,
	  "deferred 0 4.4.3 connect network", 0 },
	{ "cannot be looked up, of an unsigned address", NULL, "192.0.2.1", FAILS, true, NULL,
	  OK, 1 },
	{ "of the name behind an alias", NULL, "AD ALIAS real.test 192.0.2.1", WRONG, true, NULL,
	  OK, 1 },
	{ "of the alias, when there is none behind it", NULL, "AD ALIAS bare.test 192.0.2.1",
	  WRONG, true, NULL, "deferred 0 4.7.5 tls configuration", 1 },
	{ "MX: the right one", "AD 10 leg.test", "AD 192.0.2.1", RIGHT, true, NULL, OK, 1 },
	{ "MX: the wrong one", "AD 10 leg.test", "AD 192.0.2.1", WRONG, true, NULL,
	  "deferred 0 4.7.5 tls configuration", 1 },
	{ "MX: not signed", "10 leg.test", "AD 192.0.2.1", WRONG, true, NULL, OK, 1 },
	{ "MX: the next host when one cannot be looked up", "AD 10 leg.test 20 b.test",
	  "AD 192.0.2.1", FAILS, true, NULL, OK, 1 },
};
/* clang-format on */

static void set_record(const struct tls_world *t, char *text, size_t size,
    enum record r, bool is_signed)
{
	static const char *const words[] = {
	    [UNUSABLE] = "1 0 1 " NO_PIN,
	    [NONE] = "NODATA",
	    [FAILS] = "FAILED"};

	snprintf(text, size, "%s%s%s", is_signed ? "AD " : "",
	    r <= WRONG ? "3 0 1 " : words[r],
	    r == RIGHT	 ? t->fingerprint
	    : r == WRONG ? NO_PIN
			 : "");
}

static void dane_does_what_the_zone_says(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(dane); i++) {
		const struct leg_rule rules[] = {
		    {"EHLO", dane[i].rule, dane[i].rule == NULL ? 1 : 0},
		    {OFFERS, 1},
		    {NULL, NULL, 0}};
		char record[200], right[200], host[] = "leg.test";
		struct testdns_row zone[] = {
		    {"leg.test", DNS_A, dane[i].address},
		    {"b.test", DNS_A, "192.0.2.2"},
		    {"_25._tcp.leg.test", DNS_TLSA, record},
		    {"_25._tcp.real.test", DNS_TLSA, right},
		    {"dom.test", DNS_MX, dane[i].mx},
		    {NULL, DNS_A, NULL}};
		struct world *w = world_new(zone);
		struct sent *s = sent_new(w, "a@x.test");

		print_message("%s\n", dane[i].name);
		set_record(*state, record, sizeof(record), dane[i].record,
		    dane[i].signed_record);
		set_record(*state, right, sizeof(right), RIGHT, true);
		w->host[0] = (struct conf_hostport){host, 25, false};
		if (dane[i].mx != NULL)
			w->cl.mx = "dom.test";
		give_tls(*state, w, TLS_DANE, GOOD);
		leg_script(w->leg, dane[i].rule == NULL ? rules + 1 : rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_string_equal(sent_text(s, 0), dane[i].result);
		assert_int_equal(w->leg->connected, dane[i].connected);
		client_drain(w->client);
		world_until(w, &w->slots, 4);
		sent_free(s);
		take_tls(w);
	}
}

static void a_kept_connection_stays_encrypted(void **state)
{
	static const struct leg_rule rules[] = {{OFFERS, 1}, {NULL, NULL, 0}};
	struct world *w = world_new(NULL);

	give_tls(*state, w, TLS_VERIFY, GOOD);
	leg_script(w->leg, rules);
	for (int i = 1; i <= 3; i++) {
		struct sent *s = sent_new(w, "a@x.test");

		assert_true(world_send(w, s));
		world_wait(w, i);
		assert_string_equal(sent_text(s, 0), OK);
		assert_true(strncmp(s->rcpt[0].result.tls, "TLSv1", 5) == 0);
		sent_free(s);
	}
	assert_int_equal(w->leg->connected, 1);
	assert_int_equal(w->tls_asked, 1);
	take_tls(w);
}

static void a_large_message_goes_through_tls(void **state)
{
	static const struct leg_rule rules[] = {{OFFERS, 1}, {NULL, NULL, 0}};
	enum { SIZE = 3 * 1024 * 1024 };
	char *bytes = mem_new(SIZE);
	struct world *w = world_new(NULL);
	struct sent *s;

	for (int i = 0; i < SIZE; i++)
		bytes[i] = (char)(i % 50 == 48	 ? '\r'
				  : i % 50 == 49 ? '\n'
						 : 'a' + i % 26);
	world_content(w, slice_of(bytes, SIZE));
	give_tls(*state, w, TLS_ENCRYPT, GOOD);
	leg_script(w->leg, rules);
	s = sent_new(w, "a@x.test");
	assert_true(world_send(w, s));
	world_wait(w, 1);
	assert_string_equal(sent_text(s, 0), OK);
	assert_true(w->leg->body.n >= SIZE);
	assert_memory_equal(w->leg->body.p, bytes, SIZE);
	sent_free(s);
	take_tls(w);
	mem_free(bytes);
}

static void a_leg_without_a_context_waits(void **state)
{
	static const struct leg_rule rules[] = {
	    {OFFERS, 0}, {"STARTTLS", "220 go\r\n", 0}, {NULL, NULL, 0}};
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test");

	(void)state;
	w->cl.tls = TLS_ENCRYPT;
	leg_script(w->leg, rules);
	assert_true(world_send(w, s));
	world_wait(w, 1);
	assert_string_equal(
	    sent_text(s, 0), "deferred 0 4.7.5 tls configuration");
	sent_free(s);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_level_of_tls_keeps_its_word),
	    cmocka_unit_test(a_failed_handshake_is_said_once),
	    cmocka_unit_test(
		a_host_that_hangs_up_is_not_asked_for_ten_minutes),
	    cmocka_unit_test(with_a_login_mail_waits_for_tls),
	    cmocka_unit_test(a_starttls_that_is_gone_is_said),
	    cmocka_unit_test(another_s_fingerprint_waits),
	    cmocka_unit_test(dane_does_what_the_zone_says),
	    cmocka_unit_test(a_kept_connection_stays_encrypted),
	    cmocka_unit_test(a_large_message_goes_through_tls),
	    cmocka_unit_test(a_leg_without_a_context_waits),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
