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

enum { LEGACY, CLOUD, CELLS = 16, STATES = 4 };

static const char *const leg_name[] = {"legacy", "cloud"};

/* A state as the page names it; several for "queued, uncertain". */
static unsigned states_of(struct slice name, struct plan_have out[STATES])
{
	static const struct {
		const char *name;
		struct plan_have have[STATES - 1];
		unsigned n;
	} known[] = {
	    {"queued, uncertain",
		{{.state = D_QUEUED}, {.state = D_DEFERRED},
		    {.state = D_DEFERRED, .uncertain = UNC_YES}}, 3},
	    {"in flight", {{.state = D_QUEUED, .claimed = true},
		{.state = D_DEFERRED, .claimed = true}}, 2},
	    {"delivered", {{.state = D_DELIVERED}}, 1},
	    {"parked", {{.state = D_PARKED}}, 1},
	    {"released", {{.state = D_HELD}}, 1},
	    {"parked for no route",
		{{.state = D_PARKED, .no_route = true}}, 1},
	    {"bounced", {{.state = D_BOUNCED, .dsn_sent = true},
		{.state = D_BOUNCED}}, 2},
	    {"frozen", {{.state = D_FROZEN}}, 1},
	    {"deleted", {{.state = D_DELETED}}, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!slice_eq(name, slice_str(known[i].name)))
			continue;
		memcpy(out, known[i].have, sizeof(known[i].have));
		return known[i].n;
	}
	return 0;
}

static unsigned routes_of(struct slice name, struct route out[3])
{
	struct route r = {.kind = ROUTE_LEGS};
	struct slice part;

	if (slice_eq(name, SLICE("defer, reject, gone"))) {
		out[0] = (struct route){.kind = ROUTE_DEFER};
		out[1] = (struct route){.kind = ROUTE_REJECT};
		out[2] = (struct route){.kind = ROUTE_GONE};
		return 3;
	}
	while (slice_next(&name, '+', &part)) {
		if (slice_eq(part, SLICE("legacy")))
			r.leg[r.legs++] = LEGACY;
		else if (slice_eq(part, SLICE("cloud")))
			r.leg[r.legs++] = CLOUD;
		else
			return 0;
	}
	out[0] = r;
	return r.legs > 0;
}

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
static void run_cell(struct slice to, struct slice cell,
    const struct plan_have *primary, unsigned primaries,
    const struct plan_have *copy, unsigned copies)
{
	struct route route[3];
	unsigned routes = routes_of(to, route);

	assert_int_not_equal(routes, 0);
	for (unsigned i = 0; i < routes * primaries * copies; i++) {
		struct plan_step step[PLAN_MAX];
		struct plan_have have[2] = {primary[i / routes % primaries]};
		unsigned n = 1, steps;
		char what[200];

		if (copy != NULL)
			have[n++] = copy[i / routes / primaries];
		steps = route_plan(&route[i % routes], false, have, n, step);
		snprintf(what, sizeof(what), "to %.*s, primary %s%s%s",
		    (int)to.n, to.p, dstate_text(have[0].state),
		    n > 1 ? ", copy " : "",
		    n > 1 ? dstate_text(have[1].state) : "");
		expect(what, cell, step, steps);
	}
}

/* ---- reading the page ------------------------------------------------- */

static unsigned cut_row(struct slice line, struct slice cell[CELLS])
{
	unsigned n = 0;

	if (line.n < 2 || line.p[0] != '|')
		return 0;
	line = slice_from(line, 1);
	while (n < CELLS && slice_next(&line, '|', &cell[n]))
		cell[n] = slice_trim(cell[n]), n++;
	return n - 1; /* behind the last bar */
}

static void set_place(struct plan_have *have, unsigned n, uint16_t leg,
    enum role role)
{
	for (unsigned i = 0; i < n; i++) {
		have[i].number = role;
		have[i].leg = leg;
		have[i].role = (uint8_t)role;
	}
}

