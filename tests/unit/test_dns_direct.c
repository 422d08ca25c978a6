/* SPDX-License-Identifier: ISC
 *
 * Single DNS servers are asked by themselves, and what a reply says beside its
 * records: authority, zone, serial, name servers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/net/dns_direct.h"
#include "relay/net/dns_told.h"
#include "tests/unit/dnsserver.h"

enum { TIMEOUT_MS = 300, REPLY_MAX = 65535 };

/* ---- one reply ---------------------------------------------------------- */

static const struct {
	const char *title;
	struct dnsserver_row row;
	bool authoritative;
	unsigned rcode;
	const char *zone, *owner, *server; /* the first one */
	int servers;
	uint32_t ttl_s;
	int64_t serial;
} replies[] = {
	/* clang-format off */
	{ "a SOA, with authority", { "a.b", "SOA", DNSSERVER_AA, "@ 60 SOA 17" },
	  true, 0, "a.b", "", NULL, 0, 0, 1 },
	{ "the zone of a name that is not there",
	  { "x.a.b", "MX", DNSSERVER_AA | 3, "a.b 60 SOA 17" },
	  true, 3, "a.b", "", NULL, 0, 0, 1 },
	{ "name servers", { "a.b", "NS", 0, "@ 60 NS ns1.a.b\n@ 30 NS NS2.a.b" },
	  false, 0, "", "a.b", "ns1.a.b", 2, 30, -1 },
	{ "a delegation", { "x.a.b", "NS", 0, "a.b 90 DELEGATION ns1.a.b" },
	  false, 0, "", "a.b", "ns1.a.b", 1, 90, -1 },
	{ "of two owners the first", { "a.b", "NS", 0, "@ 60 NS ns1.a.b\nb 30 NS ns2.a.b" },
	  false, 0, "", "a.b", "ns1.a.b", 1, 60, -1 },
	{ "a host that cannot be", { "a.b", "NS", 0, "@ 60 NS n s.b\n@ 60 NS ns2.a.b" },
	  false, 0, "", "a.b", "ns2.a.b", 1, 60, -1 },
	{ "refused", { "a.b", "NS", 5, "" }, false, 5, "", "", NULL, 0, 0, -1 },
	/* clang-format on */
};

static void a_reply_tells_more_than_its_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		const struct dnsserver_row *row = &replies[i].row;
		struct dns_told t;
		struct strbuf b;
		const char *why = NULL;

		strbuf_init(&b, REPLY_MAX);
		dnsserver_reply(row, 7, &b);
		if (dns_told_parse(strbuf_view(&b),
			(enum dns_type)dnsserver_type(row->type), row->name, &t,
			&why) != 0)
			fail_msg("%s: %s", replies[i].title, why);
		if (t.authoritative != replies[i].authoritative ||
		    t.rcode != replies[i].rcode ||
		    strcmp(t.zone, replies[i].zone) != 0 ||
		    strcmp(t.owner, replies[i].owner) != 0 ||
		    t.servers != replies[i].servers || t.more ||
		    t.serial != replies[i].serial ||
		    (t.servers > 0 && (t.ttl_s != replies[i].ttl_s ||
			strcmp(t.server[0], replies[i].server) != 0)))
			fail_msg("%s", replies[i].title);
		strbuf_fini(&b);
	}
}

static int told(struct slice packet, const char *name, const char **why)
{
	struct dns_told t;

	return dns_told_parse(packet, DNS_NS, name, &t, why);
}

static void what_is_no_reply_is_refused(void **state)
{
	static const struct dnsserver_row row = {"a.b", "NS", 0,
	    "@ 60 NS ns1.a.b"};
	struct strbuf b;
	const char *why = "";

	(void)state;
	strbuf_init(&b, REPLY_MAX);
	dnsserver_reply(&row, 7, &b);
	assert_int_equal(told(strbuf_view(&b), "a.b", &why), 0);
	assert_int_equal(told(strbuf_view(&b), "c.b", &why), -1);
	assert_string_equal(why, "another question");
	/* However it is cut, it is refused, and nothing behind it is read. */
	for (size_t n = 0; n < b.n; n++) {
		char *cut = mem_dup(b.p, n);

		assert_int_equal(told(slice_of(cut, n), "a.b", &why), -1);
		mem_free(cut);
	}
	b.p[2] |= 0x02;
	assert_int_equal(told(strbuf_view(&b), "a.b", &why), -1);
	assert_string_equal(why, "a truncated reply");
	b.p[2] &= 0x7d;
	assert_int_equal(told(strbuf_view(&b), "a.b", &why), -1);
	assert_string_equal(why, "not a reply");
	strbuf_fini(&b);
}

static void there_is_a_ceiling_of_servers(void **state)
{
	char records[4096] = "@ 60 NS ns99.a.b";
	struct dnsserver_row row = {"a.b", "NS", 0, records};
	struct dns_told t;
	struct strbuf b;
	const char *why;
	size_t n = strlen(records);

	(void)state;
	for (int i = 0; i < DNS_TOLD_SERVERS; i++)
		n += (size_t)snprintf(records + n, sizeof(records) - n,
		    "\n@ 60 NS ns%d.a.b", i);
	strbuf_init(&b, REPLY_MAX);
	dnsserver_reply(&row, 7, &b);
	assert_int_equal(dns_told_parse(strbuf_view(&b), DNS_NS, "a.b", &t,
	    &why), 0);
	assert_int_equal(t.servers, DNS_TOLD_SERVERS);
	assert_true(t.more);
	strbuf_fini(&b);
}

