/* SPDX-License-Identifier: ISC
 *
 * Names that commands look up by themselves: TLSA records against the
 * certificates of listeners, and the addresses of legs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/loop.h"
#include "relay/base/mem.h"
#include "relay/cli/propagation/mx_names.h"
#include "relay/cli/verdict/leg_hosts.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/dnsserver.h"
#include "tests/unit/testcert.h"

/* ---- a name server: what asks it blocks ---------------------------------- */

struct served {
	struct loop *loop;
	struct dnsserver server;
	pthread_t thread;
	atomic_bool ends;
};

static void *serve(void *arg)
{
	struct served *s = arg;

	while (!atomic_load(&s->ends))
		loop_once(s->loop, 10);
	return NULL;
}

static void serve_begin(struct served *s, const struct dnsserver_row *rows)
{
	*s = (struct served){.loop = loop_new(&clock_system)};
	dnsserver_open(&s->server, s->loop, rows);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void serve_end(struct served *s)
{
	atomic_store(&s->ends, true);
	pthread_join(s->thread, NULL);
	dnsserver_close(&s->server);
	loop_free(s->loop);
}

static struct conf *load(const char *dir, const struct served *s,
    const char *more, struct names *names)
{
	char text[4096];

	snprintf(text, sizeof(text), "hostname = \"relay.test\"\n"
	    "resolver { servers = \"127.0.0.1:%d\" timeout = 2000ms }\n%s",
	    s->server.port, more);
	return conf_tmp_good(dir, text, names);
}

/* ---- TLSA ---------------------------------------------------------------- */

#define PLAIN "domain \"a.example\" { route = \"legacy\" }\n" \
	"leg \"legacy\" { hosts = \"127.0.0.1:1\" tls = \"none\" }\n"

enum part { OURS, ISSUERS, NOTHING };

static void put_hex(struct strbuf *b, X509 *cert, bool key, int hash)
{
	unsigned char *der = NULL, sum[EVP_MAX_MD_SIZE];
	const unsigned char *p;
	int n = key ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der)
		    : i2d_X509(cert, &der);
	unsigned size = (unsigned)n;

	assert_true(n > 0);
	p = der;
	if (hash != 0) {
		assert_int_equal(EVP_Digest(der, (size_t)n, sum, &size,
		    hash == 512 ? EVP_sha512() : EVP_sha256(), NULL), 1);
		p = sum;
	}
	for (unsigned i = 0; i < size; i++)
		strbuf_addf(b, "%02x", p[i]);
	OPENSSL_free(der);
}

#define NO_FIT "no TLSA record fits our certificate; senders with DANE will " \
	"not deliver"

/* RFC 6698 2.1, RFC 7672 3.1 */
static const struct {
	const char *head; /* usage, selector, matching */
	enum part of;
	bool key;
	int hash;
	enum mx_state state;
	const char *why;
} records[] = {
	/* clang-format off */
	{ "3 0 0", OURS, false, 0,   MX_FITS, "" },
	{ "3 1 0", OURS, true,  0,   MX_FITS, "" },
	{ "3 0 1", OURS, false, 256, MX_FITS, "" },
	{ "3 1 1", OURS, true,  256, MX_FITS, "" },
	{ "3 0 2", OURS, false, 512, MX_FITS, "" },
	{ "3 1 2", OURS, true,  512, MX_FITS, "" },
	{ "2 0 0", ISSUERS, false, 0,   MX_FITS, "" },
	{ "2 1 1", ISSUERS, true,  256, MX_FITS, "" },
	/* Each for the other's certificate. */
	{ "3 1 1", ISSUERS, true, 256, MX_MISMATCH, NO_FIT },
	{ "2 1 1", OURS,    true, 256, MX_MISMATCH, NO_FIT },
	/* Of another part than the record says. */
	{ "3 1 1", OURS, false, 256, MX_MISMATCH, NO_FIT },
	{ "3 0 1", OURS, true,  256, MX_MISMATCH, NO_FIT },
	{ "3 1 2", OURS, true,  256, MX_MISMATCH, NO_FIT },
	{ "3 1 1", OURS, true,  0,   MX_MISMATCH, NO_FIT },
	/* Selectors and ways of matching that are not assigned. */
	{ "3 2 0", OURS, true, 0, MX_MISMATCH, NO_FIT },
	{ "3 1 3", OURS, true, 0, MX_MISMATCH, NO_FIT },
	/* Usages that senders of mail do not look at. */
	{ "0 1 1", OURS, true, 256, MX_NONE, "there are no TLSA records" },
	{ "1 1 1", OURS, true, 256, MX_NONE, "there are no TLSA records" },
	{ NULL, NOTHING, false, 0, MX_NONE, "there are no TLSA records" },
	/* clang-format on */
};

