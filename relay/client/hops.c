/* SPDX-License-Identifier: ISC
 *
 * The order in which hosts are tried. Of a host the family that the leg
 * prefers goes first; an address that lately could not be reached goes last of
 * all. One worker's loop.
 *
 * A host is used as soon as it is known that no host of its preference or a
 * better one is ourselves; a list has no preferences, so there each host waits
 * for its own addresses alone.
 */
#include <stdio.h>

#include "conf/profile.h"
#include "relay/client/hops_int.h"

/* ---- who did not answer ---- */

/* A platform behind a handful of addresses drops connections as it likes:
 * its profile says that this is no reason to avoid one. */
static bool remembers(const struct hops *h)
{
	const struct conf_leg *leg = h->req->leg;

	return leg->dead_host_ms > 0 &&
	       (leg->replies == NULL || !leg->replies->no_dead_hosts);
}

void hops_dead(struct hops *h)
{
	struct client *c = h->client;

	if (h->last_addr != NULL && remembers(h))
		marks_set(&c->unreached, h->req->leg->id, h->last_addr,
		    loop_now_ms(c->cfg.loop) + h->req->leg->dead_host_ms);
}

void hops_alive(struct hops *h)
{
	if (h->last_addr != NULL)
		marks_clear(&h->client->unreached, h->req->leg->id,
		    h->last_addr);
}

static bool is_dead(const struct hops *h, const struct netaddr *a)
{
	const struct client *c = h->client;

	return remembers(h) && marks_has(&c->unreached, h->req->leg->id, a,
				   loop_now_ms(c->cfg.loop));
}

/* ---- in order ---- */

/* May `t` be used: is it certain that we are not among its equals or
 * betters? */
static bool is_known(const struct hops *h, const struct host *t)
{
	if (hops_asked_for(t))
		return false;
	for (int i = 0; h->mx && i < h->hosts; i++)
		if (h->host[i].preference <= t->preference &&
		    hops_asked_for(&h->host[i]))
			return false;
	return true;
}

static struct address *next_of_family(struct host *t, enum family f, bool dead)
{
	for (int i = 0; i < t->addrs[f]; i++) {
		struct address *a = &t->addr[f][i];

		if (!a->tried && (dead || !is_dead(t->hops, &a->addr)))
			return a;
	}
	return NULL;
}

static struct hop hop_of(const struct host *t)
{
	const struct hops *h = t->hops;

	return (struct hop){.host = t->name,
	    .dane = {.base = t->by_alias ? t->alias_of : t->name,
		.domain = h->mx ? hops_domain(h) : NULL,
		.rec = t->tlsa,
		.count = t->tlsas}};
}

/* With `dead`, those too that lately could not be reached. */
static bool next_address(struct host *t, bool dead, struct hop *hop_out)
{
	enum family second = hops_second_family(t->hops);
	enum family first = FAMILIES - 1 - second;
	struct address *a = next_of_family(t, first, dead);

	if (a == NULL)
		a = next_of_family(t, second, dead);
	if (a == NULL)
		return false;
	a->tried = true;
	t->hops->tries++;
	t->hops->last = t;
	t->hops->last_addr = &a->addr;
	*hop_out = hop_of(t);
	hop_out->addr = a->addr;
	return true;
}

static void conclude_unfit(struct hops *h)
{
	static const char *const only[] = {
	    [FAMILY_V6_ONLY] = "no host has an IPv6 address, and family = "
			       "\"ipv6\" allows no other",
	    [FAMILY_V4_ONLY] = "no host has an IPv4 address, and family = "
			       "\"ipv4\" allows no other",
	};

	hops_conclude(h, false, "4.3.5",
	    hops_one_family(h)
		? only[h->req->leg->family]
		: "no host has an address of the source address's family");
	h->fault.class = CLASS_CONFIGURATION;
}

static enum hops_state end(struct hops *h)
{
	bool direct = h->req->domain != NULL;

