/* SPDX-License-Identifier: ISC
 *
 * A look at a slice. Members have few different pairs of routes, so the last
 * pair is remembered.
 */
#include "relay/cutover/brake/brake_look.h"

#include <stdio.h>

#include "policy/route.h"
#include "policy/row.h"
#include "relay/audit/delivered/outcome_reader.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"

enum { NOT_ASKED = -2, ROUTE_BYTES = 512 };

/* Legs by their numbers of `names`. */
struct leg_set {
	unsigned n;
	int leg[ROUTE_LEGS_MAX];
};

struct slice_look {
	const struct brake_legs *legs;
	const struct brake_asked *q;
	struct brake_seen *seen;
	struct outcome_reader *reader;
	int number[NAMES_MAX]; /* in ledger.db; -1: it has none */
	bool fresh_leg[NAMES_MAX];
	/* Of the last member. */
	const struct conf_domain *domain;
	char was[ROUTE_BYTES], gave[ROUTE_BYTES];
	struct leg_set fresh, old;
	struct error *err;
	bool failed;
};

/* ---- legs -------------------------------------------------------------- */

static bool has_leg(const struct route *r, int leg)
{
	for (unsigned i = 0; i < r->legs; i++)
		if (r->leg[i] == leg)
			return true;
	return false;
}

/* The legs of `r` that `other` has not; all, where it has them all. */
static void difference(const struct route *r, const struct route *other,
    struct leg_set *out)
{
	out->n = 0;
	for (unsigned i = 0; i < r->legs; i++)
		if (!has_leg(other, r->leg[i]))
			out->leg[out->n++] = r->leg[i];
	for (unsigned i = 0; out->n == 0 && i < r->legs; i++)
		out->leg[i] = r->leg[i];
	if (out->n == 0)
		out->n = r->legs;
}

static int parse(struct slice_look *l, const struct soak_member *m)
{
	const struct conf *c = l->legs->conf;
	struct route was = {0}, gave;

	if ((m->was[0] != '\0' && route_parse(slice_str(m->was), c, l->domain,
	    &was, l->err) < 0) || route_parse(slice_str(m->gave), c,
	    l->domain, &gave, l->err) < 0)
		return -1;
	difference(&gave, &was, &l->fresh);
	difference(&was, &gave, &l->old);
	for (unsigned i = 0; i < l->fresh.n; i++)
		l->fresh_leg[l->fresh.leg[i]] = true;
	snprintf(l->was, sizeof(l->was), "%s", m->was);
	snprintf(l->gave, sizeof(l->gave), "%s", m->gave);
	return 0;
}

static int take_routes(struct slice_look *l, const struct soak_member *m)
{
	const struct conf_domain *d = conf_domain(l->legs->conf,
	    row_domain(m->address));

	if (d == l->domain && strcmp(m->was, l->was) == 0 &&
	    strcmp(m->gave, l->gave) == 0)
		return 0;
	l->domain = d;
	return parse(l, m);
}

static int number_of(struct slice_look *l, int leg)
{
	if (l->number[leg] == NOT_ASKED)
		l->number[leg] = outcome_reader_leg(l->reader,
		    names_text(l->legs->names, leg));
	return l->number[leg];
}

/* ---- sums -------------------------------------------------------------- */

static void add(struct soak_counts *to, const struct outcome_sum *s)
{
	to->delivered += s->delivered;
	to->failed += s->failed;
	to->trouble += s->trouble;
}

static int add_recipient(struct slice_look *l, const struct leg_set *legs,
    struct outcome_of of, struct outcome_sum *sum)
{
	for (unsigned i = 0; i < legs->n; i++) {
		of.leg = number_of(l, legs->leg[i]);
		if (of.leg >= 0 &&
		    outcome_reader_add(l->reader, &of, sum, l->err) < 0)
			return -1;
	}
	return 0;
}

static struct outcome_of before(const struct brake_asked *q)
{
	int64_t day = q->from_us / DAY_US;

	return (struct outcome_of){.from = day - BASELINE_DAYS, .to = day,
	    .since_us = INT64_MAX};
}

static int add_member(struct slice_look *l, int64_t recipient)
{
	struct outcome_of of = {.recipient = recipient,
	    .from = l->q->from_us / DAY_US, .to = INT64_MAX,
	    .since_us = l->q->since_us};
	struct outcome_sum now = {0}, base = {0};

	if (add_recipient(l, &l->fresh, of, &now) < 0)
		return -1;
	add(&l->seen->counts, &now);
	l->seen->users += now.lately;
	if (!l->q->baseline)
		return 0;
	of = before(l->q);
	of.recipient = recipient;
	if (add_recipient(l, &l->old, of, &base) < 0)
		return -1;
	add(&l->seen->base, &base);
	return 0;
}

static void on_member(void *arg, const struct soak_member *m)
{
	struct slice_look *l = arg;
	struct strbuf base;

	if (l->failed || take_routes(l, m) < 0) {
		l->failed = true;
		return;
	}
	strbuf_init(&base, 2 * ADDR_MAX);
	/* A domain's row is no recipient. */
	if (route_base(l->legs->conf, m->address, &base))
		l->failed = add_member(l, outcome_reader_key(l->reader,
		    strbuf_view(&base))) < 0;
	strbuf_fini(&base);
}

/* The share of all at the new legs, where the members' own says little. */
static int add_legs(struct slice_look *l)
{
	struct outcome_of of = before(l->q);
	struct brake_seen *s = l->seen;
	struct outcome_sum sum = {0};

	for (int leg = 0; leg < NAMES_MAX; leg++) {
		of.leg = l->fresh_leg[leg] ? number_of(l, leg) : -1;
		if (of.leg >= 0 &&
		    outcome_reader_add_leg(l->reader, &of, &sum, l->err) < 0)
			return -1;
	}
	if (sum.delivered + sum.failed <= s->base.delivered + s->base.failed)
		return 0;
	s->of_leg = true;
	s->base = (struct soak_counts){0};
	add(&s->base, &sum);
	return 0;
}

static int look(struct slice_look *l)
{
	const struct soak_members to = {on_member, l};
	struct brake_seen *s = l->seen;

	if (soak_members(l->q->file, l->q->wave, l->q->slice, &to,
		l->err) < 0 || l->failed)
		return -1;
	for (int leg = 0; leg < NAMES_MAX; leg++)
		if (l->fresh_leg[leg] && l->legs->shut(l->legs->arg, leg))
			s->shut = true;
	return l->q->baseline &&
	       s->base.delivered + s->base.failed < BRAKE_BASELINE
		   ? add_legs(l) : 0;
}

int brake_look(const struct brake_legs *legs, const struct brake_asked *q,
    struct brake_seen *seen_out, struct error *err)
{
	struct slice_look l = {.legs = legs, .q = q, .seen = seen_out,
	    .err = err};
	int rc;

	*seen_out = (struct brake_seen){0};
	l.reader = outcome_reader_open(legs->conf, err);
	if (l.reader == NULL)
		return -1;
	for (int i = 0; i < NAMES_MAX; i++)
		l.number[i] = NOT_ASKED;
	seen_out->since_us = outcome_reader_since(l.reader);
	rc = look(&l);
	outcome_reader_close(l.reader);
	return rc;
}
