/* SPDX-License-Identifier: ISC
 *
 * Which hosts are tried: lists, MX, fallback, ourselves, and names that do
 * not exist. Port 25 of any address leads to the scripted leg.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/profile.h"
#include "relay/base/mem.h"
#include "tests/unit/testclient.h"

#define OK "delivered 250 2.0.0 body none"

static const struct testdns_row zone[] = {
    {"a.test", DNS_A, "127.0.0.1"},
    {"v6.test", DNS_AAAA, "2001:db8::1"},
    {"both.test", DNS_A, "192.0.2.1"},
    {"both.test", DNS_AAAA, "2001:db8::2"},
    {"empty.test", DNS_A, "NODATA"},
    {"empty.test", DNS_AAAA, "NODATA"},
    {"broken.test", DNS_A, "FAILED"},
    {"broken.test", DNS_AAAA, "NODATA"},
    {"self.test", DNS_A, "198.51.100.7"},
    {"many.test", DNS_A, "192.0.2.21 192.0.2.22"},
    {"many.test", DNS_AAAA, "2001:db8::21 2001:db8::22"},
    {"hollow.test", DNS_MX, "10 empty.test"},
    {"bare.test", DNS_MX, "NODATA"},
    {"bare.test", DNS_A, "NODATA"},
    {"bare.test", DNS_AAAA, "NODATA"},
    {"mx1.test", DNS_AAAA, "NODATA"},
    {"mx2.test", DNS_AAAA, "NODATA"},
    {"plain.test", DNS_MX, "10 mx1.test 20 mx2.test"},
    {"mx1.test", DNS_A, "192.0.2.11"},
    {"mx2.test", DNS_A, "192.0.2.12"},
    {"mx3.test", DNS_A, "192.0.2.13"},
    {"null.test", DNS_MX, "0 ."},
    {"odd.test", DNS_MX, "10 a\\\r\n.test"},
    {"oddly.test", DNS_MX, "5 a\xff.test 10 mx1.test"},
    {"implicit.test", DNS_MX, "NODATA"},
    {"implicit.test", DNS_A, "192.0.2.14"},
    {"nowhere.test", DNS_MX, "NODATA"},
    {"ghost.test", DNS_MX, "10 missing.test"},
    {"mxdown.test", DNS_MX, "FAILED"},
    {"halfdown.test", DNS_MX, "10 broken.test"},
    {"second.test", DNS_MX, "10 missing.test 20 mx2.test"},
    {"backup.test", DNS_MX, "10 mx1.test 20 self.test 30 mx3.test"},
    {"equal.test", DNS_MX, "10 mx1.test 10 self.test 10 mx3.test"},
    {"worse.test", DNS_MX, "10 self.test 20 mx3.test"},
    {"lazy.test", DNS_MX, "10 mx1.test 20 broken.test"},
    {NULL, DNS_A, NULL},
};

/* clang-format off */
static const struct {
	const char *name;
	const char *mx, *domain; /* of the leg; of a direct egress */
	const char *hosts;	 /* of the leg, port 25 */
	const char *source;
	struct leg_rule rules[3];
	const char *result;
	const char *remote;	 /* NULL: not looked at */
	int connected;
	enum leg_family family; /* 0: v6 first */
	const char *text;	/* of the result; NULL: not looked at */
} cases[] = {
	{ "a name", "", NULL, "a.test", "", { { 0 } }, OK, "a.test [127.0.0.1]:25", 1, 0, NULL },
	{ "v6 before v4", "", NULL, "both.test", "", { { 0 } }, OK,
	  "both.test [2001:db8::2]:25", 1, 0, NULL },
	{ "the second of a list", "", NULL, "missing.test empty.test a.test", "", { { 0 } },
	  OK, "a.test [127.0.0.1]:25", 1, 0, NULL },
	{ "v4 before v6", "", NULL, "both.test", "", { { 0 } }, OK,
	  "both.test [192.0.2.1]:25", 1, FAMILY_V4_FIRST, NULL },
	{ "v6 alone", "", NULL, "both.test", "", { { "CONNECT", "421 no\r\n" LEG_CLOSE, 0 } },
	  "deferred 421 - greeting network", "both.test [2001:db8::2]:25", 1,
	  FAMILY_V6_ONLY, NULL },
	{ "v4 alone", "", NULL, "both.test", "", { { "CONNECT", "421 no\r\n" LEG_CLOSE, 0 } },
	  "deferred 421 - greeting network", "both.test [192.0.2.1]:25", 1, FAMILY_V4_ONLY, NULL },
	{ "v6 alone, and there is none", "", NULL, "a.test", "", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0, FAMILY_V6_ONLY,
	  "cloud: no host of it exists" },
	{ "v4 alone, and a literal of the other", "", NULL, "2001:db8::9", "", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0, FAMILY_V4_ONLY,
	  "cloud: no host has an IPv4 address, and family = \"ipv4\" allows no other" },
	{ "all of one family, then the other", "", NULL, "many.test", "",
	  { { "CONNECT", "421 no\r\n" LEG_CLOSE, 3 } }, OK, "many.test [2001:db8::22]:25", 4,
	  FAMILY_V4_FIRST, NULL },
	{ "a name that does not exist", "", NULL, "missing.test", "", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0, 0,
	  "cloud: no host of it exists" },
	{ "a name without an address", "", NULL, "empty.test", "", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0, 0,
	  "cloud: no host of it has an address" },
	{ "a name that cannot be looked up", "", NULL, "broken.test missing.test", "",
	  { { 0 } }, "deferred 0 4.4.3 connect network", "", 0, 0,
	  "cloud: its name cannot be looked up now (SERVFAIL)" },
	{ "a greeting of 4xx: the next host", "", NULL, "192.0.2.1 192.0.2.2", "",
	  { { "CONNECT", "421 4.3.2 busy\r\n" LEG_CLOSE, 1 } }, OK, "[192.0.2.2]:25", 2, 0, NULL },
	{ "a greeting of 5xx: the next host", "", NULL, "192.0.2.1 192.0.2.2", "",
	  { { "CONNECT", "554 5.3.2 no\r\n", 1 } }, OK, "[192.0.2.2]:25", 2, 0, NULL },
	{ "EHLO of 4xx: the next host", "", NULL, "192.0.2.1 192.0.2.2", "",
	  { { "EHLO", "450 4.3.2 no\r\n", 1 } }, OK, "[192.0.2.2]:25", 2, 0, NULL },
	{ "nonsense: the next host", "", NULL, "192.0.2.1 192.0.2.2", "",
	  { { "EHLO", "hello\r\n", 1 } }, OK, "[192.0.2.2]:25", 2, 0, NULL },
	{ "once it had MAIL it is the host", "", NULL, "192.0.2.1 192.0.2.2", "",
	  { { "MAIL", "450 4.3.2 no\r\n", 1 } }, "deferred 450 4.3.2 mail none",
	  "[192.0.2.1]:25", 1, 0, NULL },
	{ "what says most is kept", "", NULL, "192.0.2.1 192.0.2.2", "",
	  { { "CONNECT", "554 5.7.1 no\r\n", 1 },
	    { "CONNECT", "421 4.3.2 busy\r\n" LEG_CLOSE, 1 } },
	  "deferred 554 5.7.1 greeting configuration", "[192.0.2.1]:25", 2, 0, NULL },
	{ "our address is dropped from a list", "", NULL, "self.test 192.0.2.2", "",
	  { { 0 } }, OK, "[192.0.2.2]:25", 1, 0, NULL },
	{ "nothing but ourselves", "", NULL, "self.test", "", { { 0 } },
	  "deferred 0 4.4.6 connect configuration", "", 0, 0,
	  "cloud: its host is ourselves" },
	{ "a listener of ours", "", NULL, "198.51.100.9", "", { { 0 } },
	  "deferred 0 4.4.6 connect configuration", "", 0, 0,
	  "cloud: its host is ourselves" },
	{ "no address of the source's family", "", NULL, "v6.test", "127.0.0.1", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0, 0,
	  "cloud: no host has an address of the source address's family" },
	{ "the source chooses the family", "", NULL, "both.test", "127.0.0.1", { { 0 } },
	  OK, "both.test [192.0.2.1]:25", 1, 0, NULL },

	{ "MX of a leg", "plain.test", NULL, "", "", { { 0 } }, OK,
	  "mx1.test [192.0.2.11]:25", 1, 0, NULL },
	{ "MX: the next host", "plain.test", NULL, "", "",
	  { { "CONNECT", "421 4.3.2 busy\r\n" LEG_CLOSE, 1 } }, OK,
	  "mx2.test [192.0.2.12]:25", 2, 0, NULL },
	{ "MX: the first does not exist", "second.test", NULL, "", "", { { 0 } }, OK,
	  "mx2.test [192.0.2.12]:25", 1, 0, NULL },
	{ "MX: a worse one that is broken does not hinder", "lazy.test", NULL, "", "",
	  { { 0 } }, OK, "mx1.test [192.0.2.11]:25", 1, 0, NULL },
	{ "MX: no record, the domain itself", "implicit.test", NULL, "", "", { { 0 } }, OK,
	  "implicit.test [192.0.2.14]:25", 1, 0, NULL },
	{ "MX: a host that is no host name is passed over", "oddly.test", NULL, "", "",
	  { { 0 } }, OK, "mx1.test [192.0.2.11]:25", 1, 0, NULL },
	{ "MX of a leg: no host name at all", "odd.test", NULL, "", "", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0, 0,
	  "odd.test: its MX names no host that can be called" },
	{ "MX of a leg: null", "null.test", NULL, "", "", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0, 0,
	  "null.test: the domain takes no mail (null MX)" },
	{ "MX of a leg: no such domain", "missing.test", NULL, "", "", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0, 0,
	  "missing.test: the domain does not exist" },
	{ "MX of a leg: no host exists", "ghost.test", NULL, "", "", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0, 0,
	  "ghost.test: no host of it exists" },
	{ "MX of a leg: cannot be looked up", "mxdown.test", NULL, "", "", { { 0 } },
	  "deferred 0 4.4.3 connect network", "", 0, 0,
	  "mxdown.test: its name cannot be looked up now (SERVFAIL)" },
	{ "MX: we are the second, the third is dropped", "backup.test", NULL, "", "",
	  { { "CONNECT", "421 4.3.2 busy\r\n" LEG_CLOSE, 0 } },
	  "deferred 421 4.3.2 greeting network", NULL, 1, 0, NULL },
	{ "MX: we are one of the best, no one is left", "equal.test", NULL, "", "",
	  { { 0 } }, "deferred 0 4.4.6 connect configuration", "", 0, 0,
	  "equal.test: its host is ourselves" },
	{ "MX: we are the best", "worse.test", NULL, "", "", { { 0 } },
	  "deferred 0 4.4.6 connect configuration", "", 0, 0,
	  "worse.test: its host is ourselves" },
	{ "MX: it greets with our name, worse ones are dropped", "plain.test", NULL, "", "",
	  { { "CONNECT", "220 relay.test\r\n", 1 } },
	  "deferred 0 4.4.6 greeting configuration", NULL, 1, 0,
	  "it says our own name, relay.test: it leads to ourselves, or "
	  "two machines have one hostname" },
	{ "MX: EHLO says our name, worse ones are dropped", "plain.test", NULL, "", "",
	  { { "EHLO", "250-Relay.Test\r\n250 SIZE\r\n", 1 } },
	  "deferred 0 4.4.6 ehlo configuration", NULL, 1, 0,
	  "it says our own name, relay.test: it leads to ourselves, or "
	  "two machines have one hostname" },
	{ "a name that ours begins is another's", "", NULL, "a.test", "",
	  { { "EHLO", "250 relay.test.example\r\n", 1 } }, OK, NULL, 1, 0, NULL },

	{ "direct", "", "plain.test", "", "", { { 0 } }, OK, "mx1.test [192.0.2.11]:25", 1, 0,
	  NULL },
	{ "direct to a literal", "", "[192.0.2.9]", "", "", { { 0 } }, OK,
	  "[192.0.2.9]:25", 1, 0, NULL },
	{ "direct to a v6 literal", "", "[IPv6:2001:db8::9]", "", "", { { 0 } }, OK,
	  "[2001:db8::9]:25", 1, 0, NULL },
	{ "direct: null MX", "", "null.test", "", "", { { 0 } },
	  "failed 0 5.1.10 connect recipient", "", 0, 0,
	  "null.test: the domain takes no mail (null MX)" },
	{ "direct: no host name at all", "", "odd.test", "", "", { { 0 } },
	  "failed 0 5.4.4 connect recipient", "", 0, 0,
	  "odd.test: its MX names no host that can be called" },
	{ "direct: no such domain", "", "missing.test", "", "", { { 0 } },
	  "failed 0 5.1.2 connect recipient", "", 0, 0,
	  "missing.test: the domain does not exist" },
	{ "direct: no address", "", "nowhere.test", "", "", { { 0 } },
	  "failed 0 5.4.4 connect recipient", "", 0, 0,
	  "nowhere.test: no host of it exists" },
	{ "direct: no host exists", "", "ghost.test", "", "", { { 0 } },
	  "failed 0 5.4.4 connect recipient", "", 0, 0,
	  "ghost.test: no host of it exists" },
	{ "direct: cannot be looked up", "", "mxdown.test", "", "", { { 0 } },
	  "deferred 0 4.4.3 connect network", "", 0, 0,
	  "mxdown.test: its name cannot be looked up now (SERVFAIL)" },
	{ "direct: its host cannot be looked up", "", "halfdown.test", "", "", { { 0 } },
	  "deferred 0 4.4.3 connect network", "", 0, 0,
	  "halfdown.test: its name cannot be looked up now (SERVFAIL)" },
	{ "direct: the domain is ours", "", "worse.test", "", "", { { 0 } },
	  "deferred 0 4.4.6 connect recipient", "", 0, 0,
	  "worse.test: its host is ourselves" },
	{ "direct: it is there, without an address", "", "bare.test", "", "", { { 0 } },
	  "deferred 0 4.4.4 connect recipient", "", 0, 0,
	  "bare.test: no host of it has an address" },
	{ "direct: its host is there, without an address", "", "hollow.test", "", "",
	  { { 0 } }, "deferred 0 4.4.4 connect recipient", "", 0, 0,
	  "hollow.test: no host of it has an address" },
	{ "direct: none of the family that we use", "", "plain.test", "", "", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0, FAMILY_V6_ONLY,
	  "plain.test: no host has an IPv6 address, and family = \"ipv6\" allows no other" },
};
/* clang-format on */

