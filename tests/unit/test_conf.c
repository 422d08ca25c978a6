/* SPDX-License-Identifier: ISC
 *
 * Good files: what every key becomes, defaults, lookups, reload.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "conf/types.h"
#include "tests/unit/conf_tmp.h"

struct fixture {
	struct names *names;
	struct conf *c;
};

static void load(void **state, struct fixture *f, const char *text)
{
	f->names = names_new();
	f->c = conf_tmp_good(*state, text, f->names);
}

static void unload(struct fixture *f)
{
	conf_unref(f->c);
	names_free(f->names);
}

static void all_but_three_things_have_a_default(void **state)
{
	struct fixture f;
	const struct conf *c;
	const struct conf_leg *l;

	load(state, &f, CONF_BASE);
	c = f.c;
	l = &c->leg[0];
	assert_string_equal(c->postmaster, "postmaster@example.com");
	assert_int_equal(c->listens, 1);
	assert_int_equal(c->listen[0].addresses, 2);
	assert_string_equal(c->listen[0].address[0].host, "0.0.0.0");
	assert_string_equal(c->listen[0].address[1].host, "::");
	assert_int_equal(c->listen[0].address[1].port, 25);
	assert_int_equal(c->listen[0].leg, -1);
	assert_string_equal(c->table.path, "/var/lib/posthouse/cutover.db");
	assert_string_equal(c->spool.path, "/var/spool/posthouse");
	assert_int_equal(c->spool.segment_bytes, 64 << 20);
	assert_string_equal(c->audit.path, "/var/lib/posthouse/audit");
	assert_string_equal(c->audit.events,
	    "/var/log/posthouse/events.jsonl");
	assert_string_equal(c->control.socket, "/run/posthouse/control.sock");
	assert_string_equal(c->dsn.via, "mx");
	assert_int_equal(c->resolver.servers, 0);
	assert_int_equal(c->limits.command_timeout_ms, 300000);
	assert_int_equal(c->limits.message_bytes, 50 << 20);
	assert_int_equal(c->retry.steps, 7);
	assert_int_equal(c->retry.steps_ms[0], 60000);
	assert_int_equal(c->retry.steps_ms[6], 3600000);
	assert_int_equal(c->retry.lifetime_ms, 5 * 86400000LL);
	assert_int_equal(c->retry.grace_ms, 72 * 3600000LL);
	assert_int_equal(c->queue.max, 5000000);
	assert_int_equal(c->log.level, LOG_LV_INFO);
	assert_int_equal(l->connections, 20);
	assert_int_equal(l->tls, TLS_MAY);
	assert_string_equal(l->mx, "");
	assert_string_equal(l->profile, "generic");
	assert_int_equal(l->data_done_timeout_ms, 600000);
	assert_int_equal(c->domain[0].subaddress, '+');
	assert_int_equal(c->domain[0].unknown, UNKNOWN_PROBE);
	assert_int_equal(l->suspend_messages, 10);
	assert_int_equal(l->suspend_senders, 5);
	assert_int_equal(l->trust, TRUST_ADDRESS);
	unload(&f);
}

/* clang-format off */
static const char whole[] =
	"hostname = Relay.EXAMPLE.com // a comment\n"
	"postmaster = 'admin@tenant.example'\n"
	"public_address = \"198.51.100.7\"\n"
	"soft_bounce = true\n"
	"listen \"old-mx\" {\n"
	"  address = { \"127.0.0.1:0\", \"[::1]\" } proxy_from = { \"192.0.2.9\" }\n"
	"  bare_newline = \"normalize\" bare_newline_clients = { \"10.1.0.0/16\" }\n"
	"  leg = cloud\n"
	"}\n"
	"leg \"legacy\" {\n"
	"  hosts = { \"mail-old.example.com\" }\n"
	"  hosts += { \"2001:db8::1\", \"[2001:db8::2]:2525\" }\n"
	"  clients = { \"192.0.2.10/32\", \"::ffff:192.0.2.128/121\", \"2001:db8::/32\" }\n"
	"  connect_timeout = \"250ms\"\n"
	"}\n"
	"leg \"cloud\" { mx = \"Example.NET\"\n  domains = { \"Tenant.example\", \"b\xc3\xbc"
	"cher.example\" }\n"
	"  tls = verify profile = \"microsoft365\" max_recipients = 1 }\n"
	"egress \"direct\" { direct = true source = \"198.51.100.7\" }\n"
	"domain \"example.com\" { route = \" both \" both = \"cloud + legacy\"\n"
	"  subaddress = \"\" }\n"
	"domain \"B\xc3\xbc" "cher.example.org\" { route = \"reject\" unknown = \"defer\" }\n"
	"domain \"c.example\" { subaddress = \"-\" }\n"
	"dsn { via = \"direct\" }\n"
	"retry { steps = { \"10ms\", \"1d\" } }\n"
	"resolver { servers = { \"127.0.0.1:5353\", \"::1\" } }\n"
	"queue { max = 7 }\n";
