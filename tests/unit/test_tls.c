/* SPDX-License-Identifier: ISC
 *
 * TLS contexts, and TLS under streams: two of ours on a socket pair.
 */
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/net/stream.h"
#include "tests/unit/testcert.h"

enum { TURNS = 4000, TURN_MS = 50 };

struct world;

struct side {
	struct world *w;
	struct stream *s;
	struct strbuf got;
	int ready, ended, drained;
	enum stream_end why;
	bool starttls; /* the server: on a line that says so */
};

struct world {
	struct loop *loop;
	struct stream_scratch *scratch;
	struct side server, client;
	struct tls_server *ts;
	struct tls_client *tc;
	struct testcert *ca;
	char ca_file[TESTCERT_PATH];
	char file[4][TESTCERT_PATH]; /* the server's certificates */
	char client_file[TESTCERT_PATH];
	int files, client_fd;
};

static size_t on_input(void *arg, struct slice bytes)
{
	struct side *d = arg;
	long nl = slice_find(bytes, '\n');

	if (d->starttls && nl >= 0) {
		d->starttls = false;
		stream_write(d->s, SLICE("220 go\r\n"));
		stream_flush(d->s);
		assert_true(stream_tls_accept(
		    d->s, tls_server_session(d->w->ts)));
		return (size_t)nl + 1;
	}
	strbuf_addsl(&d->got, bytes);
	return bytes.n;
}

static void on_drained(void *arg)
{
	((struct side *)arg)->drained++;
}

static void on_ready(void *arg)
{
	((struct side *)arg)->ready++;
}

static void on_ended(void *arg, enum stream_end why)
{
	struct side *d = arg;

	d->ended++;
	d->why = why;
}

static const struct stream_ops ops = {
	on_input, on_drained, on_ready, on_ended
};

static void side_open(struct world *w, struct side *d, int fd)
{
	struct stream_config c = {.loop = w->loop, .scratch = w->scratch,
		.sock = &sock_system, .ops = &ops, .arg = d};

	d->w = w;
	strbuf_init(&d->got, 1 << 26);
	d->s = stream_accept(&c, fd);
}

static void side_close(struct side *d)
{
	stream_free(d->s);
	strbuf_fini(&d->got);
	*d = (struct side){0};
}

static void open_pair(struct world *w)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	w->client_fd = pair[1];
	side_open(w, &w->server, pair[0]);
	side_open(w, &w->client, pair[1]);
}

static void close_pair(struct world *w)
{
	side_close(&w->client);
	side_close(&w->server);
}

static int setup(void **state)
{
	static const struct testcert_spec ca = {.cn = "Test CA", .ca = true};
	struct world *w = NEW(struct world);

	w->loop = loop_new(&clock_system);
	w->scratch = stream_scratch_new();
	w->ca = testcert_new(&ca, NULL);
	testcert_file(w->ca, w->ca_file);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	close_pair(w);
	tls_server_unref(w->ts);
	tls_client_unref(w->tc);
	testcert_free(w->ca);
	unlink(w->ca_file);
	for (int i = 0; i < w->files; i++)
		unlink(w->file[i]);
	if (w->client_file[0] != '\0')
		unlink(w->client_file);
	stream_scratch_free(w->scratch);
	loop_free(w->loop);
	mem_free(w);
	return 0;
}

static void certificate(struct world *w, struct testcert_spec spec)
{
	struct testcert *c = testcert_new(&spec, w->ca);

	testcert_file(c, w->file[w->files++]);
	testcert_free(c);
}

static void serve(struct world *w)
{
	struct conf_certificate pair[4];
	struct conf_listen l = {.name = "t", .certificate = pair,
		.certificates = w->files};
	struct error err;

	for (int i = 0; i < w->files; i++)
		pair[i] = (struct conf_certificate){w->file[i], w->file[i]};
	w->ts = tls_server_new(&l, &err);
	assert_non_null(w->ts);
}

static void dial(struct world *w, enum tls_level level)
{
	char empty[] = "";
	struct conf_leg l = {.name = empty, .tls = level,
		.tls_ca = w->ca_file, .certificate = w->client_file,
		.key = empty};
	struct error err;

	w->tc = tls_client_new(&l, &err);
	assert_non_null(w->tc);
}

static void until(struct world *w, const int *what, int least)
{
	for (int i = 0; i < TURNS && *what < least; i++)
		loop_once(w->loop, TURN_MS);
	assert_true(*what >= least);
}

