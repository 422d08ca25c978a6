/* SPDX-License-Identifier: ISC
 *
 * A look at a domain whose resolver, name server and zone above are one server
 * of the test: what is heard of each, and what is no answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "relay/cutover/propagation/spread_look.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/dnsserver.h"

enum { ROWS = 32, CONF_BYTES = 2000, AA = DNSSERVER_AA };

/* Of all cases; those of a case come first. */
static const struct dnsserver_row common[] = {
	{"example.com", "SOA", AA, "@ 60 SOA 17"},
	{"example.com", "NS", AA, "@ 3600 NS ns1.example.com"},
	{"com", "SOA", AA, "@ 60 SOA 17"},
	{"com", "NS", AA, "@ 60 NS ns1.example.com"},
	{"ns1.example.com", "A", AA, "@ 60 A 127.0.0.1"},
	{"ns1.example.com", "AAAA", AA, ""},
	{"mx.example.com", "A", AA, "@ 900 A 198.51.100.7"},
	{"mx.example.com", "AAAA", AA, ""},
	{"old.example.com", "A", AA, "@ 60 A 192.0.2.10"},
	{"old.example.com", "AAAA", AA, ""},
	{"mx.elsewhere.test", "A", AA, "@ 60 A 203.0.113.9"},
	{"mx.elsewhere.test", "AAAA", AA, ""},
	{"cloud.test", "MX", AA, "@ 60 MX 1 mx.elsewhere.test"},
	{"host.third.test", "A", AA, "@ 60 A 203.0.113.8\n"
	    "@ 60 A 203.0.113.9"},
	{"host.third.test", "AAAA", AA, ""},
	{"other.third.test", "A", AA, "@ 60 A 203.0.113.7"},
	{"other.third.test", "AAAA", AA, ""},
	{"two.test", "MX", AA, "@ 60 MX 1 host.third.test\n"
	    "@ 60 MX 2 other.third.test"},
	{.name = NULL},
};

#define AWAY {"example.com", "MX", AA, "@ 60 MX 10 mx.elsewhere.test"}
#define SIX(n) "@ 60 A 203.0.113." n "1\n@ 60 A 203.0.113." n "2\n"  \
	"@ 60 A 203.0.113." n "3\n@ 60 A 203.0.113." n "4\n"       \
	"@ 60 A 203.0.113." n "5\n@ 60 A 203.0.113." n "6"
#define MANY "@ 60 MX 1 m1.example.com\n@ 60 MX 1 m2.example.com\n"     \
	"@ 60 MX 1 m3.example.com\n@ 60 MX 1 m4.example.com\n"          \
	"@ 60 MX 1 m5.example.com\n@ 60 MX 1 m6.example.com\n"          \
	"@ 60 MX 1 m7.example.com\n@ 60 MX 1 m8.example.com\n"

