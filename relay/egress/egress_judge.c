/* SPDX-License-Identifier: ISC
 *
 * The verdicts for a sender over each egress in use: each public address of an
 * egress is a check of its own, and so is our SRS domain over it; and over a
 * leg of the table, by the addresses that it sees.
 */
#include "relay/egress/egress_judge.h"

#include "policy/chooser.h"
#include "relay/base/assert.h"
#include "relay/egress/platforms.h"
#include "relay/mail/domain.h"
#include "relay/spf/dmarc_outlook.h"
#include "relay/spf/spf_check.h"
#include "relay/spf/spf_networks.h"

struct egress_judge {
	struct spf_checker *spf;
	struct list questions;
	struct platforms *platforms;
	/* The last question that ended: its memory, and what was judged. */
	struct egress_question *spare;
	struct dmarc *dmarc;
};

struct asked_way {
	struct egress_question *q;
	unsigned at; /* in outbound.use */
	struct spf_networks_wait networks;
	bool judged, srs_judged; /* there is a first verdict */
	enum spf_result srs;
};

struct egress_question {
	struct list node; /* of egress_judge.questions */
	struct egress_judge *j;
	struct conf *conf;
	const struct conf_leg *only; /* a leg of the table; or NULL */
	struct strbuf from, srs; /* addresses; empty: null, or no SRS for it */
	enum egress_sender kind; /* without `only` */
	bool waited, dmarc_asked, dmarc_fails;
	char *from_domain, *dkim; /* or NULL */
	struct dmarc_question dmarc;
	struct list looks;
	unsigned pending;
	bool starting;
	void (*done)(void *arg, const struct egress_judged *judged);
	void *arg;
	/* Some kilobytes, of which `judged.n` of each array are set. */
	struct asked_way way[EGRESSES_MAX];
	struct egress_judged judged;
};

/* A check that is under way. */
struct look {
	struct list node; /* of egress_question.looks */
	struct spf_wait wait;
	struct asked_way *way;
	bool srs;
};

struct egress_judge *egress_judge_new(struct loop *l, struct dns *dns,
    struct spf_checker *spf)
{
	struct egress_judge *j = NEW(struct egress_judge);

	j->spf = spf;
	list_init(&j->questions);
	j->platforms = platforms_new(l, dns);
	j->dmarc = dmarc_new(l, dns);
	return j;
}

struct dmarc *egress_judge_dmarc(struct egress_judge *j)
{
	return j->dmarc;
}

static void question_free(struct egress_question *q)
{
	struct look *l;

	while ((l = LIST_FIRST(&q->looks, struct look, node)) != NULL) {
		spf_check_cancel(&l->wait);
		list_remove(&l->node);
		mem_free(l);
	}
	for (unsigned i = 0; i < q->judged.n; i++)
		spf_networks_cancel(&q->way[i].networks);
	dmarc_outlook_cancel(&q->dmarc);
	list_remove(&q->node);
	mem_free(q->from_domain);
	mem_free(q->dkim);
	strbuf_fini(&q->from);
	strbuf_fini(&q->srs);
	conf_unref(q->conf);
	mem_free(q->j->spare);
	q->j->spare = q;
}

void egress_forget(struct egress_question *q)
{
	if (q != NULL)
		question_free(q);
}

void egress_judge_free(struct egress_judge *j)
{
	struct egress_question *q;

	if (j == NULL)
		return;
	while ((q = LIST_FIRST(&j->questions, struct egress_question,
	    node)) != NULL)
		question_free(q);
	platforms_free(j->platforms);
	mem_free(j->spare);
	dmarc_free(j->dmarc);
	mem_free(j);
}

/* ---- verdicts ------------------------------------------------------------ */

