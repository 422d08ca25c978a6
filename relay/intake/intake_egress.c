/* SPDX-License-Identifier: ISC
 *
 * The way out of recipients at the outside, when they are accepted: the first
 * of outbound.use stands in. Which one it should be is asked meanwhile, and no
 * answer is waited for: each attempt asks again (attempt_egress.c). A worker's
 * loop.
 */
#include "relay/egress/egress_judge.h"
#include "relay/delivery/outgoing.h"
#include "relay/intake/intake_int.h"

static void on_judged(void *arg, const struct egress_judged *judged)
{
	struct intake *in = arg;

	in->egress.question = NULL;
	in->egress.chosen = judged->leg;
}

void egress_ask(struct intake *in, const struct conf_leg *first)
{
	struct egress_subject s;
	const struct egress_judged *judged;

	if (in->egress.asked)
		return;
	s = egress_subject_of(intake_conf(in), &in->mail->env,
	    clock_wall_us(in->w->shared->clock));
	in->egress.asked = true;
	in->egress.first = first->id;
	in->egress.chosen = -1;
	judged = egress_judge(in->w->outgoing->egress, &s, on_judged, in,
	    &in->egress.question);
	if (judged != NULL)
		in->egress.chosen = judged->leg;
}

/* Of a sender that fails nothing is forecast: no receiver is to take it. */
static bool is_forecast(const struct intake *in)
{
	return in->has_row && intake_conf(in)->spf.check &&
	       !(in->mail->env.spf[0] != '\0' && in->sender.result == SPF_FAIL);
}

/* Before a leg is told another sender, its attempt asks for the policy of the
 * From domain (attempt_sender.c), to whatever leg it goes by then. */
static bool may_be_rewritten(const struct conf *c)
{
	for (int i = 0; i < c->legs; i++)
		if (c->leg[i].rewrite_sender != REWRITE_NEVER)
			return true;
	return false;
}

/* An attempt has no header at hand. Of a header that goes on behind what was
 * kept of it the author is unclear. */
void egress_read_author(struct intake *in, const struct author_fields *fields)
{
	struct mail *m = in->mail;
	struct strbuf from, signers;

	if (!in->egress.asked && !is_forecast(in) &&
	    !may_be_rewritten(intake_conf(in)))
		return;
	if (fields->rest.n == 0 &&
	    m->env.size != spool_draft_head(m->draft).n)
		return;
	strbuf_init(&from, AUTHOR_DOMAIN_MAX);
	strbuf_init(&signers, AUTHOR_SIGNERS_MAX);
	if (author_domain(fields, &from)) {
		author_signers(fields, strbuf_view(&from), &signers);
		m->env.from_domain = arena_slicedup(m->arena,
		    strbuf_view(&from));
		m->env.dkim = arena_slicedup(m->arena, strbuf_view(&signers));
	}
	strbuf_fini(&from);
	strbuf_fini(&signers);
}

void egress_settle(struct intake *in)
{
	struct mail *m = in->mail;
	int chosen = in->egress.chosen;

	if (!in->egress.asked || chosen < 0)
		return;
	m->env.egress = names_text(in->w->shared->names, chosen);
	for (unsigned i = 0; i < m->deliveries; i++)
		if (m->delivery[i].leg == in->egress.first)
			m->delivery[i].leg = (uint16_t)chosen;
}

void egress_drop(struct intake *in)
{
	egress_forget(in->egress.question);
	in->egress.question = NULL;
}
