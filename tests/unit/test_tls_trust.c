/* SPDX-License-Identifier: ISC
 *
 * The proofs that a client accepts besides a name: whole chains, fingerprints,
 * TLSA records; and the facts that are told of a certificate.
 */
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "relay/net/tls_int.h"
#include "relay/net/tls_look.h"
#include "tests/unit/tlspair.h"

/* An authority under ours; what it signed is only known with it. */
static struct testcert *intermediate(struct world *w)
{
	static const struct testcert_spec spec = {
		.cn = "Second CA", .ca = true};

	return testcert_new(&spec, w->ca);
}

static void a_chain_without_its_middle_is_refused(void **state)
{
	static const struct testcert_spec spec = {
		.cn = "x", .names = "DNS:mx.example.com"};
	struct world *w = *state;
	struct testcert *ca = intermediate(w), *c = testcert_new(&spec, ca);

	for (int whole = 0; whole < 2; whole++) {
		if (whole)
			testcert_file_chain(c, ca, w->file[w->files++]);
		else
			testcert_file(c, w->file[w->files++]);
		serve(w);
		dial(w, TLS_VERIFY);
		SSL_free(handshake(w, "mx.example.com"));
		assert_int_equal(w->client.ready, whole);
		if (!whole)
			assert_string_equal(stream_error(w->client.s),
			    "certificate: unable to get local issuer "
			    "certificate");
		close_pair(w);
		tls_client_unref(w->tc);
		tls_server_unref(w->ts);
		w->tc = NULL;
		w->ts = NULL;
		unlink(w->file[--w->files]);
	}
	testcert_free(c);
	testcert_free(ca);
}

/* Platforms that want a client certificate fetch no intermediate. */
static void a_client_shows_its_whole_chain(void **state)
{
	static const struct testcert_spec spec = {.cn = "relay.example"};
	struct world *w = *state;
	struct testcert *ca = intermediate(w), *c = testcert_new(&spec, ca);
	SSL *server;

	testcert_file_chain(c, ca, w->client_file);
	certificate(w, (struct testcert_spec){.cn = "x", .names = "DNS:x"});
	serve(w);
	dial(w, TLS_VERIFY);
	open_pair(w);
	server = tls_server_session(w->ts);
	X509_STORE_add_cert(
	    SSL_CTX_get_cert_store(SSL_get_SSL_CTX(server)), w->ca->cert);
	SSL_set_verify(server,
	    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_up_ref(server);
	assert_true(stream_tls_accept(w->server.s, server));
	assert_true(stream_tls_connect(
	    w->client.s, tls_client_session(w->tc, "x")));
	until(w, &w->server.ready, 1);
	assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(server)), 1);
	assert_int_equal(X509_cmp(
	    sk_X509_value(SSL_get_peer_cert_chain(server), 0), ca->cert), 0);
	SSL_free(server);
	testcert_free(c);
	testcert_free(ca);
}

/* ---- fingerprints ---- */

static void a_fingerprint_must_be_one_of_them(void **state)
{
	static const struct testcert_spec spec = {
		.cn = "x", .names = "DNS:mx.example.com"};
	char none[] = "00000000000000000000000000000000"
		      "00000000000000000000000000000000";
	char right[TLS_FINGERPRINT], want[300];
	struct { enum tls_level level; char *pin[2]; bool ready; } cases[] = {
		{ TLS_ENCRYPT, { right, NULL }, true },
		{ TLS_ENCRYPT, { none, right }, true },
		{ TLS_ENCRYPT, { none, NULL }, false },
		{ TLS_VERIFY,  { right, NULL }, true },
		{ TLS_VERIFY,  { none, NULL }, false },
		{ TLS_DANE,    { none, NULL }, false },
	};
	struct world *w = *state;
	struct testcert *c = testcert_new(&spec, w->ca);

	tls_fingerprint(c->cert, right);
	snprintf(want, sizeof(want), "certificate: its SHA-256 fingerprint "
	    "is %s, which tls_fingerprint does not have", right);
	testcert_file(c, w->file[w->files++]);
	testcert_free(c);
	serve(w);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		w->pins = (struct conf_strings){
			cases[i].pin, cases[i].pin[1] == NULL ? 1 : 2};
		dial(w, cases[i].level);
		for (int again = 0; again < 2; again++) {
			SSL_free(handshake(w, "mx.example.com"));
			assert_int_equal(w->client.ready, cases[i].ready);
			if (!cases[i].ready)
				assert_string_equal(
				    stream_error(w->client.s), want);
			close_pair(w);
		}
		tls_client_unref(w->tc);
		w->tc = NULL;
	}
}

