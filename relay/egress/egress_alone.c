/* SPDX-License-Identifier: ISC
 *
 * See egress_alone.h.
 */
#include "relay/egress/egress_alone.h"

#include "relay/base/strbuf.h"
#include "relay/mail/domain.h"
#include "relay/spf/dmarc_walk.h"

struct judging {
	struct egress_judged *out;
	bool done;
};

static void on_judged(void *arg, const struct egress_judged *judged)
{
	struct judging *w = arg;

	*w->out = *judged;
	w->done = true;
}

static void on_walked(void *arg)
{
	*(bool *)arg = true;
}

static void find_policy(struct spf_alone *o, struct dmarc *d,
    const char *domain, struct egress_found *out)
{
	bool walked = false;
	struct dmarc_wait wait = {.done = on_walked, .arg = &walked};
	const struct dmarc_found *f;

	list_node_init(&wait.node);
	f = dmarc_find(d, domain, &wait);
	if (f == NULL) {
		spf_alone_wait(o, &walked);
		f = dmarc_find(d, domain, &wait);
	}
	if (f == NULL || f->silent)
		return;
	out->policy_known = f->has_record ? POLICY_KNOWN : POLICY_NO_RECORD;
	out->policy = f->policy;
}

void egress_judge_alone(struct spf_alone *o, const struct egress_subject *s,
    struct egress_found *found_out)
{
	struct egress_judge *j = egress_judge_new(spf_alone_loop(o),
	    spf_alone_dns(o), spf_alone_checker(o));
	struct judging w = {.out = &found_out->judged};
	const struct egress_judged *judged;
	struct egress_question *q;
	struct strbuf domain;

	*found_out = (struct egress_found){.policy_known = POLICY_UNKNOWN};
	judged = egress_judge(j, s, on_judged, &w, &q);
	if (judged != NULL)
		found_out->judged = *judged;
	else
		spf_alone_wait(o, &w.done);
	strbuf_init(&domain, ADDR_DOMAIN_MAX);
	if (s->from.domain.n > 0 && domain_normal(s->from.domain, &domain))
		find_policy(o, egress_judge_dmarc(j), strbuf_cstr(&domain),
		    found_out);
	strbuf_fini(&domain);
	egress_judge_free(j);
}
