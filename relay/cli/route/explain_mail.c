/* SPDX-License-Identifier: ISC
 *
 * See explain_mail.h.
 */
#include "relay/cli/route/explain_mail.h"

#include <stdio.h>

#include "policy/spf_policy.h"
#include "relay/cli/spf/egress_show.h"
#include "relay/spf/spf_alone.h"

static const char *const rights[] = {
	[RIGHT_NONE] = "none",
	[RIGHT_CLIENT] = "client",
	[RIGHT_CERTIFICATE] = "certificate",
	[RIGHT_USER] = "user",
};

enum outbound_right explain_right(const struct conf *c,
    const struct netaddr *client)
{
	struct outbound_client who = {.address = &client->sa, .login = "",
	    .certificate = ""};
	enum outbound_right right = RIGHT_NONE;

	for (int i = 0; i < c->listens && right == RIGHT_NONE; i++)
		right = outbound_right(c, &c->listen[i], &who);
	return right;
}

/* ---- SPF ----------------------------------------------------------------- */

static void on_checked(void *arg, const struct spf_checked *found)
{
	struct egress_verdict *v = arg;

	v->result = found->verdict.result;
	snprintf(v->mechanism, sizeof(v->mechanism), "%.*s",
	    (int)found->verdict.mechanism.n, found->verdict.mechanism.p);
	snprintf(v->domain, sizeof(v->domain), "%.*s",
	    (int)found->verdict.domain.n, found->verdict.domain.p);
}

static void judge_sender(struct cli *c, struct spf_alone *o,
    struct explained_mail *m)
{
	struct spf_subject s = {.client = &m->client,
	    .helo = slice_str("unknown"), .sender = m->from.text};

	(void)c;
	spf_alone_run(o, &s, on_checked, &m->spf);
	m->judged = true;
}

/* As sender_check_passes() says it at RCPT. */
static void apply(struct cli *c, struct explained_mail *m,
    const struct addr *to, struct decision *d)
{
	if (!m->judged || d->verdict == VERDICT_REFUSE ||
	    spf_spares(c->conf, &m->client.sa) ||
	    !spf_matters(c->conf, to, d))
		return;
	switch (spf_decide(c->conf, to, d, m->spf.result)) {
	case SPF_ACT_TAKE:
		return;
	case SPF_ACT_REFUSE:
		reply_set(&d->reply, 550, "5.7.23", "The sender's domain does "
		    "not let this client send in its name (SPF)");
		m->effect = ", which the recipient's domain refuses";
		break;
	case SPF_ACT_DEFER:
		reply_set(&d->reply, 451, "4.7.24", "SPF cannot be checked "
		    "now");
		m->effect = ", so the recipient's domain takes it later";
		break;
	}
	d->verdict = VERDICT_REFUSE;
}

/* ---- both ---------------------------------------------------------------- */

static bool leads_out(const struct conf *c, const struct decision *d)
{
	const struct conf_leg *leg = d->verdict == VERDICT_REFUSE ||
	    d->route.kind != ROUTE_LEGS ? NULL :
	    conf_leg_by_id(c, d->route.leg[0]);

	return leg != NULL && leg->egress;
}

void explain_mail(struct cli *c, struct explained_mail *m,
    const struct addr *to, struct decision *d)
{
	struct egress_subject s = {.conf = c->conf, .from = m->from};
	bool judged = m->has_client && m->has_from && m->from.text.n != 0 &&
	    spf_judges(c->conf, m->from_leg == NULL ? -1 : m->from_leg->id,
		m->right) && !spf_is_loopback(&m->client);
	struct spf_alone *o;

	m->goes_out = m->has_from && leads_out(c->conf, d);
	if (!judged && !m->goes_out)
		return;
	o = spf_alone_new(c->conf, &m->err);
	if (o == NULL) {
		m->goes_out = false;
		return;
	}
	if (judged)
		judge_sender(c, o, m);
	apply(c, m, to, d);
	if (m->goes_out)
		egress_judge_alone(o, &s, &m->way);
	spf_alone_free(o);
}

void explain_mail_put(struct cli *c, const struct explained_mail *m,
    struct jout *j)
{
	jout_str(j, "right", m->has_client ? rights[m->right] : NULL);
	if (m->judged) {
		jout_object(j, "spf");
		jout_str(j, "result", spf_result_text(m->spf.result));
		jout_str(j, "mechanism", m->spf.mechanism);
		jout_str(j, "domain", m->spf.domain);
		jout_object_end(j);
	} else {
		jout_str(j, "spf", NULL);
	}
	if (m->goes_out) {
		jout_object(j, "outbound");
		egress_put_choice(c, &m->way, j);
		jout_object_end(j);
	} else {
		jout_str(j, "outbound", NULL);
	}
}

void explain_mail_say(struct cli *c, const struct explained_mail *m)
{
	struct strbuf line;

	if (m->has_client && m->right == RIGHT_CLIENT)
		out_say(&c->out, "right     its address is in "
		    "outbound.clients: it may send to the outside");
	if (m->err.text[0] != '\0')
		out_say(&c->out, "SPF       is not judged: %s", m->err.text);
	if (m->judged)
		out_say(&c->out, "SPF       %s (%s%s%s)%s",
		    spf_result_text(m->spf.result), m->spf.mechanism,
		    m->spf.mechanism[0] != '\0' ? " of " : "", m->spf.domain,
		    m->effect != NULL ? m->effect : "");
	if (!m->goes_out)
		return;
	strbuf_init(&line, OUT_LINE_MAX);
	egress_say_choice(c, &m->way, &line);
	out_say(&c->out, "egress    %s", strbuf_cstr(&line));
	strbuf_fini(&line);
}
