/* SPDX-License-Identifier: ISC
 *
 * route_plan() against doc/routing.md: every cell of the page's tables, then
 * the rules that no table shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy/route.h"
#include "relay/base/mem.h"
#include "tests/unit/routing_page.h"

enum { LEGACY = PAGE_LEGACY, CLOUD = PAGE_CLOUD };

static const char *const leg_name[] = {"legacy", "cloud"};

/* ---- comparing -------------------------------------------------------- */

static void step_text(const struct plan_step *s, char out[64])
{
	const char *leg = leg_name[s->leg];

	switch (s->what) {
	case PLAN_CREATE:
		snprintf(out, 64, "+%s%s", leg,
		    s->role == ROLE_PRIMARY ? "" : " copy");
		break;
	case PLAN_ROLE:
		snprintf(out, 64, "%s %s", leg,
		    role_text((enum role)s->role));
		break;
	default:
		snprintf(out, 64, "%s %s", leg,
		    s->what == PLAN_SUPERSEDE ? "superseded"
		    : s->what == PLAN_HOLD    ? "held"
		    : s->what == PLAN_RELEASE ? "released"
					      : "parked");
	}
}

static bool cell_names(struct slice cell, const char *step)
{
	struct slice part;

	while (slice_next(&cell, ',', &part))
		if (slice_eq(slice_trim(part), slice_str(step)))
			return true;
	return false;
}

static unsigned cell_count(struct slice cell)
{
	unsigned n = 0;
	struct slice part;

	if (slice_eq(cell, SLICE("-")))
		return 0;
	while (slice_next(&cell, ',', &part))
		n++;
	return n;
}

static void expect(const char *what, struct slice cell,
    const struct plan_step *step, unsigned n)
{
	char text[64];

	for (unsigned i = 0; i < n; i++) {
		step_text(&step[i], text);
		if (!cell_names(cell, text))
			fail_msg("%s: '%s' is not in the cell '%.*s'", what,
			    text, (int)cell.n, cell.p);
	}
	if (n != cell_count(cell))
		fail_msg("%s: %u steps, the cell says '%.*s'", what, n,
		    (int)cell.n, cell.p);
}

/* One cell: all states that it stands for, against all routes. */
static void run_cell(void *arg, const struct page_cell *c)
{
	struct route route[3];
	unsigned routes = page_routes(c->to, route);
	unsigned copies = c->copy.n == 0 ? 1 : c->copy.n;

	(void)arg;
	assert_int_not_equal(routes, 0);
	for (unsigned i = 0; i < routes * c->primary.n * copies; i++) {
		struct plan_step step[PLAN_MAX];
		struct plan_have have[2] = {
		    c->primary.have[i / routes % c->primary.n]};
		unsigned n = 1, steps;
		char what[200];

		if (c->copy.n != 0)
			have[n++] = c->copy.have[i / routes / c->primary.n];
		steps = route_plan(&route[i % routes], false, have, n, step);
		snprintf(what, sizeof(what), "to %.*s, primary %s%s%s",
		    (int)c->to.n, c->to.p, dstate_text(have[0].state),
		    n > 1 ? ", copy " : "",
		    n > 1 ? dstate_text(have[1].state) : "");
		expect(what, c->text, step, steps);
	}
}

static void every_cell_of_the_page_is_what_the_plan_does(void **state)
{
	(void)state;
	assert_int_equal(page_walk(run_cell, NULL), PAGE_CELLS);
}

/* ---- what the tables do not show -------------------------------------- */

static const struct route legacy = {ROUTE_LEGS, 1, {LEGACY}};
static const struct route cloud = {ROUTE_LEGS, 1, {CLOUD}};
static const struct route both = {ROUTE_LEGS, 2, {LEGACY, CLOUD}};
static const struct route none = {ROUTE_REJECT, 0, {0}};

static void a_new_message_gets_the_legs_of_the_route(void **state)
{
	static const struct {
		const struct route *route;
		bool held;
		const char *cell;
		enum dstate state;
	} cases[] = {
	    {&legacy, false, "+legacy", D_QUEUED},
	    {&both, false, "+legacy, +cloud copy", D_QUEUED},
	    {&both, true, "+legacy, +cloud copy", D_HELD},
	    {&none, false, "-", D_NONE},
	    {&none, true, "-", D_NONE},
	};
	struct plan_step step[PLAN_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned n = route_plan(cases[i].route, cases[i].held, NULL, 0,
		    step);

		expect("new", slice_str(cases[i].cell), step, n);
		for (unsigned j = 0; j < n; j++)
			assert_int_equal(step[j].state, cases[i].state);
	}
}

