/* SPDX-License-Identifier: ISC
 *
 * The check of the configuration against the DNS on a caller's loop: it tells
 * once, later, and may be taken back at any time. There is no helper for SPF,
 * so each record is one that cannot be read; test_egress_cli.py has the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/egress/outbound_check.h"
#include "relay/net/dns.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/dnsserver.h"

enum { TURNS = 2000, TURN_MS = 20 };

static const struct dnsserver_row zone[] = {
	{ "return.example", "MX", 0, "@ 60 MX 10 elsewhere.example" },
	{ "elsewhere.example", "A", 0, "@ 60 A 192.0.2.99" },
	{ 0 },
};

static const char text[] = CONF_BASE
    "public_address = { \"198.51.100.7\" }\n"
    "egress \"main\" { direct = true }\n"
    "outbound { clients = { \"192.0.2.0/24\" } use = { \"main\" } }\n"
    "return { domain = \"return.example\" secrets = \"%s\" }\n";

struct world {
	struct clock_fake clock;
	struct loop *loop;
	struct dnsserver server;
	struct conf resolver;
	struct conf *conf;
	struct names *names;
	struct dns *dns;
	struct spf_checker *checker;
	int done;
	unsigned lines, told;
	char said[4000];
};

static void on_line(void *arg, const char *line)
{
	struct world *w = arg;

	w->lines++;
	strncat(w->said, line, sizeof(w->said) - strlen(w->said) - 2);
	strcat(w->said, "\n");
}

static void on_done(void *arg, unsigned warnings)
{
	struct world *w = arg;

	w->done++;
	w->told = warnings;
}

static void begin(struct world *w, const char *dir)
{
	char conf[1000];

	memset(w, 0, sizeof(*w));
	snprintf(conf, sizeof(conf), text,
	    conf_tmp_secret(dir, "secrets", "0123456789abcdef\n"));
	w->names = names_new();
	w->conf = conf_tmp_good(dir, conf, w->names);
	clock_fake_init(&w->clock, 0);
	w->loop = loop_new(&w->clock.clock);
	dnsserver_open(&w->server, w->loop, zone);
	w->dns = dnsserver_client(&w->server, &w->resolver, 150);
	w->checker = spf_checker_new(w->loop, w->dns, NULL);
}

static void end(struct world *w)
{
	spf_checker_free(w->checker);
	dns_free(w->dns);
	dnsserver_close(&w->server);
	loop_free(w->loop);
	conf_unref(w->conf);
	names_free(w->names);
}

static struct outbound_check *check(struct world *w)
{
	return outbound_check_begin(&(struct outbound_check_config){w->loop,
	    w->dns, w->checker, w->conf, on_line, on_done, w});
}

static void turn(struct world *w)
{
	dnsserver_turn(w->loop, &w->clock, TURN_MS);
}

static void it_tells_once_and_later(void **state)
{
	struct world w;

	begin(&w, *state);
	assert_non_null(check(&w));
	assert_int_equal(w.done + (int)w.lines, 0);
	for (int i = 0; i < TURNS && w.done == 0; i++)
		turn(&w);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.told, w.lines);
	assert_int_equal(w.lines, 4);
	assert_non_null(strstr(w.said, "record of example.com cannot be read"));
	assert_non_null(strstr(w.said, "record of return.example cannot be"));
	assert_non_null(strstr(w.said,
	    "the MX of return.example is elsewhere.example"));
	assert_non_null(strstr(w.said, "has no name that leads back to it"));
	turn(&w);
	assert_int_equal(w.done, 1);
	end(&w);
}

/* After each number of turns; what is left over would be found by the
 * sanitizers, or call back. */
static void it_may_be_taken_back(void **state)
{
	struct world w;
	bool over = false;

	for (int turns = 0; turns < TURNS && !over; turns++) {
		struct outbound_check *k;
		unsigned lines;

		begin(&w, *state);
		k = check(&w);
		for (int i = 0; i < turns && w.done == 0; i++)
			turn(&w);
		over = w.done != 0;
		if (!over)
			outbound_check_cancel(k);
		lines = w.lines;
		turn(&w);
		assert_int_equal(w.lines, lines);
		assert_int_equal(w.done, over);
		end(&w);
	}
	assert_true(over);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_tells_once_and_later),
		cmocka_unit_test(it_may_be_taken_back),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup, conf_tmp_teardown);
}
