/* SPDX-License-Identifier: ISC
 *
 * Reads a record of SPF into its terms, by the ABNF of RFC 7208 12, whole: an
 * error anywhere is an error of the record (4.6). Pure; any thread. The record
 * is a stranger's.
 */
#ifndef RELAY_SPF_TERM_H
#define RELAY_SPF_TERM_H

#include "relay/spf/macro.h"

enum {
	SPF_RECORD_MAX = 4096, /* bytes of a record */
	SPF_TERMS_MAX = 100,   /* mechanisms of a record */
};

enum term_kind {
	TERM_ALL,
	TERM_INCLUDE,
	TERM_A,
	TERM_MX,
	TERM_PTR,
	TERM_IP4,
	TERM_IP6,
	TERM_EXISTS,
	TERM_REDIRECT,
	TERM_EXP,
};

struct spf_term {
	enum term_kind kind;
	char qualifier;	      /* one of + - ~ ? */
	struct slice text;    /* as it stands in the record */
	struct slice target;  /* the domain-spec; empty: the current domain */
	unsigned letters;     /* macro_bit() of the macros in it */
	unsigned cidr4, cidr6; /* 32 and 128 where none is given */
	unsigned char addr[16]; /* of TERM_IP4 (4 bytes) and TERM_IP6 */
};

struct spf_terms {
	int count; /* mechanisms, in order */
	struct spf_term term[SPF_TERMS_MAX];
	struct spf_term redirect, exp; /* no target: not there */
	unsigned letters; /* of all but exp */
};

/* Is it a record of SPF, whatever stands in it (RFC 7208 4.5)? */
bool spf_record_is(struct slice txt);
/* All slices borrow from `record`. 0, or -1 with why and the term that is
 * wrong, empty when it is the record as a whole. */
int spf_terms_parse(struct slice record, struct spf_terms *terms_out,
    const char **why_out, struct slice *wrong_out) PH_CHECK;
/* Does it ask the DNS (RFC 7208 4.6.4)? */
bool spf_term_asks(const struct spf_term *t);

#endif