/* clang-format on */

static void every_form_of_value_is_read(void **state)
{
	struct fixture f;
	const struct conf *c;

	load(state, &f, whole);
	c = f.c;
	assert_string_equal(c->hostname, "relay.example.com");
	assert_string_equal(c->postmaster, "admin@tenant.example");
	assert_int_equal(c->public_address.count, 1);
	assert_true(c->soft_bounce);
	assert_int_equal(c->listen[0].address[0].port, 0);
	assert_int_equal(c->listen[0].address[1].port, 25);
	assert_true(c->listen[0].address[1].is_addr);
	assert_int_equal(c->listen[0].bare_newline, BARE_NORMALIZE);
	assert_int_equal(c->listen[0].leg, 1);
	assert_int_equal(c->listen[0].line, 5);
	assert_int_equal(c->leg[0].hosts, 3);
	assert_false(c->leg[0].host[0].is_addr);
	assert_string_equal(c->leg[0].host[1].host, "2001:db8::1");
	assert_int_equal(c->leg[0].host[1].port, 25);
	assert_int_equal(c->leg[0].host[2].port, 2525);
	assert_int_equal(c->leg[0].clients.count, 3);
	assert_int_equal(c->leg[0].clients.net[1].family, AF_INET);
	assert_int_equal(c->leg[0].clients.net[1].bits, 25);
	assert_int_equal(c->leg[0].connect_timeout_ms, 250);
	assert_int_equal(c->leg[0].line, 10);
	assert_string_equal(c->leg[1].mx, "example.net");
	assert_string_equal(c->leg[1].domains.s[0], "tenant.example");
	assert_string_equal(c->leg[1].domains.s[1], "xn--bcher-kva.example");
	assert_int_equal(c->leg[1].tls, TLS_VERIFY);
	assert_int_equal(c->legs, 3);
	assert_true(c->leg[2].egress && c->leg[2].direct);
	assert_string_equal(c->leg[2].profile, "internet");
	/* A leg has what only an egress can set, and no NULL. */
	assert_string_equal(c->leg[0].spf_include, "");
	assert_string_equal(c->domain[0].both, "cloud+legacy");
	assert_string_equal(c->domain[0].route, "cloud+legacy");
	assert_int_equal(c->domain[0].subaddress, '\0');
	assert_string_equal(c->domain[1].name, "xn--bcher-kva.example.org");
	assert_string_equal(c->domain[1].route, "reject");
	assert_int_equal(c->domain[1].unknown, UNKNOWN_DEFER);
	assert_string_equal(c->domain[2].route, "");
	assert_int_equal(c->domain[2].subaddress, '-');
	assert_string_equal(c->dsn.via, "direct");
	assert_int_equal(c->retry.steps, 2);
	assert_int_equal(c->retry.steps_ms[1], 86400000);
	assert_int_equal(c->resolver.server[0].port, 5353);
	assert_int_equal(c->resolver.server[1].port, 53);
	assert_int_equal(c->queue.max, 7);
	unload(&f);
}