/* ---- servers ------------------------------------------------------------ */

static const struct dnsserver_row zone[] = {
	{"a.b", "MX", DNSSERVER_AA, "@ 60 MX 10 mx.a.b"},
	{"a.b", "SOA", DNSSERVER_AA, "@ 60 SOA 17"},
	{.name = NULL},
};

static struct dns_direct ask(const struct dnsserver *s, enum dns_type type)
{
	struct dns_direct q = {.at = {.timeout_ms = TIMEOUT_MS}, .type = type,
	    .name = "a.b"};

	netaddr_parse(&q.at.server, SLICE("127.0.0.1"), s->port);
	return q;
}

static void each_answer_is_of_the_server_that_was_asked(void **state)
{
	struct loop *l = loop_new(&clock_system);
	struct dnsserver good, refuses, dead, cuts;
	struct dns_direct q[5];

	(void)state;
	dnsserver_open(&good, l, zone);
	dnsserver_open(&refuses, l, zone);
	dnsserver_open(&dead, l, zone);
	dnsserver_open(&cuts, l, zone);
	refuses.mood = DNSSERVER_SERVFAIL;
	dead.mood = DNSSERVER_SILENT;
	cuts.mood = DNSSERVER_TRUNCATED;
	q[0] = ask(&good, DNS_MX);
	q[1] = ask(&refuses, DNS_MX);
	q[2] = ask(&dead, DNS_MX);
	q[3] = ask(&cuts, DNS_MX);
	q[4] = ask(&good, DNS_SOA);
	dns_direct_run(l, q, 5, NULL);
	assert_non_null(q[0].packet);
	assert_null(q[0].why);
	assert_int_equal(q[1].packet[3] & 15, 2); /* its own words */
	assert_null(q[2].packet);
	assert_string_equal(q[2].why, "no answer");
	assert_non_null(q[3].packet);
	assert_int_equal(q[3].packet[2] & 0x02, 0);
	assert_int_equal(cuts.asked_tcp, 1);
	assert_non_null(q[4].packet);
	dns_direct_fini(q, 5);
	dnsserver_close(&good);
	dnsserver_close(&refuses);
	dnsserver_close(&dead);
	dnsserver_close(&cuts);
	loop_free(l);
}

static void many_questions_wait_for_their_turn(void **state)
{
	struct loop *l = loop_new(&clock_system);
	struct dns_direct q[3 * DNS_DIRECT_MAX];
	struct dnsserver s;

	(void)state;
	dnsserver_open(&s, l, zone);
	for (size_t i = 0; i < ARRAY_LEN(q); i++)
		q[i] = ask(&s, DNS_MX);
	dns_direct_run(l, q, ARRAY_LEN(q), NULL);
	for (size_t i = 0; i < ARRAY_LEN(q); i++)
		assert_non_null(q[i].packet);
	assert_int_equal(s.asked, ARRAY_LEN(q));
	dns_direct_fini(q, ARRAY_LEN(q));
	dnsserver_close(&s);
	loop_free(l);
}

static void one_that_is_stopped_gives_up(void **state)
{
	struct loop *l = loop_new(&clock_system);
	_Atomic bool stop = true;
	struct dnsserver s;
	struct dns_direct q;

	(void)state;
	dnsserver_open(&s, l, zone);
	s.mood = DNSSERVER_SILENT;
	q = ask(&s, DNS_MX);
	dns_direct_run(l, &q, 1, &stop);
	assert_null(q.packet);
	assert_non_null(q.why);
	dnsserver_close(&s);
	loop_free(l);
}

static void the_servers_of_a_channel_are_told(void **state)
{
	struct loop *l = loop_new(&clock_system);
	struct conf_hostport at[2] = {{(char *)(uintptr_t)"127.0.0.7", 5300,
	    true}, {(char *)(uintptr_t)"::1", 53, true}};
	struct conf c = {.resolver = {.server = at, .servers = 2,
	    .timeout_ms = 1000}};
	struct netaddr a[4];
	struct dns_channel ch;
	struct error err;
	char text[NETADDR_TEXT];

	(void)state;
	dns_channel_init(&ch, l);
	assert_int_equal(dns_channel_open(&ch, &c, &err), 0);
	assert_int_equal(dns_channel_servers(&ch, a, 4), 2);
	netaddr_text(&a[0], text);
	assert_string_equal(text, "127.0.0.7:5300");
	netaddr_text(&a[1], text);
	assert_string_equal(text, "[::1]:53");
	assert_int_equal(dns_channel_servers(&ch, a, 1), 1);
	dns_channel_fini(&ch);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_reply_tells_more_than_its_records),
	    cmocka_unit_test(what_is_no_reply_is_refused),
	    cmocka_unit_test(there_is_a_ceiling_of_servers),
	    cmocka_unit_test(each_answer_is_of_the_server_that_was_asked),
	    cmocka_unit_test(many_questions_wait_for_their_turn),
	    cmocka_unit_test(one_that_is_stopped_gives_up),
	    cmocka_unit_test(the_servers_of_a_channel_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
