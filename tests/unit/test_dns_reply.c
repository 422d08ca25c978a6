/* SPDX-License-Identifier: ISC
 *
 * The answer in a raw reply: what leads to it, and what must not be believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "relay/net/dnscache.h"
#include "tests/unit/dnsserver.h"

/* clang-format off */
static const struct {
	const char *title;
	struct dnsserver_row row;
	enum dns_status status;
	int count;
	uint32_t ttl_s;
	const char *alias_of;
} replies[] = {
	{ "plain",            { "a.b", "A", 0, "@ 60 A 192.0.2.1\n@ 30 A 192.0.2.2" },
	  DNS_OK, 2, 30, NULL },
	{ "case",             { "a.b", "A", 0, "A.B 60 A 192.0.2.1" }, DNS_OK, 1, 60, NULL },
	{ "sign bit of the TTL", { "a.b", "A", 0, "@ 2147483648 A 192.0.2.1" },
	  DNS_OK, 1, 0, NULL },
	{ "another name",     { "a.b", "A", 0, "x.b 60 A 192.0.2.1" }, DNS_NODATA, 0, 0, NULL },
	{ "another type",     { "a.b", "A", 0, "@ 60 AAAA ::1" }, DNS_NODATA, 0, 0, NULL },
	{ "beside the chain",
	  { "a.b", "A", 0, "@ 9 CNAME c.b\nc.b 60 A 192.0.2.1\nx.b 1 A 192.0.2.2" },
	  DNS_OK, 1, 9, "c.b" },
	{ "chain backwards",
	  { "a.b", "A", 0, "d.b 60 A 192.0.2.1\nc.b 60 CNAME d.b\n@ 60 CNAME c.b" },
	  DNS_OK, 1, 60, "d.b" },
	{ "chain to nowhere", { "a.b", "A", 0, "@ 60 CNAME c.b" }, DNS_NODATA, 0, 0, NULL },
	{ "alias of nobody",  { "a.b", "A", 3, "@ 60 CNAME c.b\nb 60 SOA 77" },
	  DNS_NXDOMAIN, 0, 60, NULL },
	{ "alias of itself",  { "a.b", "A", 0, "@ 60 CNAME a.b" }, DNS_FAILED, 0, 0, NULL },
	{ "alias loop",       { "a.b", "A", 0, "@ 60 CNAME c.b\nc.b 60 CNAME a.b" },
	  DNS_FAILED, 0, 0, NULL },
	{ "nobody",           { "a.b", "MX", 3, "b 60 SOA 17" }, DNS_NXDOMAIN, 0, 17, NULL },
	{ "no such type",     { "a.b", "MX", 0, "b 7 SOA 17" }, DNS_NODATA, 0, 7, NULL },
	{ "no and no SOA",    { "a.b", "MX", 3, "" }, DNS_NXDOMAIN, 0, 0, NULL },
	{ "answer in NXDOMAIN", { "a.b", "A", 3, "@ 60 A 192.0.2.1" }, DNS_NXDOMAIN, 0, 0, NULL },
	{ "SERVFAIL",         { "a.b", "A", 2, "@ 60 A 192.0.2.1" }, DNS_FAILED, 0, 0, NULL },
	{ "REFUSED",          { "a.b", "A", 5, "" }, DNS_FAILED, 0, 0, NULL },
	{ "unknown code",     { "a.b", "A", 15, "" }, DNS_FAILED, 0, 0, NULL },
	{ "odd host",         { "a.b", "MX", 0, "@ 60 MX 1 x y.b\n@ 60 MX 2 z.b" },
	  DNS_OK, 2, 60, NULL },
	{ "odd name asked",   { "a \xff\\.b", "A", 0, "@ 60 A 192.0.2.1" }, DNS_OK, 1, 60, NULL },
	{ "null MX",          { "a.b", "MX", 0, "@ 60 MX 0 ." }, DNS_OK, 1, 60, NULL },
	{ "TLSA",             { "a.b", "TLSA", 0, "@ 60 TLSA 3 1 1 00ff" }, DNS_OK, 1, 60, NULL },
	{ "TLSA of nothing",  { "a.b", "TLSA", 0, "@ 60 TLSA 3 1 1 " }, DNS_OK, 1, 60, NULL },
	{ "TLSA by an alias", { "a.b", "TLSA", 0, "@ 9 CNAME c.b\nc.b 60 TLSA 2 0 1 00" },
	  DNS_OK, 1, 9, "c.b" },
	{ "empty TXT",        { "a.b", "TXT", 0, "@ 60 TXT |" }, DNS_OK, 1, 60, NULL },
};
/* clang-format on */