static void included_files_are_read_after_the_one_that_names_them(void **state)
{
	struct fixture f;
	const char *dir = *state;

	conf_tmp_write(dir, "legs.conf",
	    "# c\nleg \"cloud\" { hosts = \"a.example\" }\n"
	    "include(\"deep.conf\")\n");
	conf_tmp_write(dir, "deep.conf", "\n\nlimits { errors = 3 }");
	load(state, &f, "include(\"legs.conf\")\n" CONF_BASE
			"domain \"b.example\" { route = \"cloud\" }\n");
	assert_int_equal(f.c->legs, 3); /* and the way of DSNs */
	assert_string_equal(f.c->leg[2].name, "mx");
	assert_true(f.c->leg[2].egress && f.c->leg[2].direct);
	assert_string_equal(f.c->leg[1].name, "cloud");
	assert_int_equal(f.c->leg[1].line, 2);
	assert_non_null(strstr(f.c->leg[1].file, "legs.conf"));
	assert_int_equal(f.c->limits.errors, 3);
	unload(&f);
}

static void legs_and_domains_are_found(void **state)
{
	struct fixture f;
	const struct conf_leg *l;

	load(state, &f, whole);
	l = conf_leg_by_name(f.c, SLICE("cloud"));
	assert_ptr_equal(l, &f.c->leg[1]);
	assert_ptr_equal(conf_leg_by_id(f.c, l->id), l);
	assert_string_equal(names_text(f.names, l->id), "cloud");
	assert_null(conf_leg_by_name(f.c, SLICE("clou")));
	assert_null(conf_leg_by_id(f.c, -1));
	assert_null(conf_leg_by_id(f.c, 3));
	assert_null(conf_leg_by_id(f.c, NAMES_MAX));
	for (int i = 0; i < f.c->domains; i++)
		assert_ptr_equal(conf_domain(f.c,
				     slice_str(f.c->domain[i].name)),
		    &f.c->domain[i]);
	assert_null(conf_domain(f.c, SLICE("example.co")));
	assert_null(conf_domain(f.c, SLICE("example.com.")));
	assert_null(conf_domain(f.c, SLICE("")));
	assert_ptr_equal(conf_leg_of_domain(f.c, SLICE("tenant.example")), l);
	assert_null(conf_leg_of_domain(f.c, SLICE("example.com")));
	unload(&f);
}

static void a_leg_keeps_its_number_over_reloads(void **state)
{
	struct fixture f;
	struct conf *again;
	int legacy;

	load(state, &f, CONF_BASE);
	legacy = f.c->leg[0].id;
	again = conf_tmp_good(*state, "hostname = \"r.example\"\n"
	    "leg \"new\" { hosts = \"a\" }\nleg \"legacy\" { hosts = \"a\" }\n"
	    "domain \"example.com\" { }\n", f.names);
	assert_int_equal(conf_leg_by_name(again, SLICE("legacy"))->id, legacy);
	assert_int_not_equal(again->leg[0].id, legacy);
	conf_unref(again);
	unload(&f);
}

static void a_key_is_found_at_its_place(void **state)
{
	struct fixture f;
	struct conf_place at;

	load(state, &f, CONF_BASE "limits {\n    errors = 5\n}\n");
	at = conf_place(f.c, "limits", "errors");
	assert_non_null(strstr(at.file, "posthouse.conf"));
	assert_int_equal(at.line, 5);
	at = conf_place(f.c, "", "hostname");
	assert_int_equal(at.line, 1);
	unload(&f);
}

static void a_snapshot_lives_until_its_last_reference(void **state)
{
	struct fixture f;

	load(state, &f, CONF_BASE);
	assert_ptr_equal(conf_ref(f.c), f.c);
	conf_unref(f.c);
	assert_string_equal(f.c->hostname, "relay.example.com");
	unload(&f);
	conf_unref(NULL);
}

