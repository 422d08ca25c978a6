/* SPDX-License-Identifier: ISC
 *
 * The verdicts that the same sender has over other addresses, from the answers
 * that the check has anyway. One thread.
 */
#include "relay/spf/guard/guard.h"

static void check_other(struct guard *g, struct spf_request *q, int64_t now_s,
    struct arena *mem, struct spf_other *out)
{
	struct spf_reply *r = arena_alloc(mem, sizeof(*r));

	guard_check(g, q, now_s, mem, r);
	/* A verdict that a macro of the HELO name or of the local part led to
	 * is not the domain's alone, and our own HELO name is another one. */
	out->known = r->questions == 0 && r->used == 0;
	out->verdict = r->verdict;
}

void guard_check_others(struct guard *g, const struct spf_request *q,
    int64_t now_s, struct arena *mem, struct spf_reply *reply)
{
	struct spf_request *one;

	if (q->others == 0 || reply->questions > 0)
		return;
	one = arena_alloc(mem, sizeof(*one));
	*one = *q;
	for (int i = 0; i < q->others; i++) {
		one->client = q->other[i];
		check_other(g, one, now_s, mem, &reply->other[i]);
	}
	reply->others = q->others;
}