static void a_fingerprint_does_not_replace_the_name(void **state)
{
	static const struct testcert_spec spec = {
		.cn = "x", .names = "DNS:other.example"};
	struct world *w = *state;
	struct testcert *c = testcert_new(&spec, w->ca);
	char right[TLS_FINGERPRINT], *pin = right;

	tls_fingerprint(c->cert, right);
	testcert_file(c, w->file[w->files++]);
	testcert_free(c);
	serve(w);
	w->pins = (struct conf_strings){&pin, 1};
	dial(w, TLS_VERIFY);
	SSL_free(handshake(w, "mx.example.com"));
	assert_string_equal(stream_error(w->client.s),
	    "certificate: hostname mismatch");
}

/* ---- DANE ---- */

struct dane {
	struct testcert *ca, *end, *other;
};

/* Which certificate a record is made of. */
enum whose { ITS_OWN, ITS_CA, ANOTHER };

static struct slice association(const struct dane *d, enum whose whose,
    int selector, int matching)
{
	struct testcert *c = whose == ITS_OWN ? d->end :
	    whose == ITS_CA ? d->ca : d->other;
	unsigned char *der = NULL, *hash = mem_new(64);
	unsigned n = 0;
	int size = selector == 0 ? i2d_X509(c->cert, &der) :
				   i2d_X509_PUBKEY(
				       X509_get_X509_PUBKEY(c->cert), &der);

	assert_true(size > 0);
	if (matching == 0) {
		mem_free(hash);
		hash = mem_dup(der, (size_t)size);
		n = (unsigned)size;
	} else {
		assert_int_equal(EVP_Digest(der, (size_t)size, hash, &n,
		    matching == 1 ? EVP_sha256() : EVP_sha512(), NULL), 1);
	}
	OPENSSL_free(der);
	return slice_of(hash, n);
}

/* clang-format off */
static const struct {
	const char *title;
	const char *names;
	bool expired;
	struct { int usage, selector, matching; enum whose whose; } rec[2];
	int count, usable;
	const char *domain;
	const char *why; /* NULL: it is believed */
} dane_cases[] = {
	{ "3 1 1", "DNS:mx.test", 0, { { 3, 1, 1, ITS_OWN } }, 1, 1, NULL, NULL },
	{ "3 0 1", "DNS:mx.test", 0, { { 3, 0, 1, ITS_OWN } }, 1, 1, NULL, NULL },
	{ "3 1 2", "DNS:mx.test", 0, { { 3, 1, 2, ITS_OWN } }, 1, 1, NULL, NULL },
	{ "3 0 0", "DNS:mx.test", 0, { { 3, 0, 0, ITS_OWN } }, 1, 1, NULL, NULL },
	{ "3 1 1: no name and no date counts", "DNS:x.test", 1, { { 3, 1, 1, ITS_OWN } }, 1, 1,
	  NULL, NULL },
	{ "3 1 1 of another", "DNS:mx.test", 0, { { 3, 1, 1, ANOTHER } }, 1, 1, NULL,
	  "certificate: no matching DANE TLSA records" },
	{ "3 1 1 of the authority", "DNS:mx.test", 0, { { 3, 1, 1, ITS_CA } }, 1, 1, NULL,
	  "certificate: no matching DANE TLSA records" },
	{ "one of two", "DNS:mx.test", 0, { { 3, 1, 1, ANOTHER }, { 3, 1, 1, ITS_OWN } }, 2, 2,
	  NULL, NULL },
	{ "2 1 1", "DNS:mx.test", 0, { { 2, 1, 1, ITS_CA } }, 1, 1, NULL, NULL },
	{ "2 0 1", "DNS:mx.test", 0, { { 2, 0, 1, ITS_CA } }, 1, 1, NULL, NULL },
	{ "2 1 1: another's name", "DNS:x.test", 0, { { 2, 1, 1, ITS_CA } }, 1, 1, NULL,
	  "certificate: hostname mismatch" },
	{ "2 1 1: the alias", "DNS:alias.test", 0, { { 2, 1, 1, ITS_CA } }, 1, 1, NULL, NULL },
	{ "2 1 1: the domain's name", "DNS:test", 0, { { 2, 1, 1, ITS_CA } }, 1, 1, "test",
	  NULL },
	{ "2 1 1: expired", "DNS:mx.test", 1, { { 2, 1, 1, ITS_CA } }, 1, 1, NULL,
	  "certificate: certificate has expired" },
	{ "2 1 1 of another", "DNS:mx.test", 0, { { 2, 1, 1, ANOTHER } }, 1, 1, NULL,
	  "certificate: no matching DANE TLSA records" },
	{ "1 1 1 is not usable", "DNS:x.test", 1, { { 1, 1, 1, ANOTHER } }, 1, 0, NULL, NULL },
	{ "0 1 1 is not usable", "DNS:x.test", 0, { { 0, 1, 1, ANOTHER } }, 1, 0, NULL, NULL },
	{ "3 1 9 is not usable", "DNS:x.test", 0, { { 3, 1, 9, ANOTHER } }, 1, 0, NULL, NULL },
	{ "what is not usable helps nobody", "DNS:mx.test", 0,
	  { { 1, 1, 1, ITS_OWN }, { 3, 1, 1, ANOTHER } }, 2, 1, NULL,
	  "certificate: no matching DANE TLSA records" },
	{ "none", "DNS:x.test", 1, { { 0 } }, 0, 0, NULL, NULL },
};
/* clang-format on */

