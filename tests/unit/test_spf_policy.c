/* SPDX-License-Identifier: ISC
 *
 * Tests what an SPF result does to a recipient, and which clients it spares.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/spf_policy.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"

static const char text[] =
    "hostname = \"r.example.com\"\n"
    "leg \"legacy\" { hosts = { \"192.0.2.10:25\" } }\n"
    "domain \"takes.example\" { route = \"legacy\" }\n"
    "domain \"refuses.example\" { route = \"legacy\" spf_fail = \"refuse\" }\n"
    "domain \"defers.example\" { route = \"legacy\" "
    "spf_temperror = \"defer\" }\n"
    "domain \"both.example\" { route = \"legacy\" spf_fail = \"refuse\" "
    "spf_temperror = \"defer\" }\n"
    "spf { exempt = { \"198.51.100.0/24\", \"2001:db8:1::/48\" } }\n";

/* clang-format off */
static const struct {
	const char *to, *base;
	bool matters;
	enum spf_act fail, temperror;
} cases[] = {
	{ "ann@takes.example",    "ann@takes.example",   false, SPF_ACT_TAKE,   SPF_ACT_TAKE  },
	{ "ann@refuses.example",  "ann@refuses.example", true,  SPF_ACT_REFUSE, SPF_ACT_TAKE  },
	{ "ann@defers.example",   "ann@defers.example",  true,  SPF_ACT_TAKE,   SPF_ACT_DEFER },
	{ "ann@both.example",     "ann@both.example",    true,  SPF_ACT_REFUSE, SPF_ACT_DEFER },
	/* A leg's own address is its row's; another one has no policy. */
	{ "ann@tenant.example",   "ann@both.example",    true,  SPF_ACT_REFUSE, SPF_ACT_DEFER },
	{ "ann@tenant.example",   "ann@tenant.example",  false, SPF_ACT_TAKE,   SPF_ACT_TAKE  },
	{ "postmaster@both.example", "postmaster@both.example", false, SPF_ACT_TAKE, SPF_ACT_TAKE },
	{ "\"Abuse\"@both.example", "abuse@both.example", false, SPF_ACT_TAKE,  SPF_ACT_TAKE  },
};

static const struct { const char *client; bool spared; } clients[] = {
	{ "10.255.0.1",    true  }, { "11.0.0.1",      false }, { "172.15.0.1",  false },
	{ "172.16.0.1",    true  }, { "172.31.0.1",    true  }, { "172.32.0.1",  false },
	{ "192.168.1.1",   true  }, { "192.169.1.1",   false }, { "169.254.1.1", true  },
	{ "192.0.2.1",     false }, { "198.51.100.7",  true  }, { "198.51.101.7", false },
	{ "fd00::1",       true  }, { "fe80::1",       true  }, { "fec0::1",     false },
	{ "2001:db8:1::1", true  }, { "2001:db8:2::1", false },
};
/* clang-format on */

static struct addr address(const char *s)
{
	struct addr a;
	const char *why;

	assert_int_equal(addr_parse(slice_str(s), false, &a, &why), 0);
	return a;
}

static void a_domain_says_what_a_result_does(void **state)
{
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, text, names);

	assert_true(c->spf.refuses);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr to = address(cases[i].to);
		struct decision d = {.verdict = VERDICT_ACCEPT};

		print_message("%s\n", cases[i].to);
		snprintf(d.base, sizeof(d.base), "%s", cases[i].base);
		assert_int_equal(spf_matters(c, &to, &d), cases[i].matters);
		for (int r = 0; r < SPF_RESULTS; r++)
			assert_int_equal(
			    spf_decide(c, &to, &d, (enum spf_result)r),
			    r == SPF_FAIL ? cases[i].fail
			    : r == SPF_TEMPERROR ? cases[i].temperror
			    : SPF_ACT_TAKE);
	}
	conf_unref(c);
	c = conf_tmp_good(*state, CONF_BASE, names);
	assert_false(c->spf.refuses);
	assert_true(c->spf.check);
	conf_unref(c);
	names_free(names);
}

static void private_and_exempt_clients_are_spared(void **state)
{
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, text, names);

	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		struct sockaddr_in in = {.sin_family = AF_INET};
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
		bool v4 = strchr(clients[i].client, ':') == NULL;
		void *a = v4 ? (void *)&in : &in6;

		print_message("%s\n", clients[i].client);
		assert_int_equal(inet_pton(v4 ? AF_INET : AF_INET6,
		    clients[i].client, v4 ? (void *)&in.sin_addr
					  : &in6.sin6_addr), 1);
		assert_int_equal(spf_spares(c, a), clients[i].spared);
	}
	conf_unref(c);
	names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_domain_says_what_a_result_does),
		cmocka_unit_test(private_and_exempt_clients_are_spared),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