/* clang-format off */
static const struct { const char *net, *addr; bool in; } membership[] = {
	{ "192.0.2.0/25",       "192.0.2.127",        true  },
	{ "192.0.2.0/25",       "192.0.2.128",        false },
	{ "192.0.2.0/25",       "::ffff:192.0.2.1",   true  },
	{ "::ffff:192.0.2.1",   "192.0.2.1",          true  },
	{ "::ffff:0:0/96",      "203.0.113.1",        true  },
	{ "::ffff:0:0/96",      "2001:db8::1",        false },
	{ "2001:db8::/33",      "2001:db8:7fff::1",   true  },
	{ "2001:db8::/33",      "2001:db8:8000::1",   false },
	{ "2001:db8::1",        "2001:db8::1",        true  },
	{ "0.0.0.0/0",          "203.0.113.1",        true  },
	{ "0.0.0.0/0",          "2001:db8::1",        false },
	{ "::/0",               "192.0.2.1",          false },
};
/* clang-format on */

static void sockaddr_of(const char *text, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (void *)out;
	struct sockaddr_in6 *in6 = (void *)out;

	*out = (struct sockaddr_storage){0};
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
		in->sin_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		in6->sin6_family = AF_INET6;
}

static void an_address_is_in_a_network_or_not(void **state)
{
	struct sockaddr_storage sa = {.ss_family = AF_UNIX};
	struct conf_net net;
	struct conf_nets nets = {&net, 1};
	const char *why = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(membership); i++) {
		print_message("%s in %s\n", membership[i].addr,
		    membership[i].net);
		assert_int_equal(conf_net_parse(slice_str(membership[i].net),
				     &net, &why), 0);
		sockaddr_of(membership[i].addr, &sa);
		assert_int_equal(conf_nets_have(&nets, (void *)&sa),
		    membership[i].in);
	}
	sa.ss_family = AF_UNIX;
	assert_false(conf_nets_have(&nets, (void *)&sa));
}

static const char *const bad_nets[] = {"", "/", "/8", "192.0.2.1/", "x",
    "192.0.2", "192.0.2.1/-1", "192.0.2.1/33", "192.0.2.1/+1", "192.0.2.1/24",
    "2001:db8::1/64", "2001:db8::/129", "fe80::1%lo", "010.0.0.1",
    "::ffff:192.0.2.1/120", "192.0.2.1 ", "192.0.2.0/24/24",
    "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
    /* One byte more than the longest address. */
    "1111:2222:3333:4444:5555:6666:255.255.255.2550"};

static void what_is_no_network_is_refused(void **state)
{
	struct conf_net net;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_nets); i++) {
		why = NULL;
		print_message("%s\n", bad_nets[i]);
		assert_int_equal(conf_net_parse(slice_str(bad_nets[i]), &net,
				     &why), -1);
		assert_non_null(why);
	}
}

/* clang-format off */
static const struct { const char *add, *lines; bool live; } reloads[] = {
	{ "", "", true },
	{ "limits { command_timeout = \"300s\" }\n", "", true },
	{ "limits { command_timeout = \"4m\" }\n",
	  "limits.command_timeout: applies to new sessions\n", true },
	{ "limits { connections = 7 }\nqueue { max = 9 }\n",
	  "limits.connections: applies at once\nqueue.max: applies at once\n", true },
	{ "workers = 2\n", "workers: needs a restart\n", false },
	{ "spool { path = \"/s\" retain = \"1d\" }\n",
	  "spool.path: needs a restart\nspool.retain: applies at once\n", false },
	{ "leg \"cloud\" { hosts = \"b.example\" }\n",
	  "leg \"cloud\" added: applies at once\n", true },
	{ "egress \"e\" { direct = true }\n", "egress \"e\" added: applies at once\n", true },
	{ "domain \"b.example\" { }\n", "domain \"b.example\" added: applies at once\n", true },
	{ "listen \"smtp\" { address = { \"0.0.0.0:25\", \"[::]:25\" } }\n", "", true },
	{ "listen \"smtp\" { address = \"127.0.0.1:25\" proxy_from = \"192.0.2.1\" }\n",
	  "listen \"smtp\" address: needs a restart\n"
	  "listen \"smtp\" proxy_from: applies to new sessions\n", false },
	{ "listen \"b\" { }\n",
	  "listen \"smtp\" removed: needs a restart\n"
	  "listen \"b\" added: needs a restart\n", false },
};
/* clang-format on */

