/* SPDX-License-Identifier: ISC
 *
 * Plans the moves that follow when a route has changed: doc/routing.md as
 * code; tests/unit/test_plan.c runs every cell of its tables. Pure.
 *
 * Why so: deliveries made stay made and only one of a recipient is ever the
 * primary (D3); a delivery is superseded only beside one that stands for it
 * (D1); one in flight is not touched until its result is there.
 */
#include "policy/route.h"

#include "relay/base/assert.h"

struct planning {
	const struct route *route;
	const struct plan_have *have;
	unsigned n;
	struct plan_step *step;
	unsigned steps;
	bool primary_over;    /* delivered, bounced or deleted as primary */
	bool primary_flying;  /* a primary is in flight */
	bool flies_elsewhere; /* … to a leg that the route does not name */
	bool successor;	      /* something stands for what is superseded */
};

static void add(struct planning *p, struct plan_step s)
{
	if (p->steps < PLAN_MAX)
		p->step[p->steps++] = s;
}

static void act(struct planning *p, enum plan_do what,
    const struct plan_have *h, enum role role)
{
	/* One in flight is left alone, and none is superseded without one
	 * that stands for it (D1, D3). */
	PH_ASSERT(!h->claimed);
	PH_ASSERT(what != PLAN_SUPERSEDE || p->successor || p->primary_over);
	add(p, (struct plan_step){what, h->number, h->leg, (uint8_t)role,
		   h->state});
}

static bool is_open(const struct plan_have *h)
{
	return dstate_open((enum dstate)h->state);
}

/* May the plan touch it at all? */
static bool is_ours(const struct plan_have *h)
{
	return !h->claimed && !h->pinned &&
	       dstate_live((enum dstate)h->state);
}

static bool is_target(const struct planning *p, uint16_t leg)
{
	if (p->route->kind != ROUTE_LEGS)
		return false;
	for (unsigned i = 0; i < p->route->legs; i++)
		if (p->route->leg[i] == leg)
			return true;
	return false;
}

/* Deleted counts too: an administrator ended it on purpose, and no flip
 * brings it back. */
static bool ended_primary(const struct plan_have *h)
{
	if (h->role != ROLE_PRIMARY || h->pinned)
		return false;
	return h->state == D_DELIVERED || h->state == D_BOUNCED ||
	       h->state == D_DELETED;
}

static void look_at(struct planning *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct plan_have *h = &p->have[i];

		if (ended_primary(h) || h->dsn_sent)
			p->primary_over = true;
		if (h->claimed && !h->pinned && h->role == ROLE_PRIMARY) {
			p->primary_flying = true;
			p->flies_elsewhere = !is_target(p, h->leg);
		}
	}
}

/* ---- held ------------------------------------------------------------- */

static bool anything_stands(const struct planning *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->have[i].state != D_SUPERSEDED)
			return true;
	return false;
}

/* While held nothing is rerouted; the plan runs again at the release. */
static void hold_all(struct planning *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct plan_have *h = &p->have[i];

		if (!h->claimed &&
		    (h->state == D_QUEUED || h->state == D_DEFERRED))
			act(p, PLAN_HOLD, h, (enum role)h->role);
	}
}

static void release_pinned(struct planning *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct plan_have *h = &p->have[i];

		if (h->pinned && !h->claimed && h->state == D_HELD)
			act(p, PLAN_RELEASE, h, (enum role)h->role);
	}
}

/* A copy that was given up is tried again once all depends on it: its mailbox
 * may not have been there yet. */
static void stay(struct planning *p, const struct plan_have *h, enum role role)
{
	bool rises = h->role != role && role == ROLE_PRIMARY;

	if (h->role != role)
		act(p, PLAN_ROLE, h, role);
	if (h->state == D_HELD ||
	    (h->state == D_PARKED && (h->no_route || rises)))
		act(p, PLAN_RELEASE, h, role);
}

/* ---- the route names no leg ------------------------------------------- */

/* A frozen one stays: an administrator's hand is on it. */
static void park_all(struct planning *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct plan_have *h = &p->have[i];

		if (is_ours(h) && is_open(h) && h->state != D_FROZEN)
			act(p, PLAN_PARK, h, (enum role)h->role);
	}
}

/* ---- the primary is over: nothing is created -------------------------- */

/* A parked primary whose sender was told is itself what stands. */
static void tidy_copies(struct planning *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct plan_have *h = &p->have[i];

		if (!is_ours(h) || h->dsn_sent)
			continue;
		if (is_target(p, h->leg))
			stay(p, h, ROLE_COPY);
		else
			act(p, PLAN_SUPERSEDE, h, (enum role)h->role);
	}
}

/* ---- the primary is still to come ------------------------------------- */

/* How much a delivery on a target's leg stands for it: what is in flight or
 * open before what is parked before what is done. Parked for want of a route
 * stands for nothing now that there is one. */