/* How much a result speaks against an egress. */
static int weight(enum spf_result r)
{
	static const int weights[SPF_RESULTS] = {[SPF_PASS] = 0,
	    [SPF_NEUTRAL] = 1, [SPF_NONE] = 1, [SPF_PERMERROR] = 2,
	    [SPF_TEMPERROR] = 3, [SPF_SOFTFAIL] = 4, [SPF_FAIL] = 5};

	return weights[r];
}

static void take_verdict(struct asked_way *way, bool srs,
    const struct spf_verdict *v)
{
	struct egress_verdict *out = &way->q->judged.way[way->at];

	if (srs) {
		if (!way->srs_judged || weight(v->result) > weight(way->srs))
			way->srs = v->result;
		way->srs_judged = true;
		return;
	}
	if (way->judged && weight(v->result) <= weight(out->result))
		return;
	way->judged = true;
	out->result = v->result;
	slice_copy(v->mechanism, out->mechanism, sizeof(out->mechanism));
	slice_copy(v->domain, out->domain, sizeof(out->domain));
}

static const struct conf_leg *leg_at(const struct egress_question *q,
    unsigned i)
{
	return q->only != NULL ? q->only :
	    &q->conf->leg[q->conf->outbound.way[i]];
}

static void choose(struct egress_question *q)
{
	struct egress_way way[EGRESSES_MAX];
	struct egress_case e = {.from = q->kind, .srs = q->srs.n != 0,
	    .waited = q->waited, .dmarc_fails = q->dmarc_fails, .way = way,
	    .n = q->judged.n};

	if (q->only != NULL) {
		q->judged.leg = q->only->id;
		q->judged.choice = leg_sender_choice(
		    q->judged.way[0].result, q->dmarc_fails);
		return;
	}
	for (unsigned i = 0; i < e.n; i++)
		way[i] = (struct egress_way){
		    .ours_only = leg_at(q, i)->senders == SENDERS_OURS,
		    .sender = q->judged.way[i].result, .srs = q->way[i].srs};
	q->judged.choice = egress_choose(&e);
	q->judged.leg = q->judged.choice.way < 0 ? -1 :
	    q->judged.way[q->judged.choice.way].leg;
}

static void went(struct egress_question *q);

static void on_outlook(void *arg, enum dmarc_outlook outlook)
{
	struct egress_question *q = arg;

	q->dmarc_fails = outlook == DMARC_WOULD_FAIL;
	went(q);
}

/* Does the receiver's SPF pass the rewritten sender by the chosen way? */
static bool srs_passes(const struct egress_question *q)
{
	return q->way[q->judged.choice.way].srs == SPF_PASS;
}

/* True: the choice is made. Before a sender is rewritten the policy of the
 * From domain is asked, and it may be made anew. */
static bool settle(struct egress_question *q)
{
	enum dmarc_outlook outlook;

	choose(q);
	if (!q->judged.choice.rewrite || q->dmarc_asked)
		return true;
	q->dmarc_asked = true;
	q->dmarc = (struct dmarc_question){
	    .from = q->from_domain == NULL ? "" : q->from_domain,
	    .signers = q->dkim == NULL ? "" : q->dkim,
	    .spf = srs_passes(q) ? q->conf->srs.domain : "",
	    .done = on_outlook, .arg = q};
	if (!dmarc_outlook(q->j->dmarc, &q->dmarc, &outlook)) {
		q->pending++;
		return false;
	}
	q->dmarc_fails = outlook == DMARC_WOULD_FAIL;
	choose(q);
	return true;
}

static void went(struct egress_question *q)
{
	PH_ASSERT(q->pending > 0);
	if (--q->pending != 0 || q->starting)
		return;
	if (!settle(q))
		return;
	q->done(q->arg, &q->judged);
	question_free(q);
}

/* ---- an address of an egress --------------------------------------------- */

static void on_checked(void *arg, const struct spf_checked *c)
{
	struct look *l = arg;
	struct egress_question *q = l->way->q;

	take_verdict(l->way, l->srs, &c->verdict);
	list_remove(&l->node);
	mem_free(l);
	went(q);
}

