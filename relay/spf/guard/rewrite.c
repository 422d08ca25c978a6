/* SPDX-License-Identifier: ISC
 *
 * Records for libspf2. Pure; any thread.
 */
#include "relay/spf/guard/rewrite.h"

#include <arpa/inet.h>
#include <stdio.h>

void token_print(const struct token *t, char out[TOKEN_MAX])
{
	/* The last label looks like a domain, or libspf2 warns. */
	snprintf(out, TOKEN_MAX, "%c%02u%03u%04u.x", t->kind,
	    t->record % 100, t->term % 1000, t->host % 10000);
}

static bool cut_number(struct slice *s, size_t digits, unsigned *out)
{
	uint64_t v = 0;
	bool good = s->n >= digits &&
		    slice_uint(slice_head(*s, digits), 9999, &v);

	*out = (unsigned)v;
	*s = slice_from(*s, digits);
	return good;
}

bool token_parse(const char *text, struct token *t)
{
	struct slice s = slice_str(text);

	if (s.n == 0 || strchr("dtxm", s.p[0]) == NULL)
		return false;
	t->kind = s.p[0];
	s = slice_from(s, 1);
	return cut_number(&s, 2, &t->record) && cut_number(&s, 3, &t->term) &&
	       cut_number(&s, 4, &t->host) && slice_eq(s, SLICE(".x"));
}

bool address_within(const void *a, const void *b, unsigned bits)
{
	const unsigned char *x = a, *y = b;
	unsigned rest = bits % 8;

	if (memcmp(x, y, bits / 8) != 0)
		return false;
	return rest == 0 ||
	       ((x[bits / 8] ^ y[bits / 8]) >> (8 - rest)) == 0;
}

bool rewrite_drops(const struct rewrite *r, const struct spf_term *t)
{
	return r->foreign_local &&
	       (t->letters & (macro_bit('s') | macro_bit('l'))) != 0;
}

static void add_token(const struct rewrite *r, char kind, unsigned term,
    struct strbuf *to)
{
	struct token t = {.kind = kind, .record = r->record, .term = term};
	char text[TOKEN_MAX];

	token_print(&t, text);
	strbuf_adds(to, text);
}

/* Zero bits are what libspf2 refuses: the DNS layer sees to them. */
static void add_cidr(const struct rewrite *r, const struct spf_term *t,
    struct strbuf *to)
{
	bool four = r->client.n == 4;
	unsigned bits = four ? t->cidr4 : t->cidr6;

	if (bits > 0 && bits < (four ? 32U : 128U))
		strbuf_addf(to, "%s%u", four ? "/" : "//", bits);
}

/* ptr is wrong in libspf2 in more than one way: the DNS layer judges it, and
 * answers as to `exists`. */
static void add_asking(const struct rewrite *r, const struct spf_term *t,
    struct strbuf *to)
{
	static const char *const names[] = {
		[TERM_INCLUDE] = "include:", [TERM_A] = "a:",
		[TERM_MX] = "mx:", [TERM_PTR] = "exists:",
		[TERM_EXISTS] = "exists:"};

	strbuf_addf(to, " %c%s", t->qualifier, names[t->kind]);
	add_token(r, 't', (unsigned)(t - r->terms->term), to);
	if (t->kind == TERM_A || t->kind == TERM_MX)
		add_cidr(r, t, to);
}

/* Does it match, whatever the DNS says? */
static bool always_matches(const struct rewrite *r, const struct spf_term *t)
{
	if (t->kind == TERM_IP4)
		return r->client.n == 4 &&
		       address_within(r->client.p, t->addr, t->cidr4);
	if (t->kind == TERM_IP6)
		return r->client.n == 16 &&
		       address_within(r->client.p, t->addr, t->cidr6);
	return t->kind == TERM_ALL;
}

static void add_end(const struct rewrite *r, const struct spf_term *t,
    struct strbuf *to)
{
	bool four = t->kind == TERM_IP4;
	unsigned bits = four ? t->cidr4 : t->cidr6;
	char text[INET6_ADDRSTRLEN];

	if (t->kind == TERM_ALL) {
		strbuf_addf(to, " %call", t->qualifier);
		return;
	}
	/* A network of zero bits holds the client: so does its address. */
	if (inet_ntop(four ? AF_INET : AF_INET6, bits > 0 ?
	    (const void *)t->addr : r->client.p, text, sizeof(text)) != NULL)
		strbuf_addf(to, " %c%s:%s", t->qualifier, four ? "ip4" : "ip6",
		    text);
	if (bits > 0)
		strbuf_addf(to, "/%u", bits);
}

const struct spf_term *rewrite_record(const struct rewrite *r,
    struct strbuf *to)
{
	const struct spf_term *end = NULL;
	int asking = 0;

	strbuf_adds(to, "v=spf1");
	/* One more than may ask: the one that is too many stops the check. A
	 * longer record than that is more than libspf2 takes. */
	for (int i = 0; i < r->terms->count && end == NULL &&
	     asking <= GUARD_LOOKUPS_MAX; i++) {
		const struct spf_term *t = &r->terms->term[i];

		if (always_matches(r, t))
			end = t;
		else if (spf_term_asks(t) && !rewrite_drops(r, t)) {
			add_asking(r, t, to);
			asking++;
		}
	}
	strbuf_adds(to, " ?exists:");
	add_token(r, 'm', 0, to);
	if (end != NULL)
		add_end(r, end, to);
	else if (r->terms->redirect.target.n > 0 &&
		 !rewrite_drops(r, &r->terms->redirect)) {
		strbuf_adds(to, " redirect=");
		add_token(r, 't', TOKEN_REDIRECT, to);
	}
	return end;
}
