/* SPDX-License-Identifier: ISC
 *
 * Before the first command: who is let in, and under whose address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/servertest.h"

static void who_speaks_before_the_greeting_is_refused(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_connect(&r, "192.0.2.1");
	rig_say(&r, "EHLO a\r\nMAIL FROM:<>\r\n");
	assert_null(rig_expect(&r, "554 5.5.0\nEND"));
	assert_int_equal(rig_logged(&r, "refused connect"), 1);
	assert_int_equal(rig_logged(&r, "mail"), 0);
	rig_fini(&r);
}

static void the_owner_may_keep_a_client_out(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.o.bar = true;
	rig_connect(&r, "192.0.2.1");
	assert_null(rig_expect(&r, "554 5.7.1\nEND"));
	assert_string_equal(strbuf_cstr(&r.o.log),
	    "connected 192.0.2.1\nrefused connect <> <> 554 5.7.1\nclosed\n"
	    "left 192.0.2.1\n");
	rig_fini(&r);
}

#define V2SIG "\r\n\r\n\0\r\nQUIT\n"
#define V1 "PROXY TCP4 203.0.113.9 198.51.100.1 4000 25\r\n"

/* clang-format off */
static const struct { const char *bytes; size_t n; const char *hear, *left; } headers[] = {
	{ V1, sizeof(V1) - 1, "220", "203.0.113.9" },
	{ V1 "EHLO a\r\n", sizeof(V1) + 7, "220\n250-", "203.0.113.9" },
	{ "PROXY UNKNOWN\r\n", 15, "220", "192.0.2.1" },
	{ V2SIG "\x21\x11\0\x0c\xcb\0\x71\x09\xc6\x33\x64\x01\x0f\xa0\0\x19", 28, "220",
	  "203.0.113.9" },
	{ V2SIG "\x20\0\0\0", 16, "220", "192.0.2.1" },
	{ "EHLO a\r\n", 8, "END", "192.0.2.1" },
	{ "PROXY TCP4 1.2.3.4\r\n", 20, "END", "192.0.2.1" },
	{ V2SIG "\x21\x11\xff\xff", 16, "END", "192.0.2.1" },
	{ V2SIG "\x21\x11\0\x02\0\0", 18, "END", "192.0.2.1" },
	{ V1 V1, 2 * sizeof(V1) - 2, "220\n500 5.5.1", "203.0.113.9" },
};
/* clang-format on */

static void a_listed_peer_names_its_client_by_a_header(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(headers); i++) {
		bool whole = i % 2;
		size_t h = i / 2;
		char left[80];
		struct rig r;

		rig_init(&r);
		r.listen.proxy_from = (struct conf_nets){r.net, 1};
		r.net[0] = (struct conf_net){AF_INET, {192, 0, 2, 1}, 32};
		rig_connect(&r, "192.0.2.1");
		for (size_t b = 0; !whole && b < headers[h].n; b++) {
			rig_send(&r, headers[h].bytes + b, 1);
			rig_poll(&r);
		}
		if (whole)
			rig_send(&r, headers[h].bytes, headers[h].n);
		assert_null(rig_expect(&r, headers[h].hear));
		rig_hang_up(&r);
		rig_turn(&r);
		snprintf(left, sizeof(left), "left %s", headers[h].left);
		assert_int_equal(rig_logged(&r, left), 1);
		rig_fini(&r);
	}
}

static void a_header_from_anyone_else_is_no_command(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.listen.proxy_from = (struct conf_nets){r.net, 1};
	r.net[0] = (struct conf_net){AF_INET, {192, 0, 2, 9}, 32};
	rig_connect(&r, "192.0.2.1");
	assert_null(rig_expect(&r, "220"));
	rig_say(&r, V1);
	assert_null(rig_expect(&r, "500 5.5.1"));
	rig_connect(&r, "192.0.2.1");
	rig_say(&r, V1);
	assert_null(rig_expect(&r, "554 5.5.0\nEND"));
	rig_fini(&r);
}

static void a_proxied_client_with_too_many_connections_hears_421(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.o.crowd = true;
	r.listen.proxy_from = (struct conf_nets){r.net, 1};
	r.net[0] = (struct conf_net){AF_INET, {192, 0, 2, 1}, 32};
	rig_connect(&r, "192.0.2.1");
	rig_say(&r, V1);
	assert_null(rig_expect(&r, "421 4.7.0\nEND"));
	assert_int_equal(rig_logged(&r, "recount 192.0.2.1 203.0.113.9"), 1);
	assert_int_equal(rig_logged(&r, "left 192.0.2.1"), 1);
	rig_fini(&r);
}

/* RFC 7504: 521 and the end, also for those who name a client by PROXY. */
static void a_closed_listener_says_521_and_that_is_all(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.listen.closed = true;
	rig_connect(&r, "192.0.2.1");
	assert_null(rig_expect(&r, "521 5.3.2\nEND"));
	assert_int_equal(rig_logged(&r, "refused connect"), 1);
	rig_connect(&r, "192.0.2.1");
	rig_say(&r, "EHLO a\r\nMAIL FROM:<>\r\n");
	assert_null(rig_expect(&r, "521 5.3.2\nEND"));
	r.listen.proxy_from = (struct conf_nets){r.net, 1};
	r.net[0] = (struct conf_net){AF_INET, {192, 0, 2, 1}, 32};
	rig_connect(&r, "192.0.2.1");
	rig_say(&r, V1 "EHLO a\r\nRCPT TO:<postmaster>\r\n");
	assert_null(rig_expect(&r, "521 5.3.2\nEND"));
	assert_int_equal(rig_logged(&r, "left 203.0.113.9"), 1);
	assert_int_equal(rig_logged(&r, "mail"), 0);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_speaks_before_the_greeting_is_refused),
		cmocka_unit_test(the_owner_may_keep_a_client_out),
		cmocka_unit_test(a_listed_peer_names_its_client_by_a_header),
		cmocka_unit_test(a_header_from_anyone_else_is_no_command),
		cmocka_unit_test(
		    a_proxied_client_with_too_many_connections_hears_421),
		cmocka_unit_test(a_closed_listener_says_521_and_that_is_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