static void a_hold_holds_what_is_open_and_reroutes_nothing(void **state)
{
	static const struct route *const routes[] = {&legacy, &cloud, &both,
		&none};
	static const struct {
		struct plan_have have;
		const char *cell;
	} cases[] = {
	    {{.state = D_QUEUED}, "legacy held"},
	    {{.state = D_DEFERRED}, "legacy held"},
	    {{.state = D_DEFERRED, .uncertain = UNC_POSSIBLE}, "legacy held"},
	    {{.state = D_QUEUED, .pinned = true}, "legacy held"},
	    {{.state = D_QUEUED, .claimed = true}, "-"},
	    {{.state = D_HELD}, "-"},
	    {{.state = D_FROZEN}, "-"},
	    {{.state = D_PARKED}, "-"},
	    {{.state = D_DELIVERED}, "-"},
	};
	struct plan_step step[PLAN_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases) * ARRAY_LEN(routes); i++) {
		size_t at = i / ARRAY_LEN(routes);
		unsigned n = route_plan(routes[i % ARRAY_LEN(routes)], true,
		    &cases[at].have, 1, step);

		expect("held", slice_str(cases[at].cell), step, n);
	}
}

/* All of them, wherever they stand; one that was superseded stands for
 * nothing. */
static void a_hold_looks_at_each_delivery(void **state)
{
	struct plan_have have[] = {
	    {.number = 0, .leg = LEGACY, .state = D_SUPERSEDED},
	    {.number = 1, .leg = LEGACY, .state = D_QUEUED},
	    {.number = 2, .leg = CLOUD, .role = ROLE_COPY,
		.state = D_DEFERRED},
	};
	struct plan_step step[PLAN_MAX];

	(void)state;
	assert_int_equal(route_plan(&both, true, have, 3, step), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(step[i].what, PLAN_HOLD);
		assert_int_equal(step[i].number, i + 1);
		assert_int_equal(step[i].role, have[i + 1].role);
	}
	/* Nothing stands: what the route names waits for the release. */
	assert_int_equal(route_plan(&both, true, have, 1, step), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(step[i].what, PLAN_CREATE);
		assert_int_equal(step[i].state, D_HELD);
		assert_int_equal(step[i].role, i == 0 ? ROLE_PRIMARY
						      : ROLE_COPY);
	}
}

/* A release, and a recipient without a route: replayed mail is let go, in a
 * worker's hand it is not touched, and it is neither parked nor superseded. */
static void replayed_mail_is_released_under_any_route(void **state)
{
	static const struct route *const routes[] = {&cloud, &none};
	struct plan_have have[] = {
	    {.number = 0, .leg = LEGACY, .role = ROLE_COPY, .state = D_HELD,
		.pinned = true},
	    {.number = 1, .leg = LEGACY, .role = ROLE_COPY, .state = D_QUEUED,
		.pinned = true, .claimed = true},
	    {.number = 2, .leg = LEGACY, .role = ROLE_COPY, .state = D_HELD,
		.pinned = true},
	    {.number = 3, .leg = CLOUD, .state = D_DELIVERED},
	};
	struct plan_step step[PLAN_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		assert_int_equal(
		    route_plan(routes[i], false, have, 4, step), 2);
		assert_int_equal(step[0].what, PLAN_RELEASE);
		assert_int_equal(step[0].number, 0);
		assert_int_equal(step[1].what, PLAN_RELEASE);
		assert_int_equal(step[1].number, 2);
	}
}

/* However the primary ended: nothing is created. What a replay ended says
 * nothing of it, and neither does a copy. */
static void a_primary_that_ended_has_no_successor(void **state)
{
	static const struct {
		enum dstate state;
		bool pinned, copy, over;
	} cases[] = {
	    {D_DELIVERED, false, false, true},
	    {D_BOUNCED, false, false, true},
	    {D_DELETED, false, false, true},
	    {D_SUPERSEDED, false, false, false},
	    {D_DELIVERED, true, false, false},
	    {D_BOUNCED, true, false, false},
	    {D_DELIVERED, false, true, false},
	    {D_BOUNCED, false, true, false},
	};
	struct plan_step step[PLAN_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct plan_have have = {.leg = LEGACY,
		    .role = cases[i].copy ? ROLE_COPY : ROLE_PRIMARY,
		    .state = (uint8_t)cases[i].state,
		    .pinned = cases[i].pinned};
		unsigned n = route_plan(&cloud, false, &have, 1, step);

		print_message("case %zu\n", i);
		expect("ended", cases[i].over ? SLICE("-")
					      : SLICE("+cloud"), step, n);
	}
}

