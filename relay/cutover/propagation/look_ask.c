/* SPDX-License-Identifier: ISC
 *
 * Asks each server of a look for the MX, and for the addresses of their hosts.
 * A server of the zone is asked without recursion, and believed only with
 * authority; hosts that are not in its zone are the resolvers' to tell.
 */
#include "relay/cutover/propagation/spread_look_int.h"

#include <string.h>

#include "relay/base/mem.h"

static bool is_asked(const struct look_server *s)
{
	return s->seen.kind != SPREAD_PARENT &&
	       s->address.sa.sa_family != AF_UNSPEC;
}

/* ---- the MX -------------------------------------------------------------- */

static void take_serial(const struct look_run *k, const struct dns_direct *q,
    struct look_server *s)
{
	const char *why;
	struct dns_told t;

	if (q->packet != NULL && dns_told_parse(slice_of(q->packet, q->size),
		DNS_SOA, k->zone, &t, &why) == 0 && t.authoritative &&
	    strcmp(t.zone, k->zone) == 0)
		s->seen.serial = t.serial;
}

static void refused(struct look_server *s, const char *why)
{
	/* A resolver that cannot answer may have an old answer still. */
	s->seen.said = s->recurse ? SAID_SILENT : SAID_REFUSED;
	s->seen.why = why;
}

static void take_answer(struct look_run *k, const struct dns_direct *q,
    struct look_server *s)
{
	const char *why;
	struct dns_told t;

	s->seen.why = q->why;
	if (q->packet == NULL)
		return;
	if (dns_told_parse(slice_of(q->packet, q->size), DNS_MX, k->domain, &t,
		&why) < 0)
		refused(s, why);
	else if (!look_take_mx(k, q, s))
		refused(s, s->seen.why);
	else if (!s->recurse && !t.authoritative)
		refused(s, "it has no authority (AA)");
	else
		s->seen.said = SAID_ANSWER;
	if (s->seen.said == SAID_ANSWER)
		s->seen.why = "";
}

/* The serial of each server of the zone, and the MX of all. */
static void ask_mx(struct look_run *k)
{
	struct dns_direct q[2 * SPREAD_SERVERS_MAX];
	struct look_server *of[2 * SPREAD_SERVERS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < k->servers; i++) {
		struct look_server *s = k->server[i];

		if (!is_asked(s))
			continue;
		of[n] = s;
		q[n] = look_question(k, &s->address, DNS_MX, k->domain);
		q[n++].at.recurse = s->recurse;
		if (s->recurse || k->zone[0] == '\0')
			continue;
		of[n] = s;
		q[n++] = look_question(k, &s->address, DNS_SOA, k->zone);
	}
	dns_direct_run(k->how.loop, q, n, k->how.stop);
	for (size_t i = 0; i < n; i++) {
		if (q[i].type == DNS_MX)
			take_answer(k, &q[i], of[i]);
		else
			take_serial(k, &q[i], of[i]);
	}
	dns_direct_fini(q, n);
}

/* ---- the addresses ------------------------------------------------------- */

/* Of the hosts of one server, from itself. */
static void ask_hosts(struct look_run *k, struct look_server *s)
{
	struct dns_direct q[2 * LOOK_MX];
	struct look_name *of[LOOK_MX];
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct look_name *host = &s->mx[i].host;

		if (host->name[0] == '\0')
			host->known = true; /* null MX (RFC 7505) */
		if (host->known ||
		    (!s->recurse && !look_is_under(host->name, k->zone)))
			continue;
		of[n / 2] = host;
		for (int four = 0; four < 2; four++, n++) {
			q[n] = look_question(k, &s->address,
			    four ? DNS_A : DNS_AAAA, host->name);
			q[n].at.recurse = s->recurse;
		}
	}
	dns_direct_run(k->how.loop, q, n, k->how.stop);
	for (size_t i = 0; i < n; i += 2) {
		bool six = look_addresses(&q[i], of[i / 2]);

		of[i / 2]->known = look_addresses(&q[i + 1], of[i / 2]) && six;
	}
	dns_direct_fini(q, n);
}

/* A host that a server of the zone does not know: its name leads out of the
 * zone, by itself, by an alias or by a delegation. */
static bool is_outside(const struct look_server *s, const struct look_name *h)
{
	return s->seen.said == SAID_ANSWER && !s->recurse && h->n == 0 &&
	       h->name[0] != '\0';
}

static void resolve_outside(struct look_run *k)
{
	struct look_names *l = arena_alloc(k->a, sizeof(*l));

	for (size_t i = 0; i < k->servers; i++)
		for (size_t j = 0; j < k->server[i]->n; j++)
			if (is_outside(k->server[i], &k->server[i]->mx[j].host))
				look_names_add(l,
				    k->server[i]->mx[j].host.name);
	look_names_resolve(k, l);
	for (size_t i = 0; i < k->servers; i++)
		for (size_t j = 0; j < k->server[i]->n; j++) {
			struct look_name *h = &k->server[i]->mx[j].host;

			for (size_t n = 0; n < l->n &&
			     is_outside(k->server[i], h); n++)
				if (strcmp(l->name[n].name, h->name) == 0)
					*h = l->name[n];
		}
	k->more = k->more || l->more;
}

/* An answer whose hosts are not known says nothing. */
static void check_hosts(struct look_server *s)
{
	for (size_t j = 0; j < s->n && s->seen.said == SAID_ANSWER; j++)
		if (!s->mx[j].host.known) {
			s->seen.said = SAID_SILENT;
			s->seen.why = "no answer for the address of an MX";
		}
}

void look_ask_servers(struct look_run *k)
{
	ask_mx(k);
	for (size_t i = 0; i < k->servers; i++)
		if (k->server[i]->seen.kind != SPREAD_PARENT &&
		    k->server[i]->seen.said == SAID_ANSWER)
			ask_hosts(k, k->server[i]);
	resolve_outside(k);
	for (size_t i = 0; i < k->servers; i++) {
		check_hosts(k->server[i]);
		k->more = k->more || k->server[i]->more;
	}
}
