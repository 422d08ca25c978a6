/* SPDX-License-Identifier: ISC
 *
 * Our Received field, read again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/mail/header.h"
#include "relay/mail/received.h"
#include "relay/mail/trace_block.h"

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
		.from = "",
	};
}

static void print(const struct envelope *e, const char *token,
    struct strbuf *out)
{
	strbuf_reset(out);
	trace_print(e, &(struct trace_names){"relay.example.com", "",
	    "0ABCDEFGHJKMN", token}, out);
	assert_true(strbuf_ok(out));
}

/* clang-format off */
static const struct {
	const char *what, *header;
	const char *found; /* "ID MARK [by HOST] [at DATE] …", newest first */
} headers[] = {
	{ "none", "Received: from a by b id 1;\r\nSubject: x\r\n\r\n", "" },
	{ "one", "Received: by r with ESMTP id 0ABC (t=mark);\r\n\tdate\r\n\r\n",
		"0ABC mark by r at date " },
	{ "folded anew, other case",
		"received: by r\r\n with ESMTP ID\r\n\t0ABC\r\n\t(t=mark);\r\n\tMon,\r\n 1\r\n\r\n",
		"0ABC mark by r at Mon, 1 " },
	{ "a client that says by", "Received: from by (x [::1]) by r id A (t=one); d\r\n\r\n",
		"A one by r at d " },
	{ "by at the end", "Received: by id A (t=one)\r\n\r\n", "A one by id " },
	{ "newest first, others between",
		"Received: id B (t=two);\r\nTo: x\r\nReceived: id X;\r\n"
		"Received: id A (t=one);\r\n\r\n", "B two A one " },
	{ "in another field", "X-Received: id A (t=one);\r\n\r\n", "" },
	{ "in the body", "To: x\r\n\r\nReceived: id A (t=one);\r\n", "" },
	{ "without an id", "Received: by r (t=one);\r\n\r\n", "" },
	{ "id of nothing", "Received: id (t=one);\r\n\r\n", "" },
	{ "no mark", "Received: id A (t=);\r\n\r\n", "" },
	{ "no end", "Received: id A (t=one\r\n\r\n", "" },
	{ "a second one that fits", "Received: (t=x) id A (t=one);\r\n\r\n", "A one " },
	{ "too long a mark", "Received: id A (t=0123456789012345678901234567890123456789"
		"01234567890123456789012345);\r\n\r\n", "" },
};
/* clang-format on */

static void tokens_are_found_newest_first(void **state)
{
	struct strbuf got;

	(void)state;
	strbuf_init(&got, 10000);
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		struct slice rest = slice_str(headers[i].header);
		struct received_token t;

		print_message("%s\n", headers[i].what);
		strbuf_reset(&got);
		while (received_token_next(&rest, &t)) {
			strbuf_addsl(&got, t.id);
			strbuf_addc(&got, ' ');
			strbuf_addsl(&got, t.mark);
			strbuf_addc(&got, ' ');
			if (t.by.n != 0)
				strbuf_addf(&got, "by %.*s ", (int)t.by.n,
				    t.by.p);
			if (t.date.n == 0)
				continue;
			strbuf_adds(&got, "at ");
			header_words(t.date, 100, &got);
			strbuf_addc(&got, ' ');
		}
		assert_string_equal(strbuf_cstr(&got), headers[i].found);
	}
	strbuf_fini(&got);
}

/* A token that we write is found, wherever the line breaks fall. */
static void our_own_token_is_found_again(void **state)
{
	char helo[100] = "";
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 10000);
	for (size_t n = 0; n < sizeof(helo) - 1; n++) {
		struct envelope e = plain();
		struct received_token t;
		struct slice rest;

		helo[n] = 'h';
		e.helo = helo;
		e.tls = n % 2 == 0 ? "" : "TLSv1.3 TLS_AES_256_GCM_SHA384";
		print(&e, "abcdefghij234567", &out);
		rest = strbuf_view(&out);
		assert_true(received_token_next(&rest, &t));
		assert_true(slice_eq(t.id, SLICE("0ABCDEFGHJKMN")));
		assert_true(slice_eq(t.mark, SLICE("abcdefghij234567")));
		assert_false(received_token_next(&rest, &t));
	}
	strbuf_fini(&out);
}

