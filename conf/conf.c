/* SPDX-License-Identifier: ISC
 *
 * A configuration: counted, and looked into.
 */
#include "conf/conf.h"

#include "relay/base/assert.h"
#include "relay/base/mem.h"

struct conf *conf_ref(struct conf *c)
{
	int before = atomic_fetch_add(&c->refs, 1);

	PH_ASSERT(before > 0);
	return c;
}

void conf_unref(struct conf *c)
{
	int before = c == NULL ? 0 : atomic_fetch_sub(&c->refs, 1);

	PH_ASSERT(c == NULL || before > 0);
	if (before != 1)
		return;
	arena_free(c->arena);
	mem_free(c);
}

const struct conf_leg *conf_leg_by_name(const struct conf *c,
    struct slice name)
{
	for (int i = 0; i < c->legs; i++)
		if (slice_eq(slice_str(c->leg[i].name), name))
			return &c->leg[i];
	return NULL;
}

const struct conf_leg *conf_leg_by_id(const struct conf *c, int id)
{
	return id >= 0 && id < NAMES_MAX ? c->leg_of_id[id] : NULL;
}

const struct conf_leg *conf_leg_of_domain(const struct conf *c,
    struct slice domain)
{
	for (int i = 0; i < c->legs; i++)
		for (int j = 0; j < c->leg[i].domains.count; j++)
			if (slice_eq(slice_str(c->leg[i].domains.s[j]),
				domain))
				return &c->leg[i];
	return NULL;
}

static int compare(struct slice a, const char *b)
{
	size_t n = strlen(b);
	int d = memcmp(a.p, b, a.n < n ? a.n : n);

	return d != 0 ? d : (a.n > n) - (a.n < n);
}

const struct conf_domain *conf_domain(const struct conf *c,
    struct slice domain)
{
	int low = 0, high = c->domains;

	while (low < high) {
		int mid = low + (high - low) / 2;
		int d = compare(domain, c->domain_by_name[mid]->name);

		if (d == 0)
			return c->domain_by_name[mid];
		if (d < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

const struct conf_user *conf_user(const struct conf *c, struct slice name)
{
	int low = 0, high = c->outbound.user_count;

	while (low < high) {
		int mid = low + (high - low) / 2;
		int d = compare(name, c->outbound.user[mid].name);

		if (d == 0)
			return &c->outbound.user[mid];
		if (d < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static bool strings_have(const struct conf_strings *s, struct slice text)
{
	for (int i = 0; i < s->count; i++)
		if (slice_eq(slice_str(s->s[i]), text))
			return true;
	return false;
}

bool conf_domain_may(const struct conf_domain *d, struct slice leg)
{
	return d->legs.count == 0 || strings_have(&d->legs, leg);
}

const struct conf_verdict *conf_verdict(const struct conf *c,
    struct slice name)
{
	for (int i = 0; i < c->verdicts; i++)
		if (slice_eq(slice_str(c->verdict[i].name), name))
			return &c->verdict[i];
	return NULL;
}

bool conf_verdict_has(const struct conf *c, const struct conf_verdict *v,
    struct slice domain)
{
	const struct conf_domain *d;

	if (v->domains.count > 0)
		return strings_have(&v->domains, domain);
	if (v->customer[0] == '\0')
		return true;
	d = conf_domain(c, domain);
	return d != NULL && strcmp(d->customer, v->customer) == 0;
}

bool conf_listen_takes_mail(const struct conf_listen *l)
{
	return !l->closed && l->leg < 0 && l->outbound != OUTBOUND_ONLY;
}

bool conf_verdict_listens(const struct conf_verdict *v,
    const struct conf_listen *l)
{
	if (v->listen.count > 0)
		return strings_have(&v->listen, slice_str(l->name));
	return conf_listen_takes_mail(l);
}
