/* SPDX-License-Identifier: ISC
 *
 * Where an MX leads: to us, to a leg, or elsewhere. By its address, since a
 * name that is ours may still have an old one in a cache; by its name where a
 * leg has a host of that name.
 */
#include "relay/cutover/propagation/spread_look_int.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/jout.h"

enum { ANSWER_BYTES = 16384 };

/* ---- the legs ------------------------------------------------------------ */

static void add_lead(struct look_run *k, const char *leg,
    const struct netaddr *address)
{
	if (k->leads == LOOK_LEADS)
		k->more = true;
	else
		k->lead[k->leads++] = (struct look_lead){leg, *address};
}

static void add_leg(struct look_run *k, const struct conf_leg *leg,
    const struct look_names *l)
{
	for (int i = 0; i < leg->hosts; i++) {
		struct netaddr address;

		if (netaddr_parse(&address, slice_str(leg->host[i].host), 0) ==
		    0)
			add_lead(k, leg->name, &address);
		for (size_t n = 0; n < l->n; n++)
			for (size_t j = 0; j < l->name[n].n &&
			     strcmp(l->name[n].name, leg->host[i].host) == 0;
			     j++)
				add_lead(k, leg->name,
				    &l->name[n].address[j]);
	}
}

/* Of a leg that is found by its MX. */
static void add_leg_mx(struct look_run *k, const struct conf_leg *leg)
{
	struct look_names *l = arena_alloc(k->a, sizeof(*l));
	struct look_server s = {.recurse = true};
	struct dns_direct q = look_question(k, &k->resolver[0], DNS_MX,
	    leg->mx);

	q.at.recurse = true;
	dns_direct_run(k->how.loop, &q, 1, k->how.stop);
	if (q.packet != NULL && look_take_mx(k, &q, &s))
		for (size_t i = 0; i < s.n; i++)
			look_names_add(l, s.mx[i].host.name);
	dns_direct_fini(&q, 1);
	look_names_resolve(k, l);
	for (size_t i = 0; i < l->n; i++)
		for (size_t j = 0; j < l->name[i].n; j++)
			add_lead(k, leg->name, &l->name[i].address[j]);
}

void look_find_legs(struct look_run *k)
{
	struct look_names *l = arena_alloc(k->a, sizeof(*l));
	const struct conf *c = k->how.conf;

	for (int i = 0; i < c->legs; i++)
		for (int j = 0; j < c->leg[i].hosts && !c->leg[i].egress; j++)
			if (!c->leg[i].host[j].is_addr)
				look_names_add(l, c->leg[i].host[j].host);
	look_names_resolve(k, l);
	for (int i = 0; i < c->legs; i++) {
		if (c->leg[i].egress)
			continue;
		if (c->leg[i].mx[0] != '\0')
			add_leg_mx(k, &c->leg[i]);
		else
			add_leg(k, &c->leg[i], l);
	}
}

/* ---- an address ---------------------------------------------------------- */

static bool we_listen(const struct conf *c, const struct netaddr *a)
{
	struct netaddr own;

	for (int i = 0; i < c->listens; i++)
		for (int j = 0; j < c->listen[i].addresses; j++)
			if (netaddr_parse(&own,
				slice_str(c->listen[i].address[j].host), 0) ==
				0 && netaddr_same_ip(&own, a))
				return true;
	return conf_nets_have(&c->public_address, &a->sa);
}