static void a_reply_says_what_the_question_leads_to(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		const struct dnsserver_row *row = &replies[i].row;
		struct dns_answer a;
		struct strbuf b;
		const char *why;
		int rc;

		print_message("%s\n", replies[i].title);
		strbuf_init(&b, 65535);
		dnsserver_reply(row, 1, &b);
		rc = dns_reply_parse(strbuf_view(&b),
		    (enum dns_type)dnsserver_type(row->type), &a, &why);
		assert_int_equal(a.status, replies[i].status);
		assert_int_equal(rc, a.status == DNS_FAILED ? -1 : 0);
		assert_int_equal(a.count, replies[i].count);
		assert_int_equal(a.ttl_s, replies[i].ttl_s);
		assert_string_equal(a.alias_of == NULL ? "" : a.alias_of,
		    replies[i].alias_of == NULL ? "" : replies[i].alias_of);
		dns_answer_fini(&a);
		strbuf_fini(&b);
	}
}

/* The bytes stand alone in memory, so that a read past them is found. */
static int parse(struct slice packet, enum dns_type type)
{
	char *alone = mem_dup(packet.p, packet.n);
	struct dns_answer a;
	const char *why;
	int rc = dns_reply_parse(slice_of(alone, packet.n), type, &a, &why);

	mem_free(alone);
	dns_answer_fini(&a);
	return rc;
}

static void a_reply_cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		const struct dnsserver_row *row = &replies[i].row;
		enum dns_type type = (enum dns_type)dnsserver_type(row->type);
		struct strbuf b;

		strbuf_init(&b, 65535);
		dnsserver_reply(row, 1, &b);
		for (size_t n = 0; n < b.n; n++)
			assert_int_equal(
			    parse(slice_of(b.p, n), type), -1);
		strbuf_fini(&b);
	}
}

/* It must end and read nothing outside; what it says does not matter. */
static void any_byte_may_be_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		const struct dnsserver_row *row = &replies[i].row;
		enum dns_type type = (enum dns_type)dnsserver_type(row->type);
		struct strbuf b;

		strbuf_init(&b, 65535);
		dnsserver_reply(row, 1, &b);
		for (size_t n = 0; n < b.n; n++) {
			char was = b.p[n];

			for (int v = 0; v < 256; v += 3) {
				b.p[n] = (char)v;
				parse(strbuf_view(&b), type);
			}
			b.p[n] = was;
		}
		strbuf_fini(&b);
	}
}