static void until_got(struct world *w, struct side *d, size_t n)
{
	for (int i = 0; i < TURNS && d->got.n < n; i++)
		loop_once(w->loop, TURN_MS);
	assert_int_equal(d->got.n, n);
}

/* Both begin; ends when the client is ready or over. */
static SSL *handshake(struct world *w, const char *host)
{
	SSL *ssl = tls_client_session(w->tc, host);

	open_pair(w);
	assert_true(stream_tls_accept(
	    w->server.s, tls_server_session(w->ts)));
	SSL_up_ref(ssl);
	assert_true(stream_tls_connect(w->client.s, ssl));
	for (int i = 0; i < TURNS && !w->client.ready && !w->client.ended; i++)
		loop_once(w->loop, TURN_MS);
	for (int i = 0; i < TURNS && !w->server.ready && !w->server.ended; i++)
		loop_once(w->loop, TURN_MS);
	return ssl;
}

static void bytes_pass_both_ways_under_tls(void **state)
{
	struct world *w = *state;

	certificate(w, (struct testcert_spec){.cn = "x", .names = "DNS:x"});
	serve(w);
	dial(w, TLS_MAY);
	SSL_free(handshake(w, "mx.example"));
	assert_int_equal(w->client.ready, 1);
	assert_int_equal(w->server.ready, 1);
	assert_string_equal(
	    stream_tls(w->client.s), "TLSv1.3 TLS_AES_256_GCM_SHA384");
	stream_write(w->client.s, SLICE("EHLO a\r\n"));
	stream_flush(w->client.s);
	until_got(w, &w->server, 8);
	assert_int_equal(stream_bytes_in(w->server.s), 8);
	stream_write(w->server.s, SLICE("250 b\r\n"));
	stream_flush(w->server.s);
	until_got(w, &w->client, 7);
	stream_free(w->client.s);
	w->client.s = NULL;
	until(w, &w->server.ended, 1);
	assert_int_equal(w->server.why, STREAM_EOF);
}

static void a_large_body_passes_whole_under_tls(void **state)
{
	struct world *w = *state;
	size_t size = 5 * 1024 * 1024 + 1;
	char *body = mem_new(size);

	certificate(w, (struct testcert_spec){.cn = "x", .names = "DNS:x"});
	serve(w);
	dial(w, TLS_MAY);
	SSL_free(handshake(w, "mx.example"));
	for (size_t i = 0; i < size; i++)
		body[i] = (char)(i * 7 / 5);
	stream_write(w->client.s, slice_of(body, size));
	stream_flush(w->client.s);
	until_got(w, &w->server, size);
	assert_memory_equal(w->server.got.p, body, size);
	assert_int_equal(w->client.drained, 1);
	mem_free(body);
}

static void bytes_and_the_end_in_one_segment_are_both_told(void **state)
{
	struct world *w = *state;
	int open_still;

	certificate(w, (struct testcert_spec){.cn = "x", .names = "DNS:x"});
	serve(w);
	dial(w, TLS_MAY);
	SSL_free(handshake(w, "mx.example"));
	stream_write(w->client.s, SLICE("QUIT\r\n"));
	stream_flush(w->client.s);
	/* The close_notify lies behind the bytes; the socket stays open. */
	open_still = dup(w->client_fd);
	stream_free(w->client.s);
	w->client.s = NULL;
	until(w, &w->server.ended, 1);
	close(open_still);
	assert_int_equal(w->server.got.n, 6);
	assert_int_equal(w->server.why, STREAM_EOF);
}

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

static void tls_1_1_is_refused(void **state)
{
	struct world *w = *state;
	SSL *ssl;

	certificate(w, (struct testcert_spec){.cn = "x", .names = "DNS:x"});
	serve(w);
	dial(w, TLS_MAY);
	ssl = tls_client_session(w->tc, "x");
	SSL_set_security_level(ssl, 0);
	SSL_set_min_proto_version(ssl, TLS1_VERSION);
	SSL_set_max_proto_version(ssl, TLS1_1_VERSION);
	open_pair(w);
	assert_true(stream_tls_accept(
	    w->server.s, tls_server_session(w->ts)));
	assert_true(stream_tls_connect(w->client.s, ssl));
	until(w, &w->server.ended, 1);
	assert_int_equal(w->server.why, STREAM_TLS);
	assert_string_equal(
	    stream_error(w->server.s), "TLS: unsupported protocol");
}

