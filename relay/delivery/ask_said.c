/* SPDX-License-Identifier: ISC
 *
 * Classifies a leg's answers to questions and remembers them: whether it takes
 * one recipient, whether it takes any name, whether it answers. A worker's
 * loop.
 */
#include "relay/delivery/ask_int.h"

#include <stdio.h>

#include "policy/no_user.h"
#include "relay/base/log.h"
#include "relay/mail/domain.h"

/* A reply that refuses us says nothing about the recipient. */
enum ask_answer ask_answer_of(struct question *q)
{
	const struct result *r = &q->way.rcpt.result;

	(void)ask_way_classify(&q->way);
	if (!ask_way_came_to_rcpt(&q->way))
		return ASK_NO_ANSWER;
	if (r->outcome == OUT_DELIVERED)
		return ASK_YES;
	return no_user_said(r) ? ASK_NO : ASK_NO_ANSWER;
}

void ask_note_silence(struct question *q)
{
	const struct result *r = &q->way.rcpt.result;

	if (r->code != 0)
		ask_cache_answered(q->asker->cache, q->key.leg, q->client);
	else if (r->class == CLASS_NETWORK && !q->late)
		ask_cache_silent(q->asker->cache, q->key.leg, q->client,
		    QUIET_MS);
}

/* "@domain" of the address, folded, and its key. */
static bool domain_key(const char *address, int leg, char out[ADDR_MAX + 1],
    struct ask_key *k)
{
	struct strbuf b;
	struct addr a;
	const char *why;
	bool ok;

	strbuf_init(&b, ADDR_MAX);
	strbuf_addc(&b, '@');
	ok = addr_parse(slice_str(address), true, &a, &why) == 0 &&
	     domain_normal(a.domain, &b) && strbuf_ok(&b);
	if (ok)
		snprintf(out, ADDR_MAX + 1, "%s", strbuf_cstr(&b));
	k->leg = leg;
	k->base = k->whole = ask_hash(strbuf_view(&b));
	strbuf_fini(&b);
	return ok;
}

static bool says(enum ask_finding finding, enum ask_answer *answer_out)
{
	*answer_out = finding == FOUND_NO ? ASK_NO : ASK_YES;
	return finding != FOUND_NONE && finding != FOUND_PICKY;
}

bool ask_known(struct asker *a, const struct ask_key *k,
    const char *address, enum ask_answer *answer_out)
{
	enum ask_finding finding = ask_cache_get(a->cache, k);
	char domain[ADDR_MAX + 1];
	struct ask_key dk;

	if (finding == FOUND_NONE && domain_key(address, k->leg, domain, &dk))
		finding = ask_cache_get(a->cache, &dk);
	return says(finding, answer_out);
}

enum ask_answer ask_last_known(struct asker *a, const struct ask_key *k,
    const char *address)
{
	enum ask_finding finding = ask_cache_last(a->cache, k);
	char domain[ADDR_MAX + 1];
	enum ask_answer answer;
	struct ask_key dk;

	if (finding == FOUND_NONE && domain_key(address, k->leg, domain, &dk))
		finding = ask_cache_last(a->cache, &dk);
	return says(finding, &answer) ? answer : ASK_NO_ANSWER;
}

/* That a leg takes a recipient is worth remembering once it is known that it
 * does not take all. */
bool ask_learn(struct question *q, enum ask_answer answer,
    char domain_out[ADDR_MAX + 1], struct ask_key *k_out)
{
	const struct conf *c = q->way.snapshot->conf;
	struct ask_cache *known = q->asker->cache;

	if (answer == ASK_NO)
		ask_cache_put(known, &q->key, FOUND_NO, c->probe.negative_ms,
		    q->era);
	if (answer != ASK_YES || !domain_key(q->way.rcpt.address, q->key.leg,
				     domain_out, k_out))
		return false;
	if (ask_cache_get(known, k_out) != FOUND_PICKY)
		return true;
	ask_cache_put(known, &q->key, FOUND_YES, c->probe.positive_ms, q->era);
	return false;
}

void ask_learn_domain(struct question *q, enum ask_answer answer)
{
	enum ask_finding finding = answer == ASK_YES ? FOUND_EVERYBODY
						     : FOUND_PICKY;

	if (ask_way_came_to_rcpt(&q->way) &&
	    ask_cache_put(q->asker->cache, &q->key, finding, HOUR_MS,
		q->era) && finding == FOUND_EVERYBODY)
		log_warn("ask.everybody", kv_str("leg", q->way.req.leg->name),
		    kv_str("took", q->way.rcpt.address),
		    kv_str("effect", "it is not asked for an hour"));
}
