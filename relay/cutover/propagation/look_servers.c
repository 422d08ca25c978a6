/* SPDX-License-Identifier: ISC
 *
 * Which servers a look asks: those that the zone names, those that the zone
 * above names (RFC 1034 4.2.1: they may differ), those that were named once,
 * and the resolvers.
 */
#include "relay/cutover/propagation/spread_look_int.h"

#include <string.h>

#include "relay/base/mem.h"

enum { PARENTS_ASKED = 8 };

/* Those that are named now, and those of before. */
struct look_found {
	struct look_names names; /* the first `current` are of the zone now */
	size_t current;
};

/* "" : none was found. */
static const char *zone_of(struct look_run *k, const char *name)
{
	struct dns_told t;

	if (!look_told(k, DNS_SOA, name, &t) || !look_is_under(name, t.zone))
		return "";
	return arena_strdup(k->a, t.zone);
}

static void add_told(struct look_run *k, struct look_found *f,
    const struct dns_told *t)
{
	if (strcmp(t->owner, k->zone) != 0)
		return;
	for (int i = 0; i < t->servers; i++)
		look_names_add(&f->names, arena_strdup(k->a, t->server[i]));
	k->more = k->more || t->more;
}

/* ---- the zone above ------------------------------------------------------ */

static struct look_server *add_server(struct look_run *k, enum spread_kind kind,
    const char *name, const char *address)
{
	struct look_server *s;

	if (k->servers == SPREAD_SERVERS_MAX) {
		k->more = true;
		return NULL;
	}
	s = arena_alloc(k->a, sizeof(*s));
	s->seen = (struct spread_seen){.kind = kind, .name = name,
	    .address = address, .said = SAID_SILENT, .why = "", .serial = -1,
	    .answer = ""};
	k->server[k->servers++] = s;
	return s;
}

static void take_delegation(struct look_run *k, struct look_server *parent,
    const struct dns_told *t)
{
	struct spread_heard *h = arena_alloc(k->a,
	    (size_t)(t->servers + 1) * sizeof(*h));

	for (int i = 0; i < t->servers; i++)
		h[i] = (struct spread_heard){WAY_SERVER,
		    arena_strdup(k->a, t->server[i]), t->ttl_s};
	parent->seen.said = SAID_ANSWER;
	parent->seen.why = "";
	parent->seen.heard = h;
	parent->seen.n = (size_t)t->servers;
	parent->seen.ttl_s = t->ttl_s;
}

/* The servers of the zone above, in the order of their addresses. */
static size_t parent_questions(struct look_run *k, const struct look_names *l,
    struct dns_direct q[PARENTS_ASKED])
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		for (size_t j = 0; j < l->name[i].n && n < PARENTS_ASKED; j++) {
			q[n] = look_question(k, &l->name[i].address[j], DNS_NS,
			    k->zone);
			q[n].at.server.in.sin_port =
			    htons((uint16_t)k->how.server_port);
			n++;
		}
	return n;
}

/* The first that knows the delegation speaks for all. */
static void ask_parents(struct look_run *k, struct look_found *f,
    struct look_server *parent, const struct look_names *l)
{
	struct dns_direct q[PARENTS_ASKED];
	size_t n = parent_questions(k, l, q);
	const char *why;
	struct dns_told t;

	dns_direct_run(k->how.loop, q, n, k->how.stop);
	parent->seen.why = n == 0 ? "its servers have no address"
				  : "no server of it knows the delegation";
	for (size_t i = 0; i < n; i++) {
		if (q[i].packet == NULL ||
		    dns_told_parse(slice_of(q[i].packet, q[i].size), DNS_NS,
			k->zone, &t, &why) < 0 ||
		    strcmp(t.owner, k->zone) != 0)
			continue;
		take_delegation(k, parent, &t);
		add_told(k, f, &t);
		break;
	}
	dns_direct_fini(q, n);
}

