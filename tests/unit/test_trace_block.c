/* SPDX-License-Identifier: ISC
 *
 * The trace block: what it says, and that nothing from outside says anything
 * in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/mail/header.h"
#include "relay/mail/spf_result.h"
#include "relay/mail/trace_block.h"

#define DATE "\r\n\tSun, 22 Nov 2026 05:12:17 +0000\r\n"
#define WHEN INT64_C(1795324337000123)
#define RECEIVED_HEAD "Received: from mail.example.org "
#define RECEIVED_TAIL "\r\n\tby relay.example.com with ESMTP id 0ABC;" DATE

static struct envelope plain(void)
{
	return (struct envelope){
		.accepted_us = WHEN,
		.client = "192.0.2.7",
		.client_name = "",
		.helo = "mail.example.org",
		.esmtp = true,
		.tls = "",
		.from = "",
	};
}

static void print(const struct envelope *e, const char *token,
    struct strbuf *out)
{
	strbuf_reset(out);
	trace_print(e, &(struct trace_names){"relay.example.com",
	    "relay.example.com", "0ABC", token}, out);
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
	    "\r\n\tby relay.example.com with ESMTP id 0ABC;" DATE);
	e.client = "2001:db8::1";
	e.client_name = "mx.example.org";
	e.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384";
	print(&e, "0123456789abcdef", &out);
	assert_string_equal(strbuf_cstr(&out),
	    "Authentication-Results: relay.example.com;"
	    "\r\n\tiprev=pass policy.iprev=\"2001:db8::1\"\r\n"
	    "Received: from mail.example.org"
	    " (mx.example.org [IPv6:2001:db8::1])"
	    "\r\n\tby relay.example.com with ESMTPS"
	    " (TLSv1.3 TLS_AES_256_GCM_SHA384) id 0ABC"
	    "\r\n\t(t=0123456789abcdef);" DATE);
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
		.helo = "", .client_name = "", .from = ""};
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 10000);
	print(&e, "", &out);
	assert_string_equal(strbuf_cstr(&out),
	    "Received: by relay.example.com id 0ABC;" DATE);
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
	print(&e, "0123456789abcdef0123456789abcdef", &out);
	rest = strbuf_view(&out);
	while (slice_next(&rest, '\n', &line))
		assert_true(line.n <= 79);
	strbuf_fini(&out);
}

static struct envelope judged(void)
{
	struct envelope e = plain();

	e.from = "ann@example.org";
	e.spf = "pass";
	e.spf_by = "ip4:192.0.2.0/24 _spf.example.org";
	return e;
}

static void a_judged_sender_is_reported_in_two_fields(void **state)
{
	struct envelope e = judged();
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 10000);
	print(&e, "", &out);
	assert_string_equal(strbuf_cstr(&out),
	    "Authentication-Results: relay.example.com;"
	    "\r\n\tspf=pass smtp.mailfrom=ann@example.org\r\n"
	    "Received-SPF: pass (relay.example.com: example.org permits "
	    "192.0.2.7)"
	    "\r\n\tclient-ip=192.0.2.7; envelope-from=\"ann@example.org\";"
	    " helo=mail.example.org;"
	    "\r\n\tidentity=mailfrom; mechanism=\"ip4:192.0.2.0/24\";"
	    " receiver=relay.example.com\r\n"
	    RECEIVED_HEAD "([192.0.2.7])" RECEIVED_TAIL);
	e.client = "2001:db8::7";
	e.client_name = "mx.example.org";
	e.login = "anna";
	e.from = "";
	e.spf_by = "-all mail.example.org";
	e.spf = "fail";
	print(&e, "", &out);
	assert_string_equal(strbuf_cstr(&out),
	    "Authentication-Results: relay.example.com;"
	    "\r\n\tspf=fail smtp.helo=mail.example.org;"
	    "\r\n\tiprev=pass policy.iprev=\"2001:db8::7\";"
	    "\r\n\tauth=pass smtp.auth=anna\r\n"
	    "Received-SPF: fail (relay.example.com: mail.example.org forbids "
	    "2001:db8::7)"
	    "\r\n\tclient-ip=\"2001:db8::7\"; envelope-from=\"<>\";"
	    " helo=mail.example.org;"
	    "\r\n\tidentity=helo; mechanism=-all;"
	    " receiver=relay.example.com\r\n"
	    RECEIVED_HEAD "(mx.example.org [IPv6:2001:db8::7])"
	    "\r\n\tby relay.example.com with ESMTPA id 0ABC;" DATE);
	strbuf_fini(&out);
}

static void each_result_has_its_words(void **state)
{
	struct strbuf out, want;

	(void)state;
	strbuf_init(&out, 10000);
	strbuf_init(&want, 100);
	for (int r = 0; r < SPF_RESULTS; r++) {
		struct envelope e = judged();

		e.spf = spf_result_text((enum spf_result)r);
		print(&e, "", &out);
		strbuf_reset(&want);
		strbuf_addf(&want, "\tspf=%s smtp", e.spf);
		assert_non_null(strstr(strbuf_cstr(&out), strbuf_cstr(&want)));
		strbuf_reset(&want);
		strbuf_addf(&want, "Received-SPF: %s (relay", e.spf);
		assert_non_null(strstr(strbuf_cstr(&out), strbuf_cstr(&want)));
	}
	strbuf_fini(&out);
	strbuf_fini(&want);
}

static void without_a_judgement_there_is_no_result(void **state)
{
	struct envelope e = judged();
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 10000);
	e.spf = "";
	print(&e, "", &out);
	assert_true(slice_starts(strbuf_view(&out), SLICE("Received: ")));
	assert_null(strstr(strbuf_cstr(&out), "SPF"));
	e.client_name = "mx.example.org";
	print(&e, "", &out);
	assert_true(slice_starts(strbuf_view(&out),
	    SLICE("Authentication-Results: relay.example.com;\r\n"
		"\tiprev=pass policy.iprev=192.0.2.7\r\nReceived: ")));
	strbuf_fini(&out);
}

/* clang-format off */
static const struct { const char *from, *bare, *quoted; } senders[] = {
	{ "ann@example.org", "ann@example.org", "ann@example.org" },
	{ "a+b=c/d@example.org", "a+b=c/d@example.org", "a+b=c/d@example.org" },
	{ "SRS0=ab=cd=x.y=z@srs.example", "SRS0=ab=cd=x.y=z@srs.example",
	  "SRS0=ab=cd=x.y=z@srs.example" },
	{ "ann@B\xc3\xbc" "cher.Example", "ann@xn--bcher-kva.example",
	  "ann@xn--bcher-kva.example" },
	{ "\"a b\"@example.org", "\"\\\"a b\\\"@example.org\"", "\\\"a b\\\"@example.org" },
	{ "ann@[192.0.2.1]", "\"ann@[192.0.2.1]\"", "ann@[192.0.2.1]" },
	{ "\xc3\xa4nn@example.org", "??nn@example.org", "??nn@example.org" },
	{ "\"; dkim=pass (x)\"@e.org", "\"\\\"? dkim=pass ?x?\\\"@e.org\"",
	  "\\\"? dkim=pass ?x?\\\"@e.org" },
	{ "a\tb\x01@e.org", "\"a b?@e.org\"", "a b?@e.org" },
	{ "a..b.@e.org", "\"a..b.@e.org\"", "a..b.@e.org" },
};

