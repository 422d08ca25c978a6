/* SPDX-License-Identifier: ISC
 *
 * Every cell of doc/routing.md through the real queue thread and journal: the
 * deliveries stand as the cell says, the table changes, the queue is told,
 * and what follows is held against the page, in memory and on disk. What is
 * in flight may also end before the queue hears of the change: then the
 * record of its result holds what the page says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/post/delivery_ref.h"
#include "tests/unit/daemon_rig.h"
#include "tests/unit/routing_page.h"

enum { HAVE_MAX = 2 };

struct scene {
	struct drig *r;
	uint64_t id;
	const struct plan_have *have[HAVE_MAX];
	unsigned n;
	struct slice cell;
	char what[200];
	const struct plan_have *back; /* was in flight, and … */
	enum dstate ended;	      /* … is so by now */
};

static int setup(void **state)
{
	struct drig *r = drig_new();

	/* Nothing is started: the states stay as they are set. */
	for (int i = 0; i < names_count(r->shared.names); i++)
		ledger_gate(r->shared.ledger, i, GATE_STOP, true);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	drig_free(*state);
	return 0;
}

/* ---- before ---- */

static struct spool_delivery delivery_of(const struct drig *r,
    const struct plan_have *h)
{
	struct spool_delivery d = drig_delivery(r, 0,
	    h->leg == PAGE_LEGACY ? r->legacy : r->cloud, (enum role)h->role,
	    (enum dstate)h->state);

	d.uncertain = h->uncertain;
	d.flags = h->dsn_sent ? DF_DSN_SENT : 0;
	d.reason = h->no_route ? WHY_NO_ROUTE : WHY_NONE;
	if (h->state == D_DEFERRED)
		d.due_us = d.created_us + INT64_C(3000000000);
	return d;
}

static void put(struct scene *s)
{
	struct spool_delivery d[HAVE_MAX];

	for (unsigned i = 0; i < s->n; i++)
		d[i] = delivery_of(s->r, s->have[i]);
	s->id = drig_accept(s->r, "sue@elsewhere.example", 1, d, s->n);
	for (unsigned i = 0; i < s->n; i++)
		if (s->have[i]->claimed)
			assert_true(queue_claim(queue_thread_queue(
			    s->r->queue_thread), s->id, i));
}

/* ---- after ---- */

static bool says(const struct scene *s, const char *leg, const char *what)
{
	struct slice rest = s->cell, part;
	char text[64];

	snprintf(text, sizeof(text), "%s %s", leg, what);
	while (slice_next(&rest, ',', &part))
		if (slice_eq(slice_trim(part), slice_str(text)))
			return true;
	return false;
}

static unsigned created(const struct scene *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s->cell.n; i++)
		n += s->cell.p[i] == '+' &&
		     (i == 0 || s->cell.p[i - 1] == ' ');
	return n;
}

static void expect(const struct scene *s, const char *what, int is, int wanted)
{
	if (is != wanted)
		fail_msg("%s: the cell '%.*s', but %s is %d and not %d",
		    s->what, (int)s->cell.n, s->cell.p, what, is, wanted);
}

static const char *leg_of(const struct plan_have *h)
{
	return h->leg == PAGE_LEGACY ? "legacy" : "cloud";
}

static enum dstate state_after(const struct scene *s,
    const struct plan_have *h)
{
	if (h == s->back)
		return s->ended;
	if (says(s, leg_of(h), "superseded"))
		return D_SUPERSEDED;
	if (says(s, leg_of(h), "parked"))
		return D_PARKED;
	return says(s, leg_of(h), "released") ? D_QUEUED
					       : (enum dstate)h->state;
}

static void check_old(const struct scene *s, uint32_t number)
{
	const struct plan_have *h = s->have[number];
	struct delivery_ref is = drig_item(s->r, s->id, number);
	enum role role = (enum role)h->role;

	if (says(s, leg_of(h), "primary"))
		role = ROLE_PRIMARY;
	else if (says(s, leg_of(h), "copy"))
		role = ROLE_COPY;
	expect(s, "the state", is.state, state_after(s, h));
	expect(s, "the role", (int)is.role, (int)role);
	if (says(s, leg_of(h), "parked"))
		expect(s, "the reason", is.reason, WHY_NO_ROUTE);
}

static void check_new(const struct scene *s, uint32_t number)
{
	struct delivery_ref is = drig_item(s->r, s->id, number);
	const char *leg = is.leg == s->r->legacy ? "+legacy" : "+cloud";
	struct slice rest = s->cell, part;
	bool primary = false;

	expect(s, "a new one's state", is.state, D_QUEUED);
	while (slice_next(&rest, ',', &part))
		primary |= slice_eq(slice_trim(part), slice_str(leg));
	expect(s, "a new one's role", is.role == ROLE_PRIMARY, primary);
	expect(s, "a new one on the page", primary || says(s, leg, "copy"), 1);
}

/* Over with all of its deliveries: no table has it any more. */
static bool all_over(const struct scene *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (dstate_live(state_after(s, s->have[i])))
			return false;
	return created(s) == 0;
}