static char *hosts_text(struct sent *s, const char *hosts)
{
	return arena_strdup(s->r.arena, hosts);
}

static void set_hosts(struct world *w, char *hosts)
{
	struct slice words = slice_str(hosts), word;

	w->cl.hosts = 0;
	while (hosts[0] != '\0' && slice_next(&words, ' ', &word)) {
		hosts[word.p + word.n - hosts] = '\0';
		w->host[w->cl.hosts++] =
		    (struct conf_hostport){&hosts[word.p - hosts], 25, false};
	}
}

static bool machine_has_v6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool is_v6(const char *remote)
{
	return remote != NULL && strstr(remote, "2001:") != NULL;
}

/* 198.51.100.7 is our public address, 198.51.100.9:25 a listener. */
static void hosts_are_tried_in_their_order_and_never_ourselves(void **state)
{
	struct conf_net net = {
	    .family = AF_INET, .bits = 32, .addr = {198, 51, 100, 7}};
	struct conf_hostport listens[] = {
	    {"198.51.100.9", 25, true}, {"0.0.0.0", 2525, true}};
	struct conf_listen listen = {.address = listens, .addresses = 2};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w;
		struct sent *s;

		print_message("%s\n", cases[i].name);
		if (is_v6(cases[i].remote) && !machine_has_v6()) {
			print_message("left out: no IPv6 here\n");
			continue;
		}
		w = world_new(zone);
		s = sent_new(w, "u@x.test");
		w->conf.public_address = (struct conf_nets){&net, 1};
		w->conf.listen = &listen;
		w->conf.listens = 1;
		w->cl.mx = (char *)cases[i].mx;
		w->cl.source = (char *)cases[i].source;
		w->cl.family = cases[i].family;
		s->r.domain = cases[i].domain;
		set_hosts(w, hosts_text(s, cases[i].hosts));
		leg_script(w->leg, cases[i].rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_string_equal(sent_text(s, 0), cases[i].result);
		if (cases[i].text != NULL)
			assert_string_equal(
			    s->rcpt[0].result.text, cases[i].text);
		if (cases[i].remote != NULL)
			assert_string_equal(
			    s->rcpt[0].result.remote, cases[i].remote);
		assert_int_equal(w->leg->connected, cases[i].connected);
		client_drain(w->client);
		world_until(w, &w->slots, 4);
		sent_free(s);
		world_free(w);
	}
}

