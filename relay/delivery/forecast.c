/* SPDX-License-Identifier: ISC
 *
 * The policy of the From domain is asked first, and SPF where it would decide:
 * where the sender's domain is aligned with From.
 */
#include "relay/delivery/forecast.h"

#include "relay/audit/delivered/spf_counts.h"
#include "relay/audit/projector.h"
#include "relay/base/mem.h"
#include "relay/mail/domain.h"
#include "relay/spf/dmarc_outlook.h"

struct forecast {
	struct worker *w;
	struct egress_judge *judge;
	struct list looks; /* under way */
	unsigned n;
};

/* A message at a leg. */
struct forecast_look {
	struct list node; /* of forecast.looks */
	struct forecast *f;
	const char *leg; /* its name; in `arena`, as all texts */
	struct conf *conf; /* counted; of it: */
	const struct conf_leg *judges; /* the leg, by our address; or NULL */
	struct addr told;
	struct dmarc_question dmarc;
	struct egress_question *spf;
	bool spf_known; /* dmarc.spf is a domain that passes, or "" */
	bool spf_silent; /* it is not known what SPF says */
	struct arena *arena;
};

struct forecast *forecast_new(struct worker *w, struct egress_judge *judge)
{
	struct forecast *f = NEW(struct forecast);

	f->w = w;
	f->judge = judge;
	list_init(&f->looks);
	return f;
}

static void look_free(struct forecast_look *l)
{
	egress_forget(l->spf);
	dmarc_outlook_cancel(&l->dmarc);
	list_remove(&l->node);
	l->f->n--;
	conf_unref(l->conf);
	arena_free(l->arena);
}

/* ---- the end ------------------------------------------------------------- */

static void count(const struct forecast *f, const char *leg,
    const char *domain, enum spf_share share)
{
	spf_counts_message(projector_spf(f->w->projector),
	    clock_wall_us(f->w->shared->clock), leg, domain, share);
}

static enum spf_share share_of(const struct forecast_look *l,
    enum dmarc_outlook outlook)
{
	static const enum spf_share fails[DMARC_POLICIES] = {
		[DMARC_NONE] = SHARE_FAIL_NONE,
		[DMARC_QUARANTINE] = SHARE_FAIL_QUARANTINE,
		[DMARC_REJECT] = SHARE_FAIL_REJECT,
	};

	if (outlook == DMARC_BY_SPF)
		return SHARE_SPF;
	if (outlook == DMARC_BY_SIGNATURE)
		return SHARE_SIGNATURE;
	if (outlook == DMARC_WOULD_FAIL && !l->spf_silent)
		return fails[l->dmarc.policy];
	return SHARE_UNCLEAR;
}

/* No answer comes to those that wait. */
void forecast_free(struct forecast *f)
{
	struct forecast_look *l;

	if (f == NULL)
		return;
	while ((l = LIST_FIRST(&f->looks, struct forecast_look, node)) !=
	    NULL) {
		count(f, l->leg, l->dmarc.from, SHARE_UNCLEAR);
		look_free(l);
	}
	mem_free(f);
}

/* ---- SPF ----------------------------------------------------------------- */

static void take_spf(struct forecast_look *l, const struct egress_judged *j)
{
	enum spf_result result = j->way[0].result;

	l->spf = NULL;
	l->spf_known = true;
	l->spf_silent = result == SPF_TEMPERROR;
	if (result != SPF_PASS)
		l->dmarc.spf = "";
}

static void go_on(struct forecast_look *l);

static void on_judged(void *arg, const struct egress_judged *judged)
{
	struct forecast_look *l = arg;

	take_spf(l, judged);
	go_on(l);
}

/* False: it waits. */
static bool ask_spf(struct forecast_look *l)
{
	struct egress_subject s = {.conf = l->conf, .leg = l->judges,
	    .from = l->told};
	const struct egress_judged *judged = egress_judge(l->f->judge, &s,
	    on_judged, l, &l->spf);

	if (judged == NULL)
		return false;
	take_spf(l, judged);
	return true;
}

/* ---- the question -------------------------------------------------------- */

/* True: it is over. */
static bool take_outlook(struct forecast_look *l, enum dmarc_outlook outlook)
{
	while (outlook == DMARC_BY_SPF && !l->spf_known) {
		if (!ask_spf(l))
			return false;
		if (!dmarc_outlook(egress_judge_dmarc(l->f->judge), &l->dmarc,
			&outlook))
			return false;
	}
	count(l->f, l->leg, l->dmarc.from, share_of(l, outlook));
	return true;
}