struct chain {
	struct testcert *issuer, *ours;
	char file[TESTCERT_PATH];
};

static struct chain chain_make(const char *names, int from, int to)
{
	struct chain c;

	c.issuer = testcert_new(&(struct testcert_spec){.cn = "issuer",
	    .ca = true}, NULL);
	c.ours = testcert_new(&(struct testcert_spec){.cn = "relay",
	    .names = names, .from_days = from, .to_days = to}, c.issuer);
	testcert_file_chain(c.ours, c.issuer, c.file);
	return c;
}

static void chain_end(struct chain *c)
{
	unlink(c->file);
	testcert_free(c->ours);
	testcert_free(c->issuer);
}

static char *row_text(const struct chain *c, size_t i)
{
	struct strbuf b;
	char *text;

	strbuf_init(&b, 8192);
	if (records[i].of != NOTHING) {
		strbuf_addf(&b, "@ 600 TLSA %s ", records[i].head);
		put_hex(&b, records[i].of == OURS ? c->ours->cert
			: c->issuer->cert, records[i].key, records[i].hash);
	}
	text = mem_strdup(strbuf_cstr(&b));
	strbuf_fini(&b);
	return text;
}

/* The listeners of a configuration, as it has them once it is loaded. */
static struct conf_listen *listen_on(struct conf *c, const char *file,
    const struct conf_listen *l)
{
	static struct conf_listen listen;
	static struct conf_certificate certificate;

	certificate = (struct conf_certificate){(char *)(uintptr_t)file,
	    (char *)(uintptr_t)file};
	listen = *l;
	listen.certificate = &certificate;
	listen.certificates = 1;
	c->listen = &listen;
	c->listens = 1;
	return &listen;
}

static void a_record_fits_or_not(void **state)
{
	enum { N = ARRAY_LEN(records), HOST = 40 };
	struct dnsserver_row rows[N + 1] = {{0}};
	struct chain chain = chain_make("DNS:*.mx.example", 0, 30);
	struct names *names = names_new();
	char name[N][HOST], host[HOST];
	struct mx_asker *asker;
	struct mx_found found;
	struct error err = {0};
	struct served s;
	struct conf *c;

	for (size_t i = 0; i < N; i++) {
		snprintf(name[i], HOST, "_25._tcp.m%zu.mx.example", i);
		rows[i] = (struct dnsserver_row){name[i], "TLSA", 0,
		    row_text(&chain, i)};
	}
	serve_begin(&s, rows);
	c = load(*state, &s, PLAIN, names);
	listen_on(c, chain.file, &(struct conf_listen){.leg = -1});
	asker = mx_asker_new(c, &err);
	assert_non_null(asker);
	for (size_t i = 0; i < N; i++) {
		snprintf(host, sizeof(host), "m%zu.mx.example", i);
		mx_tlsa(asker, c, host, &found);
		if (found.state != records[i].state ||
		    strcmp(found.why, records[i].why) != 0)
			fail_msg("%zu: %d %s", i, found.state, found.why);
		mem_free((void *)(uintptr_t)rows[i].records);
	}
	c->listens = 0;
	mx_asker_free(asker);
	conf_unref(c);
	names_free(names);
	serve_end(&s);
	chain_end(&chain);
}

static void one_record_that_fits_is_enough(void **state)
{
	struct dnsserver_row rows[] = {
		{"_25._tcp.mx.example", "TLSA", 0, NULL},
		{"_25._tcp.other.example", "TLSA", 0,
		    "@ 600 TLSA 3 1 1 00ff"},
		{"_25._tcp.down.example", "TLSA", 2, ""},
		{0},
	};
	static const struct {
		const char *host;
		enum mx_state state;
		const char *why;
	} hosts[] = {
		{"mx.example", MX_FITS, ""},
		{"other.example", MX_MISMATCH, "there are TLSA records, and "
		    "no certificate of that name"},
		{"down.example", MX_UNKNOWN,
		    "no answer: no DNS server could answer"},
	};
	struct chain chain = chain_make("DNS:mx.example", 0, 30);
	struct names *names = names_new();
	char *fits = row_text(&chain, 3), text[512];
	struct mx_asker *asker;
	struct mx_found found;
	struct error err = {0};
	struct served s;
	struct conf *c;

	snprintf(text, sizeof(text), "@ 600 TLSA 1 1 1 00\n"
	    "@ 600 TLSA 3 2 0 00\n"
	    "@ 600 TLSA 3 1 1 00\n%s\n@ 600 TLSA 2 0 0 00", fits);
	rows[0].records = text;
	serve_begin(&s, rows);
	c = load(*state, &s, PLAIN, names);
	listen_on(c, chain.file, &(struct conf_listen){.leg = -1});
	asker = mx_asker_new(c, &err);
	assert_non_null(asker);
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		mx_tlsa(asker, c, hosts[i].host, &found);
		assert_int_equal(found.state, hosts[i].state);
		assert_string_equal(found.why, hosts[i].why);
	}
	c->listens = 0;
	mx_asker_free(asker);
	conf_unref(c);
	names_free(names);
	mem_free(fits);
	serve_end(&s);
	chain_end(&chain);
}

