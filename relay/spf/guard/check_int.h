/* SPDX-License-Identifier: ISC
 *
 * One evaluation of a check, shared by the files of this room. It asks
 * nothing: what the request does not answer is noted in the reply.
 */
#ifndef RELAY_SPF_GUARD_CHECK_INT_H
#define RELAY_SPF_GUARD_CHECK_INT_H

#include "relay/base/mem.h"
#include "relay/spf/guard/rewrite.h"
#include "relay/spf/spf_wire.h"

enum {
	GUARD_RECORDS_MAX = 1 + GUARD_LOOKUPS_MAX,
	GUARD_VOIDS_MAX = 2,  /* RFC 7208 4.6.4 */
	GUARD_HOSTS_MAX = 10, /* of an MX, and names of a PTR (4.6.4) */
	/* Names that may be asked before they are needed. */
	GUARD_AHEAD_MAX = 25,
	GUARD_EXPLANATION_MAX = 400,
};

/* A record that was read. */
struct spf_record {
	struct slice domain; /* lower case; any octet but in a check's own */
	struct spf_terms terms;
	const struct spf_term *at;  /* the last term that asked */
	const struct spf_term *end; /* the one that matches in any case */
	bool past;     /* no term that asks has matched */
	bool included; /* an include of it was evaluated */
	struct spf_record *next; /* where its redirect leads */
};

struct check {
	const struct spf_request *q;
	struct slice domain; /* the request's, in lower case */
	int64_t now_s; /* for %{t} */
	struct arena *mem; /* of the reply's texts, too */
	struct spf_reply *reply;
	struct spf_record *record[GUARD_RECORDS_MAX];
	unsigned records;
	unsigned lookups, voids;
	bool counted[SPF_QUESTIONS_MAX]; /* an answer, among the voids */
	bool explains;	 /* the verdict is there: nothing counts */
	bool missed;	 /* an answer is wanted: the result means nothing */
	/* The end of a check beside its terms: SPF_TEMPERROR or
	 * SPF_PERMERROR, in which record and why. */
	bool stopped;
	enum spf_result result;
	const struct spf_record *where;
	const struct spf_term *term;
	const char *why;
};

/* The first one counts; `where` may be NULL. */
void check_stop(struct check *c, enum spf_result result,
    const struct spf_record *where, const char *why);
/* Nothing more is to be found out. */
static inline bool check_over(const struct check *c)
{
	return c->missed || c->stopped;
}

/* ---- check_dns.c: the answers ---- */

/* NULL: the check is over. A name that cannot be asked has no such domain, and
 * counts as no void lookup. */
const struct spf_answer *dns_find(struct check *c, enum spf_type type,
    struct slice name);
/* Asks unless it is answered; does not end the check. */
void dns_ahead(struct check *c, enum spf_type type, struct slice name);
int dns_count(const struct spf_answer *a);
/* Counts an answer without records, once; past the limit the check is over. */
void dns_void(struct check *c, const struct spf_record *r,
    const struct spf_answer *a);
/* A or AAAA, as the client is. */
enum spf_type dns_address_type(const struct check *c);
/* Is the client among the addresses? */
bool dns_has_client(const struct check *c, const struct spf_answer *a);

/* ---- check_name.c: names, macros, the client's own names ---- */

/* The name that a term is about; false: the check is over. */
bool name_of_term(struct check *c, const struct spf_record *r,
    const struct spf_term *t, struct slice *name_out);
/* The text with its macros expanded, of at most `max` bytes; false: over. */
bool name_expand_text(struct check *c, const struct spf_record *r,
    struct slice text, struct strbuf *to);
/* RFC 7208 5.5: does the client have a validated name within `domain`? */
bool name_ptr_within(struct check *c, const struct spf_record *r,
    struct slice domain);

/* ---- check_record.c: records ---- */

/* Reads the record of `domain`. NULL: the check is over, or there is none and
 * `none_out` says so. */
struct spf_record *record_load(struct check *c, struct slice domain,
    const struct spf_record *from, bool *none_out);
/* A term that asks begins: it is counted, and the record's later targets are
 * asked with it. false: the check is over. */
bool record_begin(struct check *c, struct spf_record *r,
    const struct spf_term *t);
void record_ahead(struct check *c, struct spf_record *r,
    const struct spf_term *t);

/* ---- check_explain.c ---- */

/* RFC 7208 6.2, for a final fail by `r`. */
void explain_fail(struct check *c, const struct spf_record *r);
/* A copy in printable ASCII, at most `max` bytes. */
struct slice explain_clean(struct check *c, struct slice s, size_t max);

#endif
