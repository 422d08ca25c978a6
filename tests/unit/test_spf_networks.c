/* SPDX-License-Identifier: ISC
 *
 * The networks that a platform's record lists: over its includes, once each,
 * with a ceiling, kept while they are valid, and while the DNS is silent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "relay/spf/spf_networks.h"
#include "tests/unit/dnsserver.h"

enum { TURNS = 3000, TURN_MS = 20 };

/* clang-format off */
static struct dnsserver_row zone[] = {
	{ "flat.example", "TXT", 0, "@ 600 TXT other\n"
	  "@ 600 TXT v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ip4:198.51.100.7 -all" },
	{ "nest.example", "TXT", 0,
	  "@ 600 TXT v=spf1 include:one.example include:one.example ?ip4:203.0.113.1 "
	  "include:%{i}.example mx a:host.example redirect=two.example" },
	{ "one.example",  "TXT", 0, "@ 600 TXT v=spf1 ip4:192.0.2.1 include:nest.example -all" },
	{ "two.example",  "TXT", 0, "@ 600 TXT v=spf1 ip4:192.0.2.2 -ip4:192.0.2.3 ~all" },
	{ "empty.example", "TXT", 0, "@ 600 TXT v=spf1 mx -all" },
	{ "wrong.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:192.0.2.1 ip4:999 -all" },
	{ "deep0.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:10.0.0.0 include:deep1.example -all" },
	{ "deep1.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:10.0.0.1 include:deep2.example -all" },
	{ "deep2.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:10.0.0.2 include:deep3.example -all" },
	{ "deep3.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:10.0.0.3 include:deep4.example -all" },
	{ "deep4.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:10.0.0.4 include:deep5.example -all" },
	{ "deep5.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:10.0.0.5 include:deep6.example -all" },
	{ "deep6.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:10.0.0.6 include:deep7.example -all" },
	{ "deep7.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:10.0.0.7 include:deep8.example -all" },
	{ "deep8.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:10.0.0.8 include:deep9.example -all" },
	{ "deep9.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:10.0.0.9 include:deepa.example -all" },
	{ "deepa.example", "TXT", 0, "@ 600 TXT v=spf1 ip4:10.0.0.10 -all" },
	{ "moves.example", "TXT", 0, "@ 120 TXT v=spf1 ip4:192.0.2.1 -all" },
	{ "down.example",  "TXT", 2, "" },
	{ 0 },
};
/* clang-format on */

struct world {
	struct clock_fake clock;
	struct loop *loop;
	struct dnsserver server;
	struct conf conf;
	struct dns *dns;
	int told;
};