static void a_port_that_refuses_is_passed_over(void **state)
{
	struct world *w = world_new(NULL);
	struct leg *closed = leg_new(w->loop, w->scratch);
	struct sent *s = sent_new(w, "u@x.test");

	(void)state;
	w->host[1] = w->host[0];
	w->host[0].port = closed->port;
	w->cl.hosts = 2;
	leg_refuse(closed);
	assert_true(world_send(w, s));
	world_wait(w, 1);
	assert_string_equal(sent_text(s, 0), OK);
	client_drain(w->client);
	world_until(w, &w->slots, 4);
	sent_free(s);
	leg_free(closed);
	world_free(w);
}

static void nobody_listens_is_a_network_fault(void **state)
{
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "u@x.test");

	(void)state;
	leg_refuse(w->leg);
	assert_true(world_send(w, s));
	world_wait(w, 1);
	assert_string_equal(
	    sent_text(s, 0), "deferred 0 4.4.1 connect network");
	assert_int_equal(w->slots, 4);
	sent_free(s);
	world_free(w);
}

/* The leg listens on 127.0.0.1; our wildcard listener has its port, so that
 * only the connection shows where it leads. */
static void a_wildcard_listener_is_known_by_the_connection(void **state)
{
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "u@x.test");
	struct conf_hostport listens[] = {{"0.0.0.0", w->leg->port, true}};
	struct conf_listen listen = {.address = listens, .addresses = 1};

	(void)state;
	w->conf.listen = &listen;
	w->conf.listens = 1;
	assert_true(world_send(w, s));
	world_wait(w, 1);
	assert_string_equal(
	    sent_text(s, 0), "deferred 0 4.4.6 connect configuration");
	sent_free(s);
	world_free(w);
}

