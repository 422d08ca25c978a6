/* SPDX-License-Identifier: ISC
 *
 * The values of macros (RFC 7208 7.2), and the client's validated names
 * (5.5). Pure; any thread.
 */
#include "relay/spf/guard/check_int.h"

#include <arpa/inet.h>

struct expansion {
	struct check *c;
	const struct spf_record *r;
};

static void add_nibbles(struct slice addr, bool reverse, struct strbuf *to)
{
	for (size_t i = 0; i < 2 * addr.n; i++) {
		size_t at = reverse ? 2 * addr.n - 1 - i : i;
		unsigned char byte = (unsigned char)addr.p[at / 2];

		strbuf_addf(to, "%s%X", i > 0 ? "." : "",
		    at % 2 == 0 ? byte >> 4 : byte & 15U);
	}
}

static void add_octets(struct slice addr, bool reverse, struct strbuf *to)
{
	for (size_t i = 0; i < addr.n; i++)
		strbuf_addf(to, "%s%u", i > 0 ? "." : "", (unsigned char)
		    addr.p[reverse ? addr.n - 1 - i : i]);
}

static void add_client(const struct check *c, bool reverse, struct strbuf *to)
{
	if (c->q->client.n == 4)
		add_octets(c->q->client, reverse, to);
	else
		add_nibbles(c->q->client, reverse, to);
}

/* The answer to the client's reverse name; NULL: the check is over. */
static const struct spf_answer *ptr_find(struct check *c)
{
	const struct spf_answer *a;
	struct strbuf name;

	strbuf_init(&name, MACRO_NAME_MAX);
	add_client(c, true, &name);
	strbuf_adds(&name, c->q->client.n == 4 ? ".in-addr.arpa" :
						 ".ip6.arpa");
	a = dns_find(c, SPF_TYPE_PTR, strbuf_view(&name));
	strbuf_fini(&name);
	return a;
}

/* 0 the name is the domain, 1 it is below it, 2 neither. */
static int rank_of(struct slice name, struct slice domain)
{
	if (slice_case_eq(name, domain))
		return 0;
	return name.n > domain.n && slice_case_ends(name, domain) &&
	       name.p[name.n - domain.n - 1] == '.' ? 1 : 2;
}

/* The addresses of those that would do are all asked for at once. */
static void ahead_of_names(struct check *c, struct slice names,
    struct slice domain, int worst)
{
	struct slice name;

	for (int i = 0; i < GUARD_HOSTS_MAX; i++) {
		if (!spf_record_next(&names, &name))
			return;
		if (rank_of(name, domain) <= worst)
			dns_ahead(c, dns_address_type(c), name);
	}
}

/* The best validated name for a domain, of a rank up to `worst`, and its rank;
 * over `worst`: there is none. An address that is not to be had leaves its
 * name out (5.5). */
static int best_name(struct check *c, const struct spf_record *r,
    struct slice domain, int worst, struct slice *name_out)
{
	const struct spf_answer *ptr = ptr_find(c), *a;
	struct slice rest, name;
	int best = worst + 1;

	if (ptr == NULL)
		return best;
	dns_void(c, r, ptr);
	if (ptr->status != SPF_ANSWER_OK)
		return best;
	rest = ptr->records;
	ahead_of_names(c, rest, domain, worst);
	for (int i = 0; i < GUARD_HOSTS_MAX && best > 0; i++) {
		if (!spf_record_next(&rest, &name))
			break;
		if (rank_of(name, domain) >= best)
			continue;
		a = dns_find(c, dns_address_type(c), name);
		if (a == NULL)
			return best;
		dns_void(c, r, a);
		if (dns_has_client(c, a)) {
			best = rank_of(name, domain);
			*name_out = name;
		}
	}
	return best;
}

bool name_ptr_within(struct check *c, const struct spf_record *r,
    struct slice domain)
{
	struct slice name;

	return best_name(c, r, domain, 1, &name) <= 1;
}

static void add_pretty(const struct check *c, struct strbuf *to)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(c->q->client.n == 4 ? AF_INET : AF_INET6,
	    c->q->client.p, text, sizeof(text)) != NULL)
		strbuf_adds(to, text);
}

static bool add_validated(struct check *c, const struct spf_record *r,
    struct strbuf *to)
{
	struct slice name;

	if (best_name(c, r, r->domain, 2, &name) > 2)
		name = SLICE("unknown");
	strbuf_addsl(to, name);
	return !check_over(c);
}

static bool value_of(void *arg, char letter, struct strbuf *to)
{
	const struct expansion *e = arg;
	const struct spf_request *q = e->c->q;

	if (letter == 's' || letter == 'l')
		strbuf_addsl(to, q->local);
	if (letter == 's')
		strbuf_addc(to, '@');
	if (letter == 's' || letter == 'o')
		strbuf_addsl(to, q->domain);
	if (letter == 'd')
		strbuf_addsl(to, e->r->domain);
	if (letter == 'h')
		strbuf_addsl(to, q->helo);
	if (letter == 'i')
		add_client(e->c, false, to);
	if (letter == 'v')
		strbuf_adds(to, q->client.n == 4 ? "in-addr" : "ip6");
	if (letter == 'c')
		add_pretty(e->c, to);
	if (letter == 't')
		strbuf_addu(to, (uint64_t)e->c->now_s);
	/* RFC 7208 7.2: its own name is not told. */
	if (letter == 'r')
		strbuf_adds(to, "unknown");
	return letter != 'p' || add_validated(e->c, e->r, to);
}

bool name_expand_text(struct check *c, const struct spf_record *r,
    struct slice text, struct strbuf *to)
{
	struct expansion e = {c, r};

	return macro_expand(text, value_of, &e, to);
}

bool name_of_term(struct check *c, const struct spf_record *r,
    const struct spf_term *t, struct slice *name_out)
{
	struct expansion e = {c, r};
	struct strbuf name;
	bool known;

	*name_out = r->domain;
	if (t->target.n == 0)
		return !check_over(c);
	strbuf_init(&name, MACRO_NAME_MAX);
	known = macro_expand_name(t->target, value_of, &e, &name);
	*name_out = slice_of(arena_slicedup(c->mem, strbuf_view(&name)),
	    name.n);
	strbuf_fini(&name);
	return known && !check_over(c);
}