/* clang-format off */
#define HEAD(answers) "\0\1\x81\x80\0\1\0" answers "\0\0\0\0"
#define QUESTION "\1a\0\0\1\0\1" /* at 12 */
#define RR_A "\0\1\0\1\0\0\0\74\0\4\300\0\2\1"
static const struct {
	const char *title;
	struct slice packet;
	int rc;
} packets[] = {
	{ "compressed",         SLICE(HEAD("\1") QUESTION "\300\14" RR_A), 0 },
	{ "pointer to itself",  SLICE(HEAD("\1") QUESTION "\300\23" RR_A), -1 },
	{ "pointer forward",    SLICE(HEAD("\1") QUESTION "\300\30" RR_A), -1 },
	{ "pointer to the header", SLICE(HEAD("\1") QUESTION "\300\2" RR_A), -1 },
	{ "label and back to it", SLICE(HEAD("\1") QUESTION "\1x\300\23" RR_A), -1 },
	{ "label type 01",      SLICE(HEAD("\1") QUESTION "\101x" RR_A), -1 },
	{ "A of three bytes",   SLICE(HEAD("\1") QUESTION "\300\14\0\1\0\1\0\0\0\74\0\3\300\0\2"),
	  -1 },
	{ "A of five bytes",
	  SLICE(HEAD("\1") QUESTION "\300\14\0\1\0\1\0\0\0\74\0\5\300\0\2\1\1"),
	  -1 },
	{ "class CHAOS",        SLICE(HEAD("\1") QUESTION "\300\14\0\1\0\3\0\0\0\74\0\4\300\0\2\1"),
	  0 },
	{ "a query",            SLICE("\0\1\1\0\0\1\0\0\0\0\0\0" QUESTION), -1 },
	{ "no question",        SLICE("\0\1\x81\x80\0\0\0\0\0\0\0\0"), -1 },
	{ "two questions",      SLICE("\0\1\x81\x80\0\2\0\0\0\0\0\0" QUESTION QUESTION), -1 },
	{ "truncated",          SLICE("\0\1\x83\x80\0\1\0\0\0\0\0\0" QUESTION), -1 },
	{ "question of AAAA",   SLICE(HEAD("\0") "\1a\0\0\34\0\1"), -1 },
	{ "a dot in a label",   SLICE(HEAD("\1") "\3a.b\0\0\1\0\1" "\1a\1b\0" RR_A), 0 },
	{ "65,535 records",     SLICE("\0\1\x81\x80\0\1\377\377\0\0\0\0" QUESTION "\300\14" RR_A),
	  -1 },
};
/* clang-format on */

static void odd_packets_do_no_harm(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(packets); i++) {
		print_message("%s\n", packets[i].title);
		assert_int_equal(
		    parse(packets[i].packet, DNS_A), packets[i].rc);
	}
}

static void a_name_with_a_dot_in_a_label_is_nobody_else(void **state)
{
	struct dns_answer a;
	const char *why;

	(void)state;
	assert_int_equal(dns_reply_parse(SLICE(HEAD("\1")
	    "\3a.b\0\0\1\0\1" "\1a\1b\0" RR_A), DNS_A, &a, &why), 0);
	assert_int_equal(a.status, DNS_NODATA);
	dns_answer_fini(&a);
}

static void the_strings_of_a_long_record_are_joined(void **state)
{
	struct dnsserver_row row = {"a.b", "TXT", 0, NULL};
	struct strbuf records, b;
	struct dns_answer a;
	const char *why;

	(void)state;
	strbuf_init(&records, 70000);
	strbuf_adds(&records, "@ 60 TXT ");
	for (int i = 0; i < 50000; i++)
		strbuf_addc(&records, 'x');
	row.records = strbuf_cstr(&records);
	strbuf_init(&b, 65535);
	dnsserver_reply(&row, 1, &b);
	assert_int_equal(
	    dns_reply_parse(strbuf_view(&b), DNS_TXT, &a, &why), 0);
	assert_int_equal(a.txt[0].n, 50000);
	dns_answer_fini(&a);
	strbuf_fini(&b);
	strbuf_fini(&records);
}

static void put(struct dnscache *c, int number, size_t bytes, int64_t now_ms)
{
	struct dns_answer a = {.status = DNS_OK, .type = DNS_TXT,
		.ttl_s = 60, .count = 1};
	struct dns_held *h;
	char name[30];

	a.txt = NEW_ARRAY(struct slice, 1);
	a.txt[0] = slice_of(mem_new(bytes), bytes);
	h = dns_hold(&a);
	snprintf(name, sizeof(name), "n%d.example", number);
	dnscache_put(c, name, h, now_ms);
	dns_held_unref(h);
}