/* ---- certificates -------------------------------------------------------- */

/* More certificates than are looked at; the first is the listener's. */
static void repeat_file(const char *path)
{
	char text[16384];
	FILE *f = fopen(path, "r+e");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text), f);
	assert_true(n > 0 && n < sizeof(text));
	for (int i = 0; i < 9; i++)
		assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void a_listener_has_a_certificate_of_the_name(void **state)
{
	struct chain good = chain_make("DNS:mx.example", 0, 30);
	struct chain past = chain_make("DNS:mx.example", -3, -1);
	struct chain more = chain_make("DNS:mx.example", 0, 30);
	char unread[TESTCERT_PATH + 1];
	const struct {
		const char *file;
		struct conf_listen listen;
		const char *host;
		enum mx_state state;
		const char *why;
	} cases[] = {
		{good.file, {.leg = -1}, "mx.example", MX_FITS, ""},
		{more.file, {.leg = -1}, "mx.example", MX_FITS, ""},
		{good.file, {.leg = -1}, "mx2.example", MX_MISMATCH,
		    "no certificate of a listener names it; add one to "
		    "listen.certificate"},
		{past.file, {.leg = -1}, "mx.example", MX_MISMATCH,
		    "its certificate is past its time"},
		{unread, {.leg = -1}, "mx.example", MX_UNKNOWN, NULL},
		{good.file, {.leg = -1, .outbound = OUTBOUND_OFF},
		    "mx.example", MX_FITS, ""},
		/* Listeners that senders of mail do not reach. */
		{good.file, {.leg = 0}, "mx.example", MX_NONE,
		    "no listener that takes mail offers TLS"},
		{good.file, {.leg = -1, .closed = true}, "mx.example",
		    MX_NONE, "no listener that takes mail offers TLS"},
		{good.file, {.leg = -1, .outbound = OUTBOUND_ONLY},
		    "mx.example", MX_NONE,
		    "no listener that takes mail offers TLS"},
	};
	struct conf c = {0};
	struct mx_found found;
	char want[200];

	(void)state;
	repeat_file(more.file);
	snprintf(unread, sizeof(unread), "%s-", good.file);
	snprintf(want, sizeof(want), "%s cannot be read", unread);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		listen_on(&c, cases[i].file, &cases[i].listen);
		mx_certificate(&c, cases[i].host, &found);
		assert_int_equal(found.state, cases[i].state);
		assert_string_equal(found.why,
		    cases[i].why == NULL ? want : cases[i].why);
	}
	chain_end(&more);
	chain_end(&past);
	chain_end(&good);
}

/* ---- addresses of legs --------------------------------------------------- */

/* clang-format off */
static const struct dnsserver_row leg_names[] = {
	{ "one.test", "A", 0, "@ 600 A 192.0.2.10\n@ 600 A 192.0.2.11" },
	{ "one.test", "AAAA", 0, "@ 600 AAAA 2001:db8::10" },
	{ "six.test", "AAAA", 0, "@ 600 AAAA 2001:db8::10" },
	{ "mx.test", "MX", 0, "@ 600 MX 10 one.test\n@ 600 MX 20 none.test" },
	{ "null.test", "MX", 0, "@ 600 MX 0 ." },
	{ "down.test", "A", 2, "" },
	{ "down.test", "AAAA", 2, "" },
	{ 0 },
};
/* clang-format on */

enum leg { ONE, SIX, MX, TEXT, LOOP1, LOOP2, LOOP3, CLIENT, LOOPERS, GONE,
	DOWN, NO_MX, NULL_MX, LEGS };

