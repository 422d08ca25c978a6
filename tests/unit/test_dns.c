/* SPDX-License-Identifier: ISC
 *
 * Questions to a DNS server of our own on loopback.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "tests/unit/dnsserver.h"

enum { TURNS = 1000, TURN_MS = 20 };

/* clang-format off */
static const struct dnsserver_row zone[] = {
	{ "mail.example", "A",    0, "@ 60 A 192.0.2.1\n@ 60 A 192.0.2.2" },
	{ "mail.example", "AAAA", 0, "@ 60 AAAA 2001:db8::1" },
	{ "mail.example", "MX",   0, "example 60 SOA 60" },
	{ "example.com",  "MX",   0, "@ 60 MX 20 b.example\n@ 60 MX 5 A.Example\n"
	                             "@ 60 MX 10 c.example\n@ 60 MX 10 d.example" },
	{ "equal.example", "MX",  0, "@ 60 MX 10 a.example\n@ 60 MX 10 b.example\n"
	                             "@ 60 MX 10 c.example" },
	{ "null.example", "MX",   0, "@ 60 MX 0 ." },
	{ "alias.example", "A",   0, "@ 60 CNAME two.example\ntwo.example 5 CNAME mail.example\n"
	                             "mail.example 60 A 192.0.2.1" },
	{ "spf.example",  "TXT",  0, "@ 60 TXT v=spf1 |-all\n@ 60 TXT other" },
	{ "1.2.0.192.in-addr.arpa", "PTR", 0, "@ 60 PTR Mail.Example" },
	{ "short.example", "A",   0, "@ 0 A 192.0.2.9" },
	{ "refused.example", "A", 5, "" },
	{ "signed.example", "A",  DNSSERVER_AD, "@ 60 A 192.0.2.7" },
	{ "_25._tcp.signed.example", "TLSA", DNSSERVER_AD, "@ 60 TLSA 3 1 1 00fFa0" },
	{ "unsigned.example", "A", 0, "@ 60 A 192.0.2.8" },
	{ "long.example", "A",    0, "@ 2147483648 A 192.0.2.9" },
	{ "liar.example", "A",    0, "other.example 60 A 192.0.2.66" },
	{ "a b.example",  "A",    0, "@ 60 A 192.0.2.20" },
	{ "a\\b\\.example", "A",  0, "@ 60 A 192.0.2.21" },
	{ "\xff\x01(\"@).example", "A", 0, "@ 60 CNAME \xc3\xa4|\\.example\n"
	                             "\xc3\xa4|\\.example 60 A 192.0.2.22" },
	{ "odd.example", "PTR",   0, "@ 60 PTR A \\\xff.example" },
	{ "odd.example", "MX",    0, "@ 60 MX 5 a \\\xff.example" },
	{ "round.example", "A",   0, "@ 60 CNAME two.example\ntwo.example 60 CNAME round.example" },
	{ 0 },
};
/* clang-format on */

struct world {
	struct clock_fake clock;
	struct loop *loop;
	struct dnsserver server;
	struct conf conf;
	struct dns *dns;
	/* of the last callback */
	int answers;
	enum dns_status status;
	char text[2000]; /* the records, one blank between */
	uint32_t ttl_s;
	bool secure;
	bool free_dns;
};

static void write_down(struct strbuf *b, const struct dns_answer *a, int i)
{
	char ip[NETADDR_TEXT];

	if (i > 0)
		strbuf_addc(b, ' ');
	if (a->type == DNS_MX) {
		strbuf_addf(b, "%d:%s", a->mx[i].preference, a->mx[i].host);
	} else if (a->type == DNS_TXT) {
		strbuf_addc(b, '"');
		strbuf_addsl(b, slice_head(a->txt[i], 100));
		strbuf_addc(b, '"');
	} else if (a->type == DNS_PTR) {
		strbuf_adds(b, a->name[i]);
	} else if (a->type == DNS_TLSA) {
		strbuf_addf(b, "%d %d %d ", a->tlsa[i].usage,
		    a->tlsa[i].selector, a->tlsa[i].matching);
		for (size_t n = 0; n < a->tlsa[i].data.n; n++)
			strbuf_addf(b, "%02x",
			    (unsigned char)a->tlsa[i].data.p[n]);
	} else {
		netaddr_ip(&a->addr[i], ip);
		strbuf_adds(b, ip);
	}
}

