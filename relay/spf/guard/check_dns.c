/* SPDX-License-Identifier: ISC
 *
 * Finds answers of the DNS in the request, notes the questions that it lacks,
 * and counts (RFC 7208 4.6.4, 11.1). Pure; any thread.
 */
#include "relay/spf/guard/check_int.h"

void check_stop(struct check *c, enum spf_result result,
    const struct spf_record *where, const char *why)
{
	if (check_over(c))
		return;
	c->stopped = true;
	c->result = result;
	c->where = where;
	c->term = where != NULL ? where->at : NULL;
	c->why = why;
}

static const struct spf_answer *answer_of(const struct check *c,
    enum spf_type type, struct slice name)
{
	for (int i = 0; i < c->q->answers; i++)
		if (c->q->answer[i].type == type &&
		    slice_case_eq(c->q->answer[i].name, name))
			return &c->q->answer[i];
	return NULL;
}

static bool is_asked(const struct check *c, enum spf_type type,
    struct slice name)
{
	for (int i = 0; i < c->reply->questions; i++)
		if (c->reply->question[i].type == type &&
		    slice_case_eq(c->reply->question[i].name, name))
			return true;
	return false;
}

static int asked(const struct check *c)
{
	return c->q->answers + c->reply->questions;
}

static void ask(struct check *c, enum spf_type type, struct slice name)
{
	char *copy;

	if (is_asked(c, type, name))
		return;
	copy = arena_slicedup(c->mem, name);
	for (size_t i = 0; i < name.n; i++)
		copy[i] = ascii_lower(copy[i]);
	c->reply->question[c->reply->questions++] =
	    (struct spf_question){type, slice_of(copy, name.n)};
}

const struct spf_answer *dns_find(struct check *c, enum spf_type type,
    struct slice name)
{
	static const struct spf_answer no_name = {
	    .status = SPF_ANSWER_NXDOMAIN};
	const struct spf_answer *a = answer_of(c, type, name);

	if (check_over(c))
		return NULL;
	if (a != NULL)
		return a;
	if (!macro_name_valid(name))
		return &no_name;
	if (asked(c) >= SPF_QUESTIONS_MAX) {
		check_stop(c, SPF_PERMERROR, NULL,
		    "more than 50 questions to the DNS");
		return NULL;
	}
	ask(c, type, name);
	c->missed = true;
	return NULL;
}

void dns_ahead(struct check *c, enum spf_type type, struct slice name)
{
	if (asked(c) < GUARD_AHEAD_MAX && macro_name_valid(name) &&
	    answer_of(c, type, name) == NULL)
		ask(c, type, name);
}

int dns_count(const struct spf_answer *a)
{
	struct slice rest = a->records, record;
	int n = 0;

	while (spf_record_next(&rest, &record))
		n++;
	return n;
}

void dns_void(struct check *c, const struct spf_record *r,
    const struct spf_answer *a)
{
	/* A name that was not asked has none in its answer. */
	if (c->explains || a->name.n == 0 ||
	    a->status == SPF_ANSWER_FAILED || a->records.n > 0)
		return;
	if (c->counted[a - c->q->answer])
		return;
	c->counted[a - c->q->answer] = true;
	if (++c->voids > GUARD_VOIDS_MAX)
		check_stop(c, SPF_PERMERROR, r,
		    "more than 2 names without an answer (RFC 7208 4.6.4)");
}

enum spf_type dns_address_type(const struct check *c)
{
	return c->q->client.n == 4 ? SPF_TYPE_A : SPF_TYPE_AAAA;
}

bool dns_has_client(const struct check *c, const struct spf_answer *a)
{
	struct slice rest = a->records, record;

	while (spf_record_next(&rest, &record))
		if (slice_eq(record, c->q->client))
			return true;
	return false;
}
