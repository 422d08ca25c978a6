/* SPDX-License-Identifier: ISC
 *
 * A judge of small records.
 */
#include "tests/unit/fakejudge.h"

#include <arpa/inet.h>

/* -1: the word is not `all`. */
static int all_of(struct slice word)
{
	if (slice_eq(word, SLICE("-all")))
		return SPF_FAIL;
	if (slice_eq(word, SLICE("~all")))
		return SPF_SOFTFAIL;
	return slice_eq(word, SLICE("?all")) ? SPF_NEUTRAL : -1;
}

static bool is_client(struct slice word, const struct spf_request *q)
{
	char client[INET6_ADDRSTRLEN] = "";

	inet_ntop(q->client.n == 4 ? AF_INET : AF_INET6, q->client.p, client,
	    sizeof(client));
	return slice_eq(slice_from(word, 4), slice_str(client));
}

static void judge(struct slice record, const struct spf_request *q,
    struct spf_reply *r)
{
	struct slice rest = record, word;
	uint64_t n;

	while (slice_next(&rest, ' ', &word)) {
		bool address = slice_starts(word, SLICE("ip4:")) ||
			       slice_starts(word, SLICE("ip6:"));

		if (slice_starts(word, SLICE("lookups="))) {
			if (slice_uint(slice_from(word, 8), 100, &n))
				r->verdict.lookups = (unsigned)n;
			continue;
		}
		r->verdict.mechanism = word;
		if (all_of(word) >= 0) {
			r->verdict.result = (enum spf_result)all_of(word);
			return;
		}
		if (address && is_client(word, q)) {
			r->verdict.result = SPF_PASS;
			return;
		}
		if (!address && !slice_eq(word, SLICE("v=spf1"))) {
			r->verdict.result = SPF_PERMERROR;
			r->verdict.problem = SLICE("no such term");
			return;
		}
	}
}

bool fakejudge(void *arg, const struct spf_request *q, struct spf_reply *r)
{
	struct slice records, record;

	(void)arg;
	r->verdict.domain = q->domain;
	r->verdict.lookups = 3;
	r->verdict.voids = 1;
	if (q->answer[0].status == SPF_ANSWER_FAILED) {
		r->verdict.result = SPF_TEMPERROR;
		return true;
	}
	records = q->answer[0].records;
	while (spf_record_next(&records, &record)) {
		r->read[r->reads++] = q->domain;
		judge(record, q, r);
	}
	if (r->verdict.result == SPF_FAIL)
		r->verdict.explanation = SLICE("go away");
	return true;
}
