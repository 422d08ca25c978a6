/* SPDX-License-Identifier: ISC
 *
 * TLS contexts: certificates, names, levels, sessions.
 */
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/net/tls_int.h"
#include "tests/unit/tlspair.h"

/* clang-format off */
static const struct {
	const char *title;
	struct testcert_spec cert;
	const char *host;
	const char *why; /* NULL: it verifies */
} verify[] = {
	{ "the name",        { "x", "DNS:mx.example.com", 0, 0, 0, 0 },    "mx.example.com", NULL },
	{ "case",            { "x", "DNS:MX.example.com", 0, 0, 0, 0 },    "mx.Example.com", NULL },
	{ "wildcard",        { "x", "DNS:*.example.com", 0, 0, 0, 0 },     "mx.example.com", NULL },
	{ "RSA",             { "x", "DNS:mx.example.com", 0, 1, 0, 0 },    "mx.example.com", NULL },
	{ "IP SAN",          { "x", "IP:192.0.2.1", 0, 0, 0, 0 },          "192.0.2.1",      NULL },
	{ "IPv6 SAN",        { "x", "IP:2001:db8::1", 0, 0, 0, 0 },        "2001:db8::1",    NULL },
	{ "other IP",        { "x", "IP:192.0.2.1", 0, 0, 0, 0 },          "192.0.2.2",
	  "certificate: IP address mismatch" },
	{ "IP as a name",    { "x", "DNS:192.0.2.1", 0, 0, 0, 0 },         "192.0.2.1",
	  "certificate: IP address mismatch" },
	{ "other name",      { "x", "DNS:mx.example.org", 0, 0, 0, 0 },    "mx.example.com",
	  "certificate: hostname mismatch" },
	{ "empty host",      { "x", "DNS:mx.example.org", 0, 0, 0, 0 },    "",
	  "certificate: hostname mismatch" },
	{ "wide wildcard",   { "x", "DNS:*.com", 0, 0, 0, 0 },             "example.com",
	  "certificate: hostname mismatch" },
	{ "deep wildcard",   { "x", "DNS:*.example.com", 0, 0, 0, 0 },     "a.mx.example.com",
	  "certificate: hostname mismatch" },
	{ "partial",         { "x", "DNS:m*.example.com", 0, 0, 0, 0 },    "mx.example.com",
	  "certificate: hostname mismatch" },
	{ "CN only",         { "mx.example.com", NULL, 0, 0, 0, 0 },       "mx.example.com",
	  "certificate: hostname mismatch" },
	{ "expired",         { "x", "DNS:mx.example.com", 0, 0, -9, -1 },  "mx.example.com",
	  "certificate: certificate has expired" },
	{ "not yet valid",   { "x", "DNS:mx.example.com", 0, 0, 5, 9 },    "mx.example.com",
	  "certificate: certificate is not yet valid" },
};
/* clang-format on */

static void verify_wants_a_valid_chain_and_the_name(void **state)
{
	struct world *w = *state;

	dial(w, TLS_VERIFY);
	for (size_t i = 0; i < ARRAY_LEN(verify); i++) {
		print_message("%s\n", verify[i].title);
		certificate(w, verify[i].cert);
		serve(w);
		SSL_free(handshake(w, verify[i].host));
		if (verify[i].why == NULL) {
			assert_int_equal(w->client.ready, 1);
		} else {
			assert_int_equal(w->client.ended, 1);
			assert_int_equal(w->client.why, STREAM_TLS);
			assert_string_equal(
			    stream_error(w->client.s), verify[i].why);
			assert_int_equal(w->client.ready, 0);
		}
		close_pair(w);
		tls_server_unref(w->ts);
		w->ts = NULL;
		unlink(w->file[--w->files]);
	}
}

static void verify_refuses_a_certificate_of_another_authority(void **state)
{
	static const struct testcert_spec other = {
		.cn = "Other CA", .names = "DNS:mx.example.com"};
	struct world *w = *state;
	struct testcert *c = testcert_new(&other, NULL);

	testcert_file(c, w->file[w->files++]);
	testcert_free(c);
	serve(w);
	dial(w, TLS_VERIFY);
	SSL_free(handshake(w, "mx.example.com"));
	assert_int_equal(w->client.why, STREAM_TLS);
	assert_string_equal(stream_error(w->client.s),
	    "certificate: self-signed certificate");
	assert_int_equal(w->server.why, STREAM_TLS);
}