/* ---- hosts that do not answer ---- */

static int (*lead)(int fd, const struct netaddr *to);
static char tried[400];
static const char *refusing;

static int noted_connect(int fd, const struct netaddr *to)
{
	char ip[NETADDR_TEXT];

	netaddr_ip(to, ip);
	strncat(tried, ip, sizeof(tried) - strlen(tried) - 1);
	strncat(tried, " ", sizeof(tried) - strlen(tried) - 1);
	if (strstr(refusing, ip) != NULL) {
		errno = ECONNREFUSED;
		return -1;
	}
	return lead(fd, to);
}

/* A message on a connection of its own; which addresses were tried. */
static const char *tries(struct world *w, const char *refuses)
{
	struct sent *s = sent_new(w, "u@x.test");

	tried[0] = '\0';
	refusing = refuses;
	assert_true(world_send(w, s));
	world_wait(w, w->done + 1);
	world_until(w, &w->slots, 4);
	sent_free(s);
	return tried;
}

static struct world *world_of_hosts(char *hosts, int64_t dead_host_ms)
{
	struct world *w = world_new(zone);

	lead = w->sock.connect;
	w->sock.connect = noted_connect;
	w->cl.max_messages = 1;
	w->cl.dead_host_ms = dead_host_ms;
	set_hosts(w, hosts);
	return w;
}