#define LEG(name, more) "leg \"" name "\" { tls = \"none\" " more " }\n"
static const char legs[] =
    LEG("one", "hosts = \"one.test:2525\"")
    LEG("six", "hosts = \"six.test:25\"")
    LEG("by-mx", "mx = \"mx.test\"")
    LEG("literal", "hosts = {\"192.0.2.12:25\", \"[2001:db8::12]:26\"}")
    LEG("loop1", "hosts = {\"127.0.0.1:1\", \"[::1]:1\"}")
    LEG("loop2", "hosts = {\"127.0.0.1:2\", \"[::1]:2\"}")
    LEG("loop3", "hosts = {\"127.0.0.9:1\", \"[::1]:2\"}")
    LEG("client", "hosts = \"192.0.2.99:25\" clients = \"192.0.2.12\"")
    LEG("loopers", "hosts = \"192.0.2.98:25\" clients = \"127.0.0.0/8\"")
    LEG("lost", "hosts = {\"gone.test:25\", \"192.0.2.97:25\", "
	"\"gone2.test:25\"}")
    LEG("down", "hosts = \"down.test:25\"")
    LEG("no-mx", "mx = \"no-mx.test\"")
    LEG("null-mx", "mx = \"null.test\"")
    "domain \"a.example\" { route = \"one\" }\n";

/* Has the leg these addresses, in any order, and no others? */
static void addresses_are(const struct leg_hosts *h, int leg,
    const char *want)
{
	char text[NETADDR_TEXT];
	struct netaddr a;
	int n = 0;

	for (struct slice rest = slice_str(want), one;
	     slice_next(&rest, ' ', &one); n++) {
		bool found = false;

		for (int i = 0; leg_hosts_address(h, leg, i, &a); i++) {
			netaddr_text(&a, text);
			found |= slice_eq(slice_str(text), one);
		}
		if (!found)
			fail_msg("leg %d has no %.*s", leg, (int)one.n, one.p);
	}
	assert_true(leg_hosts_address(h, leg, n - 1, &a));
	assert_false(leg_hosts_address(h, leg, n, &a));
}

static void legs_have_addresses_and_may_be_one_server(void **state)
{
	/* clang-format off */
	static const struct { enum leg a, b; bool same; } pairs[] = {
		{ ONE, MX, true }, { MX, ONE, true },   /* whatever the port */
		{ ONE, SIX, true }, { SIX, MX, true },
		{ ONE, TEXT, false }, { ONE, ONE, true },
		{ TEXT, CLIENT, true }, { CLIENT, TEXT, false },
		{ LOOP1, LOOP1, true }, { LOOP1, LOOP2, false },
		{ LOOP2, LOOP3, true }, { LOOP1, LOOP3, false },
		{ LOOP1, LOOPERS, false },
		{ GONE, DOWN, false }, { DOWN, DOWN, false },
	};
	static const char *const missing[LEGS] = { [GONE] = "gone.test",
	    [DOWN] = "down.test", [MX] = "none.test", [NO_MX] = "no-mx.test",
	    [NULL_MX] = "null.test" };
	/* clang-format on */
	struct names *names = names_new();
	struct error err = {0};
	struct leg_hosts *h;
	struct netaddr a;
	struct served s;
	struct conf *c;

	serve_begin(&s, leg_names);
	c = load(*state, &s, legs, names);
	h = leg_hosts_look(c, &err);
	assert_non_null(h);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (leg_hosts_same(h, pairs[i].a, pairs[i].b) != pairs[i].same)
			fail_msg("%d %d", pairs[i].a, pairs[i].b);
	for (int i = 0; i < LEGS; i++) {
		const char *name = leg_hosts_missing(h, i);

		assert_string_equal(name == NULL ? "-" : name,
		    missing[i] == NULL ? "-" : missing[i]);
	}
	addresses_are(h, ONE, "192.0.2.10:2525 192.0.2.11:2525 "
	    "[2001:db8::10]:2525");
	addresses_are(h, MX, "192.0.2.10:25 192.0.2.11:25 [2001:db8::10]:25");
	addresses_are(h, TEXT, "192.0.2.12:25 [2001:db8::12]:26");
	addresses_are(h, GONE, "192.0.2.97:25");
	assert_false(leg_hosts_address(h, DOWN, 0, &a));
	netaddr_parse(&a, slice_str("192.0.2.11"), 9);
	assert_true(leg_hosts_has(h, ONE, &a));
	assert_false(leg_hosts_has(h, SIX, &a));
	leg_hosts_free(h);
	conf_unref(c);
	names_free(names);
	serve_end(&s);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, conf_tmp_setup, \
	    conf_tmp_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_record_fits_or_not),
		TEST(one_record_that_fits_is_enough),
		TEST(a_listener_has_a_certificate_of_the_name),
		TEST(legs_have_addresses_and_may_be_one_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