static void check(const struct scene *s)
{
	struct queue_row rows[8];
	unsigned n = queue_message(queue_thread_queue(s->r->queue_thread),
	    s->id, rows,
	    ARRAY_LEN(rows));

	expect(s, "the number of deliveries", (int)n,
	    all_over(s) ? 0 : (int)(s->n + created(s)));
	for (uint32_t i = 0; i < n; i++) {
		if (i < s->n)
			check_old(s, i);
		else
			check_new(s, i);
	}
}

/* ---- a cell ---- */

static const char *route_name(const struct route *route)
{
	static const char *const kinds[] = {[ROUTE_DEFER] = "defer",
	    [ROUTE_REJECT] = "reject", [ROUTE_GONE] = "gone"};
	bool legacy = route->leg[0] == PAGE_LEGACY;

	if (route->kind != ROUTE_LEGS)
		return kinds[route->kind];
	if (route->legs == 1)
		return legacy ? "legacy" : "cloud";
	return legacy ? "legacy+cloud" : "cloud+legacy";
}

static void name_it(struct scene *s)
{
	snprintf(s->what, sizeof(s->what), "%s%s%s",
	    dstate_text((enum dstate)s->have[0]->state), s->n > 1 ? ", " : "",
	    s->n > 1 ? dstate_text((enum dstate)s->have[1]->state) : "");
}

static void run(struct scene *s, const struct route *route)
{
	struct drig *r = s->r;

	put(s);
	drig_change(r, route_name(route), false);
	/* One in flight alone would only be looked at when it is back. */
	queue_thread_drain(r->queue_thread);
	queue_stale(queue_thread_queue(r->queue_thread), s->id);
	drig_pump(r);
	check(s);
	for (uint32_t i = 0; i < 8; i++)
		queue_unclaim(queue_thread_queue(r->queue_thread), s->id, i,
		    false);
}

/* Those before are put away, so that a change walks one message. */
static void put_away(struct drig *r, uint64_t id)
{
	struct spool_op *op = spool_op_new();
	struct queue_row rows[8];
	struct spool_update u[8];
	unsigned n = queue_message(queue_thread_queue(r->queue_thread), id,
	    rows,
	    ARRAY_LEN(rows));

	for (unsigned i = 0; i < n; i++) {
		rows[i].item.state = D_DELETED;
		u[i] = (struct spool_update){.delivery = rows[i].item.number,
		    .to = delivery_ref_written(&rows[i].item)};
	}
	spool_op_update(op, id, clock_wall_us(r->shared.clock), u, n);
	spool_post(r->shared.spool, op);
	for (unsigned i = 0; i < n; i++)
		queue_set(queue_thread_queue(r->queue_thread), id,
		    &rows[i].item);
	drig_pump(r);
}

/* The attempt of one in flight ends. */
static void report(const struct scene *s, uint32_t number)
{
	const struct plan_have *h = s->have[number];
	struct result res = s->ended == D_DELIVERED
	    ? drig_result(OUT_DELIVERED, 250, "ok")
	    : drig_result(OUT_DEFERRED, 450, "later");
	struct worker_job *j =
	    jobs_make(s->r->queue_thread, s->id, &number, 1);

	j->leg = h->leg == PAGE_LEGACY ? s->r->legacy : s->r->cloud;
	j->role = (enum role)h->role;
	drig_report(s->r, j, WHY_ATTEMPT, &res, 1);
	queue_thread_step(s->r->queue_thread);
}

/* The queue hears of the change when the result is there. */
static void run_late(struct scene *s, const struct route *route,
    uint32_t number)
{
	static const enum dstate ends[] = {D_DEFERRED, D_DELIVERED};
	struct drig *r = s->r;

	s->back = s->have[number];
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		s->ended = ends[i];
		put(s);
		r->began = drig_word(r);
		drig_flip(r, route_name(route), false);
		report(s, number);
		drig_pump(r);
		check(s);
		put_away(r, s->id);
	}
}

static void run_cell(void *arg, const struct page_cell *c)
{
	struct route route[3];
	unsigned routes = page_routes(c->to, route);
	unsigned copies = c->copy.n == 0 ? 1 : c->copy.n;

	for (unsigned i = 0; i < routes * c->primary.n * copies; i++) {
		struct scene s = {.r = arg, .n = 1, .cell = c->text,
		    .have = {&c->primary.have[i / routes % c->primary.n]}};

		if (c->copy.n != 0)
			s.have[s.n++] =
			    &c->copy.have[i / routes / c->primary.n];
		name_it(&s);
		run(&s, &route[i % routes]);
		put_away(arg, s.id);
		for (uint32_t k = 0; k < s.n; k++)
			if (s.have[k]->claimed)
				run_late(&s, &route[i % routes], k);
	}
}

static void every_cell_of_the_page_is_what_the_queue_does(void **state)
{
	assert_int_equal(page_walk(run_cell, *state), PAGE_CELLS);
	drig_check(*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		every_cell_of_the_page_is_what_the_queue_does, setup,
		teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
