/* SPDX-License-Identifier: ISC
 *
 * The check of the configuration against the DNS on a caller's loop: it tells
 * once, later, and may be taken back at any time; and each of its sentences.
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
#include "tests/unit/fakehelper.h"
#include "tests/unit/fakejudge.h"

enum { TURNS = 2000, TURN_MS = 20 };

static const struct dnsserver_row few[] = {
	{ "return.example", "MX", 0, "@ 60 MX 10 elsewhere.example" },
	{ "elsewhere.example", "A", 0, "@ 60 A 192.0.2.99" },
	{ 0 },
};

static const char little[] = CONF_BASE
    "public_address = { \"198.51.100.7\" }\n"
    "egress \"main\" { direct = true }\n"
    "outbound { clients = { \"192.0.2.0/24\" } use = { \"main\" } }\n"
    "return { domain = \"return.example\" secrets = \"%s\" }\n";

/* The first and the last address of each egress below. */
#define EACH "ip4:198.51.100.7 ip4:192.0.2.200 ip6:2001:db8:: " \
	"ip6:2001:db8:0:ffff:ffff:ffff:ffff:ffff"

/* Of an SPF record each kind of answer, of an MX and of a name too. */
/* clang-format off */
static const struct dnsserver_row all[] = {
	{ "pass.example", "TXT", 0, "@ 60 TXT v=spf1 " EACH " -all" },
	{ "half.example", "TXT", 0, "@ 60 TXT v=spf1 ip4:198.51.100.7 ~all" },
	{ "fail.example", "TXT", 0, "@ 60 TXT v=spf1 lookups=9 -all" },
	{ "long.example", "TXT", 0, "@ 60 TXT v=spf1 lookups=8 " EACH " ?all" },
	{ "bad.example", "TXT", 0, "@ 60 TXT v=spf1 moon:x" },
	{ "down.example", "TXT", 2, "" },
	{ "srs.example", "TXT", 0, "@ 60 TXT v=spf1 " EACH " -all" },
	{ "return.example", "TXT", 0, "@ 60 TXT v=spf1 " EACH " -all" },
	{ "return.example", "MX", 0, "@ 60 MX 10 relay.example.com\n"
	    "@ 60 MX 20 v6.example\n@ 60 MX 30 elsewhere.example\n"
	    "@ 60 MX 40 listens.example" },
	{ "v6.example", "AAAA", 0, "@ 60 AAAA 2001:db8::5" },
	{ "listens.example", "A", 0, "@ 60 A 192.0.2.25" },
	{ "elsewhere.example", "A", 0, "@ 60 A 192.0.2.99" },
	{ "7.100.51.198.in-addr.arpa", "PTR", 0, "@ 60 PTR other.example" },
	{ "other.example", "A", 0, "@ 60 A 198.51.100.7" },
	{ "200.2.0.192.in-addr.arpa", "PTR", 0, "@ 60 PTR OUT.example" },
	{ "out.example", "A", 0, "@ 60 A 192.0.2.200" },
	{ 0 },
};
/* clang-format on */

static const char much[] = "hostname = \"relay.example.com\"\n"
    "listen \"mx\" { address = { \"192.0.2.25:25\" } }\n"
    "leg \"legacy\" { hosts = { \"192.0.2.10:25\" } }\n"
    "leg \"past\" { hosts = { \"192.0.2.11:25\" }\n"
    "    trust = \"skip-listing\" }\n"
    "domain \"pass.example\" { route = \"legacy\" }\n"
    "domain \"half.example\" { route = \"legacy\" }\n"
    "domain \"fail.example\" { route = \"legacy\" }\n"
    "domain \"long.example\" { route = \"legacy\" }\n"
    "domain \"bad.example\" { route = \"legacy\" }\n"
    "domain \"down.example\" { route = \"legacy\" }\n"
    "domain \"none.example\" { route = \"legacy\" }\n"
    "public_address = { \"198.51.100.7\", \"2001:db8::/48\" }\n"
    "egress \"main\" { direct = true }\n"
    "egress \"second\" { direct = true helo = \"out.example\"\n"
    "    spf_address = { \"192.0.2.200\" } }\n"
    "outbound { clients = { \"192.0.2.0/24\" }\n"
    "    use = { \"main\", \"second\" } }\n"
    "srs { domain = \"srs.example\" secrets = \"%s\" }\n"
    "return { domain = \"return.example\" secrets = \"%s\" }\n";