	if (h->concluded)
		return HOPS_END;
	if (h->self)
		hops_conclude(h, false, "4.4.6", "its host is ourselves");
	else if (h->unknown)
		hops_conclude_unknown(h);
	else if (h->unfit || (h->exists && hops_one_family(h)))
		conclude_unfit(h);
	else if (h->exists)
		hops_conclude(h, false, direct ? "4.4.4" : "4.3.5",
		    "no host of it has an address");
	else
		hops_conclude(h, true, direct ? "5.4.4" : "4.3.5",
		    "no host of it exists");
	return HOPS_END;
}

static enum hops_state next_host(
    struct hops *h, bool dead, struct hop *hop_out)
{
	for (int i = 0; i < h->hosts; i++) {
		struct host *t = &h->host[i];

		if (t->preference >= h->self_from)
			continue;
		if (!is_known(h, t))
			return HOPS_WAIT;
		if (!t->unsafe && next_address(t, dead, hop_out))
			return HOPS_READY;
	}
	return HOPS_END;
}

enum hops_state hops_next(struct hops *h, struct hop *hop_out)
{
	enum hops_state s = HOPS_WAIT;

	if (h->mx_query == NULL && h->tries < TRIES_MAX) {
		s = next_host(h, false, hop_out);
		if (s == HOPS_END)
			s = next_host(h, true, hop_out);
	} else if (h->mx_query == NULL) {
		s = HOPS_END;
	}
	h->waiting = s == HOPS_WAIT;
	return s == HOPS_END ? end(h) : s;
}

/* ---- all of them, for people ---- */

bool hops_known(struct hops *h)
{
	bool known = h->mx_query == NULL;

	for (int i = 0; i < h->hosts; i++)
		known = known && !hops_asked_for(&h->host[i]);
	h->waiting = !known;
	return known;
}

/* Says why a host is skipped, and what would be right. */
static const char *why_skipped(const struct hops *h, const struct host *t)
{
	if (t->preference >= h->self_from && !t->self)
		return "we are an exchanger of a better or the same "
		       "preference: only better ones are used";
	if (t->unsafe)
		return "its TLSA records cannot be looked up now: mail waits";
	if (t->addrs[FAMILY_V4] + t->addrs[FAMILY_V6] > 0)
		return t->preference >= h->self_from ? "it is ourselves" :
						       NULL;
	if (t->self)
		return "its address is our own: name the leg's";
	if (t->failed != NULL)
		return "its name cannot be looked up now";
	if (t->unfit || (t->exists && hops_one_family(h)))
		return "it has no address of the family that is used: see "
		       "family and source";
	return t->exists ? "it has no address" : "its name does not exist";
}

static struct hops_row row_of(const struct hops *h, const struct host *t)
{
	return (struct hops_row){
	    .hop = hop_of(t),
	    .port = t->port,
	    .preference = h->mx ? t->preference : -1,
	    .secure = h->req->leg->tls == TLS_DANE && !t->insecure &&
		      !h->mx_insecure && !t->literal,
	    .skipped = why_skipped(h, t)};
}

static unsigned list_host(
    struct hops *h, struct host *t, struct hops_row *out, unsigned max)
{
	enum family second = hops_second_family(h);
	unsigned n = 0;

	if (why_skipped(h, t) != NULL && max > 0) {
		out[0] = row_of(h, t);
		return 1;
	}
	for (int turn = 0; turn < FAMILIES; turn++) {
		enum family f = turn == 0 ? FAMILIES - 1 - second : second;

		for (int i = 0; i < t->addrs[f] && n < max; i++) {
			struct hops_row *r = &out[n++];

			*r = row_of(h, t);
			r->has_addr = true;
			r->hop.addr = t->addr[f][i].addr;
			r->dead = is_dead(h, &r->hop.addr);
		}
	}
	return n;
}

unsigned hops_list(struct hops *h, struct hops_row *out, unsigned max)
{
	unsigned n = 0;

	for (int i = 0; i < h->hosts; i++)
		n += list_host(h, &h->host[i], out + n, max - n);
	if (n == 0)
		(void)end(h); /* hops_fault() says why there is none */
	return n;
}

const struct hops_fault *hops_fault(const struct hops *h)
{
	return &h->fault;
}