/* Can this machine send from it? Then it listens there, by a wildcard. */
static bool is_local(const struct netaddr *a)
{
	struct netaddr any = *a;
	int fd = socket(a->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	any.in.sin_port = 0; /* in the same place of both families */
	ok = fd >= 0 && bind(fd, &any.sa, any.len) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

static const char *leg_of(const struct look_run *k, const char *host,
    const struct netaddr *a)
{
	const struct conf *c = k->how.conf;

	for (size_t i = 0; i < k->leads; i++)
		if (netaddr_same_ip(&k->lead[i].address, a))
			return k->lead[i].leg;
	for (int i = 0; i < c->legs; i++) {
		if (c->leg[i].egress)
			continue;
		if (conf_nets_have(&c->leg[i].clients, &a->sa))
			return c->leg[i].name;
		for (int j = 0; j < c->leg[i].hosts; j++)
			if (strcmp(c->leg[i].host[j].host, host) == 0)
				return c->leg[i].name;
	}
	return NULL;
}

enum spread_way look_way(const struct look_run *k, const char *host,
    const struct netaddr *a, const char **leg_out)
{
	*leg_out = "";
	if (we_listen(k->how.conf, a))
		return WAY_US;
	*leg_out = leg_of(k, host, a);
	if (*leg_out != NULL)
		return WAY_LEG;
	*leg_out = "";
	return is_local(a) ? WAY_US : WAY_ELSEWHERE;
}

/* ---- all that was heard -------------------------------------------------- */

struct look_heard {
	struct spread_heard way[SPREAD_TARGETS_MAX];
	size_t n;
	bool more; /* than fit */
};

static void hear(struct look_heard *h, enum spread_way way, const char *name,
    uint32_t ttl_s)
{
	size_t i = 0;

	while (i < h->n && (h->way[i].way != way ||
			       strcmp(h->way[i].name, name) != 0))
		i++;
	if (i == SPREAD_TARGETS_MAX) {
		h->more = true;
		return;
	}
	if (i == h->n)
		h->way[h->n++] = (struct spread_heard){way, name, 0};
	if (ttl_s > h->way[i].ttl_s)
		h->way[i].ttl_s = ttl_s;
}

static void put_address(struct jout *j, const char *address, const char *leads)
{
	jout_object(j, NULL);
	jout_str(j, "address", address);
	jout_str(j, "leads", leads);
	jout_object_end(j);
}

static void judge_mx(struct look_run *k, const struct look_server *s,
    const struct look_mx *m, struct look_heard *h, struct jout *j)
{
	uint32_t ttl_s = s->seen.ttl_s > m->host.ttl_s ? s->seen.ttl_s
						       : m->host.ttl_s;

	jout_object(j, NULL);
	jout_int(j, "preference", m->preference);
	jout_str(j, "host", m->host.name);
	jout_array(j, "addresses");
	for (size_t i = 0; i < m->host.n; i++) {
		char text[NETADDR_TEXT];
		const char *leg;
		enum spread_way way = look_way(k, m->host.name,
		    &m->host.address[i], &leg);

		netaddr_ip(&m->host.address[i], text);
		hear(h, way, leg, ttl_s);
		put_address(j, text, way == WAY_US    ? "us"
			: way == WAY_LEG ? leg : "elsewhere");
	}
	h->more = h->more || m->host.more;
	if (m->host.n == 0)
		hear(h, WAY_NOWHERE, "", ttl_s);
	jout_array_end(j);
	jout_object_end(j);
}

static void judge_server(struct look_run *k, struct look_server *s)
{
	struct look_heard h = {.n = 0};
	struct spread_heard *kept;
	struct strbuf text;
	struct jout j;

	strbuf_init(&text, ANSWER_BYTES);
	jout_init(&j, &text);
	jout_array(&j, NULL);
	for (size_t i = 0; i < s->n; i++)
		judge_mx(k, s, &s->mx[i], &h, &j);
	jout_array_end(&j);
	k->more = k->more || h.more;
	kept = arena_alloc(k->a, (h.n + 1) * sizeof(*kept));
	memcpy(kept, h.way, h.n * sizeof(*kept));
	s->seen.heard = kept;
	s->seen.n = h.n;
	s->seen.answer = strbuf_ok(&text)
			     ? arena_slicedup(k->a, strbuf_view(&text)) : "";
	strbuf_fini(&text);
}

void look_judge(struct look_run *k)
{
	for (size_t i = 0; i < k->servers; i++)
		if (k->server[i]->seen.said == SAID_ANSWER &&
		    k->server[i]->seen.kind != SPREAD_PARENT)
			judge_server(k, k->server[i]);
}