static int setup(void **state)
{
	struct world *w = NEW(struct world);

	clock_fake_init(&w->clock, 0);
	w->loop = loop_new(&w->clock.clock);
	dnsserver_open(&w->server, w->loop, zone);
	w->dns = dnsserver_client(&w->server, &w->conf, 5000);
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

static void turn(struct world *w)
{
	dnsserver_turn(w->loop, &w->clock, TURN_MS);
}

static void on_known(void *arg)
{
	struct world *w = arg;

	w->told++;
}

/* "192.0.2.0/24 2001:db8::/32", and what else is true of the list. */
static void print_list(const struct spf_network_list *l, struct strbuf *out)
{
	char text[INET6_ADDRSTRLEN];

	strbuf_reset(out);
	for (int i = 0; i < l->n; i++) {
		inet_ntop(l->net[i].family, l->net[i].addr, text, sizeof(text));
		strbuf_addf(out, "%s/%d ", text, l->net[i].bits);
	}
	strbuf_adds(out, l->cut ? "cut " : "");
	strbuf_adds(out, l->silent ? "silent " : "");
	strbuf_adds(out, l->empty ? "empty " : "");
}

/* Known at once, or after being told once. */
static void is_list(struct world *w, struct spf_networks *n, const char *want)
{
	struct spf_networks_wait wait = {.done = on_known, .arg = w};
	const struct spf_network_list *l;
	struct strbuf text;
	int before = w->told;

	list_node_init(&wait.node);
	l = spf_networks_get(n, &wait);
	if (l == NULL) {
		for (int i = 0; i < TURNS && w->told == before; i++)
			turn(w);
		assert_int_equal(w->told, before + 1);
		l = spf_networks_get(n, &wait);
	}
	assert_non_null(l);
	strbuf_init(&text, 1 << 16);
	print_list(l, &text);
	assert_string_equal(strbuf_cstr(&text), want);
	strbuf_fini(&text);
}

static void lists_are_read(void **state)
{
	static const struct { const char *domain, *list; } cases[] = {
		{"flat.example",
		    "192.0.2.0/24 2001:db8::/32 198.51.100.7/32 "},
		{"nest.example", "192.0.2.1/32 192.0.2.2/32 "},
		{"empty.example", "empty "},
		{"wrong.example", "empty "},
		{"absent.example", "empty "},
		{"down.example", "silent "},
		{"deep0.example", "10.0.0.0/32 10.0.0.1/32 10.0.0.2/32 "
		    "10.0.0.3/32 10.0.0.4/32 10.0.0.5/32 10.0.0.6/32 "
		    "10.0.0.7/32 10.0.0.8/32 10.0.0.9/32 cut "},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spf_networks *n =
		    spf_networks_new(w->loop, w->dns, cases[i].domain);

		print_message("%s\n", cases[i].domain);
		is_list(w, n, cases[i].list);
		spf_networks_free(n);
	}
}

/* More networks than are looked at. */
static void a_long_list_is_cut(void **state)
{
	static char record[8000];
	static struct dnsserver_row rows[] = {
	    {"many.example", "TXT", 0, record}, {0}};
	struct world *w = *state;
	struct spf_networks *n;
	struct strbuf want;
	size_t at = (size_t)snprintf(record, sizeof(record),
	    "@ 600 TXT v=spf1");

	strbuf_init(&want, 1 << 16);
	for (int i = 0; i < SPF_NETWORKS_MAX + 3; i++) {
		/* a string of TXT has 255 bytes at most */
		at += (size_t)snprintf(record + at, sizeof(record) - at,
		    "%s ip4:10.1.2.%d", i % 10 == 9 ? "|" : "", i);
		if (i < SPF_NETWORKS_MAX)
			strbuf_addf(&want, "10.1.2.%d/32 ", i);
	}
	strbuf_adds(&want, "cut ");
	w->server.rows = rows;
	n = spf_networks_new(w->loop, w->dns, "many.example");
	is_list(w, n, strbuf_cstr(&want));
	spf_networks_free(n);
	strbuf_fini(&want);
}

static void it_is_asked_anew_and_kept_while_the_dns_is_silent(void **state)
{
	struct world *w = *state;
	struct spf_networks *n =
	    spf_networks_new(w->loop, w->dns, "moves.example");
	int asked;

	is_list(w, n, "192.0.2.1/32 ");
	asked = w->server.asked;
	is_list(w, n, "192.0.2.1/32 ");
	assert_int_equal(w->server.asked, asked);
	/* Over: it serves while it is asked for. */
	w->server.mood = DNSSERVER_SERVFAIL;
	clock_fake_step(&w->clock, 121 * 1000000LL);
	loop_once(w->loop, 0);
	is_list(w, n, "192.0.2.1/32 ");
	for (int i = 0; i < TURNS && w->server.asked == asked; i++)
		turn(w);
	assert_in_range(w->server.asked, asked + 1, asked + 100);
	for (int i = 0; i < 20; i++)
		turn(w);
	is_list(w, n, "192.0.2.1/32 ");
	/* Not for ever. */
	clock_fake_step(&w->clock, (SPF_NETWORKS_STALE_MS + 1) * 1000LL);
	loop_once(w->loop, 0);
	is_list(w, n, "silent ");
	/* The first to ask when the DNS may be back hears what it says. */
	w->server.mood = DNSSERVER_HONEST;
	is_list(w, n, "silent ");
	clock_fake_step(&w->clock, (SPF_NETWORKS_ERROR_MS + 1) * 1000LL);
	loop_once(w->loop, 0);
	is_list(w, n, "192.0.2.1/32 ");
	spf_networks_free(n);
}

static void two_may_wait_and_one_go_away(void **state)
{
	struct world *w = *state;
	struct spf_networks *n =
	    spf_networks_new(w->loop, w->dns, "flat.example");
	struct spf_networks_wait a = {.done = on_known, .arg = w}, b = a, c = a;

	list_node_init(&a.node);
	list_node_init(&b.node);
	list_node_init(&c.node);
	assert_null(spf_networks_get(n, &a));
	assert_null(spf_networks_get(n, &b));
	assert_null(spf_networks_get(n, &c));
	spf_networks_cancel(&b);
	for (int i = 0; i < TURNS && w->told == 0; i++)
		turn(w);
	assert_int_equal(w->told, 2);
	spf_networks_free(n);
	/* Freed while it asks and while one waits. */
	n = spf_networks_new(w->loop, w->dns, "one.example");
	assert_null(spf_networks_get(n, &a));
	spf_networks_free(n);
	for (int i = 0; i < 10; i++)
		turn(w);
	assert_int_equal(w->told, 2);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(lists_are_read),
		CASE(a_long_list_is_cut),
		CASE(it_is_asked_anew_and_kept_while_the_dns_is_silent),
		CASE(two_may_wait_and_one_go_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