static void on_answer(void *arg, const struct dns_answer *a)
{
	struct world *w = arg;
	struct strbuf b;

	strbuf_init(&b, sizeof(w->text) - 1);
	for (int i = 0; i < a->count; i++)
		write_down(&b, a, i);
	if (a->status == DNS_FAILED)
		strbuf_adds(&b, a->why);
	snprintf(w->text, sizeof(w->text), "%s", strbuf_cstr(&b));
	strbuf_fini(&b);
	w->status = a->status;
	w->ttl_s = a->ttl_s;
	w->secure = a->secure;
	w->answers++;
	if (w->free_dns) {
		dns_free(w->dns);
		w->dns = NULL;
	}
}

/* Of many; in their order. */
static void on_count(void *arg, const struct dns_answer *a)
{
	struct world *w = arg;

	for (int i = 1; i < a->count; i++)
		assert_true(a->mx[i - 1].preference <= a->mx[i].preference);
	snprintf(w->text, sizeof(w->text), "%d", a->count);
	w->status = a->status;
	w->answers++;
}

static int setup(void **state)
{
	struct world *w = NEW(struct world);

	clock_fake_init(&w->clock, 0);
	w->loop = loop_new(&w->clock.clock);
	dnsserver_open(&w->server, w->loop, zone);
	w->dns = dnsserver_client(&w->server, &w->conf, 150);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	dns_free(w->dns);
	dnsserver_close(&w->server);
	loop_free(w->loop);
	mem_free(w);
	return 0;
}

static void turn(struct world *w, int wait_ms)
{
	dnsserver_turn(w->loop, &w->clock, wait_ms);
}

static void until(struct world *w, int answers)
{
	for (int i = 0; i < TURNS && w->answers < answers; i++)
		turn(w, TURN_MS);
	assert_int_equal(w->answers, answers);
}

static void ask(struct world *w, const char *type, const char *name)
{
	int before = w->answers;

	dns_ask(w->dns, (enum dns_type)dnsserver_type(type), name, on_answer,
	    w);
	assert_int_equal(w->answers, before); /* later, never at once */
	until(w, before + 1);
}

static void step_s(struct world *w, int64_t s)
{
	clock_fake_step(&w->clock, s * 1000000);
	loop_once(w->loop, 0);
}

/* clang-format off */
static const struct {
	const char *type, *name;
	enum dns_status status;
	const char *text;
	uint32_t ttl_s;
} questions[] = {
	{ "A",    "mail.example",    DNS_OK,       "192.0.2.1 192.0.2.2",  60 },
	{ "A",    "MAIL.Example",    DNS_OK,       "192.0.2.1 192.0.2.2",  60 },
	{ "AAAA", "mail.example",    DNS_OK,       "2001:db8::1",          60 },
	{ "MX",   "mail.example",    DNS_NODATA,   "",                     60 },
	{ "MX",   "null.example",    DNS_OK,       "0:",                   60 },
	{ "A",    "alias.example",   DNS_OK,       "192.0.2.1",            5  },
	{ "TXT",  "spf.example",     DNS_OK,       "\"v=spf1 -all\" \"other\"", 60 },
	{ "PTR",  "1.2.0.192.in-addr.arpa", DNS_OK, "mail.example",        60 },
	{ "A",    "nobody.example",  DNS_NXDOMAIN, "",                     0  },
	{ "A",    "two..dots",       DNS_NXDOMAIN, "",                     0  },
	{ "A",    ".example",        DNS_NXDOMAIN, "",                     0  },
	{ "A",    "example.",        DNS_NXDOMAIN, "",                     0  },
	{ "A",    "a b.example",     DNS_OK,       "192.0.2.20",           60 },
	{ "A",    "A B.Example",     DNS_OK,       "192.0.2.20",           60 },
	{ "A",    "a\\b\\.example",  DNS_OK,       "192.0.2.21",           60 },
	{ "A",    "a\\.b.example",   DNS_NXDOMAIN, "",                     0  },
	{ "A",    "\xff\x01(\"@).example", DNS_OK, "192.0.2.22",           60 },
	{ "PTR",  "odd.example",     DNS_OK,       "a \\\xff.example",      60 },
	{ "MX",   "odd.example",     DNS_OK,       "5:a \\\xff.example",    60 },
	{ "A",    "",                DNS_NXDOMAIN, "",                     0  },
	{ "A",    "refused.example", DNS_FAILED,   "no DNS server could answer", 0  },
	{ "A",    "long.example",    DNS_OK,       "192.0.2.9",            0  },
	{ "A",    "liar.example",    DNS_NODATA,   "",                     0  },
	{ "A",    "round.example",   DNS_FAILED,   "an alias loop",        0  },
	{ "TLSA", "_25._tcp.signed.example", DNS_OK, "3 1 1 00ffa0",       60 },
};
/* clang-format on */