static const struct {
	const char *title;
	struct dnsserver_row rows[3]; /* NULL: no more */
	const char *conf; /* more of it */
	enum spread_said said;	 /* of the name server */
	const char *why;
	const char *ways;	 /* "us 300, legacy 60" */
	const char *answer;	 /* a part of it */
	bool more;
} looks[] = {
	/* clang-format off */
	{ "to us, by the larger TTL", {{"example.com", "MX", AA, "@ 300 MX 10 mx.example.com"}}, "",
	  SAID_ANSWER, "", "us 900", "{\"address\":\"198.51.100.7\",\"leads\":\"us\"}", false },
	{ "two ways", {{"example.com", "MX", AA,
	  "@ 60 MX 10 mx.example.com\n@ 60 MX 20 old.example.com"}}, "",
	  SAID_ANSWER, "", "us 900, legacy 60", "\"leads\":\"legacy\"", false },
	{ "out of the zone", {AWAY}, "",
	  SAID_ANSWER, "", "elsewhere 60", "203.0.113.9", false },
	{ "a leg that is found by its MX", {AWAY},
	  "leg \"cloud\" { mx = \"cloud.test\" }\n", SAID_ANSWER, "", "cloud 60", "cloud", false },
	{ "a leg by its clients", {AWAY},
	  "leg \"third\" { hosts = { \"192.0.2.11\" } clients = { \"203.0.113.0/24\" } }\n",
	  SAID_ANSWER, "", "third 60", "third", false },
	{ "a leg by the name of its host", {AWAY},
	  "leg \"third\" { hosts = { \"mx.elsewhere.test:2525\" } }\n",
	  SAID_ANSWER, "", "third 60", "third", false },
	{ "the larger TTL is that of the MX", {{"example.com", "MX", AA,
	  "@ 1200 MX 10 mx.example.com"}}, "", SAID_ANSWER, "", "us 1200",
	  "[{\"preference\":10,\"host\":\"mx.example.com\",\"addresses\":[{", false },
	{ "a way by two hosts has the larger TTL", {{"example.com", "MX", AA,
	  "@ 60 MX 10 mx.example.com\n@ 60 MX 20 our.example.com"},
	  {"our.example.com", "A", AA, "@ 100 A 198.51.100.7"},
	  {"our.example.com", "AAAA", AA, ""}}, "", SAID_ANSWER, "", "us 900", "our", false },
	{ "to where we listen", {{"example.com", "MX", AA, "@ 60 MX 10 our.example.com"},
	  {"our.example.com", "A", AA, "@ 60 A 203.0.113.2"},
	  {"our.example.com", "AAAA", AA, ""}},
	  "listen \"a\" { address = \"203.0.113.1:25\" }\n"
	  "listen \"b\" { address = { \"203.0.113.3:25\", \"203.0.113.2:2525\" } }\n",
	  SAID_ANSWER, "", "us 60", "\"leads\":\"us\"", false },
	{ "to an address of this machine", {{"example.com", "MX", AA,
	  "@ 60 MX 10 our.example.com"}, {"our.example.com", "A", AA, "@ 60 A 127.0.0.1"},
	  {"our.example.com", "AAAA", AA, "@ 90 AAAA 2001:db8::1"}}, "",
	  SAID_ANSWER, "", "elsewhere 90, us 90",
	  "{\"address\":\"2001:db8::1\",\"leads\":\"elsewhere\"},"
	  "{\"address\":\"127.0.0.1\",\"leads\":\"us\"}", false },
	{ "an egress is no leg", {AWAY},
	  "egress \"out\" { hosts = { \"203.0.113.9:25\", \"mx.elsewhere.test:25\" } }\n",
	  SAID_ANSWER, "", "elsewhere 60", "\"leads\":\"elsewhere\"", false },
	{ "an egress is none by a name that is resolved", {AWAY},
	  "egress \"out\" { hosts = { \"host.third.test:25\" } }\n",
	  SAID_ANSWER, "", "elsewhere 60", "203.0.113.9", false },
	{ "a leg by an address of its host's name", {AWAY},
	  "leg \"third\" { hosts = { \"other.third.test:25\", \"host.third.test:2525\" } }\n",
	  SAID_ANSWER, "", "third 60", "\"leads\":\"third\"", false },
	{ "a leg by its second address", {AWAY},
	  "leg \"third\" { hosts = { \"192.0.2.11:25\", \"203.0.113.9:25\" } }\n",
	  SAID_ANSWER, "", "third 60", "\"leads\":\"third\"", false },
	{ "a leg by the second of its MX", {{"example.com", "MX", AA,
	  "@ 60 MX 10 mx.elsewhere.test\n@ 60 MX 20 our.example.com"},
	  {"our.example.com", "A", AA, "@ 60 A 203.0.113.7"},
	  {"our.example.com", "AAAA", AA, ""}},
	  "leg \"two\" { mx = \"two.test\" }\nleg \"three\" { hosts = { \"203.0.113.1\" }\n"
	  "    clients = { \"203.0.113.9\" } }\n",
	  SAID_ANSWER, "", "two 60", "\"leads\":\"two\"", false },
	{ "two legs", {{"example.com", "MX", AA,
	  "@ 60 MX 10 mx.elsewhere.test\n@ 60 MX 20 old.example.com"}},
	  "leg \"third\" { hosts = { \"203.0.113.9\" } }\n",
	  SAID_ANSWER, "", "third 60, legacy 60", "\"leads\":\"legacy\"", false },
	{ "null MX", {{"example.com", "MX", AA, "@ 60 MX 0 ."}}, "",
	  SAID_ANSWER, "", "nowhere 60", "\"addresses\":[]", false },
	{ "no MX: the address of the domain", {{"example.com", "MX", AA, ""},
	  {"example.com", "A", AA, "@ 60 A 192.0.2.10"}, {"example.com", "AAAA", AA, ""}}, "",
	  SAID_ANSWER, "", "legacy 60", "\"host\":\"example.com\"", false },
	{ "without authority", {{"example.com", "MX", 0, "@ 60 MX 10 mx.example.com"}}, "",
	  SAID_REFUSED, "it has no authority (AA)", "", "", false },
	{ "refused", {{"example.com", "MX", 5, ""}}, "", SAID_REFUSED, "REFUSED", "", "", false },
	{ "an alias loop", {{"example.com", "MX", AA,
	  "@ 60 CNAME x.example.com\nx.example.com 60 CNAME example.com"}}, "",
	  SAID_REFUSED, "an alias loop", "", "", false },
	{ "a host that is not answered for",
	  {{"example.com", "MX", AA, "@ 60 MX 10 mx.example.com"},
	  {"mx.example.com", "AAAA", 2, ""}}, "",
	  SAID_SILENT, "no answer for the address of an MX", "", "", false },
	{ "more MX than are looked at", {{"example.com", "MX", AA,
	  MANY MANY "@ 60 MX 1 mx.example.com"}}, "", SAID_ANSWER, "", "nowhere 60", "m1", true },
	{ "more addresses than are looked at",
	  {{"example.com", "MX", AA, "@ 60 MX 10 mx.example.com"}, {"mx.example.com", "A", AA,
	  SIX("1") "\n" SIX("2") "\n" SIX("3")}}, "",
	  SAID_ANSWER, "", "elsewhere 60", "203.0.113.26", true },
	/* clang-format on */
};

