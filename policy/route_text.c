/* SPDX-License-Identifier: ISC
 *
 * Routes as people write them. What is stored is canonical: `both` is
 * expanded when it is written, so a later edit of the configuration changes
 * no row.
 */
#include "policy/route.h"
#include "relay/base/assert.h"

static const char *const answers[] = {
	[ROUTE_DEFER] = "defer",
	[ROUTE_REJECT] = "reject",
	[ROUTE_GONE] = "gone",
};

static void list_legs(const struct conf *c, struct strbuf *out)
{
	for (int i = 0; i < c->legs; i++)
		if (!c->leg[i].egress)
			strbuf_addf(out, "%s%s", out->n == 0 ? "" : ", ",
			    c->leg[i].name);
}

static int no_such_leg(const struct conf *c, struct slice name,
    struct error *err)
{
	const struct conf_leg *leg = conf_leg_by_name(c, name);
	struct strbuf legs;

	if (leg != NULL)
		return error_set(err, "'%s' is an egress, not a leg",
		    leg->name);
	strbuf_init(&legs, 200);
	list_legs(c, &legs);
	error_set(err, "'%.*s' is no leg of the configuration (%s) and none of "
	    "both, defer, reject, gone", (int)slice_head(name, 40).n, name.p,
	    strbuf_cstr(&legs));
	strbuf_fini(&legs);
	return -1;
}

/* A spreadsheet begins cells with a capital by itself: where no leg has the
 * name exactly, case does not count. */
static const struct conf_leg *leg_as_written(const struct conf *c,
    struct slice name)
{
	const struct conf_leg *leg = conf_leg_by_name(c, name);

	for (int i = 0; leg == NULL && i < c->legs; i++)
		if (slice_case_eq(name, slice_str(c->leg[i].name)))
			leg = &c->leg[i];
	return leg;
}

static int add_leg(const struct conf *c, struct slice name,
    struct route *r, struct error *err)
{
	const struct conf_leg *leg;

	name = slice_trim(name);
	leg = leg_as_written(c, name);
	if (leg == NULL || leg->egress)
		return no_such_leg(c, name, err);
	for (unsigned i = 0; i < r->legs; i++)
		if (r->leg[i] == leg->id)
			return error_set(err, "the leg %s stands twice in the "
			    "route", leg->name);
	if (r->legs == ROUTE_LEGS_MAX)
		return error_set(err, "a route has at most %d legs",
		    ROUTE_LEGS_MAX);
	r->leg[r->legs++] = (uint16_t)leg->id;
	return 0;
}

int route_parse(struct slice text, const struct conf *c,
    const struct conf_domain *d, struct route *route_out, struct error *err)
{
	struct route r = {.kind = ROUTE_LEGS};
	struct slice part;

	text = slice_trim(text);
	if (text.n == 0)
		return error_set(err, "the route is empty");
	for (enum route_kind k = ROUTE_DEFER; k <= ROUTE_GONE; k++)
		if (slice_case_eq(text, slice_str(answers[k]))) {
			*route_out = (struct route){.kind = k};
			return 0;
		}
	if (slice_case_eq(text, SLICE("both"))) {
		if (d == NULL || d->both[0] == '\0')
			return error_set(err, "'both' means nothing for this "
			    "domain: the configuration has no `both` for it");
		text = slice_str(d->both);
	}
	while (slice_next(&text, '+', &part))
		if (add_leg(c, part, &r, err) < 0)
			return -1;
	*route_out = r;
	return 0;
}

void route_print(const struct route *r, const struct names *n,
    struct strbuf *out)
{
	if (r->kind != ROUTE_LEGS) {
		strbuf_adds(out, r->kind == ROUTE_NONE ? "" : answers[r->kind]);
		return;
	}
	for (unsigned i = 0; i < r->legs; i++)
		strbuf_addf(out, "%s%s", i == 0 ? "" : "+",
		    names_text(n, r->leg[i]));
}

bool route_without(struct route *r, int leg)
{
	unsigned kept = 0;

	if (r->kind != ROUTE_LEGS)
		return true;
	for (unsigned i = 0; i < r->legs; i++)
		if (r->leg[i] != leg)
			r->leg[kept++] = r->leg[i];
	r->legs = kept;
	if (kept == 0)
		r->kind = ROUTE_NONE;
	return kept != 0;
}

static const char *const rule_names[DECISION_RULES] = {
	[RULE_RELAY] = "relay",
	[RULE_ADDRESS] = "address",
	[RULE_SUBADDRESS] = "subaddress",
	[RULE_DOMAIN] = "domain",
	[RULE_UNKNOWN] = "unknown",
	[RULE_POSTMASTER] = "postmaster",
	[RULE_LEG_DOMAIN] = "leg-domain",
	[RULE_ONWARD] = "onward",
	[RULE_RETURN] = "return",
	[RULE_SRS] = "srs",
	[RULE_TABLE] = "table",
};

const char *rule_name(enum decision_rule rule)
{
	PH_ASSERT(rule < DECISION_RULES);
	return rule_names[rule];
}
