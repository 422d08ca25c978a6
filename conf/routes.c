/* SPDX-License-Identifier: ISC
 *
 * Routes as the configuration writes them: legs joined by '+', the first of
 * them primary, or an answer at RCPT. Pure; any thread.
 */
#include "conf/check.h"

#include "relay/base/mem.h"

static bool is_answer(struct slice s)
{
	return slice_eq(s, SLICE("defer")) || slice_eq(s, SLICE("reject")) ||
	       slice_eq(s, SLICE("gone"));
}

static void leg_names(const struct conf *c, struct strbuf *out)
{
	for (int i = 0; i < c->legs; i++)
		if (!c->leg[i].egress)
			strbuf_addf(out, "%s%s", out->n == 0 ? "" : ", ",
			    c->leg[i].name);
}

static int check_leg(const struct conf *c, struct slice name,
    struct error *err)
{
	const struct conf_leg *l = conf_leg_by_name(c, name);
	struct strbuf legs;

	if (l != NULL && !l->egress)
		return 0;
	if (l != NULL)
		return error_set(err, "\"%s\" is an egress, and a route names "
				      "legs", l->name);
	strbuf_init(&legs, 200);
	leg_names(c, &legs);
	error_set(err, "there is no leg \"%.*s\"; there is %s",
	    (int)(name.n > 40 ? 40 : name.n), name.p, strbuf_cstr(&legs));
	strbuf_fini(&legs);
	return -1;
}

static bool stands_before(struct slice text, struct slice name)
{
	struct slice token;

	while (slice_next(&text, '+', &token) && token.p != name.p)
		if (slice_eq(slice_trim(token), slice_trim(name)))
			return true;
	return false;
}

static int check_legs(const struct conf *c, struct slice text,
    struct strbuf *out, struct error *err)
{
	struct slice rest = text, token, name;
	int n = 0;

	while (slice_next(&rest, '+', &token)) {
		name = slice_trim(token);
		if (check_leg(c, name, err) != 0)
			return -1;
		if (stands_before(text, token))
			return error_set(err, "leg \"%.*s\" stands twice in "
			    "it; name each leg once", (int)name.n, name.p);
		if (++n > ROUTE_LEGS_MAX)
			return error_set(err, "it has more than %d legs",
			    ROUTE_LEGS_MAX);
		strbuf_adds(out, n == 1 ? "" : "+");
		strbuf_addsl(out, name);
	}
	return 0;
}

char *route_canonical(const struct conf *c, struct arena *arena,
    const char *text, const char *both, struct error *err)
{
	struct slice s = slice_trim(slice_str(text));
	struct strbuf out;
	char *route = NULL;

	if (slice_eq(s, SLICE("both"))) {
		if (both[0] != '\0')
			return arena_strdup(arena, both);
		error_set(err, "\"both\" is not defined here; add both = "
			       "\"LEG+LEG\"");
		return NULL;
	}
	if (s.n == 0 || is_answer(s))
		return arena_slicedup(arena, s);
	strbuf_init(&out, ROUTE_LEGS_MAX * (NAME_BYTES + 1));
	if (check_legs(c, s, &out, err) == 0)
		route = arena_slicedup(arena, strbuf_view(&out));
	strbuf_fini(&out);
	return route;
}

static int route_keeps_to(const struct conf_domain *d, const char *key,
    const char *route, struct error *err)
{
	struct slice rest = slice_str(route), leg;

	if (is_answer(rest))
		return 0;
	while (slice_next(&rest, '+', &leg))
		if (leg.n > 0 && !conf_domain_may(d, leg))
			return error_set(err, "%s = \"%s\" uses the leg "
			    "\"%.*s\", which is not in its legs; add it "
			    "there or take it out of the route", key, route,
			    (int)leg.n, leg.p);
	return 0;
}

int domain_legs_check(const struct conf *c, const struct conf_domain *d,
    struct error *err)
{
	struct error why;

	for (int i = 0; i < d->legs.count; i++) {
		if (check_leg(c, slice_str(d->legs.s[i]), &why) != 0)
			return error_set(err, "legs: %s", why.text);
		for (int k = 0; k < i; k++)
			if (strcmp(d->legs.s[k], d->legs.s[i]) == 0)
				return error_set(err, "legs: \"%s\" stands "
				    "twice; name each leg once",
				    d->legs.s[i]);
	}
	if (route_keeps_to(d, "route", d->route, err) != 0)
		return -1;
	return route_keeps_to(d, "both", d->both, err);
}
