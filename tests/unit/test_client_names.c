/* SPDX-License-Identifier: ISC
 *
 * The names of clients, from a DNS server of our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "relay/spf/client_names.h"
#include "tests/unit/dnsserver.h"

enum { TURNS = 3000, TURN_MS = 20 };

#define NIBBLES "0.0.0.0.0.0.0.0.0.0.0."
#define REVERSE6 "1." NIBBLES NIBBLES "0.8.b.d.0.1.0.0.2.ip6.arpa"

/* clang-format off */
static const struct dnsserver_row zone[] = {
	{ "1.2.0.192.in-addr.arpa", "PTR", 0, "@ 600 PTR Mail.Example" },
	{ "mail.example", "A",    0, "@ 60 A 192.0.2.9\n@ 60 A 192.0.2.1" },
	{ REVERSE6,       "PTR",  0, "@ 600 PTR six.example" },
	{ "six.example",  "AAAA", 0, "@ 60 AAAA 2001:db8::1" },
	{ "2.2.0.192.in-addr.arpa", "PTR", 0, "@ 600 PTR mail.example" }, /* a lie */
	{ "3.2.0.192.in-addr.arpa", "PTR", 0, "@ 600 PTR x y.example\n@ 600 PTR nobody.example\n"
	                                      "@ 600 PTR b.example\n@ 600 PTR c.example" },
	{ "b.example",    "A",    0, "@ 60 A 192.0.2.3" },
	{ "c.example",    "A",    0, "@ 60 A 192.0.2.3" },
	{ "4.2.0.192.in-addr.arpa", "PTR", 2, "" },
	{ "5.2.0.192.in-addr.arpa", "PTR", 0, "@ 600 PTR down.example" },
	{ "down.example", "A",    2, "" },
	{ "6.2.0.192.in-addr.arpa", "PTR", 0, "@ 600 PTR down.example\n@ 600 PTR six4.example" },
	{ "six4.example", "A",    0, "@ 60 A 192.0.2.6" },
	{ "7.2.0.192.in-addr.arpa", "PTR", 0, "@ 600 PTR n0.example\n@ 600 PTR n1.example\n"
	  "@ 600 PTR n2.example\n@ 600 PTR n3.example\n@ 600 PTR n4.example\n@ 600 PTR n5.example\n"
	  "@ 600 PTR n6.example\n@ 600 PTR n7.example\n@ 600 PTR n8.example\n@ 600 PTR n9.example\n"
	  "@ 600 PTR ten.example" },
	{ "ten.example",  "A",    0, "@ 60 A 192.0.2.7" },
	{ 0 },
};

static const struct { const char *client, *name; int asked; } cases[] = {
	{ "192.0.2.1",   "mail.example", 2 },
	{ "2001:db8::1", "six.example",  2 },
	{ "192.0.2.2",   "",             1 },  /* its name is known */
	{ "192.0.2.3",   "b.example",    4 },  /* not "x y.example" */
	{ "192.0.2.4",   NULL,           -1 }, /* not known */
	{ "192.0.2.5",   NULL,           -1 },
	{ "192.0.2.6",   "six4.example", -1 },
	{ "192.0.2.7",   "",             11 }, /* the eleventh name */
	{ "192.0.2.8",   "",             1 },
	{ "127.0.0.1",   NULL,           0 },
	{ "::1",         NULL,           0 },
};
/* clang-format on */

struct world {
	struct clock_fake clock;
	struct loop *loop;
	struct dnsserver server;
	struct conf conf;
	struct dns *dns;
	struct client_names *names;
};

static int setup(void **state)
{
	struct world *w = NEW(struct world);

	clock_fake_init(&w->clock, 0);
	w->loop = loop_new(&w->clock.clock);
	dnsserver_open(&w->server, w->loop, zone);
	w->dns = dnsserver_client(&w->server, &w->conf, 600000);
	w->names = client_names_new(w->loop, w->dns);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	client_names_free(w->names);
	dns_free(w->dns);
	dnsserver_close(&w->server);
	loop_free(w->loop);
	mem_free(w);
	return 0;
}

