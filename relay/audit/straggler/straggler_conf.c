/* SPDX-License-Identifier: ISC
 *
 * Copies of networks, listeners and domains.
 */
#include "relay/audit/straggler/straggler_conf.h"

#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/mail/domain.h"

enum { DOMAIN_BYTES = 1024 };

struct straggler_domain {
	const char *name;
	const char *customer; /* "": none, or a leg's own domain */
};

struct straggler_listen {
	const char *name;
	bool none; /* a leg's, or for the outside alone */
	struct conf_nets proxies;
};

struct straggler_conf {
	struct arena *arena;
	struct conf_nets *leg;
	int legs;
	struct conf_nets outbound;
	struct straggler_listen *listen;
	int listens;
	struct straggler_domain *domain; /* sorted by name */
	size_t domains;
	bool customers; /* a domain has one */
};

static struct conf_nets copy_nets(struct arena *a, const struct conf_nets *n)
{
	struct conf_nets to = {NULL, n->count};
	size_t bytes = (size_t)n->count * sizeof(*n->net);

	if (bytes > 0)
		to.net = memcpy(arena_alloc(a, bytes), n->net, bytes);
	return to;
}

static int by_name(const void *a, const void *b)
{
	const struct straggler_domain *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void add_domain(struct straggler_conf *s, const char *name,
    const char *customer)
{
	s->domain[s->domains++] = (struct straggler_domain){
	    arena_strdup(s->arena, name), arena_strdup(s->arena, customer)};
	s->customers = s->customers || customer[0] != '\0';
}

static void copy_domains(struct straggler_conf *s, const struct conf *c)
{
	size_t n = (size_t)c->domains;

	for (int i = 0; i < c->legs; i++)
		n += (size_t)c->leg[i].domains.count;
	s->domain = arena_alloc(s->arena, (n + 1) * sizeof(*s->domain));
	for (int i = 0; i < c->domains; i++)
		add_domain(s, c->domain[i].name, c->domain[i].customer == NULL
			? "" : c->domain[i].customer);
	for (int i = 0; i < c->legs; i++)
		for (int j = 0; j < c->leg[i].domains.count; j++)
			add_domain(s, c->leg[i].domains.s[j], "");
	qsort(s->domain, s->domains, sizeof(*s->domain), by_name);
}

static void copy_listens(struct straggler_conf *s, const struct conf *c)
{
	s->listens = c->listens;
	s->listen = arena_alloc(s->arena,
	    (size_t)(c->listens + 1) * sizeof(*s->listen));
	for (int i = 0; i < c->listens; i++)
		s->listen[i] = (struct straggler_listen){
		    arena_strdup(s->arena, c->listen[i].name),
		    c->listen[i].leg >= 0 ||
			c->listen[i].outbound == OUTBOUND_ONLY,
		    copy_nets(s->arena, &c->listen[i].proxy_from)};
}

struct straggler_conf *straggler_conf_new(const struct conf *c)
{
	struct arena *a = arena_new();
	struct straggler_conf *s = arena_alloc(a, sizeof(*s));

	s->arena = a;
	s->legs = c->legs;
	s->leg = arena_alloc(a, (size_t)(c->legs + 1) * sizeof(*s->leg));
	for (int i = 0; i < c->legs; i++)
		s->leg[i] = copy_nets(a, &c->leg[i].clients);
	s->outbound = copy_nets(a, &c->outbound.clients);
	copy_listens(s, c);
	copy_domains(s, c);
	return s;
}

void straggler_conf_free(struct straggler_conf *s)
{
	if (s != NULL)
		arena_free(s->arena);
}

/* ---- clients ------------------------------------------------------------- */

static bool has(const struct conf_nets *nets, const struct conf_net *client)
{
	struct conf_nets one = {(struct conf_net *)client, 1};

	return conf_nets_overlap(nets, &one);
}

/* A proxy's own address is no client, whatever came from it. */
bool straggler_conf_counts(const struct straggler_conf *s,
    const struct conf_net *client, const char *listen)
{
	for (int i = 0; i < s->listens; i++)
		if (strcmp(s->listen[i].name, listen) == 0 &&
		    (s->listen[i].none || has(&s->listen[i].proxies, client)))
			return false;
	for (int i = 0; i < s->legs; i++)
		if (has(&s->leg[i], client))
			return false;
	return !has(&s->outbound, client);
}

bool straggler_conf_may_want(const struct straggler_conf *s,
    const struct conf_net *client)
{
	return has(conf_private(), client) && !has(&s->outbound, client);
}

/* ---- domains ------------------------------------------------------------- */

void straggler_domain(const char *address, struct strbuf *out)
{
	struct slice text = slice_str(address);
	long at = slice_rfind(text, '@');

	if (at >= 0 && !domain_normal(slice_from(text, (size_t)at + 1), out))
		strbuf_reset(out);
}

static const struct straggler_domain *find(const struct straggler_conf *s,
    const char *name)
{
	struct straggler_domain key = {name, ""};

	return bsearch(&key, s->domain, s->domains, sizeof(key), by_name);
}

const char *straggler_conf_customer(const struct straggler_conf *s,
    const char *address)
{
	const struct straggler_domain *d;
	struct strbuf name;

	if (!s->customers)
		return "";
	strbuf_init(&name, DOMAIN_BYTES);
	straggler_domain(address, &name);
	d = find(s, strbuf_cstr(&name));
	strbuf_fini(&name);
	return d == NULL ? "" : d->customer;
}

bool straggler_conf_outside(const struct straggler_conf *s,
    const char *address)
{
	struct strbuf name;
	bool outside;

	strbuf_init(&name, DOMAIN_BYTES);
	straggler_domain(address, &name);
	outside = name.n > 0 && find(s, strbuf_cstr(&name)) == NULL;
	strbuf_fini(&name);
	return outside;
}