static const struct { const char *helo, *received, *value; } helos[] = {
	{ "mail.example.org", "mail.example.org", "mail.example.org" },
	{ "", "unknown", "\"\"" },
	{ "[192.0.2.1]", "[192.0.2.1]", "\"[192.0.2.1]\"" },
	{ "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]", "\"[IPv6:2001:db8::1]\"" },
	{ "[x:(a;b)]", "\"[x:?a?b?]\"", "\"[x:?a?b?]\"" },
	{ "MY PC", "\"MY PC\"", "\"MY PC\"" },
	{ "MY_PC", "MY_PC", "MY_PC" },
	{ "B\xfcro", "\"B?ro\"", "\"B?ro\"" },
	{ "x; dkim=pass (y)", "\"x? dkim?pass ?y?\"", "\"x? dkim?pass ?y?\"" },
	{ "a\"b\\c", "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\"" },
	{ "a\r\nb", "\"a??b\"", "\"a??b\"" },
};
/* clang-format on */

static void expect(struct strbuf *out, const char *before, const char *value,
    const char *after)
{
	struct strbuf want;

	strbuf_init(&want, 1000);
	strbuf_addf(&want, "%s%s%s", before, value, after);
	if (strstr(strbuf_cstr(out), strbuf_cstr(&want)) == NULL)
		fail_msg("no %s in %s", strbuf_cstr(&want), strbuf_cstr(out));
	strbuf_fini(&want);
}

