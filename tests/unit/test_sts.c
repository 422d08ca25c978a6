/* SPDX-License-Identifier: ISC
 *
 * MTA-STS (RFC 8461): records, replies and policies as strangers write them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/base/attr.h"
#include "relay/base/mem.h"
#include "relay/cli/propagation/sts_policy.h"

#define GOOD "version: STSv1\nmode: enforce\nmx: mx.a.b\nmax_age: 86400\n"

static void a_record_announces_a_policy(void **state)
{
	static const struct {
		const char *txt;
		bool is;
	} records[] = {
		{"v=STSv1; id=20261130;", true},
		{"v=STSv1;id=1", true},
		{"v=STSv1 ; id=1 ; x=y", true},
		{"v=STSv1", false},
		{"v=STSv1; id=", false},
		{"v=STSv2; id=1", false},
		{"id=1; v=STSv1", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		if (sts_is_record(slice_str(records[i].txt)) != records[i].is)
			fail_msg("%s", records[i].txt);
}

static void a_reply_has_a_body_or_a_reason(void **state)
{
	static const struct {
		const char *reply, *body, *why;
	} replies[] = {
		{"HTTP/1.1 200 OK\r\nX: y\r\n\r\nbody", "body", NULL},
		{"HTTP/1.0 200\n\nbody", "body", NULL},
		{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbody", "bod",
		    NULL},
		{"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nbody", NULL,
		    "the reply is cut short"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\nbody", NULL,
		    "the reply is cut short"},
		{"HTTP/1.1 200 OK\r\nX: y\r\n", NULL, "the reply is cut short"},
		{"HTTP/1.1 301 Moved\r\nLocation: x\r\n\r\n", NULL,
		    "the server does not answer 200"},
		{"HTTP/1.1 2000 OK\r\n\r\n", NULL,
		    "the server does not answer 200"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4", NULL,
		    "the reply is encoded"},
		{"220 mx ESMTP\r\n", NULL, "the server does not speak HTTP"},
		{"", NULL, "the server does not speak HTTP"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		struct slice body = {NULL, 0};
		const char *why = NULL;
		int rc = sts_reply_body(slice_str(replies[i].reply), &body,
		    &why);

		if (rc != (replies[i].body == NULL ? -1 : 0) ||
		    (rc == 0 ? !slice_eq(body, slice_str(replies[i].body))
			     : strcmp(why, replies[i].why) != 0))
			fail_msg("%zu: %s", i, replies[i].reply);
	}
}

static void a_policy_is_read_or_refused(void **state)
{
	static const struct {
		const char *text;
		enum sts_mode mode;
		int count;
		const char *why;
	} policies[] = {
		{GOOD, STS_ENFORCE, 1, NULL},
		{"version: STSv1\r\nmode: testing\r\nmx: a\r\nmx: *.b\r\n"
		 "max_age: 1", STS_TESTING, 2, NULL},
		{"version:STSv1\n\nmode:none\nmax_age:0\nnew: x\n", STS_NONE, 0,
		    NULL},
		{"version: STSv1\nmode: enforce\nmax_age: 1\n", 0, 0,
		    "it names no mx"},
		{"mode: enforce\nmx: a\nmax_age: 1\n", 0, 0,
		    "it lacks version, mode or max_age"},
		{"version: STSv2\nmode: none\nmax_age: 1\n", 0, 0,
		    "its version is not STSv1"},
		{"version: STSv1\nmode: strict\nmax_age: 1\n", 0, 0,
		    "its mode is none of enforce, testing, none"},
		{"version: STSv1\nmode: none\nmax_age: 31557601\n", 0, 0,
		    "its max_age is no number up to 31557600"},
		{"<html>\n", 0, 0, "it has a line without a colon"},
		{"", 0, 0, "it lacks version, mode or max_age"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		struct sts_policy p;
		const char *why = NULL;
		int rc = sts_policy_parse(slice_str(policies[i].text), &p,
		    &why);

		if ((rc < 0) != (policies[i].why != NULL) ||
		    (rc < 0 ? strcmp(why, policies[i].why) != 0
			    : p.mode != policies[i].mode ||
				p.count != policies[i].count))
			fail_msg("%zu: %s", i, policies[i].text);
	}
}

static void a_policy_has_a_ceiling_of_mx(void **state)
{
	char text[4096] = GOOD;
	struct sts_policy p;
	const char *why = NULL;

	(void)state;
	for (int i = 1; i < STS_MX_MAX; i++)
		strncat(text, "mx: a\n", sizeof(text) - strlen(text) - 1);
	assert_int_equal(sts_policy_parse(slice_str(text), &p, &why), 0);
	assert_int_equal(p.count, STS_MX_MAX);
	strncat(text, "mx: a\n", sizeof(text) - strlen(text) - 1);
	assert_int_equal(sts_policy_parse(slice_str(text), &p, &why), -1);
}

static void a_pattern_stands_for_one_label(void **state)
{
	static const struct {
		const char *pattern, *host;
		bool fits;
	} cases[] = {
		{"mx.a.b", "mx.a.b", true},
		{"MX.A.B", "mx.a.b", true},
		{"*.a.b", "mx.a.b", true},
		{"*.a.b", "x.mx.a.b", false},
		{"*.a.b", "a.b", false},
		{"*.a.b", ".a.b", false},
		{"*", "mx", false},
		{"a.b", "mx.a.b", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sts_policy p = {STS_ENFORCE,
		    {slice_str(cases[i].pattern)}, 1};

		if (sts_policy_has(&p, slice_str(cases[i].host)) !=
		    cases[i].fits)
			fail_msg("%s %s", cases[i].pattern, cases[i].host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_record_announces_a_policy),
	    cmocka_unit_test(a_reply_has_a_body_or_a_reason),
	    cmocka_unit_test(a_policy_is_read_or_refused),
	    cmocka_unit_test(a_policy_has_a_ceiling_of_mx),
	    cmocka_unit_test(a_pattern_stands_for_one_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
