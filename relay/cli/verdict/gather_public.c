/* SPDX-License-Identifier: ISC
 *
 * For the end of a report: what still leads to the server in public. The MX of
 * each domain and their addresses, the domain's own addresses, and whether its
 * record of SPF lets the server send. Blocks for the resolvers.
 */
#include "relay/cli/verdict/gather.h"

#include "relay/cli/verdict/leg_hosts.h"
#include "relay/net/dns.h"
#include "relay/spf/spf_alone.h"

enum { DOMAINS_MAX = 200, MX_MAX = 16, ADDRESSES = 16 };

struct public_look {
	struct verdict_look *g;
	struct leg_hosts *hosts;
	struct spf_alone *alone;
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

/* ---- SPF -------------------------------------------------------------- */

static void on_judged(void *arg, const struct spf_checked *f)
{
	struct public_look *l = arg;

	if (f->verdict.result == SPF_PASS)
		add(l, "SPF", gather_text(l->g, "%.*s of %.*s lets it send",
		    (int)f->verdict.mechanism.n, f->verdict.mechanism.p,
		    (int)f->verdict.domain.n, f->verdict.domain.p));
	else if (f->verdict.result == SPF_TEMPERROR)
		add(l, "not known", "its record of SPF cannot be read now");
}

static void look_at_spf(struct public_look *l)
{
	const char *sender = gather_text(l->g, "postmaster@%s", l->domain);
	struct netaddr a;

	for (int i = 0; leg_hosts_address(l->hosts, l->g->leg, i, &a); i++)
		spf_alone_run(l->alone, &(struct spf_subject){.client = &a,
		    .sender = slice_str(sender),
		    .helo = slice_str(l->domain)}, on_judged, l);
}

/* ---- all -------------------------------------------------------------- */

static void look_at_domain(struct public_look *l)
{
	struct public_answer mx = {.l = l};

	ask(&mx, DNS_MX, l->domain);
	for (int i = 0; i < mx.hosts; i++)
		look_at_name(l, mx.host[i], "MX");
	look_at_name(l, l->domain, "address");
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
		look_at_domains(&l);
	else
		add(&l, "not known", err.text);
	spf_alone_free(l.alone);
	leg_hosts_free(l.hosts);
}