static void a_host_that_refused_is_tried_last_for_a_while(void **state)
{
	char hosts[] = "192.0.2.1 192.0.2.2 192.0.2.3";
	struct world *w = world_of_hosts(hosts, 600000);

	(void)state;
	assert_string_equal(tries(w, "192.0.2.1"), "192.0.2.1 192.0.2.2 ");
	assert_string_equal(tries(w, "192.0.2.1"), "192.0.2.2 ");
	/* No other host: it is tried, and once, in its order. */
	assert_string_equal(tries(w, "192.0.2.1 192.0.2.2 192.0.2.3"),
	    "192.0.2.2 192.0.2.3 192.0.2.1 ");
	assert_string_equal(tries(w, "192.0.2.1 192.0.2.2"),
	    "192.0.2.1 192.0.2.2 192.0.2.3 ");
	/* It spoke, and the others are still last. */
	assert_string_equal(tries(w, "192.0.2.3"),
	    "192.0.2.3 192.0.2.1 ");
	assert_string_equal(tries(w, ""), "192.0.2.1 ");
	world_free(w);
}

static void a_dead_host_is_forgotten_in_time(void **state)
{
	char hosts[] = "192.0.2.1 192.0.2.2";
	struct world *w = world_of_hosts(hosts, 1);

	(void)state;
	tries(w, "192.0.2.1");
	for (int64_t until = loop_now_ms(w->loop) + 2;
	     loop_now_ms(w->loop) < until;)
		loop_once(w->loop, 1);
	assert_string_equal(tries(w, ""), "192.0.2.1 ");
	world_free(w);
}