static void look(struct asked_way *way, const struct netaddr *address,
    bool srs)
{
	struct egress_question *q = way->q;
	const struct conf_leg *leg = leg_at(q, way->at);
	struct spf_subject s = {.client = address, .ours = true,
	    .helo = slice_str(leg->helo[0] != '\0' ? leg->helo :
						   q->conf->hostname),
	    .sender = strbuf_view(srs ? &q->srs : &q->from)};
	struct look *l = NEW(struct look);
	const struct spf_checked *c;

	l->way = way;
	l->srs = srs;
	l->wait.done = on_checked;
	l->wait.arg = l;
	list_node_init(&l->wait.node);
	c = spf_check(q->j->spf, &s, &l->wait);
	if (c == NULL) {
		q->pending++;
		list_push_back(&q->looks, &l->node);
		return;
	}
	take_verdict(way, srs, &c->verdict);
	mem_free(l);
}

/* The first address of a network, or its last. */
static void net_end(const struct conf_net *net, bool last,
    struct netaddr *out)
{
	unsigned char addr[16];
	int bytes = net->family == AF_INET6 ? 16 : 4;

	memcpy(addr, net->addr, sizeof(addr));
	for (int bit = net->bits; last && bit < bytes * 8; bit++)
		addr[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
	*out = (struct netaddr){.len = 0};
	if (net->family == AF_INET6) {
		out->in6.sin6_family = AF_INET6;
		memcpy(&out->in6.sin6_addr, addr, 16);
		out->len = sizeof(out->in6);
	} else {
		out->in.sin_family = AF_INET;
		memcpy(&out->in.sin_addr, addr, 4);
		out->len = sizeof(out->in);
	}
}

static void look_at_net(struct asked_way *way, const struct conf_net *net)
{
	int bits = net->family == AF_INET6 ? 128 : 32;
	struct netaddr a;

	for (int last = 0; last <= (net->bits < bits); last++) {
		net_end(net, last != 0, &a);
		look(way, &a, false);
		if (way->q->srs.n != 0)
			look(way, &a, true);
	}
}

/* ---- an egress ----------------------------------------------------------- */

/* A platform that cannot be asked about is judged by nothing. */
static void look_at_list(struct asked_way *way,
    const struct spf_network_list *list)
{
	const struct spf_verdict none = {
	    .result = list->silent ? SPF_TEMPERROR : SPF_PERMERROR,
	    .mechanism = SLICE("spf_include"),
	    .domain = slice_str(leg_at(way->q, way->at)->spf_include)};

	if (list->silent || list->empty) {
		take_verdict(way, false, &none);
		take_verdict(way, true, &none);
		return;
	}
	for (int i = 0; i < list->n; i++)
		look_at_net(way, &list->net[i]);
}

static void on_networks(void *arg)
{
	struct asked_way *way = arg;
	const struct conf_leg *leg = leg_at(way->q, way->at);
	const struct spf_network_list *list = spf_networks_get(platforms_of(
	    way->q->j->platforms, leg->spf_include), &way->networks);

	/* It is known now. The question may end with its last check. */
	PH_ASSERT(list != NULL);
	look_at_list(way, list);
	went(way->q);
}

static void look_at_way(struct asked_way *way)
{
	const struct conf_leg *leg = leg_at(way->q, way->at);
	const struct spf_network_list *list;

	for (int i = 0; i < leg->seen.count; i++)
		look_at_net(way, &leg->seen.net[i]);
	if (way->q->only != NULL || leg->spf_include[0] == '\0')
		return;
	way->networks.done = on_networks;
	way->networks.arg = way;
	list = spf_networks_get(platforms_of(way->q->j->platforms,
	    leg->spf_include), &way->networks);
	if (list != NULL)
		look_at_list(way, list);
	else
		way->q->pending++;
}

struct egress_subject egress_subject_of(const struct conf *c,
    const struct envelope *e, int64_t now_us)
{
	struct egress_subject s = {.conf = c,
	    .from_domain = e->from_domain, .dkim = e->dkim,
	    .waited = (now_us - e->accepted_us) / 1000 >=
		      c->outbound.temperror_wait_ms};
	const char *why;

	if (e->from[0] != '\0' &&
	    addr_parse(slice_str(e->from), true, &s.from, &why) != 0)
		s.from = (struct addr){.utf8 = false};
	return s;
}

/* ---- a question ---------------------------------------------------------- */

/* Senders of the domains that are for our own addresses are ours, too. */
static enum egress_sender kind_of(const struct conf *c, const struct addr *from)
{
	if (from->text.n == 0)
		return EGRESS_NULL;
	if (addr_is_ours(c, from) ||
	    (c->srs.domain[0] != '\0' &&
		domain_is(from->domain, slice_str(c->srs.domain))))
		return EGRESS_OWN;
	return EGRESS_FOREIGN;
}

/* An envelope of the journal may have what this build takes for no domain:
 * srs_make() has no address for it. */
static bool is_name(struct slice domain)
{
	struct strbuf normal;
	bool ok;

	strbuf_init(&normal, ADDR_DOMAIN_MAX);
	ok = domain_normal(domain, &normal);
	strbuf_fini(&normal);
	return ok;
}

/* Some kilobytes for each message are what malloc() is slow at, and what need
 * not be cleared: way_init() sets the ways that there are. */
static struct egress_question *question_memory(struct egress_judge *j)
{
	struct egress_question *q = j->spare;

