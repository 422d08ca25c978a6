/* SPDX-License-Identifier: ISC
 *
 * The trace field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/mail/header.h"
#include "relay/mail/received.h"

#define DATE "\r\n\tSun, 22 Nov 2026 05:12:17 +0000\r\n"
#define WHEN INT64_C(1795324337000123)

static struct envelope plain(void)
{
	return (struct envelope){
		.accepted_us = WHEN,
		.client = "192.0.2.7",
		.client_name = "",
		.helo = "mail.example.org",
		.esmtp = true,
		.tls = "",
		.rcpt = NULL,
	};
}

static void print(const struct envelope *e, const char *token,
    struct strbuf *out)
{
	strbuf_reset(out);
	received_print(e, "relay.example.com", "0ABCDEFGHJKMN", token, out);
	assert_true(strbuf_ok(out));
}

static void the_field_says_who_how_and_when(void **state)
{
	struct envelope e = plain();
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 10000);
	print(&e, "", &out);
	assert_string_equal(strbuf_cstr(&out),
	    "Received: from mail.example.org ([192.0.2.7])"
	    "\r\n\tby relay.example.com with ESMTP id 0ABCDEFGHJKMN;" DATE);
	e.client = "2001:db8::1";
	e.client_name = "mx.example.org";
	e.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384";
	print(&e, "t=0123456789abcdef", &out);
	assert_string_equal(strbuf_cstr(&out),
	    "Received: from mail.example.org"
	    " (mx.example.org [IPv6:2001:db8::1])"
	    "\r\n\tby relay.example.com with ESMTPS"
	    " (TLSv1.3 TLS_AES_256_GCM_SHA384)"
	    "\r\n\tid 0ABCDEFGHJKMN (t=0123456789abcdef);" DATE);
	strbuf_fini(&out);
}

static void the_protocol_word_follows_rfc3848(void **state)
{
	/* clang-format off */
	static const struct { bool esmtp, utf8, tls; const char *word; } with[] = {
		{ false, false, false, " with SMTP id"      },
		{ true,  false, false, " with ESMTP id"     },
		{ true,  false, true,  " with ESMTPS"       },
		{ true,  true,  false, " with UTF8SMTP id"  },
		{ true,  true,  true,  " with UTF8SMTPS"    },
	};
	/* clang-format on */
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 10000);
	for (size_t i = 0; i < ARRAY_LEN(with); i++) {
		struct envelope e = plain();

		print_message("case %zu\n", i);
		e.esmtp = with[i].esmtp;
		e.utf8 = with[i].utf8;
		e.tls = with[i].tls ? "TLSv1.2 X" : "";
		print(&e, "", &out);
		assert_non_null(strstr(strbuf_cstr(&out), with[i].word));
	}
	strbuf_fini(&out);
}

static void our_own_mail_has_no_client(void **state)
{
	struct envelope e = {.accepted_us = WHEN, .client = "", .tls = "",
		.helo = "", .client_name = ""};
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 10000);
	print(&e, "", &out);
	assert_string_equal(strbuf_cstr(&out),
	    "Received: by relay.example.com id 0ABCDEFGHJKMN;" DATE);
	strbuf_fini(&out);
}

/* Whatever comes in, it is one field, of short lines where words allow. */
static void nothing_from_outside_ends_the_field(void **state)
{
	static const char evil[] =
	    "x\r\n\r\nbody;\x01 (by \\\"a\xff\n From: <b@c>";
	struct envelope e = plain();
	struct strbuf out;
	struct slice rest;
	struct header_field f;

	(void)state;
	strbuf_init(&out, 10000);
	e.helo = e.client_name = e.client = e.tls = evil;
	print(&e, evil, &out);
	rest = strbuf_view(&out);
	assert_true(header_next(&rest, &f));
	assert_int_equal(rest.n, 0);
	assert_int_equal(header_hops(strbuf_view(&out)), 1);
	assert_null(strstr(strbuf_cstr(&out), "From:\x20<"));
	for (size_t i = 0; i < out.n; i++)
		assert_true(out.p[i] > 0 && out.p[i] < 127);
	strbuf_fini(&out);
}

static void long_words_are_cut_and_lines_are_folded(void **state)
{
	static char longest[5000];
	struct envelope e = plain();
	struct slice rest, line;
	struct strbuf out;

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	strbuf_init(&out, 10000);
	e.helo = e.client_name = e.tls = longest;
	print(&e, longest, &out);
	rest = strbuf_view(&out);
	while (slice_next(&rest, '\n', &line))
		assert_true(line.n < 600);
	assert_true(out.n < 2000);
	e = plain();
	e.helo = "a-host-with-a-name-of-some-length.department.example.org";
	e.client_name = e.helo;
	e.tls = "TLSv1.2 ECDHE-RSA-CHACHA20-POLY1305";
	print(&e, "t=0123456789abcdef0123456789abcdef", &out);
	rest = strbuf_view(&out);
	while (slice_next(&rest, '\n', &line))
		assert_true(line.n <= 79);
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_field_says_who_how_and_when),
		cmocka_unit_test(the_protocol_word_follows_rfc3848),
		cmocka_unit_test(our_own_mail_has_no_client),
		cmocka_unit_test(nothing_from_outside_ends_the_field),
		cmocka_unit_test(long_words_are_cut_and_lines_are_folded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