static void a_host_that_does_not_greet_is_dead(void **state)
{
	static const struct leg_rule silent[] = {
	    {"CONNECT", "", 1}, {NULL, NULL, 0}};
	char hosts[] = "192.0.2.1 192.0.2.2";
	struct world *w = world_of_hosts(hosts, 600000);

	(void)state;
	leg_script(w->leg, silent);
	w->cl.greeting_timeout_ms = 50;
	assert_string_equal(tries(w, ""), "192.0.2.1 192.0.2.2 ");
	assert_string_equal(tries(w, ""), "192.0.2.2 ");
	world_free(w);
}

static void a_worse_preference_goes_before_a_dead_host(void **state)
{
	char none[] = "";
	struct world *w = world_of_hosts(none, 600000);

	(void)state;
	w->cl.mx = "plain.test";
	assert_string_equal(tries(w, "192.0.2.11"), "192.0.2.11 192.0.2.12 ");
	assert_string_equal(tries(w, ""), "192.0.2.12 ");
	world_free(w);
}

static void nothing_is_remembered_where_the_profile_forbids_it(void **state)
{
	static const struct conf_profile profile = {.no_dead_hosts = true};
	char hosts[] = "192.0.2.1 192.0.2.2";
	struct world *w = world_of_hosts(hosts, 600000);

	(void)state;
	w->cl.replies = &profile;
	for (int i = 0; i < 2; i++)
		assert_string_equal(
		    tries(w, "192.0.2.1"), "192.0.2.1 192.0.2.2 ");
	w->cl.replies = NULL;
	w->cl.dead_host_ms = 0;
	for (int i = 0; i < 2; i++)
		assert_string_equal(
		    tries(w, "192.0.2.1"), "192.0.2.1 192.0.2.2 ");
	world_free(w);
}

static void names_are_no_more_asked_for_when_the_client_ends(void **state)
{
	static const struct {
		const char *mx, *hosts;
		int turns, pending;
	} asked[] = {
		{ "plain.test", "", 0, 1 }, /* its MX */
		{ "plain.test", "", 1, 4 }, /* A and AAAA of both hosts */
		{ "", "both.test", 0, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		struct world *w = world_new(zone);
		struct sent *s = sent_new(w, "u@x.test");

		print_message("%d\n", (int)i);
		w->cl.mx = (char *)asked[i].mx;
		set_hosts(w, hosts_text(s, asked[i].hosts));
		assert_true(world_send(w, s));
		world_turns(w, asked[i].turns);
		assert_int_equal(testdns_pending(w->dns), asked[i].pending);
		client_free(w->client);
		w->client = NULL;
		assert_int_equal(testdns_pending(w->dns), 0);
		assert_string_equal(
		    sent_text(s, 0), "untried 0 4.4.2 mail network");
		sent_free(s);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		hosts_are_tried_in_their_order_and_never_ourselves),
	    cmocka_unit_test(a_port_that_refuses_is_passed_over),
	    cmocka_unit_test(nobody_listens_is_a_network_fault),
	    cmocka_unit_test(a_wildcard_listener_is_known_by_the_connection),
	    cmocka_unit_test(a_host_that_refused_is_tried_last_for_a_while),
	    cmocka_unit_test(a_dead_host_is_forgotten_in_time),
	    cmocka_unit_test(a_host_that_does_not_greet_is_dead),
	    cmocka_unit_test(a_worse_preference_goes_before_a_dead_host),
	    cmocka_unit_test(
		nothing_is_remembered_where_the_profile_forbids_it),
	    cmocka_unit_test(names_are_no_more_asked_for_when_the_client_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