static void the_cache_is_bounded_in_entries_and_bytes(void **state)
{
	struct dnscache *c = dnscache_new(10, 100000);

	(void)state;
	for (int i = 0; i < 100; i++) {
		put(c, i, 10, 0);
		/* In use, so it stays. */
		assert_non_null(
		    dnscache_fresh(c, DNS_TXT, "n0.example", 0));
	}
	assert_int_equal(dnscache_count(c), 10);
	assert_non_null(dnscache_fresh(c, DNS_TXT, "n99.example", 0));
	assert_null(dnscache_fresh(c, DNS_TXT, "n90.example", 0));
	assert_null(dnscache_fresh(c, DNS_MX, "n99.example", 0));
	for (int i = 200; i < 210; i++)
		put(c, i, 30000, 0);
	assert_int_equal(dnscache_count(c), 3);
	put(c, 300, 200000, 0); /* larger than all of it */
	assert_int_equal(dnscache_count(c), 0);
	dnscache_free(c);
}

/* An answer that owns `bytes` in a way of its own. */
static struct dns_answer owning(enum dns_type type, size_t bytes)
{
	struct dns_answer a = {.status = DNS_OK, .type = type, .ttl_s = 60,
		.count = 1};
	char *text = mem_new(bytes + 1);

	memset(text, 'x', bytes);
	if (type == DNS_A) {
		a.alias_of = text;
		a.addr = NEW_ARRAY(struct netaddr, 1);
	} else if (type == DNS_MX) {
		a.mx = NEW_ARRAY(struct dns_mx, 1);
		a.mx[0].host = text;
	} else if (type == DNS_PTR) {
		a.name = NEW_ARRAY(char *, 1);
		a.name[0] = text;
	} else {
		a.tlsa = NEW_ARRAY(struct dns_tlsa, 1);
		a.tlsa[0].data = slice_of(text, bytes);
	}
	return a;
}

static void whatever_an_answer_owns_counts(void **state)
{
	static const enum dns_type types[] = {
	    DNS_A, DNS_MX, DNS_PTR, DNS_TLSA};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct dnscache *c = dnscache_new(100, 100000);

		for (int n = 0; n < 10; n++) {
			struct dns_answer a = owning(types[i], 30000);
			struct dns_held *h = dns_hold(&a);
			char name[30];

			snprintf(name, sizeof(name), "n%d.example", n);
			dnscache_put(c, name, h, 0);
			dns_held_unref(h);
		}
		assert_int_equal(dnscache_count(c), 3);
		dnscache_free(c);
	}
}

static void an_expired_answer_may_serve_for_hours_but_is_not_fresh(
    void **state)
{
	struct dnscache *c = dnscache_new(10, 100000);
	int64_t hours = 4 * 3600 * 1000;

	(void)state;
	put(c, 1, 10, 0);
	assert_non_null(dnscache_fresh(c, DNS_TXT, "n1.example", 59999));
	assert_null(dnscache_fresh(c, DNS_TXT, "n1.example", 60000));
	assert_non_null(dnscache_stale(c, DNS_TXT, "n1.example", hours));
	assert_null(dnscache_stale(c, DNS_TXT, "n1.example", hours + 60000));
	dnscache_free(c);
}

/* Bytes that are not printable, and escapes, lead to no host. */
static void a_host_is_of_printable_bytes_without_an_escape(void **state)
{
	(void)state;
	assert_true(dns_is_host(""));
	assert_true(dns_is_host("mx_1.a-b.example"));
	assert_true(dns_is_host("!~"));
	assert_false(dns_is_host("a b"));
	assert_false(dns_is_host("a\x1f"));
	assert_false(dns_is_host("a\x7f"));
	assert_false(dns_is_host("a\xc3\xa4"));
	assert_false(dns_is_host("a\\.b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reply_says_what_the_question_leads_to),
		cmocka_unit_test(a_reply_cut_anywhere_is_refused),
		cmocka_unit_test(any_byte_may_be_wrong),
		cmocka_unit_test(odd_packets_do_no_harm),
		cmocka_unit_test(a_name_with_a_dot_in_a_label_is_nobody_else),
		cmocka_unit_test(
		    a_host_is_of_printable_bytes_without_an_escape),
		cmocka_unit_test(the_strings_of_a_long_record_are_joined),
		cmocka_unit_test(the_cache_is_bounded_in_entries_and_bytes),
		cmocka_unit_test(whatever_an_answer_owns_counts),
		cmocka_unit_test(
		    an_expired_answer_may_serve_for_hours_but_is_not_fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
