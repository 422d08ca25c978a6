/* SPDX-License-Identifier: ISC
 *
 * Questions a minute of each client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/spf/query_rate.h"

static bool take(struct query_rate *r, const char *ip, int64_t now_ms)
{
	struct netaddr a;

	assert_int_equal(netaddr_parse(&a, slice_str(ip), 25), 0);
	return query_rate_take(r, &a, now_ms);
}

static void a_client_has_so_many_a_minute(void **state)
{
	struct query_rate *r = query_rate_new(3, 100);

	(void)state;
	for (int minute = 0; minute < 2; minute++) {
		int64_t now = minute * 60000;

		for (int i = 0; i < 3; i++)
			assert_true(take(r, "192.0.2.1", now + i));
		assert_false(take(r, "192.0.2.1", now + 59999));
		assert_true(take(r, "192.0.2.2", now + 59999));
		assert_true(take(r, "2001:db8::1", now + 59999));
	}
	query_rate_free(r);
}

static void a_network_of_ipv6_is_one_client(void **state)
{
	struct query_rate *r = query_rate_new(1, 100);

	(void)state;
	assert_true(take(r, "2001:db8:0:1::1", 0));
	assert_false(take(r, "2001:db8:0:1:ffff::2", 0));
	assert_true(take(r, "2001:db8:0:2::1", 0));
	query_rate_free(r);
}

static void of_too_many_clients_the_quietest_is_forgotten(void **state)
{
	struct query_rate *r = query_rate_new(1, 10);

	(void)state;
	assert_true(take(r, "192.0.2.1", 0));
	for (int i = 0; i < 9; i++) {
		char ip[32];

		snprintf(ip, sizeof(ip), "198.51.100.%d", i);
		assert_true(take(r, ip, 0));
	}
	assert_false(take(r, "192.0.2.1", 0));
	assert_true(take(r, "203.0.113.1", 0)); /* the first nine's first */
	assert_true(take(r, "198.51.100.0", 0)); /* pushes out the next one */
	assert_false(take(r, "192.0.2.1", 0));
	query_rate_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_has_so_many_a_minute),
		cmocka_unit_test(a_network_of_ipv6_is_one_client),
		cmocka_unit_test(of_too_many_clients_the_quietest_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