static void questions_are_answered(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		print_message("%s %s\n", questions[i].type, questions[i].name);
		ask(w, questions[i].type, questions[i].name);
		assert_int_equal(w->status, questions[i].status);
		assert_string_equal(w->text, questions[i].text);
		assert_int_equal(w->ttl_s, questions[i].ttl_s);
	}
}

static void exchangers_come_by_preference_and_equals_in_any_order(void **state)
{
	static const char *const orders[] = {
		"5:a.example 10:c.example 10:d.example 20:b.example",
		"5:a.example 10:d.example 10:c.example 20:b.example",
	};
	struct world *w = *state;
	int seen[2] = {0, 0};

	for (int i = 0; i < 64; i++) {
		bool first;

		ask(w, "MX", "example.com");
		first = strcmp(w->text, orders[0]) == 0;
		assert_string_equal(w->text, orders[first ? 0 : 1]);
		seen[first ? 0 : 1]++;
	}
	assert_int_equal(w->server.asked, 1);
	/* One chance in 2^63 to fail by itself. */
	assert_true(seen[0] > 0 && seen[1] > 0);
}

static void each_of_three_equals_may_be_first_or_last(void **state)
{
	struct world *w = *state;
	bool first[3] = {false}, last[3] = {false};

	for (int i = 0; i < 200; i++) {
		ask(w, "MX", "equal.example");
		first[w->text[3] - 'a'] = true;
		last[w->text[strlen(w->text) - 9] - 'a'] = true;
	}
	/* One chance in 10^34 to fail by itself. */
	for (int i = 0; i < 3; i++)
		assert_true(first[i] && last[i]);
}

static void a_record_that_is_set_stands_for_all_of_that_name(void **state)
{
	struct world *w = *state;

	ask(w, "TXT", "spf.example"); /* the cache has it */
	dns_set_txt(w->dns, "two..dots", "v=spf1 ?all");
	for (int i = 0; i < 2; i++) {
		dns_set_txt(w->dns, "SPF.example",
		    i == 0 ? "v=spf1 ~all" : "v=spf1 +all");
		ask(w, "TXT", "spf.Example");
		assert_string_equal(w->text,
		    i == 0 ? "\"v=spf1 ~all\"" : "\"v=spf1 +all\"");
	}
	step_s(w, 86400 * 2);
	assert_true(dns_known(w->dns, DNS_TXT, "spf.example"));
	assert_int_not_equal(dns_left_ms(w->dns, DNS_TXT, "spf.example"), 0);
	ask(w, "TXT", "spf.example");
	assert_string_equal(w->text, "\"v=spf1 +all\"");
	assert_int_equal(w->server.asked, 1);
	ask(w, "A", "mail.example");
	assert_string_equal(w->text, "192.0.2.1 192.0.2.2");
}

static void an_answer_is_kept_for_its_ttl(void **state)
{
	struct world *w = *state;

	assert_int_equal(dns_left_ms(w->dns, DNS_A, "mail.example"), 0);
	ask(w, "A", "mail.example");
	step_s(w, 59);
	assert_in_range(dns_left_ms(w->dns, DNS_A, "Mail.example"), 1, 1000);
	ask(w, "A", "mail.example");
	assert_int_equal(w->server.asked, 1);
	step_s(w, 2);
	ask(w, "A", "mail.example");
	assert_int_equal(w->server.asked, 2);
}

