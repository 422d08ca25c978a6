/* SPDX-License-Identifier: ISC
 *
 * Is the client allowed to send in the sender's name? RFC 7208, and RFC 7372
 * for the codes.
 */
#include "relay/intake/sender_check.h"

#include "policy/spf_policy.h"
#include "relay/base/assert.h"
#include "relay/spf/client_names.h"

/* ---- the verdict ---- */

/* Printable ASCII by the check; the words of the mechanism and the domain. */
static const char *reason_of(struct arena *a, const struct spf_verdict *v)
{
	struct strbuf b;
	const char *text;

	strbuf_init(&b, 1024);
	strbuf_addsl(&b, v->mechanism);
	if (v->mechanism.n == 0 && v->result == SPF_NEUTRAL)
		strbuf_adds(&b, "default"); /* RFC 7208 4.7, 9.1 */
	if (b.n > 0 && v->domain.n > 0) {
		strbuf_addc(&b, ' ');
		strbuf_addsl(&b, v->domain);
	}
	text = arena_slicedup(a, strbuf_view(&b));
	strbuf_fini(&b);
	return text;
}

static void take(struct intake *in, const struct spf_verdict *v)
{
	struct sender_check *k = &in->sender;
	struct arena *a = in->mail->arena;
	struct envelope *e = &in->mail->env;

	k->known = true;
	k->result = v->result;
	k->explanation = slice_of(arena_slicedup(a, v->explanation),
	    v->explanation.n);
	e->spf = spf_result_text(v->result);
	e->spf_by = reason_of(a, v);
}

static void go_on(struct intake *in)
{
	void (*then)(struct intake *in) = in->sender.then;

	in->sender.then = NULL;
	if (then != NULL)
		then(in);
}

static void on_done(void *arg, const struct spf_checked *c)
{
	struct intake *in = arg;

	timer_fini(&in->sender.limit);
	take(in, &c->verdict);
	go_on(in);
}

/* The check goes on, for the next mail of that sender. */
static void on_limit(void *arg)
{
	struct intake *in = arg;

	spf_check_cancel(&in->sender.wait);
	timer_fini(&in->sender.limit);
	take(in, &(struct spf_verdict){.result = SPF_TEMPERROR});
	go_on(in);
}

/* ---- who is judged ---- */

/* Nor is mail of a proxy that spoke for itself. */
static bool is_judged(const struct intake *in)
{
	const struct conf *c = session_conf(in->session);
	const struct netaddr *client = session_client(in->session);
	const struct envelope *e = &in->mail->env;

	return spf_judges(c, in->origin, in->right) &&
	       spf_checker_evaluates(in->w->spf) &&
	       !spf_is_loopback(client) && envelope_names_client(e);
}

void sender_check_begin(struct intake *in)
{
	const struct conf *c = session_conf(in->session);
	const struct netaddr *client = session_client(in->session);
	struct sender_check *k = &in->sender;
	const struct spf_checked *found;
	struct spf_subject s = {.client = client,
	    .helo = slice_str(session_helo(in->session)),
	    .sender = slice_str(in->mail->env.from),
	    .explain = c->spf.refuses, .legs = c};

	list_node_init(&k->wait.node);
	if (c->spf.check && in->w->client_names != NULL)
		client_names_want(in->w->client_names, client);
	k->known = !is_judged(in);
	k->spared = k->known || spf_spares(c, &client->sa);
	if (k->known)
		return;
	k->wait.done = on_done;
	k->wait.arg = in;
	found = spf_check(in->w->spf, &s, &k->wait);
	if (found != NULL) {
		take(in, &found->verdict);
		return;
	}
	timer_init(&k->limit, in->w->loop, on_limit, in);
	timer_set(&k->limit, c->spf.wait_ms);
}

void sender_check_await(struct intake *in, void (*then)(struct intake *in))
{
	PH_ASSERT(!in->sender.known && in->sender.then == NULL);
	in->sender.then = then;
}

void sender_check_drop(struct intake *in)
{
	if (in->sender.known)
		return;
	spf_check_cancel(&in->sender.wait);
	timer_fini(&in->sender.limit);
	in->sender.known = true;
	in->sender.then = NULL;
}

/* ---- what follows ---- */

bool sender_check_matters(const struct intake *in, const struct addr *to,
    const struct decision *d)
{
	return !in->sender.spared &&
	       spf_matters(session_conf(in->session), to, d);
}

static struct slice sender_domain(const struct intake *in)
{
	struct slice from = slice_str(in->mail->env.from);

	return from.n == 0 ? slice_str(session_helo(in->session))
			   : slice_from(from,
			     (size_t)(slice_rfind(from, '@') + 1));
}

static void refuse(const struct intake *in, struct reply *r)
{
	struct slice said = in->sender.explanation;
	struct slice domain = slice_head(sender_domain(in), 255);

	reply_set(r, 550, "5.7.23", "SPF: %.*s does not let %s send for it%s"
	    "%.*s", (int)domain.n, domain.p, in->mail->env.client,
	    said.n > 0 ? ";\nthe domain says: " : "", (int)said.n, said.p);
}

bool sender_check_passes(const struct intake *in, const struct addr *to,
    const struct decision *d, struct reply *r)
{
	const struct conf *c = session_conf(in->session);

	if (in->sender.spared)
		return true;
	switch (spf_decide(c, to, d, in->sender.result)) {
	case SPF_ACT_TAKE:
		return true;
	case SPF_ACT_REFUSE:
		refuse(in, r);
		break;
	case SPF_ACT_DEFER:
		reply_set(r, 451, "4.7.24", "SPF of the sender's domain cannot "
		    "be checked now, try again later");
		break;
	}
	return false;
}

void sender_check_name_client(struct intake *in)
{
	struct client_names *names = in->w->client_names;
	const char *name = "";

	if (session_conf(in->session)->spf.check && names != NULL &&
	    client_names_get(names, session_client(in->session), &name))
		in->mail->env.client_name =
		    arena_strdup(in->mail->arena, name);
}