/* A route is served when each leg of it has a delivery that counts. */
static void a_route_is_served_leg_by_leg(void **state)
{
	static const struct {
		struct plan_have have[2];
		unsigned n;
		const struct route *route;
		bool served;
	} cases[] = {
	    {{{.leg = LEGACY}}, 1, &legacy, true},
	    {{{.leg = LEGACY}}, 1, &both, false},
	    {{{.leg = CLOUD}}, 1, &both, false},
	    {{{.leg = CLOUD}, {.leg = LEGACY}}, 2, &both, true},
	    {{{.leg = LEGACY, .state = D_SUPERSEDED}}, 1, &legacy, false},
	    {{{.leg = LEGACY, .state = D_PARKED, .no_route = true}}, 1,
		&legacy, false},
	    {{{.leg = LEGACY, .state = D_PARKED}}, 1, &legacy, true},
	    {{{.leg = LEGACY, .state = D_SUPERSEDED}, {.leg = LEGACY}}, 2,
		&legacy, true},
	    {{{.leg = LEGACY}}, 0, &legacy, false},
	    {{{.leg = LEGACY}}, 0, &none, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("case %zu\n", i);
		assert_int_equal(route_served(cases[i].route, cases[i].have,
		    cases[i].n), cases[i].served);
	}
}

/* On one leg: a delivery in flight or open stands for it before what is parked,
 * and that before what is done. */
static void what_is_most_alive_stands_for_a_leg(void **state)
{
	static const struct {
		uint8_t other;
		const char *cell;
	} cases[] = {
	    {D_PARKED, "legacy primary"}, {D_DELIVERED, "legacy primary"},
	    {D_DELETED, "legacy primary"}, {D_SUPERSEDED, "legacy primary"},
	    {D_BOUNCED, "legacy primary"},
	};
	struct plan_step step[PLAN_MAX];

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct plan_have old = {.number = 0, .leg = LEGACY,
		    .role = ROLE_COPY, .state = cases[i / 2].other};
		struct plan_have open = {.number = 1, .leg = LEGACY,
		    .role = ROLE_COPY, .state = D_QUEUED};
		struct plan_have have[2] = {i % 2 ? open : old,
		    i % 2 ? old : open};
		unsigned n = route_plan(&legacy, false, have, 2, step);

		print_message("%s\n", dstate_text(cases[i / 2].other));
		expect("open", slice_str(cases[i / 2].cell), step, n);
		assert_int_equal(step[0].number, 1);
	}
}

/* Parked mail can still be delivered: it rises, and is tried. */
static void what_is_parked_stands_before_what_is_done(void **state)
{
	static const uint8_t done[] = {D_DELIVERED, D_DELETED};
	struct plan_step step[PLAN_MAX];

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(done); i++) {
		struct plan_have over = {.number = 0, .leg = LEGACY,
		    .role = ROLE_COPY, .state = done[i / 2]};
		struct plan_have parked = {.number = 1, .leg = LEGACY,
		    .role = ROLE_COPY, .state = D_PARKED};
		struct plan_have have[2] = {i % 2 ? parked : over,
		    i % 2 ? over : parked};
		unsigned n = route_plan(&legacy, false, have, 2, step);

		expect("parked", SLICE("legacy primary, legacy released"),
		    step, n);
		assert_int_equal(step[0].number, 1);
		assert_int_equal(step[1].number, 1);
	}
}

static void a_replayed_delivery_stays_on_its_leg(void **state)
{
	struct plan_have have[] = {
	    {.number = 0, .leg = CLOUD, .state = D_DELIVERED},
	    {.number = 1, .leg = LEGACY, .role = ROLE_COPY, .state = D_QUEUED,
		.pinned = true},
	};
	struct plan_step step[PLAN_MAX];

	(void)state;
	assert_int_equal(route_plan(&cloud, false, have, 2, step), 0);
	have[1].state = D_HELD;
	expect("pinned", SLICE("legacy released"), step,
	    route_plan(&cloud, false, have, 2, step));
}

static void a_parked_primary_whose_sender_was_told_stays(void **state)
{
	struct plan_have have = {.leg = LEGACY, .state = D_PARKED,
		.dsn_sent = true};
	struct plan_step step[PLAN_MAX];

	(void)state;
	assert_int_equal(route_plan(&cloud, false, &have, 1, step), 0);
	assert_int_equal(route_plan(&none, false, &have, 1, step), 0);
}

/* However routes change, and whatever is in flight: never two primaries, no
 * recipient without a delivery, nothing after a delivered primary. */