static void no_is_kept_as_its_authority_says_and_zero_for_a_second(
    void **state)
{
	struct world *w = *state;

	ask(w, "MX", "mail.example");
	step_s(w, 59);
	ask(w, "MX", "mail.example");
	assert_int_equal(w->server.asked, 1);
	ask(w, "A", "short.example");
	ask(w, "A", "short.example");
	assert_int_equal(w->server.asked, 2);
	step_s(w, 2);
	ask(w, "A", "short.example");
	assert_int_equal(w->server.asked, 3);
}

static void many_askers_share_one_question(void **state)
{
	struct world *w = *state;

	assert_false(dns_known(w->dns, DNS_A, "Mail.example"));
	for (int i = 0; i < 100; i++)
		dns_ask(w->dns, DNS_A, i % 2 ? "mail.example" : "MAIL.example",
		    on_answer, w);
	assert_true(dns_known(w->dns, DNS_A, "Mail.example")); /* asked */
	until(w, 100);
	assert_int_equal(w->server.asked, 1);
	assert_true(dns_known(w->dns, DNS_A, "Mail.example")); /* answered */
	assert_false(dns_known(w->dns, DNS_AAAA, "mail.example"));
	assert_true(dns_known(w->dns, DNS_A, "two..dots"));
	step_s(w, 61);
	assert_false(dns_known(w->dns, DNS_A, "mail.example"));
}

static void a_cancelled_question_calls_nobody_but_fills_the_cache(
    void **state)
{
	struct world *w = *state;

	dns_cancel(dns_ask(w->dns, DNS_A, "mail.example", on_answer, w));
	ask(w, "A", "mail.example");
	dns_cancel(dns_ask(w->dns, DNS_A, "mail.example", on_answer, w));
	ask(w, "AAAA", "mail.example");
	assert_int_equal(w->answers, 2);
	assert_int_equal(w->server.asked, 2);
}

static void a_callback_may_free_it_all(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 3; i++)
		dns_ask(w->dns, DNS_A, "mail.example", on_answer, w);
	dns_ask(w->dns, DNS_MX, "example.com", on_answer, w);
	w->free_dns = true;
	until(w, 1);
	for (int i = 0; i < 10; i++)
		turn(w, 1);
	assert_int_equal(w->answers, 1);
}

/* clang-format off */
static const struct {
	enum dnsserver_mood mood;
	const char *why;
} lie[] = {
	{ DNSSERVER_SILENT,         "Timeout while contacting DNS servers" },
	{ DNSSERVER_SERVFAIL,       "no DNS server could answer" },
	{ DNSSERVER_WRONG_ID,       "Timeout while contacting DNS servers" },
	{ DNSSERVER_WRONG_QUESTION, "Timeout while contacting DNS servers" },
	{ DNSSERVER_GARBAGE,        "Timeout while contacting DNS servers" },
};
/* clang-format on */

/* From now on AD is asked for, and packets are made by ourselves. */
static void believe(struct world *w)
{
	struct error err;

	dns_free(w->dns);
	w->conf.resolver.validating = true;
	w->dns = dns_new(w->loop, &w->conf, &err);
	assert_non_null(w->dns);
}

static void the_same_is_said_when_signatures_are_asked_for(void **state)
{
	believe(*state);
	questions_are_answered(state);
}

static void a_signature_is_believed_from_a_validating_server_alone(
    void **state)
{
	struct world *w = *state;

	for (int mood = 0; mood < 2; mood++) {
		ask(w, "A", "signed.example");
		assert_string_equal(w->text, "192.0.2.7");
		assert_false(w->secure);
		step_s(w, 3600);
		w->server.mood = DNSSERVER_BOASTS;
	}
	w->server.mood = DNSSERVER_HONEST;
	believe(w);
	ask(w, "A", "signed.example");
	assert_true(w->secure);
	ask(w, "TLSA", "_25._tcp.signed.example");
	assert_true(w->secure);
	ask(w, "A", "signed.example"); /* out of the cache, too */
	assert_true(w->secure);
	ask(w, "A", "unsigned.example");
	assert_string_equal(w->text, "192.0.2.8");
	assert_false(w->secure);
}