static void want(struct world *w, const char *client)
{
	struct netaddr a;

	assert_int_equal(netaddr_parse(&a, slice_str(client), 25), 0);
	client_names_want(w->names, &a);
}

/* NULL: it is not known. */
static const char *get(struct world *w, const char *client)
{
	const char *name;
	struct netaddr a;

	assert_int_equal(netaddr_parse(&a, slice_str(client), 4711), 0);
	return client_names_get(w->names, &a, &name) ? name : NULL;
}

/* Until nothing has happened for a while: our clock stands, so nothing is
 * late. */
static void settle(struct world *w)
{
	for (int i = 0, quiet = 0; i < TURNS && quiet < 5; i++) {
		int asked = w->server.asked;

		loop_once(w->loop, TURN_MS);
		quiet = w->server.asked == asked ? quiet + 1 : 0;
	}
}

static void a_name_that_leads_back_is_the_name(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *client = cases[i].client, *name;
		int asked = w->server.asked;

		print_message("%s\n", client);
		want(w, client);
		want(w, client);
		assert_null(get(w, client)); /* no reply waits */
		settle(w);
		name = get(w, client);
		if (cases[i].name == NULL)
			assert_null(name);
		else
			assert_string_equal(name, cases[i].name);
		if (cases[i].asked >= 0)
			assert_int_equal(w->server.asked - asked,
			    cases[i].asked);
	}
}

static void it_is_known_as_long_as_the_answers(void **state)
{
	struct world *w = *state;
	int asked;

	want(w, "192.0.2.1");
	settle(w);
	asked = w->server.asked;
	clock_fake_step(&w->clock, INT64_C(59) * 1000000);
	loop_once(w->loop, 0);
	want(w, "192.0.2.1");
	assert_string_equal(get(w, "192.0.2.1"), "mail.example");
	settle(w);
	assert_int_equal(w->server.asked, asked);
	clock_fake_step(&w->clock, INT64_C(2) * 1000000);
	loop_once(w->loop, 0);
	want(w, "192.0.2.1");
	settle(w);
	assert_int_equal(w->server.asked, asked + 1);
	assert_string_equal(get(w, "192.0.2.1"), "mail.example");
}

static void it_is_looked_for_no_longer_than_two_seconds(void **state)
{
	struct world *w = *state;
	struct error err;
	int asked;

	w->server.mood = DNSSERVER_SILENT;
	want(w, "192.0.2.1");
	settle(w);
	asked = w->server.asked;
	clock_fake_step(&w->clock, (CLIENT_NAME_MS - 1) * INT64_C(1000));
	loop_once(w->loop, 0);
	want(w, "192.0.2.1"); /* is under way */
	settle(w);
	clock_fake_step(&w->clock, 1000);
	loop_once(w->loop, 0);
	assert_null(get(w, "192.0.2.1"));
	want(w, "192.0.2.1"); /* was given up just now */
	settle(w);
	assert_int_equal(w->server.asked, asked);
	/* An answer that comes now is too late. */
	w->server.mood = DNSSERVER_HONEST;
	assert_int_equal(dns_configure(w->dns, &w->conf, &err), 0);
	settle(w);
	assert_null(get(w, "192.0.2.1"));
}

static void clients_are_forgotten_and_ends_are_clean(void **state)
{
	struct world *w = *state;
	char client[32];

	want(w, "192.0.2.1");
	settle(w);
	for (int i = 0; i < CLIENT_NAMES_MAX; i++) {
		snprintf(client, sizeof(client), "10.0.%d.%d", i / 256,
		    i % 256);
		want(w, client);
	}
	assert_null(get(w, "192.0.2.1"));
	client_names_free(w->names); /* all under way */
	w->names = NULL;
	settle(w);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_name_that_leads_back_is_the_name),
		T(it_is_known_as_long_as_the_answers),
		T(it_is_looked_for_no_longer_than_two_seconds),
		T(clients_are_forgotten_and_ends_are_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
