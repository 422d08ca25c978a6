/* SPDX-License-Identifier: ISC
 *
 * See egress_show.h.
 */
#include "relay/cli/spf/egress_show.h"

#include "relay/egress/egress_text.h"

void egress_put_verdict(struct cli *c, const struct egress_verdict *v,
    struct jout *j)
{
	jout_str(j, "egress", names_text(c->names, v->leg));
	jout_str(j, "result", spf_result_text(v->result));
	jout_str(j, "mechanism", v->mechanism);
	jout_str(j, "domain", v->domain);
}

void egress_put_choice(struct cli *c, const struct egress_found *found,
    struct jout *j)
{
	const struct egress_judged *judged = &found->judged;

	jout_str(j, "egress",
	    judged->leg < 0 ? NULL : names_text(c->names, judged->leg));
	jout_bool(j, "rewritten", judged->choice.rewrite);
	jout_str(j, "reason", egress_why_name(judged->choice.why));
	jout_str(j, "dmarc", found->policy_known == POLICY_UNKNOWN ? NULL :
	    found->policy_known == POLICY_NO_RECORD ? "" :
	    dmarc_policy_name(found->policy));
	jout_array(j, "verdicts");
	for (unsigned i = 0; i < judged->n; i++) {
		jout_object(j, NULL);
		egress_put_verdict(c, &judged->way[i], j);
		jout_object_end(j);
	}
	jout_array_end(j);
}

/* The term that would let the record pass the first egress. */
static void add_advice(const struct cli *c, const struct egress_judged *judged,
    struct strbuf *out)
{
	const struct conf_leg *leg;

	if (!judged->choice.own_record || judged->n == 0)
		return;
	leg = conf_leg_by_id(c->conf, judged->way[0].leg);
	if (leg == NULL)
		return;
	strbuf_adds(out, "; add ");
	egress_add_term(leg, out);
	strbuf_adds(out, " to the record");
}

/* SRS helps SPF alone (doc/egress.md). */
static void add_policy(const struct egress_found *found, struct strbuf *out)
{
	if (found->policy_known != POLICY_KNOWN)
		return;
	strbuf_addf(out, "; its DMARC policy is %s",
	    dmarc_policy_name(found->policy));
	if (found->policy != DMARC_NONE && found->judged.choice.rewrite)
		strbuf_adds(out, ", so it needs a signature of its own");
}

void egress_say_choice(struct cli *c, const struct egress_found *found,
    struct strbuf *out)
{
	const struct egress_judged *judged = &found->judged;

	if (judged->leg < 0)
		strbuf_adds(out, egress_why_words(judged->choice.why));
	else
		strbuf_addf(out, "%s, since %s",
		    names_text(c->names, judged->leg),
		    egress_why_words(judged->choice.why));
	add_policy(found, out);
	add_advice(c, judged, out);
}