static void a_reload_says_what_changes_and_what_it_cannot_change(void **state)
{
	struct fixture f;
	struct strbuf lines, text;

	load(state, &f, CONF_BASE);
	strbuf_init(&lines, 10000);
	strbuf_init(&text, 10000);
	for (size_t i = 0; i < ARRAY_LEN(reloads); i++) {
		struct conf *fresh;

		strbuf_reset(&lines);
		strbuf_reset(&text);
		strbuf_addf(&text, "%s%s", CONF_BASE, reloads[i].add);
		fresh = conf_tmp_good(*state, strbuf_cstr(&text), f.names);
		assert_int_equal(conf_diff(f.c, fresh, &lines),
		    reloads[i].live);
		assert_string_equal(strbuf_cstr(&lines), reloads[i].lines);
		conf_unref(fresh);
	}
	strbuf_fini(&text);
	strbuf_fini(&lines);
	unload(&f);
}

static void a_changed_leg_is_compared_key_by_key(void **state)
{
	struct fixture f;
	struct conf *fresh;
	struct strbuf lines;

	load(state, &f, whole);
	fresh = conf_tmp_good(*state, "hostname = \"relay.example.com\"\n"
	    "leg \"cloud\" { hosts = \"a\" tls = verify }\n"
	    "leg \"legacy\" { mx = \"b.example\" }\n"
	    "domain \"tenant.example\" { route = \"cloud\" }\n", f.names);
	strbuf_init(&lines, 10000);
	assert_false(conf_diff(f.c, fresh, &lines));
	assert_non_null(strstr(strbuf_cstr(&lines),
	    "leg \"legacy\" hosts: applies at once\n"
	    "leg \"legacy\" mx: applies at once\n"
	    "leg \"legacy\" clients: applies to new sessions\n"
	    "leg \"legacy\" connect_timeout: applies at once\n"
	    "leg \"cloud\" hosts: applies at once\n"));
	assert_non_null(strstr(strbuf_cstr(&lines),
	    "egress \"direct\" removed: applies at once\n"));
	assert_null(strstr(strbuf_cstr(&lines), "\"cloud\" tls"));
	strbuf_fini(&lines);
	conf_unref(fresh);
	unload(&f);
}

/* ---- values as text ----------------------------------------------------- */

/* clang-format off */
static const struct {
	const struct conf_type *type;
	const char *written, *shown;
} values[] = {
	{ &T_HOSTS, "2001:db8::1", "{ \"[2001:db8::1]:25\" }" },
	{ &T_HOSTS, "[2001:db8::1]:2525", "{ \"[2001:db8::1]:2525\" }" },
	{ &T_HOSTS, "192.0.2.1", "{ \"192.0.2.1:25\" }" },
	{ &T_HOSTS, "mx.example:26", "{ \"mx.example:26\" }" },
	{ &T_LISTEN, "[::]:0", "{ \"[::]:0\" }" },
	{ &T_NETS, "192.0.2.0/24", "{ \"192.0.2.0/24\" }" },
	{ &T_NETS, "2001:db8::/32", "{ \"2001:db8::/32\" }" },
	{ &T_DURATION, "90s", "\"90s\"" },
	{ &T_DURATION, "120s", "\"2m\"" },
	{ &T_DURATION, "0s", "\"0s\"" },
	{ &T_DURATION, "24h", "\"1d\"" },
	{ &T_SIZE, "1024K", "\"1M\"" },
	{ &T_BOOL, "true", "true" },
	{ &T_CHAR, "+", "\"+\"" },
};
/* clang-format on */

