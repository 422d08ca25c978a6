/* SPDX-License-Identifier: ISC
 *
 * For the end of a report: what still leads to the server in public. The MX of
 * each domain and their addresses, the domain's own addresses, the names in its
 * MTA-STS policy, and whether its record of SPF lets the server send: the term
 * is named, and the record without it is tried. Blocks for the resolvers.
 */
#include "relay/cli/verdict/gather.h"

#include <strings.h>

#include "relay/cli/propagation/mx_sts.h"
#include "relay/cli/verdict/leg_hosts.h"
#include "relay/net/dns.h"
#include "relay/spf/spf_alone.h"
#include "relay/spf/term.h"

enum { DOMAINS_MAX = 200, MX_MAX = 16, ADDRESSES = 16 };

struct public_look {
	struct verdict_look *g;
	struct leg_hosts *hosts;
	struct spf_alone *alone;
	struct mx_asker *asker;
	const char *domain;
	size_t cap;
};

static void add(struct public_look *l, const char *what, const char *text)
{
	struct verdict_look *g = l->g;

	if (g->publics == l->cap) {
		l->cap = l->cap * 2 + 16;
		g->public = mem_resize(g->public,
		    l->cap * sizeof(*g->public));
	}
	g->public[g->publics++] = (struct gather_public){l->domain, what,
	    arena_strdup(g->f.arena, text)};
}

/* ---- the DNS ---------------------------------------------------------- */

struct public_answer {
	struct public_look *l;
	bool done, failed;
	const char *host[MX_MAX];
	struct netaddr address[ADDRESSES];
	int hosts, addresses;
};

static void on_answer(void *arg, const struct dns_answer *a)
{
	struct public_answer *p = arg;

	p->done = true;
	p->failed = a->status == DNS_FAILED;
	for (int i = 0; a->status == DNS_OK && i < a->count; i++) {
		if (a->type == DNS_MX && p->hosts < MX_MAX)
			p->host[p->hosts++] = arena_strdup(p->l->g->f.arena,
			    a->mx[i].host);
		else if (a->type != DNS_MX && p->addresses < ADDRESSES)
			p->address[p->addresses++] = a->addr[i];
	}
}

static void ask(struct public_answer *p, enum dns_type type, const char *name)
{
	p->done = p->failed = false;
	dns_ask(spf_alone_dns(p->l->alone), type, name, on_answer, p);
	spf_alone_wait(p->l->alone, &p->done);
	if (p->failed)
		add(p->l, "not known", gather_text(p->l->g, "%s: the name "
		    "servers do not answer", name));
}

/* Addresses of a name of the domain, by which it leads to the server. */
static void look_at_name(struct public_look *l, const char *name,
    const char *what)
{
	struct public_answer p = {.l = l};
	char ip[NETADDR_TEXT];

	if (name[0] == '\0')
		return; /* null MX */
	ask(&p, DNS_A, name);
	ask(&p, DNS_AAAA, name);
	for (int i = 0; i < p.addresses; i++) {
		if (!leg_hosts_has(l->hosts, l->g->leg, &p.address[i]))
			continue;
		netaddr_ip(&p.address[i], ip);
		add(l, what, gather_text(l->g, "%s, %s", name, ip));
	}
}

/* ---- MTA-STS ---------------------------------------------------------- */

/* "*.example.com" stands for names: those of the leg's hosts. */
static void look_at_pattern(struct public_look *l, struct slice pattern)
{
	const struct conf_leg *leg = &l->g->conf->leg[l->g->leg];
	const struct sts_policy one = {.mx = {pattern}, .count = 1};
	const char *name = gather_text(l->g, "%.*s", (int)pattern.n,
	    pattern.p);

	if (pattern.p[0] != '*') {
		look_at_name(l, name, "MTA-STS");
		return;
	}
	for (int i = 0; i < leg->hosts; i++)
		if (sts_policy_has(&one, slice_str(leg->host[i].host)))
			add(l, "MTA-STS", gather_text(l->g, "%s, by %s",
			    leg->host[i].host, name));
}

static void look_at_sts(struct public_look *l)
{
	struct mx_found found;
	struct sts_policy p;
	struct strbuf text;

	strbuf_init(&text, STS_HEADER_BYTES + STS_POLICY_BYTES);
	if (mx_sts_policy(l->asker, l->domain, &text, &p, &found))
		for (int i = 0; p.mode != STS_NONE && i < p.count; i++)
			look_at_pattern(l, p.mx[i]);
	else if (found.state != MX_NONE)
		add(l, "not known", gather_text(l->g, "MTA-STS: %s",
		    found.why));
	strbuf_fini(&text);
}

/* ---- SPF -------------------------------------------------------------- */

struct spf_without {
	struct public_look *l;
	const struct netaddr *client;
	const char *domain, *term;
	enum spf_result result;
};