static void starttls_inside_input_begins_tls_after_the_line(void **state)
{
	struct world *w = *state;

	certificate(w, (struct testcert_spec){.cn = "x", .names = "DNS:x"});
	serve(w);
	dial(w, TLS_MAY);
	open_pair(w);
	w->server.starttls = true;
	stream_write(w->client.s, SLICE("STARTTLS\r\n"));
	stream_flush(w->client.s);
	until_got(w, &w->client, 8);
	assert_true(stream_tls_connect(
	    w->client.s, tls_client_session(w->tc, "x")));
	until(w, &w->server.ready, 1);
	until(w, &w->client.ready, 1);
}

static void plaintext_in_the_segment_of_starttls_ends_the_session(void **state)
{
	struct world *w = *state;

	certificate(w, (struct testcert_spec){.cn = "x", .names = "DNS:x"});
	serve(w);
	open_pair(w);
	w->server.starttls = true;
	stream_write(w->client.s, SLICE("STARTTLS\r\nMAIL FROM:<>\r\n"));
	stream_flush(w->client.s);
	until(w, &w->server.ended, 1);
	assert_int_equal(w->server.why, STREAM_TLS);
	assert_string_equal(stream_error(w->server.s),
	    "plaintext ahead of the handshake");
	assert_int_equal(w->server.got.n, 0);
}

static void plaintext_in_the_next_segment_is_no_handshake(void **state)
{
	struct world *w = *state;

	certificate(w, (struct testcert_spec){.cn = "x", .names = "DNS:x"});
	serve(w);
	open_pair(w);
	assert_true(stream_tls_accept(
	    w->server.s, tls_server_session(w->ts)));
	stream_write(w->client.s, SLICE("MAIL FROM:<>\r\n"));
	stream_flush(w->client.s);
	until(w, &w->server.ended, 1);
	assert_int_equal(w->server.why, STREAM_TLS);
	assert_int_equal(w->server.got.n, 0);
	assert_true(strncmp(stream_error(w->server.s), "TLS: ", 5) == 0);
}

static void tls_does_not_begin_over_output_that_waits(void **state)
{
	struct world *w = *state;

	certificate(w, (struct testcert_spec){.cn = "x", .names = "DNS:x"});
	serve(w);
	open_pair(w);
	stream_write(w->server.s, SLICE("220 go\r\n"));
	assert_false(stream_tls_accept(
	    w->server.s, tls_server_session(w->ts)));
}

static void output_gathered_in_the_handshake_is_not_sent_in_the_clear(
    void **state)
{
	struct world *w = *state;

	certificate(w, (struct testcert_spec){.cn = "x", .names = "DNS:x"});
	serve(w);
	dial(w, TLS_MAY);
	open_pair(w);
	assert_true(stream_tls_accept(
	    w->server.s, tls_server_session(w->ts)));
	stream_write(w->server.s, SLICE("250 x\r\n"));
	stream_flush(w->server.s);
	assert_int_equal(stream_pending(w->server.s), 7);
	assert_true(stream_tls_connect(
	    w->client.s, tls_client_session(w->tc, "x")));
	until_got(w, &w->client, 7);
}

static void a_peer_that_hangs_up_in_the_handshake_ends_it(void **state)
{
	struct world *w = *state;

	certificate(w, (struct testcert_spec){.cn = "x", .names = "DNS:x"});
	serve(w);
	open_pair(w);
	assert_true(stream_tls_accept(
	    w->server.s, tls_server_session(w->ts)));
	stream_free(w->client.s);
	w->client.s = NULL;
	until(w, &w->server.ended, 1);
	assert_int_equal(w->server.why, STREAM_TLS);
	assert_string_equal(stream_error(w->server.s),
	    "TLS: connection closed in the handshake");
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
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(bytes_pass_both_ways_under_tls),
		T(a_large_body_passes_whole_under_tls),
		T(bytes_and_the_end_in_one_segment_are_both_told),
		T(verify_wants_a_valid_chain_and_the_name),
		T(verify_refuses_a_certificate_of_another_authority),
		T(encrypt_takes_any_certificate),
		T(the_certificate_is_chosen_by_name),
		T(two_key_types_of_one_name_serve_together),
		T(a_client_resumes_its_last_session_of_that_host_alone),
		T(tls_1_1_is_refused),
		T(starttls_inside_input_begins_tls_after_the_line),
		T(plaintext_in_the_segment_of_starttls_ends_the_session),
		T(plaintext_in_the_next_segment_is_no_handshake),
		T(tls_does_not_begin_over_output_that_waits),
		T(output_gathered_in_the_handshake_is_not_sent_in_the_clear),
		T(a_peer_that_hangs_up_in_the_handshake_ends_it),
		T(bad_files_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