static void show(struct arena *a, const struct conf_type *type,
    const char *text, struct strbuf *out)
{
	const struct conf_param p = {.name = "key", .type = type,
	    .max = INT64_MAX};
	union {
		struct conf_nets list;
		int64_t number;
	} field = {.number = 0};
	struct slot s = {.arena = a, .param = &p, .field = &field, .count = 1};
	struct error err = {0};

	if (type->set(&s, text, &err) < 0)
		fail_msg("%s %s", text, err.text);
	strbuf_reset(out);
	type->show(&p, &field, out);
}

/* The text that is shown may be written, and is the same value. */
static void a_value_is_shown_as_it_may_be_written(void **state)
{
	struct arena *a = arena_new();
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 200);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		static const char around[] = "{} \"";
		struct slice bare;

		show(a, values[i].type, values[i].written, &out);
		assert_string_equal(strbuf_cstr(&out), values[i].shown);
		bare = slice_str(arena_strdup(a, values[i].shown));
		while (bare.n > 0 && strchr(around, bare.p[0]) != NULL)
			bare = slice_from(bare, 1);
		while (bare.n > 0 && strchr(around, bare.p[bare.n - 1]) != NULL)
			bare.n--;
		show(a, values[i].type, arena_slicedup(a, bare), &out);
		assert_string_equal(strbuf_cstr(&out), values[i].shown);
	}
	strbuf_fini(&out);
	arena_free(a);
}

static void waves_have_limits_in_their_zone(void **state)
{
	struct fixture f;
	const struct conf *c;

	load(state, &f, CONF_BASE);
	assert_null(f.c->wave.clock);
	assert_int_equal(f.c->wave.limits.blackouts.count, 0);
	assert_int_equal(f.c->wave.limits.per_hour, 0);
	unload(&f);
	load(state, &f, CONF_BASE "wave { zone = \"Europe/London\"\n"
	    "blackout = { \"Mon-Fri 07:00-19:00\", \"Sat Asia/Tokyo\" }\n"
	    "per_hour = 30000 }\n");
	c = f.c;
	assert_string_equal(c->wave.clock->name, "Europe/London");
	assert_int_equal(c->wave.limits.blackouts.count, 2);
	assert_ptr_equal(c->wave.limits.blackouts.item[0].zone, c->wave.clock);
	assert_string_equal(c->wave.limits.blackouts.item[1].zone->name,
	    "Asia/Tokyo");
	assert_string_equal(c->wave.limits.blackouts.item[0].text,
	    "Mon-Fri 07:00-19:00");
	assert_int_equal(c->wave.limits.per_hour, 30000);
	unload(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waves_have_limits_in_their_zone),
		cmocka_unit_test(all_but_three_things_have_a_default),
		cmocka_unit_test(every_form_of_value_is_read),
		cmocka_unit_test(
		    included_files_are_read_after_the_one_that_names_them),
		cmocka_unit_test(legs_and_domains_are_found),
		cmocka_unit_test(a_leg_keeps_its_number_over_reloads),
		cmocka_unit_test(a_key_is_found_at_its_place),
		cmocka_unit_test(a_snapshot_lives_until_its_last_reference),
		cmocka_unit_test(an_address_is_in_a_network_or_not),
		cmocka_unit_test(what_is_no_network_is_refused),
		cmocka_unit_test(
		    a_reload_says_what_changes_and_what_it_cannot_change),
		cmocka_unit_test(a_changed_leg_is_compared_key_by_key),
		cmocka_unit_test(a_value_is_shown_as_it_may_be_written),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