struct look_rig {
	struct loop *l;
	struct dnsserver server;
	struct dnsserver_row rows[ROWS];
	struct arena *a;
	struct names *names;
	struct conf *conf;
	struct spread_look out;
};

static void begin(struct look_rig *r, const char *dir,
    const struct dnsserver_row *rows, size_t n, const char *more)
{
	char text[CONF_BYTES];

	*r = (struct look_rig){.l = loop_new(&clock_system),
	    .a = arena_new(), .names = names_new()};
	if (n > 0)
		memcpy(r->rows, rows, n * sizeof(*rows));
	memcpy(r->rows + n, common, sizeof(common));
	dnsserver_open(&r->server, r->l, r->rows);
	snprintf(text, sizeof(text), CONF_BASE "public_address = { "
	    "\"198.51.100.7\" }\nresolver { servers = { \"127.0.0.1:%d\" } "
	    "timeout = \"300ms\" }\n%s", r->server.port, more);
	r->conf = conf_tmp_good(dir, text, r->names);
}

static bool run(struct look_rig *r, const struct spread_rows *known,
    const _Atomic bool *stop)
{
	const struct spread_look_how how = {.loop = r->l, .conf = r->conf,
	    .stop = stop, .server_port = r->server.port, .known = known};
	struct error err;

	return spread_look_run(&how, "example.com", r->a, &r->out, &err);
}

static void end(struct look_rig *r)
{
	dnsserver_close(&r->server);
	conf_unref(r->conf);
	names_free(r->names);
	arena_free(r->a);
	loop_free(r->l);
}

static const struct spread_seen *server_of(const struct look_rig *r,
    enum spread_kind k)
{
	for (size_t i = 0; i < r->out.n; i++)
		if (r->out.seen[i].kind == k)
			return &r->out.seen[i];
	fail_msg("there is no %s", spread_kind_text(k));
	return NULL;
}

static const char *ways_of(const struct spread_seen *s, char out[200])
{
	static const char *const words[WAY_COUNT] = {"us", "", "elsewhere",
	    "nowhere", ""};
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < s->n; i++)
		n += (size_t)snprintf(out + n, 200 - n, "%s%s%s %u",
		    i == 0 ? "" : ", ", words[s->heard[i].way],
		    s->heard[i].name, (unsigned)s->heard[i].ttl_s);
	return out;
}

