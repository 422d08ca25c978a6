/* SPDX-License-Identifier: ISC
 *
 * Hashes of recipients. The base address is the one that the queue hashes
 * (route_base()): without the detail that the domain's `subaddress` begins.
 */
#include "relay/audit/delivered/recipient_key.h"

#include <stdlib.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"
#include "relay/mail/addr.h"

struct separator {
	char *domain;
	char begins;
};

struct separators {
	struct separator *of; /* by domain */
	size_t n;
};

static int by_domain(const void *a, const void *b)
{
	const struct separator *x = a, *y = b;

	return strcmp(x->domain, y->domain);
}

struct separators *separators_new(const struct conf *c)
{
	struct separators *s = NEW(struct separators);

	s->of = NEW_ARRAY(struct separator, c->domains + 1);
	for (int i = 0; i < c->domains; i++)
		if (c->domain[i].subaddress != '\0')
			s->of[s->n++] = (struct separator){
			    mem_strdup(c->domain[i].name),
			    c->domain[i].subaddress};
	qsort(s->of, s->n, sizeof(s->of[0]), by_domain);
	return s;
}

void separators_free(struct separators *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		mem_free(s->of[i].domain);
	mem_free(s->of);
	mem_free(s);
}

static int against(const void *key, const void *member)
{
	const struct slice *domain = key;
	const struct separator *s = member;
	size_t n = strlen(s->domain);
	int d = memcmp(domain->p, s->domain, domain->n < n ? domain->n : n);

	return d != 0 ? d : (domain->n > n) - (domain->n < n);
}

/* '\0' where no detail is told from the rest. */
static char separator_of(const struct separators *s, struct slice domain)
{
	const struct separator *found = bsearch(&domain, s->of, s->n,
	    sizeof(s->of[0]), against);

	return found == NULL ? '\0' : found->begins;
}

static int64_t hash_of(const uint64_t secret[2], struct slice text)
{
	uint64_t h = hash_siphash(secret, text.p, text.n);

	return (int64_t)(h == 0 ? 1 : h); /* 0 stands for "no detail" */
}

/* Appends the base address; false when `address` is one itself. */
static bool base_of(const struct separators *s, struct slice address,
    struct strbuf *out)
{
	long at = slice_rfind(address, '@');
	struct addr a;
	const char *why;
	char begins;

	if (at < 0)
		return false;
	begins = separator_of(s, slice_from(address, (size_t)at + 1));
	return begins != '\0' &&
	       memchr(address.p, begins, (size_t)at) != NULL &&
	       addr_parse(address, true, &a, &why) == 0 &&
	       addr_key(&a, begins, out) &&
	       !slice_eq(strbuf_view(out), address);
}

struct recipient_key recipient_key_text(const struct separators *s,
    const uint64_t secret[2], struct slice address, struct strbuf *base_out)
{
	struct recipient_key key = {hash_of(secret, address), 0};

	if (base_of(s, address, base_out)) {
		key.detail = key.base;
		key.base = hash_of(secret, strbuf_view(base_out));
	} else {
		strbuf_reset(base_out);
		strbuf_addsl(base_out, address);
	}
	return key;
}

struct recipient_key recipient_key(const struct separators *s,
    const uint64_t secret[2], struct slice address)
{
	struct recipient_key key;
	struct strbuf base;

	strbuf_init(&base, 2 * ADDR_MAX);
	key = recipient_key_text(s, secret, address, &base);
	strbuf_fini(&base);
	return key;
}