static void encrypt_takes_any_certificate(void **state)
{
	struct world *w = *state;

	certificate(w, (struct testcert_spec){
	    .cn = "x", .names = "DNS:other", .from_days = -9, .to_days = -1});
	serve(w);
	dial(w, TLS_ENCRYPT);
	SSL_free(handshake(w, "mx.example.com"));
	assert_int_equal(w->client.ready, 1);
}

static bool peer_names(SSL *ssl, const char *name)
{
	return X509_check_host(
		   SSL_get0_peer_certificate(ssl), name, 0, 0, NULL) == 1;
}

static void the_certificate_is_chosen_by_name(void **state)
{
	static const struct { const char *host, *served; } cases[] = {
		{ "b.example", "b.example" },
		{ "x.c.example", "x.c.example" },
		{ "a.example", "a.example" },
		{ "unknown.example", "a.example" },
		{ "192.0.2.1", "a.example" },
	};
	struct world *w = *state;

	certificate(w, (struct testcert_spec){
	    .cn = "x", .names = "DNS:a.example"});
	certificate(w, (struct testcert_spec){
	    .cn = "x", .names = "DNS:b.example"});
	certificate(w, (struct testcert_spec){
	    .cn = "x", .names = "DNS:*.c.example"});
	serve(w);
	dial(w, TLS_ENCRYPT);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		SSL *ssl = handshake(w, cases[i].host);

		print_message("%s\n", cases[i].host);
		assert_int_equal(w->client.ready, 1);
		assert_true(peer_names(ssl, cases[i].served));
		SSL_free(ssl);
		close_pair(w);
	}
}

static int served_type(struct world *w, const char *host, const char *sigalgs)
{
	SSL *ssl = tls_client_session(w->tc, host);
	int type = 0;

	open_pair(w);
	SSL_set1_sigalgs_list(ssl, sigalgs);
	SSL_up_ref(ssl);
	assert_true(stream_tls_accept(
	    w->server.s, tls_server_session(w->ts)));
	assert_true(stream_tls_connect(w->client.s, ssl));
	until(w, &w->client.ready, 1);
	type = EVP_PKEY_get_base_id(
	    X509_get0_pubkey(SSL_get0_peer_certificate(ssl)));
	SSL_free(ssl);
	/* No session to resume, or the next one would not ask. */
	close_pair(w);
	tls_client_unref(w->tc);
	dial(w, TLS_ENCRYPT);
	return type;
}

static void two_key_types_of_one_name_serve_together(void **state)
{
	struct world *w = *state;

	certificate(w, (struct testcert_spec){
	    .cn = "x", .names = "DNS:a.example"});
	certificate(w, (struct testcert_spec){
	    .cn = "x", .names = "DNS:*.b.example,DNS:b.example", .rsa = true});
	certificate(w, (struct testcert_spec){
	    .cn = "x", .names = "DNS:b.example,DNS:*.b.example"});
	serve(w);
	dial(w, TLS_ENCRYPT);
	assert_int_equal(served_type(w, "mx.b.example",
	    "ECDSA+SHA256:RSA-PSS+SHA256"), EVP_PKEY_EC);
	assert_int_equal(served_type(w, "mx.b.example", "RSA-PSS+SHA256"),
	    EVP_PKEY_RSA);
}

static void a_client_resumes_its_last_session_of_that_host_alone(void **state)
{
	struct world *w = *state;
	SSL *ssl;

	certificate(w, (struct testcert_spec){.cn = "x",
	    .names = "DNS:a.example,DNS:b.example,IP:2001:db8::1"});
	serve(w);
	dial(w, TLS_VERIFY);
	for (int i = 0; i < 2; i++) {
		static const char *const hosts[] = {
			"a.example", "b.example", "2001:DB8::1"};

		for (size_t h = 0; h < ARRAY_LEN(hosts); h++) {
			ssl = handshake(w, hosts[h]);
			assert_int_equal(w->client.ready, 1);
			/* The ticket comes with the first bytes. */
			stream_write(w->server.s, SLICE("220\r\n"));
			stream_flush(w->server.s);
			until_got(w, &w->client, 5);
			assert_int_equal(SSL_session_reused(ssl), i);
			assert_int_equal(
			    SSL_get_verify_result(ssl), X509_V_OK);
			SSL_free(ssl);
			close_pair(w);
		}
	}
}