static void a_tlsa_record_says_which_certificate_is_right(void **state)
{
	static const struct testcert_spec other = {.cn = "other"};
	struct world *w = *state;
	struct dane d = {.ca = intermediate(w),
	    .other = testcert_new(&other, NULL)};

	for (size_t i = 0; i < ARRAY_LEN(dane_cases); i++) {
		struct testcert_spec spec = {.cn = "x",
		    .names = dane_cases[i].names,
		    .from_days = -9,
		    .to_days = dane_cases[i].expired ? -1 : 9};
		struct dns_tlsa rec[2];
		int usable = -1;
		SSL *ssl;

		print_message("%s\n", dane_cases[i].title);
		d.end = testcert_new(&spec, d.ca);
		testcert_file_chain(d.end, d.ca, w->file[w->files++]);
		serve(w);
		dial(w, TLS_DANE);
		for (int k = 0; k < dane_cases[i].count; k++)
			rec[k] = (struct dns_tlsa){
			    (uint8_t)dane_cases[i].rec[k].usage,
			    (uint8_t)dane_cases[i].rec[k].selector,
			    (uint8_t)dane_cases[i].rec[k].matching,
			    association(&d, dane_cases[i].rec[k].whose,
				dane_cases[i].rec[k].selector,
				dane_cases[i].rec[k].matching)};
		ssl = tls_client_dane(w->tc, "alias.test",
		    &(struct tls_dane){"mx.test", dane_cases[i].domain, rec,
			dane_cases[i].count}, &usable);
		assert_string_equal(SSL_get_servername(ssl,
		    TLSEXT_NAMETYPE_host_name),
		    usable > 0 ? "mx.test" : "alias.test");
		assert_int_equal(usable, dane_cases[i].usable);
		handshake_as(w, ssl);
		assert_int_equal(w->client.ready, dane_cases[i].why == NULL);
		if (dane_cases[i].why != NULL)
			assert_string_equal(
			    stream_error(w->client.s), dane_cases[i].why);
		SSL_free(ssl);
		close_pair(w);
		for (int k = 0; k < dane_cases[i].count; k++)
			mem_free((char *)(uintptr_t)rec[k].data.p);
		tls_client_unref(w->tc);
		tls_server_unref(w->ts);
		w->tc = NULL;
		w->ts = NULL;
		testcert_free(d.end);
		unlink(w->file[--w->files]);
	}
	testcert_free(d.other);
	testcert_free(d.ca);
}

/* A record may have changed since; and a session begun without one must not
 * serve when there is one. */
static void what_tlsa_judges_is_never_resumed(void **state)
{
	static const struct testcert_spec spec = {
		.cn = "x", .names = "DNS:mx.test"};
	struct world *w = *state;
	struct dane d = {.end = testcert_new(&spec, w->ca)};
	struct dns_tlsa rec = {3, 1, 1, association(&d, ITS_OWN, 1, 1)};

	testcert_file(d.end, w->file[w->files++]);
	serve(w);
	dial(w, TLS_DANE);
	for (int i = 0; i < 3; i++) {
		SSL *ssl = tls_client_dane(w->tc, "mx.test",
		    &(struct tls_dane){"mx.test", NULL, &rec, i == 1 ? 0 : 1},
		    NULL);

		handshake_as(w, ssl);
		assert_int_equal(w->client.ready, 1);
		assert_int_equal(SSL_session_reused(ssl), 0);
		stream_write(w->server.s, SLICE("220\r\n"));
		stream_flush(w->server.s);
		until_got(w, &w->client, 5);
		SSL_free(ssl);
		close_pair(w);
	}
	mem_free((char *)(uintptr_t)rec.data.p);
	testcert_free(d.end);
}

/* ---- what is told ---- */

