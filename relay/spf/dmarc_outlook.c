/* SPDX-License-Identifier: ISC
 *
 * The outlook of a message: the walk of its From domain, then of each domain
 * that may be aligned. After each wait it begins anew; what was found then is
 * at hand.
 */
#include "relay/spf/dmarc_outlook.h"

#include "relay/base/mem.h"
#include "relay/mail/author.h"

/* Found anew where the domains do not stay at hand. */
enum { TURNS_MAX = 2 * (AUTHOR_SIGNERS + 2) };

/* Is a domain aligned (4.4.1, 4.4.2)? ALIGNED_LATER: the question waits. */
enum aligned { ALIGNED_NO, ALIGNED_YES, ALIGNED_SILENT, ALIGNED_LATER };

static enum aligned aligned(struct dmarc_question *q, struct slice domain,
    bool strict, const char *org)
{
	const struct dmarc_found *f;
	enum aligned answer;
	char *name;

	if (domain.n == 0)
		return ALIGNED_NO;
	if (slice_eq(domain, slice_str(q->from)))
		return ALIGNED_YES;
	/* An organization is an end of each of its names. */
	if (strict || !domain_below(domain, slice_str(org)))
		return ALIGNED_NO;
	name = mem_slicedup(domain);
	f = dmarc_find(q->d, name, &q->wait);
	if (f == NULL)
		answer = ALIGNED_LATER;
	else if (f->silent)
		answer = ALIGNED_SILENT;
	else
		answer = strcmp(f->org, org) == 0 ? ALIGNED_YES : ALIGNED_NO;
	mem_free(name);
	return answer;
}

static enum aligned any_signer(struct dmarc_question *q, bool strict,
    const char *org)
{
	struct slice rest = slice_str(q->signers), one;
	enum aligned answer = ALIGNED_NO;

	while (slice_next(&rest, ' ', &one)) {
		enum aligned a = aligned(q, one, strict, org);

		if (a == ALIGNED_YES || a == ALIGNED_LATER)
			return a;
		if (a == ALIGNED_SILENT)
			answer = a;
	}
	return answer;
}

/* By the policy that was found; false: it waits. */
static bool judge(struct dmarc_question *q, const struct dmarc_found *f,
    const char *org, enum dmarc_outlook *out)
{
	bool strict_dkim = f->strict_dkim; /* f is gone at the next question */
	enum aligned spf = aligned(q, slice_str(q->spf), f->strict_spf, org);
	enum aligned dkim;

	if (spf == ALIGNED_LATER)
		return false;
	*out = DMARC_BY_SPF;
	if (spf == ALIGNED_YES)
		return true;
	dkim = any_signer(q, strict_dkim, org);
	if (dkim == ALIGNED_LATER)
		return false;
	if (dkim == ALIGNED_YES)
		*out = DMARC_BY_SIGNATURE;
	else if (dkim == ALIGNED_SILENT || spf == ALIGNED_SILENT)
		*out = DMARC_UNCLEAR;
	else
		*out = DMARC_WOULD_FAIL;
	return true;
}

static bool look(struct dmarc_question *q, enum dmarc_outlook *out)
{
	const struct dmarc_found *f;
	char *org;
	bool known;

	*out = DMARC_UNCLEAR;
	if (q->from[0] == '\0' || q->turns++ == TURNS_MAX)
		return true;
	f = dmarc_find(q->d, q->from, &q->wait);
	if (f == NULL)
		return false;
	if (f->silent)
		return true;
	*out = DMARC_NO_MATTER;
	q->policy = f->policy;
	if (f->policy == DMARC_NONE && !q->any_policy)
		return true;
	org = mem_strdup(f->org);
	known = judge(q, f, org, out);
	mem_free(org);
	return known;
}

static void on_found(void *arg)
{
	struct dmarc_question *q = arg;
	enum dmarc_outlook outlook;

	if (look(q, &outlook))
		q->done(q->arg, outlook);
}

/* A domain is aligned with itself by any record (4.4), so it need not be read
 * for one that passes: a forecast asks for the policy of those that fail. */
static bool is_plain(const struct dmarc_question *q, enum dmarc_outlook *out)
{
	struct slice from = slice_str(q->from), spf = slice_str(q->spf);

	if (!q->any_policy || from.n == 0)
		return false;
	*out = DMARC_BY_SPF;
	if (slice_eq(spf, from))
		return true;
	*out = DMARC_BY_SIGNATURE;
	return slice_eq(slice_str(q->signers), from) &&
	       !(spf.n > 0 && domain_may_be_aligned(spf, from));
}

bool dmarc_outlook(struct dmarc *d, struct dmarc_question *q,
    enum dmarc_outlook *outlook_out)
{
	q->d = d;
	q->turns = 0;
	q->wait.done = on_found;
	q->wait.arg = q;
	list_node_init(&q->wait.node);
	return is_plain(q, outlook_out) || look(q, outlook_out);
}

void dmarc_outlook_cancel(struct dmarc_question *q)
{
	if (q->d != NULL)
		dmarc_cancel(&q->wait);
}