/* A handshake with a server context of our own; was the session resumed? */
static bool resumed(struct world *w, SSL_CTX *ctx)
{
	SSL *ssl = tls_client_session(w->tc, "x");
	bool reused;

	open_pair(w);
	SSL_up_ref(ssl);
	assert_true(stream_tls_accept(w->server.s, SSL_new(ctx)));
	assert_true(stream_tls_connect(w->client.s, ssl));
	until(w, &w->client.ready, 1);
	until(w, &w->server.ready, 1);
	stream_write(w->server.s, SLICE("220\r\n"));
	stream_flush(w->server.s);
	until_got(w, &w->client, 5);
	reused = SSL_session_reused(ssl) == 1;
	SSL_free(ssl);
	close_pair(w);
	return reused;
}

static void ticket_keys_turn_and_are_forgotten(void **state)
{
	static const struct { int hours; bool resumes; } steps[] = {
		{0, false}, {0, true}, {11, true}, {12, true}, {25, false},
		{0, true}, {11, true}, {49, false},
	};
	struct world *w = *state;
	struct clock_fake clock;
	struct tls_tickets *tickets;
	SSL_CTX *ctx = tls_context(TLS_server_method());
	struct error err;

	clock_fake_init(&clock, 0);
	tickets = tls_tickets_new(&clock.clock);
	certificate(w, (struct testcert_spec){.cn = "x", .names = "DNS:x"});
	assert_int_equal(tls_load_pair(ctx, w->file[0], "", &err), 0);
	tls_tickets_use(tickets, ctx);
	dial(w, TLS_ENCRYPT);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		print_message("%d hours\n", steps[i].hours);
		clock_fake_step(&clock, (int64_t)steps[i].hours * 3600000000);
		assert_int_equal(resumed(w, ctx), steps[i].resumes);
	}
	SSL_CTX_free(ctx);
	tls_tickets_free(tickets);
}

static void a_leg_shows_its_certificate_when_asked(void **state)
{
	static const struct testcert_spec spec = {.cn = "relay.example"};
	struct world *w = *state;
	struct testcert *c = testcert_new(&spec, w->ca);
	SSL *server, *client;

	testcert_file(c, w->client_file);
	certificate(w, (struct testcert_spec){.cn = "x", .names = "DNS:x"});
	serve(w);
	dial(w, TLS_VERIFY);
	open_pair(w);
	server = tls_server_session(w->ts);
	client = tls_client_session(w->tc, "x");
	X509_STORE_add_cert(
	    SSL_CTX_get_cert_store(SSL_get_SSL_CTX(server)), w->ca->cert);
	SSL_set_verify(server,
	    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_up_ref(server);
	assert_true(stream_tls_accept(w->server.s, server));
	assert_true(stream_tls_connect(w->client.s, client));
	until(w, &w->server.ready, 1);
	assert_int_equal(
	    X509_cmp(SSL_get0_peer_certificate(server), c->cert), 0);
	SSL_free(server);
	testcert_free(c);
}

/* NULL: the handshake failed. */
static const char *version_of(struct world *w, enum tls_min min, int version)
{
	const char *got = NULL;
	SSL *ssl;

	w->min = min;
	serve(w);
	ssl = tls_client_session(w->tc, "x");
	SSL_set_security_level(ssl, 0);
	SSL_set_min_proto_version(ssl, version);
	SSL_set_max_proto_version(ssl, version);
	handshake_as(w, ssl);
	if (w->server.ended == 0)
		got = SSL_get_version(ssl);
	else
		assert_int_equal(w->server.why, STREAM_TLS);
	SSL_free(ssl);
	close_pair(w);
	tls_server_unref(w->ts);
	w->ts = NULL;
	return got;
}

/* The lowest version is a listener's: one that takes old devices changes
 * nothing for another, and nothing for what we begin ourselves. */
static void old_versions_are_taken_where_a_listener_says_so(void **state)
{
	static const struct {
		enum tls_min min;
		int version;
		const char *got;
	} cases[] = {
		{TLS_MIN_12, TLS1_1_VERSION, NULL},
		{TLS_MIN_10, TLS1_VERSION, "TLSv1"},
		{TLS_MIN_10, TLS1_1_VERSION, "TLSv1.1"},
		{TLS_MIN_10, TLS1_3_VERSION, "TLSv1.3"},
		{TLS_MIN_11, TLS1_VERSION, NULL},
		{TLS_MIN_11, TLS1_1_VERSION, "TLSv1.1"},
		{TLS_MIN_12, TLS1_VERSION, NULL},
		{TLS_MIN_12, TLS1_2_VERSION, "TLSv1.2"},
		{TLS_MIN_13, TLS1_2_VERSION, NULL},
		{TLS_MIN_13, TLS1_3_VERSION, "TLSv1.3"},
	};
	struct world *w = *state;
	SSL *leg;

	certificate(w, (struct testcert_spec){
	    .cn = "x", .names = "DNS:x", .rsa = 1});
	dial(w, TLS_MAY);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got =
		    version_of(w, cases[i].min, cases[i].version);

		print_message("%zu\n", i);
		if (cases[i].got == NULL)
			assert_null(got);
		else
			assert_string_equal(got, cases[i].got);
	}
	leg = tls_client_session(w->tc, "x");
	assert_int_equal(SSL_get_min_proto_version(leg), TLS1_2_VERSION);
	assert_true(SSL_get_security_level(leg) > 0);
	SSL_free(leg);
}

