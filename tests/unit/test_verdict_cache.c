/* SPDX-License-Identifier: ISC
 *
 * A kept verdict serves the checks that it would be the same for, and no longer
 * than its records are valid.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/spf/spf_wire.h"
#include "relay/spf/verdict_cache.h"

enum { MIB = 1 << 20, FOR_MS = 1000 };

static struct spf_identity identity(const char *ip, const char *helo,
    const char *sender)
{
	struct spf_identity i;
	struct netaddr client;
	struct spf_subject s = {.client = &client, .helo = slice_str(helo),
	    .sender = slice_str(sender)};

	assert_int_equal(netaddr_parse(&client, slice_str(ip), 25), 0);
	assert_true(spf_identity_make(&s, &i));
	return i;
}

static void put(struct verdict_cache *c, struct spf_identity i, unsigned used,
    enum spf_result result, int64_t now_ms)
{
	struct spf_verdict v = {.result = result, .mechanism = SLICE("-all"),
	    .domain = SLICE("example.com"), .problem = SLICE("")};

	verdict_cache_put(c, &i,
	    &(struct verdict_found){&v, used, FOR_MS, false}, now_ms);
}

static const char *find(struct verdict_cache *c, struct spf_identity i,
    int64_t now_ms)
{
	const struct spf_verdict *v = verdict_cache_find(c, &i, true, now_ms);

	return v == NULL ? "" : spf_result_text(v->result);
}

#define ANN identity("192.0.2.1", "mx.example", "ann@example.com")
#define BOB identity("192.0.2.1", "mx.example", "bob@example.com")

/* clang-format off */
static const struct {
	const char *title;
	const char *ip, *helo, *sender; /* found after ANN's, if nothing … */
	const char *plain, *local, *hello, *both; /* … or that was used */
} others[] = {
	{ "the same",       "192.0.2.1", "mx.example", "ann@example.com",
	  "pass", "pass", "pass", "pass" },
	{ "a local part",   "192.0.2.1", "mx.example", "bob@example.com",
	  "pass", "", "pass", "" },
	{ "its case",       "192.0.2.1", "mx.example", "Ann@example.com",
	  "pass", "", "pass", "" },
	{ "another HELO",   "192.0.2.1", "my.example", "ann@example.com",
	  "pass", "pass", "", "" },
	{ "both",           "192.0.2.1", "my.example", "bob@example.com", "pass", "", "", "" },
	{ "another client", "192.0.2.2", "mx.example", "ann@example.com", "", "", "", "" },
	{ "another family", "2001:db8::1", "mx.example", "ann@example.com", "", "", "", "" },
	{ "another domain", "192.0.2.1", "mx.example", "ann@sub.example.com", "", "", "", "" },
	{ "its HELO",       "192.0.2.1", "example.com", "", "", "", "", "" },
};
/* clang-format on */

static void a_verdict_is_of_what_the_records_looked_at(void **state)
{
	static const unsigned used[] = {0, SPF_USED_LOCAL, SPF_USED_HELO,
	    SPF_USED_HELO | SPF_USED_SENDER};

	(void)state;
	for (size_t u = 0; u < ARRAY_LEN(used); u++) {
		struct verdict_cache *c = verdict_cache_new(MIB);

		put(c, ANN, used[u], SPF_PASS, 0);
		for (size_t i = 0; i < ARRAY_LEN(others); i++) {
			const char *found[] = {others[i].plain,
			    others[i].local, others[i].hello, others[i].both};

			print_message("%u: %s\n", used[u], others[i].title);
			assert_string_equal(find(c, identity(others[i].ip,
			    others[i].helo, others[i].sender), 1), found[u]);
		}
		verdict_cache_free(c);
	}
}

static void the_null_sender_has_one_of_its_own(void **state)
{
	struct verdict_cache *c = verdict_cache_new(MIB);

	(void)state;
	put(c, identity("192.0.2.1", "mx.example", ""), 0, SPF_FAIL, 0);
	assert_string_equal(find(c, identity("192.0.2.1", "mx.example",
	    "postmaster@mx.example"), 1), "");
	assert_string_equal(find(c, identity("192.0.2.1", "mx.example", ""),
	    1), "fail");
	verdict_cache_free(c);
}

static void two_senders_of_one_domain_keep_theirs_in_both_orders(
    void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		struct verdict_cache *c = verdict_cache_new(MIB);

		for (int i = 0; i < 2; i++)
			put(c, i == first ? ANN : BOB, SPF_USED_LOCAL,
			    i == first ? SPF_PASS : SPF_FAIL, 0);
		assert_string_equal(find(c, ANN, 1), "pass");
		assert_string_equal(find(c, BOB, 1), "fail");
		verdict_cache_free(c);
	}
}