static void on_judged(void *arg, const struct spf_checked *f)
{
	struct spf_without *w = arg;
	struct verdict_look *g = w->l->g;

	w->result = f->verdict.result;
	if (w->result == SPF_TEMPERROR)
		add(w->l, "not known", "its record of SPF cannot be read now");
	if (w->result != SPF_PASS)
		return;
	w->domain = gather_text(g, "%.*s", (int)f->verdict.domain.n,
	    f->verdict.domain.p);
	w->term = gather_text(g, "%.*s", (int)f->verdict.mechanism.n,
	    f->verdict.mechanism.p);
}

static void check(struct spf_alone *alone, struct spf_without *w)
{
	const char *domain = w->l->domain;

	spf_alone_run(alone, &(struct spf_subject){.client = w->client,
	    .sender = slice_str(gather_text(w->l->g, "postmaster@%s",
		domain)), .helo = slice_str(domain)}, on_judged, w);
}

struct spf_text {
	struct public_look *l;
	const char *term, *record; /* without the term; NULL: it is not there */
	bool done;
};

/* False: that term is not in it, as one that was cut for a report. */
static bool take_out(struct slice record, struct slice term,
    struct strbuf *out)
{
	struct slice word;
	bool found = false;

	while (slice_next(&record, ' ', &word))
		if (slice_case_eq(word, term))
			found = true;
		else if (word.n > 0)
			strbuf_addf(out, "%s%.*s", out->n == 0 ? "" : " ",
			    (int)word.n, word.p);
	return found;
}

static void on_record(void *arg, const struct dns_answer *a)
{
	struct spf_text *t = arg;
	struct strbuf out;

	t->done = true;
	for (int i = 0; a->status == DNS_OK && i < a->count; i++) {
		if (!spf_record_is(a->txt[i]))
			continue;
		strbuf_init(&out, SPF_RECORD_MAX + 1);
		if (take_out(a->txt[i], slice_str(t->term), &out))
			t->record = arena_strdup(t->l->g->f.arena,
			    strbuf_cstr(&out));
		strbuf_fini(&out);
	}
}

/* The domain's own record without that term, tried: the words about its result.
 * "": it cannot be tried. */
static const char *without_term(const struct spf_without *with)
{
	struct public_look *l = with->l;
	struct spf_text t = {.l = l, .term = with->term};
	struct spf_without w = {.l = l, .client = with->client};
	struct spf_alone *other;
	struct error err;

	if (strcasecmp(with->domain, l->domain) != 0)
		return ""; /* of the record that redirect= names */
	dns_ask(spf_alone_dns(l->alone), DNS_TXT, l->domain, on_record, &t);
	spf_alone_wait(l->alone, &t.done);
	other = t.record == NULL ? NULL : spf_alone_new(l->g->conf, &err);
	if (other == NULL)
		return "";
	dns_set_txt(spf_alone_dns(other), l->domain, t.record);
	check(other, &w);
	spf_alone_free(other);
	return gather_text(l->g, "; without it: %s%s%s", spf_result_text(
	    w.result), w.result == SPF_PASS ? ", by " : "", w.result ==
	    SPF_PASS ? w.term : "");
}

static void look_at_spf(struct public_look *l)
{
	struct netaddr a;

	for (int i = 0; leg_hosts_address(l->hosts, l->g->leg, i, &a); i++) {
		struct spf_without w = {.l = l, .client = &a};

		check(l->alone, &w);
		if (w.result == SPF_PASS)
			add(l, "SPF", gather_text(l->g, "%s of %s lets it "
			    "send%s", w.term, w.domain, without_term(&w)));
	}
}

/* ---- all -------------------------------------------------------------- */

static void look_at_domain(struct public_look *l)
{
	struct public_answer mx = {.l = l};

	ask(&mx, DNS_MX, l->domain);
	for (int i = 0; i < mx.hosts; i++)
		look_at_name(l, mx.host[i], "MX");
	look_at_name(l, l->domain, "address");
	look_at_sts(l);
	look_at_spf(l);
}

static void look_at_domains(struct public_look *l)
{
	const struct conf *c = l->g->conf;
	int n = 0;

	for (int i = 0; i < c->domains; i++) {
		if (!conf_verdict_has(c, l->g->v,
			slice_str(c->domain[i].name)))
			continue;
		l->domain = c->domain[i].name;
		if (++n <= DOMAINS_MAX)
			look_at_domain(l);
	}
	if (n > DOMAINS_MAX)
		add(l, "not known", gather_text(l->g, "and the %d domains "
		    "before it: only %d are looked at", n - DOMAINS_MAX - 1,
		    DOMAINS_MAX));
}

void gather_public(struct verdict_look *g)
{
	struct public_look l = {.g = g, .domain = ""};
	struct error err = {0};

	l.hosts = leg_hosts_look(g->conf, &err);
	if (l.hosts != NULL)
		l.alone = spf_alone_new(g->conf, &err);
	if (l.alone != NULL)
		l.asker = mx_asker_new(g->conf, &err);
	if (l.asker != NULL)
		look_at_domains(&l);
	else
		add(&l, "not known", err.text);
	mx_asker_free(l.asker);
	spf_alone_free(l.alone);
	leg_hosts_free(l.hosts);
}
