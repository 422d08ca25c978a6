/* SPDX-License-Identifier: ISC
 *
 * TLS under streams: where it begins, what passes, how it ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/tlspair.h"

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
	assert_true(stream_error(w->server.s)[0] != '\0');
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
	    "connection closed in the handshake");
}

int main(void)
{
#define T(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(bytes_pass_both_ways_under_tls),
		T(a_large_body_passes_whole_under_tls),
		T(bytes_and_the_end_in_one_segment_are_both_told),
		T(starttls_inside_input_begins_tls_after_the_line),
		T(plaintext_in_the_segment_of_starttls_ends_the_session),
		T(plaintext_in_the_next_segment_is_no_handshake),
		T(tls_does_not_begin_over_output_that_waits),
		T(output_gathered_in_the_handshake_is_not_sent_in_the_clear),
		T(a_peer_that_hangs_up_in_the_handshake_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
