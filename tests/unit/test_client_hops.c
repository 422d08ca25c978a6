/* SPDX-License-Identifier: ISC
 *
 * Which hosts are tried: lists, MX, fallback, ourselves, and names that do
 * not exist. Port 25 of any address leads to the scripted leg.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

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
    {"plain.test", DNS_MX, "10 mx1.test 20 mx2.test"},
    {"mx1.test", DNS_A, "192.0.2.11"},
    {"mx2.test", DNS_A, "192.0.2.12"},
    {"mx3.test", DNS_A, "192.0.2.13"},
    {"null.test", DNS_MX, "0 ."},
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
} cases[] = {
	{ "a name", "", NULL, "a.test", "", { { 0 } }, OK, "a.test [127.0.0.1]:25", 1 },
	{ "v6 before v4", "", NULL, "both.test", "", { { 0 } }, OK,
	  "both.test [2001:db8::2]:25", 1 },
	{ "the second of a list", "", NULL, "missing.test empty.test a.test", "", { { 0 } },
	  OK, "a.test [127.0.0.1]:25", 1 },
	{ "a name that does not exist", "", NULL, "missing.test", "", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0 },
	{ "a name without an address", "", NULL, "empty.test", "", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0 },
	{ "a name that cannot be looked up", "", NULL, "broken.test missing.test", "",
	  { { 0 } }, "deferred 0 4.4.3 connect network", "", 0 },
	{ "a greeting of 4xx: the next host", "", NULL, "192.0.2.1 192.0.2.2", "",
	  { { "CONNECT", "421 4.3.2 busy\r\n" LEG_CLOSE, 1 } }, OK, "[192.0.2.2]:25", 2 },
	{ "a greeting of 5xx: the next host", "", NULL, "192.0.2.1 192.0.2.2", "",
	  { { "CONNECT", "554 5.3.2 no\r\n", 1 } }, OK, "[192.0.2.2]:25", 2 },
	{ "EHLO of 4xx: the next host", "", NULL, "192.0.2.1 192.0.2.2", "",
	  { { "EHLO", "450 4.3.2 no\r\n", 1 } }, OK, "[192.0.2.2]:25", 2 },
	{ "nonsense: the next host", "", NULL, "192.0.2.1 192.0.2.2", "",
	  { { "EHLO", "hello\r\n", 1 } }, OK, "[192.0.2.2]:25", 2 },
	{ "once it had MAIL it is the host", "", NULL, "192.0.2.1 192.0.2.2", "",
	  { { "MAIL", "450 4.3.2 no\r\n", 1 } }, "deferred 450 4.3.2 mail none",
	  "[192.0.2.1]:25", 1 },
	{ "what says most is kept", "", NULL, "192.0.2.1 192.0.2.2", "",
	  { { "CONNECT", "554 5.7.1 no\r\n", 1 },
	    { "CONNECT", "421 4.3.2 busy\r\n" LEG_CLOSE, 1 } },
	  "deferred 554 5.7.1 greeting configuration", "[192.0.2.1]:25", 2 },
	{ "our address is dropped from a list", "", NULL, "self.test 192.0.2.2", "",
	  { { 0 } }, OK, "[192.0.2.2]:25", 1 },
	{ "nothing but ourselves", "", NULL, "self.test", "", { { 0 } },
	  "deferred 0 4.4.6 connect configuration", "", 0 },
	{ "a listener of ours", "", NULL, "198.51.100.9", "", { { 0 } },
	  "deferred 0 4.4.6 connect configuration", "", 0 },
	{ "no address of the source's family", "", NULL, "v6.test", "127.0.0.1", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0 },
	{ "the source chooses the family", "", NULL, "both.test", "127.0.0.1", { { 0 } },
	  OK, "both.test [192.0.2.1]:25", 1 },

	{ "MX of a leg", "plain.test", NULL, "", "", { { 0 } }, OK,
	  "mx1.test [192.0.2.11]:25", 1 },
	{ "MX: the next host", "plain.test", NULL, "", "",
	  { { "CONNECT", "421 4.3.2 busy\r\n" LEG_CLOSE, 1 } }, OK,
	  "mx2.test [192.0.2.12]:25", 2 },
	{ "MX: the first does not exist", "second.test", NULL, "", "", { { 0 } }, OK,
	  "mx2.test [192.0.2.12]:25", 1 },
	{ "MX: a worse one that is broken does not hinder", "lazy.test", NULL, "", "",
	  { { 0 } }, OK, "mx1.test [192.0.2.11]:25", 1 },
	{ "MX: no record, the domain itself", "implicit.test", NULL, "", "", { { 0 } }, OK,
	  "implicit.test [192.0.2.14]:25", 1 },
	{ "MX of a leg: null", "null.test", NULL, "", "", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0 },
	{ "MX of a leg: no such domain", "missing.test", NULL, "", "", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0 },
	{ "MX of a leg: no host exists", "ghost.test", NULL, "", "", { { 0 } },
	  "deferred 0 4.3.5 connect configuration", "", 0 },
	{ "MX of a leg: cannot be looked up", "mxdown.test", NULL, "", "", { { 0 } },
	  "deferred 0 4.4.3 connect network", "", 0 },
	{ "MX: we are the second, the third is dropped", "backup.test", NULL, "", "",
	  { { "CONNECT", "421 4.3.2 busy\r\n" LEG_CLOSE, 0 } },
	  "deferred 421 4.3.2 greeting network", NULL, 1 },
	{ "MX: we are one of the best, no one is left", "equal.test", NULL, "", "",
	  { { 0 } }, "deferred 0 4.4.6 connect configuration", "", 0 },
	{ "MX: we are the best", "worse.test", NULL, "", "", { { 0 } },
	  "deferred 0 4.4.6 connect configuration", "", 0 },
	{ "MX: it greets with our name, worse ones are dropped", "plain.test", NULL, "", "",
	  { { "CONNECT", "220 relay.test\r\n", 1 } },
	  "deferred 0 4.4.6 greeting configuration", NULL, 1 },

	{ "direct", "", "plain.test", "", "", { { 0 } }, OK, "mx1.test [192.0.2.11]:25", 1 },
	{ "direct to a literal", "", "[192.0.2.9]", "", "", { { 0 } }, OK,
	  "[192.0.2.9]:25", 1 },
	{ "direct to a v6 literal", "", "[IPv6:2001:db8::9]", "", "", { { 0 } }, OK,
	  "[2001:db8::9]:25", 1 },
	{ "direct: null MX", "", "null.test", "", "", { { 0 } },
	  "failed 0 5.1.10 connect recipient", "", 0 },
	{ "direct: no such domain", "", "missing.test", "", "", { { 0 } },
	  "failed 0 5.4.4 connect recipient", "", 0 },
	{ "direct: no address", "", "nowhere.test", "", "", { { 0 } },
	  "failed 0 5.4.4 connect recipient", "", 0 },
	{ "direct: no host exists", "", "ghost.test", "", "", { { 0 } },
	  "failed 0 5.4.4 connect recipient", "", 0 },
	{ "direct: cannot be looked up", "", "mxdown.test", "", "", { { 0 } },
	  "deferred 0 4.4.3 connect network", "", 0 },
	{ "direct: its host cannot be looked up", "", "halfdown.test", "", "", { { 0 } },
	  "deferred 0 4.4.3 connect network", "", 0 },
	{ "direct: the domain is ours", "", "worse.test", "", "", { { 0 } },
	  "deferred 0 4.4.6 connect configuration", "", 0 },
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
		s->r.domain = cases[i].domain;
		set_hosts(w, hosts_text(s, cases[i].hosts));
		leg_script(w->leg, cases[i].rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_string_equal(sent_text(s, 0), cases[i].result);
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

static void names_are_no_more_asked_for_when_the_client_ends(void **state)
{
	struct world *w = world_new(zone);
	struct sent *s = sent_new(w, "u@x.test");

	(void)state;
	w->cl.mx = "plain.test";
	assert_true(world_send(w, s));
	assert_int_equal(testdns_pending(w->dns), 1);
	client_free(w->client);
	w->client = NULL;
	assert_int_equal(testdns_pending(w->dns), 0);
	assert_string_equal(sent_text(s, 0), "untried 0 4.4.2 mail network");
	sent_free(s);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		hosts_are_tried_in_their_order_and_never_ourselves),
	    cmocka_unit_test(a_port_that_refuses_is_passed_over),
	    cmocka_unit_test(nobody_listens_is_a_network_fault),
	    cmocka_unit_test(a_wildcard_listener_is_known_by_the_connection),
	    cmocka_unit_test(names_are_no_more_asked_for_when_the_client_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
