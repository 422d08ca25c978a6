/* SPDX-License-Identifier: ISC
 *
 * The explanation of a fail (RFC 7208 6.2), expanded by our own code: libspf2
 * overwrites its stack here. The text is the domain's, and goes into a reply
 * of ours: printable ASCII, at most 400 bytes. Pure; any thread.
 */
#include "relay/spf/guard/check_int.h"

enum { EXPANDED_MAX = 4096 };

struct slice explain_clean(struct check *c, struct slice s, size_t max)
{
	char *p = arena_slicedup(c->mem, slice_head(s, max));
	size_t n = slice_head(s, max).n;

	for (size_t i = 0; i < n; i++)
		if (p[i] < ' ' || p[i] > '~')
			p[i] = '?';
	return slice_of(p, n);
}

static void expand(struct check *c, const struct spf_record *r,
    struct slice text)
{
	struct strbuf out;
	unsigned letters;
	const char *why;

	if (text.n > SPF_RECORD_MAX ||
	    macro_check(MACRO_EXPLAIN, text, &letters, &why) != 0)
		return;
	strbuf_init(&out, EXPANDED_MAX);
	if (name_expand_text(c, r, text, &out))
		c->reply->verdict.explanation = explain_clean(c,
		    strbuf_view(&out), GUARD_EXPLANATION_MAX);
	strbuf_fini(&out);
}

void explain_fail(struct check *c, const struct spf_record *r)
{
	const struct spf_term *exp = &r->terms.exp;
	const struct spf_answer *a;
	struct slice name, rest, text, more;

	if (exp->target.n == 0 || !name_of_term(c, r, exp, &name))
		return;
	a = dns_find(c, SPF_TYPE_TXT, name);
	if (a == NULL || a->status != SPF_ANSWER_OK)
		return;
	rest = a->records;
	if (spf_record_next(&rest, &text) && !spf_record_next(&rest, &more))
		expand(c, r, text);
}
