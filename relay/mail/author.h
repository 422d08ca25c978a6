/* SPDX-License-Identifier: ISC
 *
 * Finds in a header what DMARC asks about: the author's domain, in From (RFC
 * 9989 4.10, RFC 5322 3.6.2), and the domains that signed (RFC 6376 3.5), as
 * far as they may be aligned with it. No signature is verified. Pure.
 */
#ifndef RELAY_MAIL_AUTHOR_H
#define RELAY_MAIL_AUTHOR_H

#include "relay/base/strbuf.h"

enum {
	AUTHOR_DOMAIN_MAX = 253,
	AUTHOR_FIELD_MAX = 16 << 10, /* bytes of a field that is read */
	AUTHOR_FIELDS = 64,  /* signatures that are read */
	AUTHOR_SIGNERS = 4,  /* domains that are kept of them */
	AUTHOR_SIGNERS_MAX = AUTHOR_SIGNERS * (AUTHOR_DOMAIN_MAX + 1),
};

/* The fields that are read, how many Received there are, and what stands behind
 * the header; all borrowed of the message. */
struct author_fields {
	int hops; /* RFC 5321 6.3 */
	struct slice from; /* the last one */
	int froms;
	struct slice signature[AUTHOR_FIELDS];
	int signatures;
	struct slice rest;
};
void author_read(struct slice message, struct author_fields *out);

/* Appends the domain of the one address in the one From field, in normal form.
 * False, and nothing appended: there is none, or it is unclear: several fields
 * or addresses, a group, a literal, no syntax of an address. */
bool author_domain(const struct author_fields *f, struct strbuf *out);

/* Appends the domains of DKIM-Signature fields, one blank apart, in normal
 * form: `from`, which is in normal form, alone where it is among them; else
 * those that may be in one organization with it, as one lies below the other
 * or two labels at the end are the same; the first AUTHOR_SIGNERS of them. */
void author_signers(const struct author_fields *f, struct slice from,
    struct strbuf *out);

/* May `d` and `from` be of one organization? One lies below the other, or two
 * labels at the end are the same. Both in normal form. */
bool domain_may_be_aligned(struct slice d, struct slice from);
/* Is `d` the domain `above`, or a name below it? Both in normal form. */
bool domain_below(struct slice d, struct slice above);

#endif