static void on_outlook(void *arg, enum dmarc_outlook outlook)
{
	struct forecast_look *l = arg;

	if (take_outlook(l, outlook))
		look_free(l);
}

static bool ask(struct forecast_look *l)
{
	enum dmarc_outlook outlook;

	return dmarc_outlook(egress_judge_dmarc(l->f->judge), &l->dmarc,
		   &outlook) && take_outlook(l, outlook);
}

/* After SPF was waited for. */
static void go_on(struct forecast_look *l)
{
	if (ask(l))
		look_free(l);
}

/* "": it has no form in the DNS. Mostly it is From's, which is in that form. */
static const char *normal(const struct forecast_look *l, struct slice domain)
{
	const char *text = "";
	struct strbuf b;

	if (slice_eq(domain, slice_str(l->dmarc.from)))
		return l->dmarc.from;
	strbuf_init(&b, ADDR_DOMAIN_MAX);
	if (domain.n > 0 && domain_normal(domain, &b))
		text = arena_slicedup(l->arena, strbuf_view(&b));
	strbuf_fini(&b);
	return text;
}

/* The leg judges the client that came to us: what we found is what it finds,
 * for the sender that we were told. */
static void take_inbound(struct forecast_look *l,
    const struct forecast_subject *s)
{
	const struct envelope *e = s->envelope;
	enum spf_result result;

	l->spf_known = true;
	l->dmarc.spf = "";
	if (!spf_result_parse(slice_str(e->spf), &result) ||
	    result == SPF_TEMPERROR)
		l->spf_silent = true;
	else if (result == SPF_PASS && strcmp(s->told, e->from) == 0)
		l->dmarc.spf = normal(l, l->told.text.n > 0
			? l->told.domain : slice_str(e->helo));
}

/* Judged is our address, by the sender that the leg was told. */
static void take_ours(struct forecast_look *l,
    const struct forecast_subject *s)
{
	const char *helo = s->leg->helo[0] != '\0' ? s->leg->helo
						   : s->conf->hostname;

	if (s->leg->seen.count == 0) { /* it is not known which one */
		l->spf_known = l->spf_silent = true;
		l->dmarc.spf = "";
		return;
	}
	l->judges = s->leg;
	l->dmarc.spf = normal(l, l->told.text.n > 0 ? l->told.domain
						     : slice_str(helo));
}

static struct forecast_look *look_new(struct forecast *f,
    const struct forecast_subject *s)
{
	struct arena *a = arena_new();
	struct forecast_look *l = arena_alloc(a, sizeof(*l));
	const struct envelope *e = s->envelope;
	const char *why;

	*l = (struct forecast_look){.f = f, .arena = a};
	list_push_back(&f->looks, &l->node);
	f->n++;
	l->leg = arena_strdup(a, s->leg->name);
	l->conf = conf_ref((struct conf *)s->conf);
	if (addr_parse(slice_str(arena_strdup(a, s->told)), true, &l->told,
		&why) != 0)
		l->told = (struct addr){.text = slice_of("", 0)};
	l->dmarc = (struct dmarc_question){.any_policy = true,
	    .from = arena_strdup(a, e->from_domain == NULL ? "" :
		e->from_domain),
	    .signers = arena_strdup(a, e->dkim == NULL ? "" : e->dkim),
	    .done = on_outlook, .arg = l};
	if (leg_looks_through(s->leg))
		take_inbound(l, s);
	else
		take_ours(l, s);
	return l;
}

void forecast_count(struct forecast *f, const struct forecast_subject *s)
{
	const struct envelope *e = s->envelope;
	struct forecast_look *l;

	if (f->w->projector == NULL || !s->conf->spf.check ||
	    strcmp(e->spf, spf_result_text(SPF_FAIL)) == 0)
		return;
	if (e->from_domain == NULL || e->from_domain[0] == '\0' ||
	    f->n == FORECASTS_MAX) {
		count(f, s->leg->name, e->from_domain == NULL ? "" :
		    e->from_domain, SHARE_UNCLEAR);
		return;
	}
	l = look_new(f, s);
	if (ask(l))
		look_free(l);
}
