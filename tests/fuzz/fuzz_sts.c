/* SPDX-License-Identifier: ISC
 *
 * MTA-STS: a reply of a stranger's server, and the policy in it. What is read
 * lies in the bytes that came.
 */
#include "relay/cli/propagation/sts_policy.h"
#include "tests/fuzz/fuzz.h"

static void inside(struct slice whole, struct slice part)
{
	must(part.n == 0 || (part.p >= whole.p &&
				part.p + part.n <= whole.p + whole.n));
}

static void policy(struct slice text)
{
	struct sts_policy p;
	const char *why = NULL;
	int rc = sts_policy_parse(text, &p, &why);

	must((rc < 0) == (why != NULL));
	must(p.count <= STS_MX_MAX);
	for (int i = 0; i < p.count; i++)
		inside(text, p.mx[i]);
	if (rc == 0)
		sts_policy_has(&p, SLICE("mx.example.com"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = slice_of(data, size), body;
	const char *why = NULL;

	sts_is_record(bytes);
	policy(bytes);
	if (sts_reply_body(bytes, &body, &why) == 0) {
		inside(bytes, body);
		policy(body);
	} else {
		must(why != NULL);
	}
	return 0;
}