	if (q == NULL)
		q = NEW(struct egress_question);
	j->spare = NULL;
	memset(q, 0, offsetof(struct egress_question, way));
	q->judged.n = 0;
	return q;
}

static void way_init(struct egress_question *q, unsigned at)
{
	struct egress_verdict *v = &q->judged.way[at];
	struct asked_way *way = &q->way[at];

	*way = (struct asked_way){.q = q, .at = at};
	list_node_init(&way->networks.node);
	v->leg = leg_at(q, at)->id;
	v->result = SPF_NONE;
	v->mechanism[0] = v->domain[0] = '\0';
	q->judged.n++;
}

static struct egress_question *question_new(struct egress_judge *j,
    const struct egress_subject *s)
{
	struct egress_question *q = question_memory(j);
	int ways = s->leg != NULL ? 1 : s->conf->outbound.ways;

	q->j = j;
	q->only = s->leg;
	q->conf = conf_ref((struct conf *)s->conf);
	q->waited = s->waited;
	q->from_domain = mem_strdup(s->from_domain);
	q->dkim = mem_strdup(s->dkim);
	if (s->leg == NULL)
		q->kind = kind_of(s->conf, &s->from);
	strbuf_init(&q->from, ADDR_MAX);
	strbuf_init(&q->srs, ADDR_MAX);
	strbuf_addsl(&q->from, s->from.text);
	if (s->conf->srs.domain[0] != '\0' && is_name(s->from.domain))
		strbuf_addf(&q->srs, "postmaster@%s", s->conf->srs.domain);
	list_init(&q->looks);
	list_push_back(&j->questions, &q->node);
	for (int i = 0; i < ways && i < EGRESSES_MAX; i++)
		way_init(q, (unsigned)i);
	return q;
}

const struct egress_judged *egress_judge(struct egress_judge *j,
    const struct egress_subject *s,
    void (*done)(void *arg, const struct egress_judged *judged), void *arg,
    struct egress_question **question_out)
{
	struct egress_question *q = question_new(j, s);

	q->done = done;
	q->arg = arg;
	q->starting = true;
	for (unsigned i = 0; i < q->judged.n; i++)
		look_at_way(&q->way[i]);
	q->starting = false;
	*question_out = q;
	if (q->pending != 0 || !settle(q))
		return NULL;
	*question_out = NULL;
	question_free(q);
	return &j->spare->judged;
}