/* "| legacy | cloud | …": states are columns. */
static unsigned run_single_row(const struct slice *head,
    const struct slice *cell, unsigned n)
{
	struct plan_have have[STATES];
	struct route from[3];

	assert_int_equal(routes_of(cell[0], from), 1);
	for (unsigned i = 2; i < n; i++) {
		unsigned states = states_of(head[i], have);

		assert_int_not_equal(states, 0);
		set_place(have, states, from[0].leg[0], ROLE_PRIMARY);
		run_cell(cell[1], cell[i], have, states, NULL, 1);
	}
	return n - 2;
}

/* "### legacy+cloud to cloud": rows are the primary, columns the copy. */
static unsigned run_dual_row(const struct slice route[2],
    const struct slice *head, const struct slice *cell, unsigned n)
{
	struct plan_have primary[STATES], copy[STATES];
	unsigned primaries = states_of(cell[0], primary);
	struct route from[3];

	assert_int_equal(routes_of(route[0], from), 1);
	assert_int_not_equal(primaries, 0);
	set_place(primary, primaries, from[0].leg[0], ROLE_PRIMARY);
	for (unsigned i = 1; i < n; i++) {
		unsigned copies;

		assert_true(slice_starts(head[i], SLICE("copy ")));
		copies = states_of(slice_from(head[i], 5), copy);
		assert_int_not_equal(copies, 0);
		set_place(copy, copies, from[0].leg[1], ROLE_COPY);
		run_cell(route[1], cell[i], primary, primaries, copy, copies);
	}
	return n - 1;
}

static char *read_page(void)
{
	const char *top = getenv("srcdir");
	char path[500];
	char *text = mem_new(1 << 20);
	FILE *f;

	snprintf(path, sizeof(path), "%s/doc/routing.md",
	    top != NULL ? top : ".");
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s can not be read", path);
	assert_int_not_equal(fread(text, 1, (1 << 20) - 1, f), 0);
	fclose(f);
	return text;
}

static bool dual_heading(struct slice line, struct slice route[2])
{
	long at = -1;

	if (!slice_starts(line, SLICE("### ")))
		return false;
	line = slice_from(line, 4);
	for (size_t i = 0; i + 4 <= line.n; i++)
		if (slice_starts(slice_from(line, i), SLICE(" to ")))
			at = (long)i;
	assert_true(at > 0);
	route[0] = slice_head(line, (size_t)at);
	route[1] = slice_from(line, (size_t)at + 4);
	return true;
}

static void every_cell_of_the_page_is_what_the_plan_does(void **state)
{
	char *text = read_page();
	struct slice rest = slice_str(text), line, route[2] = {{0}};
	struct slice head[CELLS], cell[CELLS];
	unsigned cells = 0, heads = 0, n;

	(void)state;
	while (slice_next(&rest, '\n', &line)) {
		if (dual_heading(line, route))
			continue;
		n = cut_row(line, cell);
		if (n == 0 || slice_starts(cell[0], SLICE("---")))
			continue;
		if (slice_eq(cell[0], SLICE("old")) ||
		    slice_eq(cell[0], SLICE("primary"))) {
			memcpy(head, cell, sizeof(head));
			heads = n;
		} else if (heads == n && slice_eq(head[0], SLICE("old"))) {
			cells += run_single_row(head, cell, n);
		} else if (heads == n) {
			cells += run_dual_row(route, head, cell, n);
		}
	}
	/* 2 by 5 routes with 9 states, 2 by 5 with 5 by 5. */
	assert_int_equal(cells, 90 + 250);
	mem_free(text);
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
		check_promises(have, 2, step,
		    route_plan(route, held, have, 2, step),
		    have[0].state == D_DELIVERED ||
			have[0].state == D_DELETED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_cell_of_the_page_is_what_the_plan_does),
	    cmocka_unit_test(a_new_message_gets_the_legs_of_the_route),
	    cmocka_unit_test(a_hold_holds_what_is_open_and_reroutes_nothing),
	    cmocka_unit_test(a_replayed_delivery_stays_on_its_leg),
	    cmocka_unit_test(a_parked_primary_whose_sender_was_told_stays),
	    cmocka_unit_test(no_plan_breaks_a_promise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
