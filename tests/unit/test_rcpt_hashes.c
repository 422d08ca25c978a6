/* SPDX-License-Identifier: ISC
 *
 * The hashes by which the queue finds mail of a recipient, whatever the
 * subaddress of its domain was when the mail came.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/post/mail.h"
#include "relay/queue/queue.h"
#include "tests/unit/conf_tmp.h"

#define ZHE10 "\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6" \
	"\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6"
#define ZHE40 ZHE10 ZHE10 ZHE10 ZHE10
#define AT "@example.com"

static bool has(const uint64_t *out, unsigned n, uint64_t hash)
{
	unsigned times = 0;

	for (unsigned i = 0; i < n; i++)
		times += out[i] == hash;
	assert_in_range(times, 0, 1);
	return times == 1;
}

static void each_base_that_mail_may_have_come_under_is_there(void **state)
{
	static const struct {
		const char *to, *base;
	} rows[] = {
		{"ann+x" AT, "ann+x" AT}, {"ann+x" AT, "ann" AT},
		{"Ann+X@Example.COM", "ann" AT}, {"ann=x" AT, "ann" AT},
		{"ann~x" AT, "ann" AT}, {"ann.lee+x" AT, "ann.lee" AT},
		{"ann.lee+x" AT, "ann" AT},
		{"\"ann b+x\"" AT, "\"ann b\"" AT},
		{"\"a.+x\"" AT, "\"a.\"" AT},
		{ZHE40 "+x" AT, ZHE40 AT},
	};
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, CONF_BASE, names);
	uint64_t out[RCPT_HASHES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned n = mail_rcpt_hashes(c, rows[i].to, out);

		assert_in_range(n, 1, RCPT_HASHES);
		if (!has(out, n, mail_hash(rows[i].base)))
			fail_msg("%s lacks %s", rows[i].to, rows[i].base);
		assert_true(has(out, n, mail_rcpt_hash(c, rows[i].to)));
		assert_false(has(out, n, mail_hash("bob" AT)));
	}
	conf_unref(c);
	names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    each_base_that_mail_may_have_come_under_is_there),
	};

	return cmocka_run_group_tests(
	    tests, conf_tmp_setup, conf_tmp_teardown);
}
