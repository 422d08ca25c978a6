/* SPDX-License-Identifier: ISC
 *
 * Socket addresses: text to value and back.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/attr.h"
#include "relay/net/sockaddr.h"

/* clang-format off */
static const struct {
	struct slice in;
	int port;
	const char *text, *ip; /* NULL: refused */
} literals[] = {
	{ SLICE("192.0.2.1"),              25,    "192.0.2.1:25",         "192.0.2.1"   },
	{ SLICE("2001:DB8::1"),            25,    "[2001:db8::1]:25",     "2001:db8::1" },
	{ SLICE("::1"),                    65535, "[::1]:65535",          "::1"         },
	{ SLICE("::ffff:192.0.2.1"),       0,     "192.0.2.1:0",          "192.0.2.1"   },
	{ SLICE("::ffff:7f00:1"),          25,    "127.0.0.1:25",         "127.0.0.1"   },
	{ SLICE("010.0.0.1"),              25,    NULL,                   NULL          },
	{ SLICE("192.0.2"),                25,    NULL,                   NULL          },
	{ SLICE("192.0.2.1 "),             25,    NULL,                   NULL          },
	{ SLICE("192.0.2.1\0.9"),          25,    NULL,                   NULL          },
	{ SLICE("[::1]"),                  25,    NULL,                   NULL          },
	{ SLICE("fe80::1%eth0"),           25,    NULL,                   NULL          },
	{ SLICE("mx.example.com"),         25,    NULL,                   NULL          },
	{ SLICE(""),                       25,    NULL,                   NULL          },
	{ SLICE("192.0.2.1"),              65536, NULL,                   NULL          },
	{ SLICE("192.0.2.1"),              -1,    NULL,                   NULL          },
	{ SLICE("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001"),
	                                   25,    NULL,                   NULL          },
};
/* clang-format on */

static void literals_become_addresses_with_one_form(void **state)
{
	char text[NETADDR_TEXT], ip[NETADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(literals); i++) {
		struct netaddr a;
		int rc = netaddr_parse(&a, literals[i].in, literals[i].port);

		if (literals[i].text == NULL) {
			assert_int_equal(rc, -1);
			continue;
		}
		print_message("%s\n", literals[i].text);
		assert_int_equal(rc, 0);
		netaddr_text(&a, text);
		netaddr_ip(&a, ip);
		assert_string_equal(text, literals[i].text);
		assert_string_equal(ip, literals[i].ip);
		assert_int_equal(netaddr_port(&a), literals[i].port);
	}
}

static void addresses_are_the_same_whatever_the_port_or_mapping(void **state)
{
	struct netaddr a, b, six;

	(void)state;
	assert_int_equal(netaddr_parse(&a, SLICE("192.0.2.1"), 25), 0);
	assert_int_equal(netaddr_parse(&b, SLICE("::ffff:192.0.2.1"), 99), 0);
	assert_int_equal(netaddr_parse(&six, SLICE("2001:db8::1"), 25), 0);
	assert_true(netaddr_same_ip(&a, &b));
	assert_false(netaddr_same_ip(&a, &six));
	assert_true(netaddr_same_ip(&six, &six));
}

static void another_family_is_unknown_and_like_nothing(void **state)
{
	struct sockaddr unix_sa = {.sa_family = AF_UNIX};
	char text[NETADDR_TEXT];
	struct netaddr a;

	(void)state;
	netaddr_from(&a, &unix_sa);
	netaddr_text(&a, text);
	assert_string_equal(text, "unknown");
	assert_int_equal(netaddr_port(&a), 0);
	assert_false(netaddr_same_ip(&a, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_become_addresses_with_one_form),
		cmocka_unit_test(
		    addresses_are_the_same_whatever_the_port_or_mapping),
		cmocka_unit_test(another_family_is_unknown_and_like_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