static void check_promises(const struct plan_have *have, unsigned n,
    const struct plan_step *step, unsigned steps, bool over)
{
	unsigned primaries = 0, standing = 0;

	for (unsigned i = 0; i < n; i++) {
		uint8_t role = have[i].role, live = have[i].state;

		for (unsigned j = 0; j < steps; j++) {
			if (step[j].what == PLAN_CREATE ||
			    step[j].number != have[i].number)
				continue;
			assert_false(have[i].claimed);
			if (step[j].what == PLAN_ROLE)
				role = step[j].role;
			if (step[j].what == PLAN_SUPERSEDE)
				live = D_SUPERSEDED;
		}
		standing += live != D_SUPERSEDED;
		primaries += role == ROLE_PRIMARY && live != D_SUPERSEDED;
	}
	for (unsigned j = 0; j < steps; j++) {
		if (step[j].what != PLAN_CREATE)
			continue;
		assert_false(over);
		standing++;
		primaries += step[j].role == ROLE_PRIMARY;
	}
	assert_in_range(primaries, 0, 1);
	assert_in_range(standing, 1, 8);
}

/* An administrator deleted the copy, and then its leg alone is the route:
 * nothing stands for the primary, which would be held or circle for ever. */
static void beside_a_deleted_copy_the_primary_is_parked(void **state)
{
	static const uint8_t states[] = {D_QUEUED, D_DEFERRED, D_HELD};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct plan_have have[2] = {
		    {.number = 0, .leg = LEGACY, .role = ROLE_PRIMARY,
			.state = states[i]},
		    {.number = 1, .leg = CLOUD, .role = ROLE_COPY,
			.state = D_DELETED},
		};
		struct plan_step step[PLAN_MAX];

		for (int turn = 0; turn < 2; turn++) {
			struct plan_have first = have[0];

			assert_int_equal(
			    route_plan(&cloud, false, have, 2, step), 1);
			assert_int_equal(step[0].what, PLAN_PARK);
			assert_int_equal(step[0].number, 0);
			have[0] = have[1];
			have[1] = first;
		}
	}
}

/* R3: after a release nothing is held any more. */
static void check_released(const struct plan_have *have, unsigned n,
    const struct plan_step *step, unsigned steps)
{
	for (unsigned i = 0; i < n; i++) {
		bool moves = have[i].state != D_HELD;

		for (unsigned k = 0; k < steps; k++)
			moves = moves || (step[k].number == have[i].number &&
			    (step[k].what == PLAN_RELEASE ||
				step[k].what == PLAN_SUPERSEDE ||
				step[k].what == PLAN_PARK));
		assert_true(moves);
	}
}

static void no_plan_breaks_a_promise(void **state)
{
	static const uint8_t states[] = {D_QUEUED, D_DEFERRED, D_HELD,
		D_FROZEN, D_PARKED, D_DELIVERED, D_DELETED};
	static const struct route reversed = {ROUTE_LEGS, 2, {CLOUD, LEGACY}};
	static const struct route *const routes[] = {&legacy, &cloud, &both,
		&reversed, &none};
	enum { S = ARRAY_LEN(states), ALL = S * S * 4 * ARRAY_LEN(routes) * 2 };

	(void)state;
	for (unsigned i = 0; i < ALL; i++) {
		struct plan_step step[PLAN_MAX];
		unsigned k = i;
		struct plan_have have[2] = {
		    {.number = 0, .leg = LEGACY, .role = ROLE_PRIMARY},
		    {.number = 1, .leg = CLOUD, .role = ROLE_COPY},
		};
		const struct route *route = routes[k % ARRAY_LEN(routes)];
		bool held = (k /= ARRAY_LEN(routes)) % 2 != 0;

		k /= 2;
		have[0].state = states[k % S];
		have[1].state = states[k / S % S];
		k /= S * S;
		have[0].claimed = k % 2 != 0 && have[0].state <= D_DEFERRED;
		have[1].claimed = k / 2 != 0 && have[1].state <= D_DEFERRED;
		k = route_plan(route, held, have, 2, step);
		check_promises(have, 2, step, k,
		    have[0].state == D_DELIVERED ||
			have[0].state == D_DELETED);
		if (!held && !have[0].claimed && !have[1].claimed)
			check_released(have, 2, step, k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_cell_of_the_page_is_what_the_plan_does),
	    cmocka_unit_test(a_new_message_gets_the_legs_of_the_route),
	    cmocka_unit_test(a_hold_holds_what_is_open_and_reroutes_nothing),
	    cmocka_unit_test(a_hold_looks_at_each_delivery),
	    cmocka_unit_test(replayed_mail_is_released_under_any_route),
	    cmocka_unit_test(a_primary_that_ended_has_no_successor),
	    cmocka_unit_test(a_route_is_served_leg_by_leg),
	    cmocka_unit_test(what_is_most_alive_stands_for_a_leg),
	    cmocka_unit_test(what_is_parked_stands_before_what_is_done),
	    cmocka_unit_test(a_replayed_delivery_stays_on_its_leg),
	    cmocka_unit_test(a_parked_primary_whose_sender_was_told_stays),
	    cmocka_unit_test(beside_a_deleted_copy_the_primary_is_parked),
	    cmocka_unit_test(no_plan_breaks_a_promise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
