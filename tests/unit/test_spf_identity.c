/* SPDX-License-Identifier: ISC
 *
 * The identity that a check of SPF is about, or that there is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/spf/spf_identity.h"

#define L63 "a23456789012345678901234567890123456789012345678901234567890123"

/* clang-format off */
static const struct {
	const char *client, *helo, *sender;
	const char *domain; /* NULL: nothing can be said */
	const char *local;
	bool of_helo;
} cases[] = {
	{ "192.0.2.1",   "mx.example", "ann@Example.COM",   "example.com", "ann", false },
	{ "192.0.2.1",   "mx.example", "",                  "mx.example",  "postmaster", true },
	{ "192.0.2.1",   "MX.Example.", "",                 "mx.example",  "postmaster", true },
	{ "192.0.2.1",   "mx.example", "@example.com",      "example.com", "postmaster", false },
	{ "192.0.2.1",   "mx.example", "example.com",       "example.com", "postmaster", false },
	{ "192.0.2.1",   "mx.example", "\"a@b\"@example.com", "example.com", "\"a@b\"", false },
	{ "192.0.2.1",   "mx.example", "Ann@example.com.",  "example.com", "Ann", false },
	{ "192.0.2.1",   "mx.example", "ann@b\303\274cher.example",
	  "xn--bcher-kva.example", "ann", false },
	{ "192.0.2.1",   "mx.example", "\303\244@example.com", "example.com", "\303\244", false },
	{ "192.0.2.1",   "mx.example", "a@hosed _x.example", "hosed _x.example", "a", false },
	{ "192.0.2.1",   "mx.example", "a@" L63 ".example", L63 ".example", "a", false },
	{ "2001:db8::1", "mx.example", "ann@example.com",   "example.com", "ann", false },
	/* No domain. */
	{ "192.0.2.1",   "mx.example", "a@" L63 "x.example", NULL, "a", false },
	{ "192.0.2.1",   "mx.example", "ann@localhost",     NULL, "ann", false },
	{ "192.0.2.1",   "mx.example", "ann@a..example",    NULL, "ann", false },
	{ "192.0.2.1",   "mx.example", "ann@.example",      NULL, "ann", false },
	{ "192.0.2.1",   "mx.example", "ann@example.com..", NULL, "ann", false },
	{ "192.0.2.1",   "mx.example", "ann@",              NULL, "ann", false },
	{ "192.0.2.1",   "mx.example", "ann@[192.0.2.1]",   NULL, "ann", false },
	{ "192.0.2.1",   "mx.example", "ann@b\303\274..x",  NULL, "ann", false },
	{ "192.0.2.1",   "OEMCOMPUTER", "",                 NULL, "postmaster", true },
	{ "192.0.2.1",   "[192.0.2.1]", "",                 NULL, "postmaster", true },
	{ "192.0.2.1",   "192.0.2.1",  "",                  NULL, "postmaster", true },
	{ "192.0.2.1",   "",           "",                  NULL, "postmaster", true },
	{ "127.0.0.1",   "mx.example", "ann@example.com",   NULL, "ann", false },
	{ "127.9.9.9",   "mx.example", "ann@example.com",   NULL, "ann", false },
	{ "::1",         "mx.example", "ann@example.com",   NULL, "ann", false },
	{ "::ffff:127.0.0.1", "mx.example", "ann@example.com", NULL, "ann", false },
};
/* clang-format on */

static void an_identity_is_a_domain_name_or_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spf_identity id;
		struct netaddr client;
		struct spf_subject s = {.client = &client,
		    .helo = slice_str(cases[i].helo),
		    .sender = slice_str(cases[i].sender)};
		bool ok;

		print_message("%s %s <%s>\n", cases[i].client, cases[i].helo,
		    cases[i].sender);
		assert_int_equal(netaddr_parse(&client,
		    slice_str(cases[i].client), 25), 0);
		ok = spf_identity_make(&s, &id);
		assert_int_equal(ok, cases[i].domain != NULL);
		assert_int_equal(id.of_helo, cases[i].of_helo);
		assert_true(slice_eq(id.local, slice_str(cases[i].local)));
		assert_true(slice_eq(id.helo, s.helo));
		if (ok)
			assert_string_equal(id.domain, cases[i].domain);
		if (ok)
			assert_int_equal(id.ip_n,
			    client.sa.sa_family == AF_INET ? 4 : 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identity_is_a_domain_name_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