static int standing(const struct plan_have *h)
{
	if (h->pinned || (h->state == D_PARKED && h->no_route))
		return 0;
	if (h->claimed)
		return 4;
	if (is_open(h))
		return 3;
	if (h->state == D_PARKED)
		return 2;
	return h->state == D_DELIVERED || h->state == D_DELETED ? 1 : 0;
}

static const struct plan_have *on_leg(const struct planning *p, uint16_t leg)
{
	const struct plan_have *best = NULL;

	for (unsigned i = 0; i < p->n; i++) {
		const struct plan_have *h = &p->have[i];

		if (h->leg == leg && standing(h) > 0 &&
		    (best == NULL || standing(h) > standing(best)))
			best = h;
	}
	return best;
}

bool route_served(const struct route *r, const struct plan_have *have,
    unsigned n)
{
	for (unsigned i = 0; r->kind == ROUTE_LEGS && i < r->legs; i++) {
		bool there = false;

		for (unsigned k = 0; k < n && !there; k++)
			there = have[k].leg == r->leg[i] &&
				have[k].state != D_SUPERSEDED &&
				!have[k].no_route;
		if (!there)
			return false;
	}
	return true;
}

static void create(struct planning *p, uint16_t leg, enum role role,
    enum dstate state)
{
	add(p, (struct plan_step){PLAN_CREATE, 0, leg, (uint8_t)role,
		   (uint8_t)state});
	p->successor = true;
}

static void serve_target(struct planning *p, uint16_t leg, enum role role)
{
	const struct plan_have *h = on_leg(p, leg);

	/* Two primaries must never be under way: until the one in flight is
	 * back, all others are copies, and none is made for a leg that it
	 * may turn out not to need. */
	if (p->primary_flying)
		role = ROLE_COPY;
	if (h == NULL) {
		if (!p->flies_elsewhere)
			create(p, leg, role, D_QUEUED);
		return;
	}
	if (h->state != D_DELETED)
		p->successor = true;
	if (is_ours(h))
		stay(p, h, role);
}

static bool stands_on_target(const struct planning *p,
    const struct plan_have *h)
{
	return is_target(p, h->leg) && standing(h) > 0;
}

static void park_elsewhere(struct planning *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct plan_have *h = &p->have[i];

		if (is_ours(h) && is_open(h) && h->state != D_FROZEN &&
		    !is_target(p, h->leg))
			act(p, PLAN_PARK, h, (enum role)h->role);
	}
}

static void reroute(struct planning *p)
{
	const struct route *r = p->route;

	/* It carries the obligation while it flies: copies may go. */
	p->successor = p->primary_flying;
	for (unsigned i = 0; i < r->legs; i++)
		serve_target(p, r->leg[i], i == 0 ? ROLE_PRIMARY : ROLE_COPY);
	for (unsigned i = 0; i < p->n && p->successor; i++) {
		const struct plan_have *h = &p->have[i];

		if (is_ours(h) && !stands_on_target(p, h))
			act(p, PLAN_SUPERSEDE, h, (enum role)h->role);
	}
	/* All that the route names was deleted by an administrator: what is
	 * open elsewhere would wait for ever, and held for no release. */
	if (!p->successor && !p->flies_elsewhere)
		park_elsewhere(p);
}

static void create_held(struct planning *p)
{
	const struct route *r = p->route;

	for (unsigned i = 0; r->kind == ROUTE_LEGS && i < r->legs; i++)
		create(p, r->leg[i], i == 0 ? ROLE_PRIMARY : ROLE_COPY,
		    D_HELD);
}

/* Two primaries must never be under way (D3). */
static bool makes_one_primary(const struct planning *p)
{
	unsigned primaries = 0;

	for (unsigned i = 0; i < p->steps; i++)
		primaries += p->step[i].what == PLAN_CREATE &&
			     p->step[i].role == ROLE_PRIMARY;
	return primaries <= (p->primary_flying ? 0 : 1);
}

unsigned route_plan(const struct route *route, bool held,
    const struct plan_have *have, unsigned n, struct plan_step out[PLAN_MAX])
{
	struct planning p = {
	    .route = route, .have = have, .n = n, .step = out};

	PH_ASSERT(route->kind != ROUTE_LEGS ||
		  (route->legs > 0 && route->legs <= ROUTE_LEGS_MAX));
	look_at(&p);
	if (held && anything_stands(&p)) {
		hold_all(&p);
	} else if (held) {
		create_held(&p);
	} else {
		release_pinned(&p);
		if (route->kind != ROUTE_LEGS)
			park_all(&p);
		else if (p.primary_over)
			tidy_copies(&p);
		else
			reroute(&p);
	}
	PH_ASSERT(p.steps <= PLAN_MAX && makes_one_primary(&p));
	return p.steps;
}