/* A client cannot plant a token before ours, whatever it calls itself. */
static void no_helo_has_a_token(void **state)
{
	static const char *const helos[] = {
		"id X (t=mark)", "[x:id X (t=mark)]", "a by b id X (t=mark);d",
		"\"id X (t=mark)", "[127.0.0.1] id X (t=mark)", "id\tX\t(t=m)",
	};
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 10000);
	for (size_t i = 0; i < ARRAY_LEN(helos); i++) {
		struct envelope e = plain();
		struct received_token t;
		struct slice rest;

		print_message("%s\n", helos[i]);
		e.helo = e.client_name = helos[i];
		e.spf = "pass";
		e.from = "\"id X (t=mark)\"@example.org";
		print(&e, "abcdefghij234567", &out);
		rest = strbuf_view(&out);
		assert_true(received_token_next(&rest, &t));
		assert_true(slice_eq(t.mark, SLICE("abcdefghij234567")));
		assert_true(slice_eq(t.by, SLICE("relay.example.com")));
	}
	strbuf_fini(&out);
}

/* clang-format off */
static const struct { const char *message, *shown; } marked[] = {
	{ "Received: by r id A\r\n\t(t=one);\r\n\tdate\r\nTo: (t=two)\r\n\r\n(t=three)\r\n",
	  "Received: by r id A;\r\n\tdate\r\nTo: (t=two)\r\n\r\n(t=three)\r\n" },
	{ "Received: id A (t=one);\r\nReceived: id B (t=two) (t=x);\r\n",
	  "Received: id A;\r\nReceived: id B;\r\n" },
	{ "Received: id A (t=one\r\n\r\n", "Received: id A (t=one\r\n\r\n" },
	{ "(t=one)", "(t=one)" }, { "", "" },
};
/* clang-format on */

static void strangers_see_no_mark(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(marked); i++) {
		strbuf_reset(&out);
		received_unmark(slice_str(marked[i].message), &out);
		assert_string_equal(strbuf_cstr(&out), marked[i].shown);
	}
	strbuf_fini(&out);
}

/* clang-format off */
static const struct {
	const char *what, *header;
	const char *addresses; /* of each field with a "from", a blank behind */
} ways[] = {
	{ "Postfix", "Received: from mx.example (mx.example [203.0.113.7])\r\n\tby r; d\r\n\r\n",
		"203.0.113.7 | " },
	{ "Exim", "Received: from [203.0.113.7] (helo=x)\r\n by r with smtp\r\n\r\n",
		"203.0.113.7 | " },
	{ "Exchange", "Received: from A.example (10.1.2.3) by B.example (10.1.2.4) with\r\n"
		" Microsoft SMTP Server id 15.2.1\r\n\r\n", "10.1.2.3 | " },
	{ "IPv6", "Received: from a (a [IPv6:2001:db8::7]) by r\r\n\r\n", "2001:db8::7 | " },
	{ "a name that is an address", "Received: from 198.51.100.1 (x [203.0.113.7]) by r\r\n\r\n",
		"203.0.113.7 | " },
	{ "a client that says by", "Received: from by (x [203.0.113.7]) by r\r\n\r\n",
		"203.0.113.7 | " },
	{ "its own", "Received: by r id 1 (192.0.2.1)\r\n\r\n", "" },
	{ "newest first", "Received: from a ([192.0.2.1]) by r\r\nTo: x\r\n"
		"Received: from b ([192.0.2.2]) by s\r\n\r\n", "192.0.2.1 | 192.0.2.2 | " },
	{ "nothing behind from", "Received: from\r\n\r\n", "| " },
	{ "a time is no address", "Received: from a (at 12:30 10.5) by r\r\n\r\n", "| " },
	{ "in the body", "To: x\r\n\r\nReceived: from a ([192.0.2.1]) by r\r\n", "" },
};
/* clang-format on */

static void hops_name_their_addresses(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct slice rest = slice_str(ways[i].header), from, address;

		print_message("%s\n", ways[i].what);
		strbuf_reset(&out);
		while (received_from_next(&rest, &from)) {
			while (received_from_address(&from, &address)) {
				strbuf_addsl(&out, address);
				strbuf_addc(&out, ' ');
			}
			strbuf_adds(&out, "| ");
		}
		assert_string_equal(strbuf_cstr(&out), ways[i].addresses);
	}
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_are_found_newest_first),
		cmocka_unit_test(our_own_token_is_found_again),
		cmocka_unit_test(no_helo_has_a_token),
		cmocka_unit_test(strangers_see_no_mark),
		cmocka_unit_test(hops_name_their_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
