/* SPDX-License-Identifier: ISC
 *
 * Names of a look, resolved by the resolvers of the configuration, and the
 * records of single replies.
 */
#include "relay/cutover/propagation/spread_look_int.h"

#include <string.h>

int look_resolvers(struct look_run *k, struct error *err)
{
	struct dns_channel c;
	int rc;

	dns_channel_init(&c, k->how.loop);
	rc = dns_channel_open(&c, k->how.conf, err);
	if (rc == 0)
		k->resolvers = dns_channel_servers(&c, k->resolver,
		    LOOK_RESOLVERS + 1);
	dns_channel_fini(&c);
	if (k->resolvers > LOOK_RESOLVERS) {
		k->resolvers = LOOK_RESOLVERS;
		k->more = true;
	}
	if (rc == 0 && k->resolvers == 0)
		return error_set(err, "there is no resolver: name one in "
		    "resolver.servers");
	return rc;
}

struct dns_direct look_question(const struct look_run *k,
    const struct netaddr *server, enum dns_type type, const char *name)
{
	return (struct dns_direct){.at = {.server = *server,
		.timeout_ms = (int)k->how.conf->resolver.timeout_ms},
	    .type = type, .name = name};
}

static struct slice packet_of(const struct dns_direct *q)
{
	return slice_of(q->packet, q->size);
}

bool look_told(struct look_run *k, enum dns_type type, const char *name,
    struct dns_told *out)
{
	bool ok = false;

	for (size_t i = 0; i < k->resolvers && !ok; i++) {
		struct dns_direct q = look_question(k, &k->resolver[i], type,
		    name);
		const char *why;

		q.at.recurse = true;
		dns_direct_run(k->how.loop, &q, 1, k->how.stop);
		ok = q.packet != NULL && dns_told_parse(packet_of(&q), type,
		    name, out, &why) == 0 &&
		     (out->rcode == 0 || out->rcode == 3);
		dns_direct_fini(&q, 1);
	}
	return ok;
}

void look_names_add(struct look_names *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->name[i].name, name) == 0)
			return;
	if (l->n == LOOK_NAMES)
		l->more = true;
	else
		l->name[l->n++] = (struct look_name){.name = name};
}

static void add_address(struct look_name *to, const struct netaddr *address)
{
	for (size_t i = 0; i < to->n; i++)
		if (netaddr_same_ip(&to->address[i], address))
			return;
	if (to->n < LOOK_ADDRESSES)
		to->address[to->n++] = *address;
	else
		to->more = true;
}

bool look_addresses(const struct dns_direct *q, struct look_name *to)
{
	char asked[DNS_NAME_MAX + 1];
	struct dns_answer a;
	const char *why;

	if (q->packet == NULL ||
	    dns_reply_read(packet_of(q), q->type, asked, &a, &why) < 0)
		return false;
	if (strcmp(asked, q->name) != 0) {
		dns_answer_fini(&a);
		return false;
	}
	for (int i = 0; i < a.count; i++)
		add_address(to, &a.addr[i]);
	if (a.count > 0 && a.ttl_s > to->ttl_s)
		to->ttl_s = a.ttl_s;
	dns_answer_fini(&a);
	return true;
}

/* Asks one resolver for those that are not known yet. */
static void resolve_at(struct look_run *k, struct look_names *l,
    const struct netaddr *resolver)
{
	struct dns_direct q[2 * LOOK_NAMES];
	struct look_name *of[LOOK_NAMES];
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (l->name[i].known)
			continue;
		of[n / 2] = &l->name[i];
		for (int four = 0; four < 2; four++, n++) {
			q[n] = look_question(k, resolver,
			    four ? DNS_A : DNS_AAAA, l->name[i].name);
			q[n].at.recurse = true;
		}
	}
	dns_direct_run(k->how.loop, q, n, k->how.stop);
	for (size_t i = 0; i < n; i += 2) {
		bool six = look_addresses(&q[i], of[i / 2]);

		of[i / 2]->known = look_addresses(&q[i + 1], of[i / 2]) && six;
	}
	dns_direct_fini(q, n);
}

void look_names_resolve(struct look_run *k, struct look_names *l)
{
	for (size_t i = 0; i < k->resolvers; i++)
		resolve_at(k, l, &k->resolver[i]);
}

bool look_is_under(const char *name, const char *zone)
{
	size_t n = strlen(name), z = strlen(zone);

	if (z == 0 || n < z || strcmp(name + n - z, zone) != 0)
		return false;
	return n == z || name[n - z - 1] == '.';
}

static void add_mx(struct look_run *k, struct look_server *to, int preference,
    const char *host)
{
	if (to->n == LOOK_MX) {
		to->more = true;
		return;
	}
	to->mx[to->n++] = (struct look_mx){preference,
	    {.name = arena_strdup(k->a, host)}};
}

bool look_take_mx(struct look_run *k, const struct dns_direct *q,
    struct look_server *to)
{
	char asked[DNS_NAME_MAX + 1];
	struct dns_answer a;

	if (dns_reply_read(packet_of(q), DNS_MX, asked, &a, &to->seen.why) < 0)
		return false;
	to->seen.ttl_s = a.ttl_s;
	/* A name that no host may have has no address. */
	for (int i = 0; i < a.count; i++)
		add_mx(k, to, a.mx[i].preference,
		    dns_is_host(a.mx[i].host) ? a.mx[i].host : "");
	if (a.count == 0)
		add_mx(k, to, 0, k->domain);
	dns_answer_fini(&a);
	return true;
}
