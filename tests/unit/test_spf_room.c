/* SPDX-License-Identifier: ISC
 *
 * The checks that a worker has under way while the DNS is silent: however many
 * are about our own ways out, mail that comes in is checked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "relay/spf/spf_check.h"
#include "relay/spf/spf_helper.h"
#include "tests/unit/dnsserver.h"

enum { ALL = 2000, OURS = 1000 };

struct world {
	struct loop *loop;
	struct dnsserver server;
	struct conf conf;
	struct conf_hostport at;
	struct dns *dns;
	struct spf_helper *helper;
	struct spf_checker *checker;
};

static void on_done(void *arg, const struct spf_checked *c)
{
	(void)arg;
	(void)c;
	fail_msg("the DNS is silent");
}

/* NULL: it is under way, and stays so. */
static const struct spf_checked *begin(struct world *w, int number, bool ours)
{
	static struct spf_wait wait[ALL + 2];
	struct spf_wait *at = &wait[number];
	struct netaddr client;
	char sender[64];

	*at = (struct spf_wait){.done = on_done};
	netaddr_parse(&client, SLICE("192.0.2.1"), 25);
	if (!ours)
		client.in.sin_addr.s_addr += htonl((unsigned)number);
	snprintf(sender, sizeof(sender), "a@d%d.example", number);
	return spf_check(w->checker, &(struct spf_subject){.client = &client,
	    .helo = SLICE("mx.example"), .sender = slice_str(sender),
	    .ours = ours}, at);
}

static void is_refused(const struct spf_checked *c)
{
	assert_non_null(c);
	assert_int_equal(c->verdict.result, SPF_TEMPERROR);
	assert_true(slice_eq(c->verdict.problem,
	    SLICE("too many checks are under way")));
}

static void ours_leave_room(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < OURS; i++)
		assert_null(begin(w, i, true));
	is_refused(begin(w, OURS, true));
	for (int i = OURS; i < ALL; i++)
		assert_null(begin(w, i, false));
	is_refused(begin(w, ALL, false));
}

static int setup(void **state)
{
	static const struct dnsserver_row zone[] = {{0}};
	static char host[] = "127.0.0.1";
	struct world *w = NEW(struct world);
	struct error err;

	w->loop = loop_new(&clock_system);
	dnsserver_open(&w->server, w->loop, zone);
	w->server.mood = DNSSERVER_SILENT;
	w->at = (struct conf_hostport){host, w->server.port, true};
	w->conf.resolver.server = &w->at;
	w->conf.resolver.servers = 1;
	w->conf.resolver.timeout_ms = 5000;
	w->dns = dns_new(w->loop, &w->conf, &err);
	assert_non_null(w->dns);
	w->helper = spf_helper_new(
	    &(struct spf_helper_config){.loop = w->loop});
	w->checker = spf_checker_new(w->loop, w->dns, w->helper, NULL);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	spf_checker_free(w->checker);
	spf_helper_free(w->helper);
	dns_free(w->dns);
	dnsserver_close(&w->server);
	loop_free(w->loop);
	mem_free(w);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ours_leave_room, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
