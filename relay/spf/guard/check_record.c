/* SPDX-License-Identifier: ISC
 *
 * Reads the records of a check and counts its terms across all of them (RFC
 * 7208 4.4 to 4.6). Pure; any thread.
 */
#include "relay/base/assert.h"
#include "relay/spf/guard/check_int.h"

/* How many records of SPF there are, and one of them. */
static int select_record(const struct spf_answer *a, struct slice *record_out)
{
	struct slice rest = a->records, txt;
	int found = 0;

	while (spf_record_next(&rest, &txt))
		if (spf_record_is(txt)) {
			*record_out = txt;
			found++;
		}
	return found;
}

static void note_used(struct check *c, unsigned letters)
{
	if ((letters & macro_bit('h')) != 0)
		c->reply->used |= SPF_USED_HELO;
	if ((letters & macro_bit('s')) != 0)
		c->reply->used |= SPF_USED_SENDER;
	if ((letters & macro_bit('l')) != 0)
		c->reply->used |= SPF_USED_LOCAL;
}

static struct spf_record *parse(struct check *c, struct slice domain,
    struct slice text)
{
	struct spf_record *r = arena_alloc(c->mem, sizeof(*r));
	struct slice wrong;
	const char *why;

	r->domain = domain;
	PH_ASSERT(c->records < GUARD_RECORDS_MAX);
	c->record[c->records++] = r;
	c->reply->read[c->reply->reads++] = domain;
	if (spf_terms_parse(text, &r->terms, &why, &wrong) != 0) {
		struct spf_term *t = arena_alloc(c->mem, sizeof(*t));

		t->text = wrong;
		r->at = t;
		check_stop(c, SPF_PERMERROR, r, why);
		return NULL;
	}
	note_used(c, r->terms.letters);
	return r;
}

struct spf_record *record_load(struct check *c, struct slice domain,
    const struct spf_record *from, bool *none_out)
{
	const struct spf_answer *a = dns_find(c, SPF_TYPE_TXT, domain);
	struct slice text;
	int found;

	*none_out = false;
	if (a == NULL)
		return NULL;
	if (a->status == SPF_ANSWER_FAILED) {
		check_stop(c, SPF_TEMPERROR, from,
		    "the DNS did not answer for a record");
		return NULL;
	}
	found = select_record(a, &text);
	*none_out = found == 0;
	if (found > 1)
		check_stop(c, SPF_PERMERROR, from,
		    "a domain has more than one record (RFC 7208 4.5)");
	return found == 1 ? parse(c, domain, text) : NULL;
}

static enum spf_type type_of(const struct check *c, const struct spf_term *t)
{
	switch (t->kind) {
	case TERM_A:
		return dns_address_type(c);
	case TERM_MX:
		return SPF_TYPE_MX;
	case TERM_EXISTS:
		return SPF_TYPE_A;
	default:
		return SPF_TYPE_TXT;
	}
}

/* An include may bring terms that use up the limit, so that those behind it
 * are never evaluated: they are asked ahead only when an earlier one of the
 * record has shown itself. */
static bool may_go_ahead(const struct spf_record *r, const struct spf_term *t)
{
	if (t->letters != 0 || t->kind == TERM_PTR)
		return false;
	return (t->kind != TERM_INCLUDE && t->kind != TERM_REDIRECT) ||
	       r->included;
}

void record_ahead(struct check *c, struct spf_record *r,
    const struct spf_term *t)
{
	unsigned left = GUARD_LOOKUPS_MAX - c->lookups;
	const struct spf_term *end = r->end != NULL ? r->end :
				     &r->terms.term[r->terms.count];
	struct slice name;

	for (t++; t < end && left > 0; t++) {
		if (!spf_term_asks(t))
			continue;
		left--;
		if (!may_go_ahead(r, t))
			continue;
		/* It has no macro, so no answer is needed for its name. */
		name_of_term(c, r, t, &name);
		dns_ahead(c, type_of(c, t), name);
	}
}

bool record_begin(struct check *c, struct spf_record *r,
    const struct spf_term *t)
{
	if (check_over(c))
		return false;
	r->at = t;
	if (++c->lookups > GUARD_LOOKUPS_MAX)
		check_stop(c, SPF_PERMERROR, r,
		    "more than 10 terms that ask the DNS (RFC 7208 4.6.4)");
	return !check_over(c);
}