/* An attacker that silences the resolver must not bring back an earlier
 * answer. */
static void which_certificate_is_right_is_never_stale(void **state)
{
	struct world *w = *state;

	ask(w, "TLSA", "_25._tcp.signed.example");
	assert_int_equal(w->status, DNS_OK);
	step_s(w, 59);
	w->server.mood = DNSSERVER_SERVFAIL;
	ask(w, "TLSA", "_25._tcp.signed.example");
	assert_int_equal(w->status, DNS_OK);
	step_s(w, 2);
	ask(w, "TLSA", "_25._tcp.signed.example");
	assert_int_equal(w->status, DNS_FAILED);
	step_s(w, 3);
	ask(w, "TLSA", "_25._tcp.signed.example");
	assert_int_equal(w->status, DNS_FAILED);
}

static void lies(struct world *w)
{
	for (size_t i = 0; i < ARRAY_LEN(lie); i++) {
		w->server.mood = lie[i].mood;
		print_message("%s\n", lie[i].why);
		ask(w, "A", "mail.example");
		assert_int_equal(w->status, DNS_FAILED);
		assert_string_equal(w->text, lie[i].why);
		step_s(w, 3);
	}
	w->server.mood = DNSSERVER_HONEST;
	ask(w, "A", "mail.example");
	assert_int_equal(w->status, DNS_OK);
}

static void silence_and_lies_are_temporary_failures(void **state)
{
	lies(*state);
	believe(*state);
	lies(*state);
}

static void a_thousand_exchangers_are_a_lot_and_no_more(void **state)
{
	struct world *w = *state;
	struct dnsserver_row rows[] = {{"huge.example", "MX", 0, NULL}, {0}};
	struct strbuf b;
	struct error err;

	strbuf_init(&b, 1 << 20);
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&b, "%s@ 60 MX %d mx%d.huge.example",
		    i > 0 ? "\n" : "", i % 3, i);
	rows[0].records = strbuf_cstr(&b);
	w->server.rows = rows;
	w->conf.resolver.timeout_ms = 5000; /* a busy machine takes a while */
	assert_int_equal(dns_configure(w->dns, &w->conf, &err), 0);
	w->server.mood = DNSSERVER_TRUNCATED;
	dns_ask(w->dns, DNS_MX, "huge.example", on_count, w);
	until(w, 1);
	assert_int_equal(w->status, DNS_OK);
	assert_string_equal(w->text, "1000");
	assert_int_equal(w->server.asked_tcp, 1);
	strbuf_fini(&b);
}

static void a_stale_answer_serves_while_the_resolver_fails(void **state)
{
	struct world *w = *state;
	int asked;

	ask(w, "A", "mail.example");
	w->server.mood = DNSSERVER_SERVFAIL;
	step_s(w, 3600);
	ask(w, "A", "mail.example");
	assert_int_equal(w->status, DNS_OK);
	assert_string_equal(w->text, "192.0.2.1 192.0.2.2");
	asked = w->server.asked;
	ask(w, "A", "mail.example"); /* believed for half a minute */
	assert_int_equal(w->status, DNS_OK);
	assert_int_equal(w->server.asked, asked);
	step_s(w, 31);
	ask(w, "A", "mail.example");
	assert_int_equal(w->status, DNS_OK);
	assert_true(w->server.asked > asked);
	step_s(w, 4 * 3600); /* too old */
	ask(w, "A", "mail.example");
	assert_int_equal(w->status, DNS_FAILED);
}

static void a_truncated_reply_is_asked_again_over_tcp(void **state)
{
	struct world *w = *state;

	w->server.mood = DNSSERVER_TRUNCATED;
	ask(w, "TXT", "spf.example");
	assert_int_equal(w->status, DNS_OK);
	assert_string_equal(w->text, "\"v=spf1 -all\" \"other\"");
	assert_int_equal(w->server.asked_tcp, 1);
}