/* A record that only one of them leads to may use more. */
static void a_sender_that_leads_further_lengthens_the_key(void **state)
{
	struct verdict_cache *c = verdict_cache_new(MIB);

	(void)state;
	put(c, ANN, SPF_USED_LOCAL, SPF_PASS, 0);
	put(c, BOB, SPF_USED_LOCAL | SPF_USED_HELO, SPF_FAIL, 0);
	assert_string_equal(find(c, BOB, 1), "fail");
	assert_string_equal(find(c, identity("192.0.2.1", "my.example",
	    "bob@example.com"), 1), "");
	put(c, ANN, SPF_USED_LOCAL, SPF_PASS, 0);
	assert_string_equal(find(c, ANN, 1), "pass");
	assert_string_equal(find(c, BOB, 1), "fail");
	/* The domain has other records now. */
	put(c, ANN, 0, SPF_NEUTRAL, 2);
	assert_string_equal(find(c, BOB, 3), "neutral");
	verdict_cache_free(c);
}

static void a_verdict_ends_with_its_time(void **state)
{
	struct verdict_cache *c = verdict_cache_new(MIB);

	(void)state;
	put(c, ANN, 0, SPF_PASS, 0);
	assert_string_equal(find(c, ANN, FOR_MS - 1), "pass");
	assert_string_equal(find(c, ANN, FOR_MS), "");
	assert_int_equal(verdict_cache_bytes(c), 0);
	/* The place that leads on lives as long as the last of them. */
	put(c, ANN, SPF_USED_LOCAL, SPF_PASS, 2000);
	put(c, BOB, SPF_USED_LOCAL, SPF_FAIL, 2500);
	assert_string_equal(find(c, ANN, 3000), "");
	assert_string_equal(find(c, BOB, 3499), "fail");
	assert_string_equal(find(c, BOB, 3500), "");
	verdict_cache_free(c);
}

static void what_a_domain_explains_is_not_kept(void **state)
{
	struct spf_verdict v = {.result = SPF_FAIL, .mechanism = SLICE("-all"),
	    .domain = SLICE("example.com"),
	    .explanation = SLICE("ann is not allowed")};
	struct verdict_cache *c = verdict_cache_new(MIB);
	struct spf_identity i = ANN;
	const struct spf_verdict *found;

	(void)state;
	verdict_cache_put(c, &i, &(struct verdict_found){&v, 0, FOR_MS, false},
	    0);
	assert_null(verdict_cache_find(c, &i, true, 1));
	found = verdict_cache_find(c, &i, false, 1);
	assert_int_equal(found->result, SPF_FAIL);
	assert_true(slice_eq(found->mechanism, v.mechanism));
	assert_true(slice_eq(found->domain, v.domain));
	assert_int_equal(found->explanation.n, 0);
	verdict_cache_free(c);
}

static void it_is_bounded_in_bytes(void **state)
{
	struct verdict_cache *c = verdict_cache_new(100000);
	char sender[64];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(sender, sizeof(sender), "u%d@d%d.example", i, i);
		put(c, identity("192.0.2.1", "mx.example", sender),
		    i % 2 == 0 ? 0 : SPF_USED_LOCAL, SPF_PASS, 0);
		assert_true(verdict_cache_bytes(c) <= 100000);
		put(c, ANN, 0, SPF_PASS, 0); /* in use, so it stays */
	}
	assert_true(verdict_cache_bytes(c) > 90000);
	assert_string_equal(find(c, ANN, 1), "pass");
	assert_string_equal(find(c, identity("192.0.2.1", "mx.example",
	    sender), 1), "pass");
	assert_string_equal(find(c, identity("192.0.2.1", "mx.example",
	    "u0@d0.example"), 1), "");
	verdict_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verdict_is_of_what_the_records_looked_at),
		cmocka_unit_test(the_null_sender_has_one_of_its_own),
		cmocka_unit_test(
		    two_senders_of_one_domain_keep_theirs_in_both_orders),
		cmocka_unit_test(a_sender_that_leads_further_lengthens_the_key),
		cmocka_unit_test(a_verdict_ends_with_its_time),
		cmocka_unit_test(what_a_domain_explains_is_not_kept),
		cmocka_unit_test(it_is_bounded_in_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