/* clang-format off */
static const struct {
	const char *title, *names, *host;
	int to_days;
	const char *why, *by, *remedy; /* why "" : it is believed */
} looks[] = {
	{ "good", "DNS:*.b.test,IP:192.0.2.1", "a.b.test", 9, "", "*.b.test", "" },
	{ "an address", "DNS:*.b.test,IP:192.0.2.1", "192.0.2.1", 9, "", "192.0.2.1", "" },
	{ "another's name", "DNS:*.b.test,IP:192.0.2.1", "c.test", 9, "hostname mismatch", "",
	  "Write a name of it in hosts, or have it reissued." },
	{ "expired", "DNS:*.b.test,IP:192.0.2.1", "a.b.test", -2, "certificate has expired", "",
	  "It must be renewed there." },
};
/* clang-format on */

static void a_look_tells_what_verify_would_say(void **state)
{
	struct world *w = *state;
	struct arena *a = arena_new();
	struct conf_leg l = {.name = "x",
	    .tls = TLS_MAY,
	    .tls_ca = w->ca_file,
	    .certificate = "",
	    .key = ""};
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		struct tls_look t;
		int64_t off; /* s */
		SSL *ssl;

		print_message("%s\n", looks[i].title);
		certificate(w, (struct testcert_spec){.cn = "x",
		    .names = looks[i].names, .from_days = -9,
		    .to_days = looks[i].to_days});
		serve(w);
		w->tc = tls_client_for_probe(&l, &err);
		assert_non_null(w->tc);
		ssl = handshake(w, looks[i].host);
		assert_int_equal(w->client.ready, 1);
		tls_look(w->tc, ssl, looks[i].host, a, &t);
		assert_int_equal(t.verified, looks[i].why[0] == '\0');
		assert_string_equal(t.why, looks[i].why);
		assert_string_equal(t.by, looks[i].by);
		assert_string_equal(t.remedy, looks[i].remedy);
		assert_string_equal(t.cert.subject, "CN=x");
		assert_string_equal(t.cert.issuer, "CN=Test CA");
		assert_string_equal(t.cert.key, "EC 256");
		assert_int_equal(t.cert.names, 2);
		assert_string_equal(t.cert.name[0], "*.b.test");
		assert_string_equal(t.cert.name[1], "192.0.2.1");
		assert_int_equal(t.chain, 1);
		off = t.cert.until_s - time(NULL) -
		      looks[i].to_days * INT64_C(86400);
		assert_true(off > -60 && off < 60);
		SSL_free(ssl);
		close_pair(w);
		tls_client_unref(w->tc);
		tls_server_unref(w->ts);
		w->tc = NULL;
		w->ts = NULL;
		unlink(w->file[--w->files]);
	}
	arena_free(a);
}

static void hostile_names_are_made_printable(void **state)
{
	static const struct testcert_spec spec = {
	    .cn = "a\r\n\033[2J", .names = "DNS:b\001c"};
	struct testcert *c = testcert_new(&spec, NULL);
	struct arena *a = arena_new();
	struct tls_certificate seen;

	(void)state;
	tls_certificate_read(c->cert, a, &seen);
	for (const char *p = seen.subject; *p != '\0'; p++)
		assert_in_range(*p, ' ', '~');
	assert_string_equal(seen.name[0], "b?c");
	arena_free(a);
	testcert_free(c);
}

static void a_file_tells_its_first_certificate(void **state)
{
	static const struct testcert_spec spec = {
	    .cn = "relay", .names = "DNS:relay.test", .to_days = 3};
	struct testcert *c = testcert_new(&spec, NULL);
	struct arena *a = arena_new();
	struct tls_certificate seen;
	char path[TESTCERT_PATH];
	struct error err;

	(void)state;
	testcert_file(c, path);
	assert_int_equal(tls_certificate_file(path, a, &seen, &err), 0);
	assert_string_equal(seen.name[0], "relay.test");
	unlink(path);
	assert_int_equal(tls_certificate_file(path, a, &seen, &err), -1);
	assert_non_null(strstr(err.text, "No such file"));
	arena_free(a);
	testcert_free(c);
}

int main(void)
{
#define T(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(a_chain_without_its_middle_is_refused),
		T(a_client_shows_its_whole_chain),
		T(a_fingerprint_must_be_one_of_them),
		T(a_fingerprint_does_not_replace_the_name),
		T(a_tlsa_record_says_which_certificate_is_right),
		T(what_tlsa_judges_is_never_resumed),
		T(a_look_tells_what_verify_would_say),
		cmocka_unit_test(hostile_names_are_made_printable),
		cmocka_unit_test(a_file_tells_its_first_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