static void another_server_is_asked_what_is_asked(void **state)
{
	static const struct dnsserver_row other[] = {
	    {"mail.example", "A", 0, "@ 60 A 192.0.2.77"}, {0}};
	struct world *w = *state;
	struct dnsserver second;
	struct error err;

	ask(w, "AAAA", "mail.example");
	dnsserver_open(&second, w->loop, other);
	w->server.mood = DNSSERVER_SILENT;
	dns_ask(w->dns, DNS_A, "mail.example", on_answer, w);
	for (int i = 0; i < 100 && w->server.asked < 2; i++)
		turn(w, 1);
	w->server.at.port = second.port;
	assert_int_equal(dns_configure(w->dns, &w->conf, &err), 0);
	until(w, 2);
	assert_string_equal(w->text, "192.0.2.77");
	/* The first one's answer is not believed any more. */
	ask(w, "AAAA", "mail.example");
	assert_int_equal(w->status, DNS_NXDOMAIN);
	/* A list that cannot be leaves all as it was. */
	w->server.at.host = (char[]){"no address"};
	assert_int_equal(dns_configure(w->dns, &w->conf, &err), -1);
	ask(w, "A", "mail.example");
	assert_string_equal(w->text, "192.0.2.77");
	dnsserver_close(&second);
}

/* A resolver that says nothing must not stop mail to a name that is known. */
static void what_was_known_serves_until_another_server_answers(void **state)
{
	static const struct dnsserver_row other[] = {
	    {"mail.example", "A", 0, "@ 60 A 192.0.2.77"}, {0}};
	struct world *w = *state;
	struct dnsserver second;
	struct error err;

	ask(w, "A", "mail.example");
	assert_string_equal(w->text, "192.0.2.1 192.0.2.2");
	dnsserver_open(&second, w->loop, other);
	second.mood = DNSSERVER_SILENT;
	w->server.at.port = second.port;
	w->conf.resolver.timeout_ms = 600000;
	assert_int_equal(dns_configure(w->dns, &w->conf, &err), 0);
	ask(w, "A", "mail.example"); /* long before the time-out */
	assert_string_equal(w->text, "192.0.2.1 192.0.2.2");
	assert_int_equal(second.asked, 1);
	/* Its answer is believed as soon as there is one. */
	second.mood = DNSSERVER_HONEST;
	assert_int_equal(dns_configure(w->dns, &w->conf, &err), 0);
	ask(w, "A", "mail.example");
	assert_string_equal(w->text, "192.0.2.77");
	/* Other rules of signatures: nothing of before serves. */
	second.mood = DNSSERVER_SERVFAIL;
	w->conf.resolver.validating = !w->conf.resolver.validating;
	assert_int_equal(dns_configure(w->dns, &w->conf, &err), 0);
	ask(w, "A", "mail.example");
	assert_int_equal(w->status, DNS_FAILED);
	dnsserver_close(&second);
}

static void a_resolver_that_is_no_address_is_refused(void **state)
{
	struct world *w = *state;
	char host[] = "no address";
	struct error err;

	w->server.at.host = host;
	assert_null(dns_new(w->loop, &w->conf, &err));
	assert_non_null(strstr(err.text, "resolver.servers: no address"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(questions_are_answered),
		T(exchangers_come_by_preference_and_equals_in_any_order),
		T(each_of_three_equals_may_be_first_or_last),
		T(a_record_that_is_set_stands_for_all_of_that_name),
		T(an_answer_is_kept_for_its_ttl),
		T(no_is_kept_as_its_authority_says_and_zero_for_a_second),
		T(many_askers_share_one_question),
		T(a_cancelled_question_calls_nobody_but_fills_the_cache),
		T(a_callback_may_free_it_all),
		T(silence_and_lies_are_temporary_failures),
		T(a_stale_answer_serves_while_the_resolver_fails),
		T(a_truncated_reply_is_asked_again_over_tcp),
		T(another_server_is_asked_what_is_asked),
		T(what_was_known_serves_until_another_server_answers),
		T(a_resolver_that_is_no_address_is_refused),
		T(the_same_is_said_when_signatures_are_asked_for),
		T(a_signature_is_believed_from_a_validating_server_alone),
		T(which_certificate_is_right_is_never_stale),
		T(a_thousand_exchangers_are_a_lot_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
