/* SPDX-License-Identifier: ISC
 *
 * rows: does a route or a setting lead to the server, by whatever name?
 */
#include "relay/cli/verdict/gather.h"

#include <inttypes.h>

#include "policy/route.h"
#include "relay/cli/table/cli_table.h"
#include "relay/cli/verdict/leg_hosts.h"
#include "relay/mail/addr.h"
#include "relay/mail/domain.h"

/* Where a leg leads. */
enum leads { LEADS_ELSEWHERE, LEADS_THERE, LEADS_ALIAS };

struct rows_look {
	struct verdict_look *g;
	enum leads *leg; /* by index of conf.leg */
	bool *used;	 /* by index: a row names it */
	bool *has_row;	 /* by index of conf.domain */
	uint64_t rows;
	/* Routes repeat from row to row. */
	char route[256];
	size_t route_n;
	int fact; /* of that route; -1: none */
};

/* ---- the legs --------------------------------------------------------- */

static void look_at_legs(struct rows_look *l, struct leg_hosts *h)
{
	const struct conf *c = l->g->conf;

	for (int i = 0; i < c->legs; i++) {
		if (i == l->g->leg)
			l->leg[i] = LEADS_THERE;
		else if (h != NULL && leg_hosts_same(h, i, l->g->leg))
			l->leg[i] = LEADS_ALIAS;
	}
}

/* Of the leg itself, and of those that rows name: without an address it may be
 * the same server. */
static void note_missing(struct rows_look *l, const struct leg_hosts *h)
{
	const struct conf *c = l->g->conf;

	for (int i = 0; i < c->legs; i++) {
		const char *name = leg_hosts_missing(h, i);

		if (name != NULL && (i == l->g->leg || l->used[i]))
			gather_fact(l->g, FACT_UNRESOLVED, 0, "%s of %s",
			    name, c->leg[i].name);
	}
}

/* ---- rows ------------------------------------------------------------- */

static bool is_answer(struct slice route)
{
	return slice_eq(route, SLICE("defer")) ||
	       slice_eq(route, SLICE("reject")) ||
	       slice_eq(route, SLICE("gone"));
}

/* The fact that a route is, the worst of its legs; -1: none. */
static int route_fact(struct rows_look *l, struct slice route)
{
	struct slice rest = route, name;
	int fact = -1;

	if (is_answer(route))
		return -1;
	while (rest.n > 0 && slice_next(&rest, '+', &name)) {
		int leg = gather_leg(l->g->conf, name);

		if (leg < 0)
			return FACT_TO_ABSENT;
		l->used[leg] = true;
		if (l->leg[leg] == LEADS_THERE)
			fact = FACT_TO_LEG;
		else if (l->leg[leg] == LEADS_ALIAS && fact < 0)
			fact = FACT_TO_ALIAS;
	}
	return fact;
}

static int cached_fact(struct rows_look *l, struct slice route)
{
	if (route.n == l->route_n && route.n > 0 &&
	    memcmp(route.p, l->route, route.n) == 0)
		return l->fact;
	l->fact = route_fact(l, route);
	l->route_n = route.n <= sizeof(l->route) ? route.n : 0;
	memcpy(l->route, route.p, l->route_n);
	return l->fact;
}

static void note_domain(struct rows_look *l, struct slice domain)
{
	const struct conf_domain *d = conf_domain(l->g->conf, domain);

	if (d != NULL)
		l->has_row[d - l->g->conf->domain] = true;
}

static void on_row(void *arg, const struct verdict_row *r)
{
	struct rows_look *l = arg;
	struct verdict_facts *f = &l->g->f;
	int fact;

	if (r->address.n > 0 && r->address.p[0] == '@')
		note_domain(l, slice_from(r->address, 1));
	if (!gather_has(l->g, r->address))
		return;
	l->rows++;
	fact = cached_fact(l, r->route);
	if (fact >= 0)
		facts_add(f, (enum fact_id)fact, r->address, 0);
	if (r->held)
		facts_add(f, FACT_HELD_ROW, r->address, 0);
}

static void note_domains(struct rows_look *l)
{
	const struct conf *c = l->g->conf;

	for (int i = 0; i < c->domains; i++)
		if (!l->has_row[i] && conf_verdict_has(c, l->g->v,
					  slice_str(c->domain[i].name)))
			gather_fact(l->g, FACT_NO_ROW, 0, "%s",
			    c->domain[i].name);
}