static void look_up(struct look_run *k, struct look_found *f)
{
	const char *dot = strchr(k->zone, '.'), *above;
	struct look_server *parent;
	struct look_names *l;
	struct dns_told t;

	above = dot == NULL ? "" : zone_of(k, dot + 1);
	parent = add_server(k, SPREAD_PARENT, above, "");
	if (parent == NULL)
		return;
	parent->seen.why = "the zone above was not found";
	if (above[0] == '\0' || !look_told(k, DNS_NS, above, &t))
		return;
	l = arena_alloc(k->a, sizeof(*l));
	for (int i = 0; i < t.servers; i++)
		look_names_add(l, arena_strdup(k->a, t.server[i]));
	look_names_resolve(k, l);
	ask_parents(k, f, parent, l);
}

/* ---- the servers of the zone --------------------------------------------- */

static bool has_server(const struct look_run *k, const char *name,
    const char *address)
{
	for (size_t i = 0; i < k->servers; i++)
		if (k->server[i]->seen.kind != SPREAD_RESOLVER &&
		    k->server[i]->seen.kind != SPREAD_PARENT &&
		    strcmp(k->server[i]->seen.name, name) == 0 &&
		    strcmp(k->server[i]->seen.address, address) == 0)
			return true;
	return false;
}

static void add_at(struct look_run *k, enum spread_kind kind, const char *name,
    const struct netaddr *address)
{
	char text[NETADDR_TEXT];
	struct look_server *s;

	netaddr_ip(address, text);
	if (has_server(k, name, text))
		return;
	s = add_server(k, kind, name, arena_strdup(k->a, text));
	if (s == NULL)
		return;
	s->address = *address;
	/* Both families have it in the same place. */
	s->address.in.sin_port = htons((uint16_t)k->how.server_port);
}

static void add_found(struct look_run *k, const struct look_found *f)
{
	for (size_t i = 0; i < f->names.n; i++) {
		const struct look_name *n = &f->names.name[i];
		enum spread_kind kind = i < f->current ? SPREAD_AUTHORITATIVE
						       : SPREAD_RETIRED;
		struct look_server *s;

		k->more = k->more || n->more;
		for (size_t j = 0; j < n->n; j++)
			add_at(k, kind, n->name, &n->address[j]);
		if (n->n > 0)
			continue;
		s = add_server(k, kind, n->name, "");
		if (s != NULL)
			s->seen.why = n->known ? "its name has no address"
					       : "its name was not resolved";
	}
	k->more = k->more || f->names.more;
}

/* Servers that were seen once keep the addresses that they had. */
static void add_known(struct look_run *k, const struct spread_rows *known)
{
	for (size_t i = 0; i < known->n; i++) {
		const struct spread_server *s = &known->server[i];
		struct netaddr address;

		if ((s->kind == SPREAD_AUTHORITATIVE ||
			s->kind == SPREAD_RETIRED) &&
		    netaddr_parse(&address, slice_str(s->address), 0) == 0)
			add_at(k, SPREAD_RETIRED, s->name, &address);
	}
	k->more = k->more || known->more;
}

static void add_resolvers(struct look_run *k)
{
	char text[NETADDR_TEXT];

	for (size_t i = 0; i < k->resolvers; i++) {
		struct look_server *s;

		netaddr_text(&k->resolver[i], text);
		s = add_server(k, SPREAD_RESOLVER, "",
		    arena_strdup(k->a, text));
		if (s == NULL)
			return;
		s->address = k->resolver[i];
		s->recurse = true;
	}
}

void look_find_servers(struct look_run *k)
{
	const struct conf_strings *old = &k->how.conf->propagation.old_ns;
	struct look_found *f = arena_alloc(k->a, sizeof(*f));
	struct dns_told t;

	add_resolvers(k);
	k->zone = zone_of(k, k->domain);
	if (k->zone[0] != '\0') {
		if (look_told(k, DNS_NS, k->zone, &t))
			add_told(k, f, &t);
		look_up(k, f);
	}
	f->current = f->names.n;
	for (int i = 0; i < old->count; i++)
		look_names_add(&f->names, old->s[i]);
	look_names_resolve(k, &f->names);
	add_found(k, f);
	add_known(k, k->how.known);
}
