/* SPDX-License-Identifier: ISC
 *
 * Writes a record anew for libspf2, which gets little right beyond the order
 * of terms: it never sees a name, a macro or a modifier of a stranger. Pure;
 * any thread.
 */
#ifndef RELAY_SPF_GUARD_REWRITE_H
#define RELAY_SPF_GUARD_REWRITE_H

#include "relay/spf/term.h"

enum {
	GUARD_LOOKUPS_MAX = 10, /* terms that ask, of a check (4.6.4) */
	TOKEN_MAX = 16,
	TOKEN_REDIRECT = 999, /* stands for a term's number */
};

/* A name that stands for a term: libspf2 hands it to our DNS layer, which
 * knows the record, the term and the MX host that are meant. */
struct token {
	/* 'd' the domain of a check, 't' a term, 'x' a host of an MX, 'm' the
	 * mark that is reached when no term that asks has matched */
	char kind;
	unsigned record, term, host;
};

void token_print(const struct token *t, char out[TOKEN_MAX]);
bool token_parse(const char *text, struct token *token_out);

struct rewrite {
	const struct spf_terms *terms;
	unsigned record;     /* its number, for the tokens */
	struct slice client; /* 4 or 16 bytes */
	/* RFC 8616 4: a term with %{s} or %{l} never matches a sender whose
	 * local part is not ASCII. */
	bool foreign_local;
};

/* Appends the record. ip4 and ip6 that do not hold the client are left out,
 * and so is all behind a term that matches in any case: that term, or NULL. */
const struct spf_term *rewrite_record(const struct rewrite *r,
    struct strbuf *to);
/* Is the term left out, for its macros? */
bool rewrite_drops(const struct rewrite *r, const struct spf_term *t);
/* Do the first `bits` bits agree? */
bool address_within(const void *a, const void *b, unsigned bits);

#endif