/* A peer that renegotiates costs a handshake each time (RFC 5746 is no help
 * against that); compression tells of secrets by its length. */
static void neither_side_renegotiates_or_compresses(void **state)
{
	const uint64_t never = SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION;
	struct world *w = *state;
	SSL *ours, *legs;

	certificate(w, (struct testcert_spec){.cn = "x", .names = "DNS:x"});
	dial(w, TLS_MAY);
	serve(w);
	ours = tls_server_session(w->ts);
	legs = tls_client_session(w->tc, "x");
	assert_true((SSL_get_options(ours) & never) == never);
	assert_true((SSL_get_options(legs) & never) == never);
	SSL_free(ours);
	SSL_free(legs);
	tls_server_unref(w->ts);
	w->ts = NULL;
}

static void bad_files_of(const struct testcert_spec *type)
{
	static const struct testcert_spec spec = {.cn = "x"};
	struct testcert *a = testcert_new(&spec, NULL);
	struct testcert *b = testcert_new(type, NULL);
	char cert[TESTCERT_PATH], key[TESTCERT_PATH], want[400];
	char none[] = "/nonexistent/mx.pem";
	struct conf_certificate pair = {cert, key};
	struct conf_listen l = {.certificate = &pair, .certificates = 1};
	struct error err;

	testcert_file_part(a, false, cert);
	testcert_file_part(b, true, key);
	assert_null(tls_server_new(&l, &err));
	snprintf(want, sizeof(want),
	    "%s: the key is not the one of certificate %s", key, cert);
	assert_string_equal(err.text, want);
	pair.cert = none;
	assert_null(tls_server_new(&l, &err));
	assert_string_equal(
	    err.text, "/nonexistent/mx.pem: No such file or directory");
	pair.cert = key;
	assert_null(tls_server_new(&l, &err));
	snprintf(want, sizeof(want), "%s: no start line", key);
	assert_string_equal(err.text, want);
	pair.cert = cert;
	pair.key = none;
	assert_null(tls_server_new(&l, &err));
	assert_string_equal(
	    err.text, "/nonexistent/mx.pem: No such file or directory");
	unlink(cert);
	unlink(key);
	testcert_free(a);
	testcert_free(b);
}

static void bad_files_are_named(void **state)
{
	static const struct testcert_spec same = {.cn = "x"};
	static const struct testcert_spec other = {.cn = "x", .rsa = true};

	(void)state;
	bad_files_of(&same);
	bad_files_of(&other);
}

int main(void)
{
#define T(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(verify_wants_a_valid_chain_and_the_name),
		T(verify_refuses_a_certificate_of_another_authority),
		T(encrypt_takes_any_certificate),
		T(the_certificate_is_chosen_by_name),
		T(two_key_types_of_one_name_serve_together),
		T(a_client_resumes_its_last_session_of_that_host_alone),
		T(ticket_keys_turn_and_are_forgotten),
		T(a_leg_shows_its_certificate_when_asked),
		T(old_versions_are_taken_where_a_listener_says_so),
		T(neither_side_renegotiates_or_compresses),
		T(bad_files_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