static void each_answer_is_heard_as_it_is(void **state)
{
	static const struct spread_rows nothing = {.zone = ""};

	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		const struct spread_seen *s;
		struct look_rig r;
		char ways[200];
		size_t n = 0;

		while (n < 3 && looks[i].rows[n].name != NULL)
			n++;
		begin(&r, *state, looks[i].rows, n, looks[i].conf);
		assert_true(run(&r, &nothing, NULL));
		s = server_of(&r, SPREAD_AUTHORITATIVE);
		if (s->said != looks[i].said ||
		    strcmp(s->why, looks[i].why) != 0 ||
		    strcmp(ways_of(s, ways), looks[i].ways) != 0 ||
		    strstr(s->answer, looks[i].answer) == NULL ||
		    r.out.more != looks[i].more)
			fail_msg("%s: %d, %s, %s, %s", looks[i].title, s->said,
			    s->why, ways, s->answer);
		assert_string_equal(s->name, "ns1.example.com");
		assert_string_equal(s->address, "127.0.0.1");
		assert_int_equal(s->serial, 1);
		end(&r);
	}
}

static void all_kinds_are_looked_at(void **state)
{
	static const struct dnsserver_row rows[] = {
		{"example.com", "MX", AA, "@ 300 MX 10 mx.example.com"},
		{"ns9.old.test", "A", AA, "@ 60 A 127.0.0.1"},
		{"ns9.old.test", "AAAA", AA, ""}};
	struct spread_rows known = {.zone = "", .n = 2, .server = {
		{.kind = SPREAD_AUTHORITATIVE, .name = "ns1.example.com",
		    .address = "127.0.0.1"},
		{.kind = SPREAD_RETIRED, .name = "ns0.example.com",
		    .address = "127.0.0.1"}}};
	const struct spread_seen *s;
	struct look_rig r;
	unsigned retired = 0;

	begin(&r, *state, rows, 3, "propagation { old_ns = { "
	    "\"ns9.old.test\", \"ns8.old.test\" } }\n");
	assert_true(run(&r, &known, NULL));
	assert_string_equal(r.out.zone, "example.com");
	s = server_of(&r, SPREAD_PARENT);
	assert_string_equal(s->name, "com");
	assert_int_equal(s->said, SAID_ANSWER);
	assert_int_equal(s->n, 1);
	assert_string_equal(s->heard[0].name, "ns1.example.com");
	assert_int_equal(s->heard[0].ttl_s, 3600);
	s = server_of(&r, SPREAD_RESOLVER);
	assert_int_equal(s->said, SAID_ANSWER);
	for (size_t i = 0; i < r.out.n; i++) {
		s = &r.out.seen[i];
		if (s->kind != SPREAD_RETIRED)
			continue;
		retired++;
		if (strcmp(s->name, "ns8.old.test") == 0) {
			assert_int_equal(s->said, SAID_SILENT);
			assert_string_equal(s->why, "its name has no address");
		} else {
			assert_int_equal(s->said, SAID_ANSWER);
		}
	}
	assert_int_equal(retired, 3); /* ns0, ns8, ns9 */
	end(&r);
}

static void a_resolver_that_fails_is_silent(void **state)
{
	static const struct spread_rows nothing = {.zone = ""};
	static const struct dnsserver_row rows[] = {
		{"example.com", "MX", 2, ""}};
	const struct spread_seen *s;
	struct look_rig r;

	begin(&r, *state, rows, 1, "");
	assert_true(run(&r, &nothing, NULL));
	s = server_of(&r, SPREAD_RESOLVER);
	assert_int_equal(s->said, SAID_SILENT);
	assert_string_equal(s->why, "SERVFAIL");
	r.server.mood = DNSSERVER_SILENT;
	assert_true(run(&r, &nothing, NULL));
	assert_int_equal(r.out.n, 1); /* no other is known */
	s = server_of(&r, SPREAD_RESOLVER);
	assert_int_equal(s->said, SAID_SILENT);
	assert_string_equal(s->why, "no answer");
	assert_string_equal(r.out.zone, "");
	end(&r);
}

static void one_that_is_stopped_says_nothing(void **state)
{
	static const struct spread_rows nothing = {.zone = ""};
	_Atomic bool stop = true;
	struct look_rig r;

	begin(&r, *state, NULL, 0, "");
	assert_false(run(&r, &nothing, &stop));
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_answer_is_heard_as_it_is),
	    cmocka_unit_test(all_kinds_are_looked_at),
	    cmocka_unit_test(a_resolver_that_fails_is_silent),
	    cmocka_unit_test(one_that_is_stopped_says_nothing),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