/* ---- settings --------------------------------------------------------- */

/* The first leg of a route that leads to the server; NULL: none. */
static const char *leads_there(const struct rows_look *l,
    const struct route *r)
{
	const struct conf *c = l->g->conf;

	for (unsigned i = 0; r->kind == ROUTE_LEGS && i < r->legs; i++) {
		const struct conf_leg *leg = conf_leg_by_id(c, r->leg[i]);

		if (leg == NULL || l->leg[leg - c->leg] != LEADS_ELSEWHERE)
			return leg == NULL ? "no leg" : leg->name;
	}
	return NULL;
}

/* Mail of ours to an address of ours. */
static int look_at_address(struct rows_look *l, struct table *t,
    const char *setting, const char *address)
{
	struct error err = {0};
	struct decision d;
	struct addr a;
	const char *why, *leg;

	if (addr_parse(slice_str(address), true, &a, &why) < 0)
		return 0;
	memset(&d, 0, sizeof(d));
	if (table_begin(t, &err) < 0) {
		l->g->f.unread[REASON_ROWS] = gather_text(l->g, "%s",
		    err.text);
		return -1;
	}
	route_decide(l->g->conf, t, &a, l->g->f.arena, &d);
	table_end(t);
	leg = leads_there(l, &d.route);
	if (leg != NULL)
		gather_fact(l->g, FACT_SETTING, 0, "%s = %s goes to %s",
		    setting, address, leg);
	return 0;
}

static void look_at_names(struct rows_look *l)
{
	const struct conf *c = l->g->conf;

	for (int i = 0; i < c->legs; i++) {
		const struct conf_leg *leg = &c->leg[i];

		if (l->leg[i] == LEADS_ELSEWHERE)
			continue;
		if (strcmp(c->dsn.via, leg->name) == 0)
			gather_fact(l->g, FACT_SETTING, 0, "dsn.via = %s",
			    leg->name);
		for (int k = 0; k < leg->domains.count; k++)
			gather_fact(l->g, FACT_SETTING, 0,
			    "leg %s has domains = %s", leg->name,
			    leg->domains.s[k]);
		for (int k = 0; k < c->outbound.ways; k++)
			if (c->outbound.way[k] == i)
				gather_fact(l->g, FACT_SETTING, 0,
				    "outbound.use names %s", leg->name);
	}
}

static void look_at_settings(struct rows_look *l)
{
	const struct conf *c = l->g->conf;
	struct table *t = cli_table(l->g->c);

	if (t == NULL) {
		l->g->f.unread[REASON_ROWS] = "the table cannot be read";
		return;
	}
	if (look_at_address(l, t, "postmaster", c->postmaster) == 0 &&
	    c->alarm.mail[0] != '\0')
		look_at_address(l, t, "alarm.mail", c->alarm.mail);
	table_close(t);
	look_at_names(l);
}

/* ---- all of it -------------------------------------------------------- */

void gather_rows(struct verdict_look *g)
{
	struct rows_look l = {.g = g};
	struct error err = {0};
	struct leg_hosts *h = leg_hosts_look(g->conf, &err);

	l.leg = arena_alloc(g->f.arena,
	    (size_t)g->conf->legs * sizeof(*l.leg));
	l.used = arena_alloc(g->f.arena, (size_t)g->conf->legs);
	l.has_row = arena_alloc(g->f.arena, (size_t)g->conf->domains);
	if (h == NULL)
		gather_fact(g, FACT_UNRESOLVED, 0, "%s", err.text);
	look_at_legs(&l, h);
	if (verdict_rows(g->file, on_row, &l, &err) < 0) {
		g->f.unread[REASON_ROWS] = gather_text(g, "%s", err.text);
	} else {
		note_domains(&l);
		look_at_settings(&l);
		g->f.looked[REASON_ROWS] = gather_text(g, "%" PRIu64
		    " %s and the settings, as of change %" PRIu64, l.rows,
		    l.rows == 1 ? "row" : "rows", g->heads.change);
	}
	if (h != NULL)
		note_missing(&l, h);
	leg_hosts_free(h);
}
