/* SPDX-License-Identifier: ISC
 *
 * What a leg's answer means for this delivery (D4, D5): its class, and
 * whether it is final. A worker's loop.
 */
#include "relay/daemon/judge.h"

#include "policy/reply_class.h"

/* Did the leg as such answer? What our own side found wrong with a message
 * says nothing of it; who is turned away before MAIL has not been served. */
static void judge_leg(struct outcome_letter *o, const struct result *r)
{
	bool fault = r->class == CLASS_NETWORK ||
		     r->class == CLASS_CONFIGURATION;
	bool served = strcmp(r->stage, "mail") == 0 ||
		      strcmp(r->stage, "rcpt") == 0 ||
		      strcmp(r->stage, "data") == 0 ||
		      strcmp(r->stage, "body") == 0;

	if (r->outcome == OUT_UNTRIED || (r->code == 0 && !fault))
		return;
	o->tried = true;
	o->reached |= r->code != 0 && served;
}

void judge_result(const struct attempt *at, struct outcome_letter *o,
    unsigned i)
{
	const struct conf *c = at->live->conf;
	const struct conf_leg *leg = conf_leg_by_id(c, at->leg);
	struct result *r = &o->row[i].result;

	reply_classify(leg != NULL ? leg->replies : NULL, r);
	if (r->outcome == OUT_FAILED &&
	    (c->soft_bounce || (leg != NULL && leg->soft_bounce)))
		r->outcome = OUT_DEFERRED;
	judge_leg(o, r);
}