static void a_sender_that_is_no_token_is_quoted(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 10000);
	for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
		struct envelope e = judged();

		print_message("%s\n", senders[i].from);
		e.from = senders[i].from;
		print(&e, "", &out);
		expect(&out, "smtp.mailfrom=", senders[i].bare, "\r\n");
		expect(&out, "envelope-from=\"", senders[i].quoted, "\";");
	}
	strbuf_fini(&out);
}

static void a_helo_that_is_no_token_is_quoted(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 10000);
	for (size_t i = 0; i < ARRAY_LEN(helos); i++) {
		struct envelope e = judged();

		print_message("%s\n", helos[i].helo);
		e.helo = helos[i].helo;
		e.from = "";
		print(&e, "", &out);
		expect(&out, "\r\nReceived: from ", helos[i].received, " (");
		expect(&out, " helo=", helos[i].value, ";");
		expect(&out, "smtp.helo=", helos[i].value, "\r\n");
	}
	strbuf_fini(&out);
}

/* Three fields, whatever is in them, of at most so many bytes. */
static void check_block(const struct envelope *e, const char *ours)
{
	static const char *const names[] = {"Authentication-Results",
		"Received-SPF", "Received"};
	struct trace_names n = {ours, ours, ours, ours};
	struct strbuf out;
	struct slice rest, line;
	struct header_field f;

	strbuf_init(&out, 100000);
	trace_print(e, &n, &out);
	assert_true(out.n <= TRACE_MAX);
	rest = strbuf_view(&out);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_true(header_next(&rest, &f));
		assert_true(slice_eq(f.name, slice_str(names[i])));
	}
	assert_int_equal(rest.n, 0);
	for (size_t i = 0; i < out.n; i++)
		assert_true(out.p[i] > 0 && out.p[i] < 127);
	rest = strbuf_view(&out);
	while (slice_next(&rest, '\n', &line))
		assert_true(line.n <= 998);
	strbuf_fini(&out);
}

static void a_block_is_bounded_and_has_three_fields(void **state)
{
	static char text[5000], quotes[5000], domain[5000];
	static const char *const all[] = {text, quotes, domain,
		"x\r\n\r\nbody;\x01 (by \\\"a\xff\n From: <b@c>",
		"\xff\xfe@\xff"};

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	memset(quotes, '"', sizeof(quotes) - 1);
	memset(domain, '"', sizeof(domain) - 1);
	domain[2000] = '@';
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct envelope e = judged();

		e.client = e.client_name = e.helo = e.tls = all[i];
		e.from = e.spf_by = e.login = all[i];
		check_block(&e, text);
		e.from = "";
		check_block(&e, quotes);
	}
}

static void a_cut_sender_keeps_its_domain(void **state)
{
	char from[300] = "";
	struct envelope e = judged();
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 10000);
	memset(from, 'a', 250);
	memcpy(from + 250, "@example.org", sizeof("@example.org"));
	e.from = from;
	print(&e, "", &out);
	assert_non_null(strstr(strbuf_cstr(&out), "aaa...@example.org\""));
	strbuf_fini(&out);
}

static void lines_are_folded(void **state)
{
	struct strbuf out;
	struct slice rest, line;
	char helo[60] = "";

	(void)state;
	strbuf_init(&out, 10000);
	for (size_t n = 0; n < sizeof(helo) - 1; n++) {
		struct envelope e = judged();

		helo[n] = 'h';
		e.helo = e.client_name = helo;
		e.from = n % 2 == 0 ? "" : "ann@example.org";
		print(&e, "0123456789abcdef", &out);
		rest = strbuf_view(&out);
		while (slice_next(&rest, '\n', &line))
			assert_true(line.n <= 79);
	}
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_field_says_who_how_and_when),
		cmocka_unit_test(the_protocol_word_follows_rfc3848),
		cmocka_unit_test(our_own_mail_has_no_client),
		cmocka_unit_test(long_words_are_cut_and_lines_are_folded),
		cmocka_unit_test(a_judged_sender_is_reported_in_two_fields),
		cmocka_unit_test(each_result_has_its_words),
		cmocka_unit_test(without_a_judgement_there_is_no_result),
		cmocka_unit_test(a_sender_that_is_no_token_is_quoted),
		cmocka_unit_test(a_helo_that_is_no_token_is_quoted),
		cmocka_unit_test(a_block_is_bounded_and_has_three_fields),
		cmocka_unit_test(a_cut_sender_keeps_its_domain),
		cmocka_unit_test(lines_are_folded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