struct world {
	struct clock_fake clock;
	struct loop *loop;
	struct dnsserver server;
	struct conf resolver;
	struct conf *conf;
	struct names *names;
	struct dns *dns;
	struct spf_helper *helper; /* NULL: there is none */
	struct spf_checker *checker;
	int done;
	unsigned lines, told;
	char said[8000];
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

struct spf_helper *spf_helper_new(const struct spf_helper_config *c)
{
	return fakehelper_new(c->loop, fakejudge, NULL);
}

static void begin_with(struct world *w, const char *dir, const char *conf,
    const struct dnsserver_row *zone)
{
	char text[4000];
	const char *secrets = conf_tmp_secret(dir, "secrets",
	    "0123456789abcdef\n");

	memset(w, 0, sizeof(*w));
	snprintf(text, sizeof(text), conf, secrets, secrets);
	w->names = names_new();
	w->conf = conf_tmp_good(dir, text, w->names);
	clock_fake_init(&w->clock, 0);
	w->loop = loop_new(&w->clock.clock);
	dnsserver_open(&w->server, w->loop, zone);
	w->dns = dnsserver_client(&w->server, &w->resolver, 150);
	if (zone == all)
		w->helper = spf_helper_new(&(struct spf_helper_config){
		    .loop = w->loop});
	w->checker = spf_checker_new(w->loop, w->dns, w->helper, NULL);
}

/* No helper: each record is one that cannot be read. */
static void begin(struct world *w, const char *dir)
{
	begin_with(w, dir, little, few);
}

static void end(struct world *w)
{
	spf_checker_free(w->checker);
	spf_helper_free(w->helper);
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

/* Its clock goes on by `step_us` a turn besides. */
static void run_check(struct world *w, int64_t step_us)
{
	assert_non_null(check(w));
	for (int i = 0; i < TURNS && w->done == 0; i++) {
		turn(w);
		clock_fake_step(&w->clock, step_us);
	}
	assert_int_equal(w->done, 1);
	assert_int_equal(w->told, w->lines);
}

static void each_fault_has_a_sentence_and_its_remedy(void **state)
{
	static const char want[] =
	    "the SPF record of half.example says softfail of egress "
	    "\"main\" (~all); add ip4:198.51.100.7/32 ip6:2001:db8::/48 "
	    "to it\n"
	    "the SPF record of half.example says softfail of egress "
	    "\"second\" (~all); add ip4:192.0.2.200/32 to it\n"
	    "the SPF record of fail.example says fail of egress \"main\" "
	    "(-all); add ip4:198.51.100.7/32 ip6:2001:db8::/48 to it\n"
	    "the SPF record of fail.example says fail of egress "
	    "\"second\" (-all); add ip4:192.0.2.200/32 to it\n"
	    "the SPF record of fail.example needs 9 lookups, and over 10 "
	    "receivers take it for an error (RFC 7208 4.6.4); write "
	    "addresses (ip4:, ip6:) instead of names until it needs 8 at "
	    "most\n"
	    "the SPF record of bad.example is in error, which receivers "
	    "take for a failure; posthouse spf check says where\n"
	    "the SPF record of down.example cannot be read now; check "
	    "again when the DNS answers\n"
	    "none.example has no SPF record, so receivers cannot tell "
	    "its mail from forged mail; add a TXT record \"v=spf1 "
	    "ip4:198.51.100.7/32 ip6:2001:db8::/48 ip4:192.0.2.200/32 "
	    "~all\"\n"
	    "srs.example has no MX, so no bounce comes back; add MX 10 "
	    "relay.example.com\n"
	    "leg \"past\" looks through us, so it judges copies from "
	    "return addresses at return.example by the client's address; "
	    "add ?all as the last term of its SPF record\n"
	    "the MX of return.example is elsewhere.example, which is no "
	    "address of ours (public_address, listen.address): bounces "
	    "go there; add MX 10 relay.example.com in its place\n"
	    "egress \"main\" says EHLO relay.example.com, and the name "
	    "(PTR) of 198.51.100.7 is other.example; set helo = "
	    "\"other.example\", or add PTR relay.example.com\n";
	struct world w;

	begin_with(&w, *state, much, all);
	run_check(&w, 0);
	assert_string_equal(w.said, want);
	end(&w);
}

static void without_the_dns_nothing_is_taken_for_wrong(void **state)
{
	struct world w;

	begin(&w, *state);
	w.server.mood = DNSSERVER_SERVFAIL;
	run_check(&w, 100000);
	assert_string_equal(w.said,
	    "the SPF record of example.com cannot be read now; check again "
	    "when the DNS answers\n"
	    "the SPF record of return.example cannot be read now; check again "
	    "when the DNS answers\n"
	    "the MX of return.example cannot be read now; check again when "
	    "the DNS answers\n"
	    "the name (PTR) of 198.51.100.7, egress \"main\", cannot be read "
	    "now; check again when the DNS answers\n");
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_tells_once_and_later),
		cmocka_unit_test(it_may_be_taken_back),
		cmocka_unit_test(each_fault_has_a_sentence_and_its_remedy),
		cmocka_unit_test(without_the_dns_nothing_is_taken_for_wrong),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup, conf_tmp_teardown);
}
