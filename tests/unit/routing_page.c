/* SPDX-License-Identifier: ISC
 *
 * doc/routing.md as data.
 */
#include "tests/unit/routing_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/base/mem.h"

enum { COLUMNS = 16 };

struct walk {
	void (*fn)(void *arg, const struct page_cell *c);
	void *arg;
	struct slice head[COLUMNS];
	unsigned heads;
	struct slice route[2]; /* of the heading: from, to */
};

/* A state as the page names it; several for "queued, uncertain". */
static void states_of(struct slice name, struct page_states *out)
{
	static const struct {
		const char *name;
		struct plan_have have[PAGE_STATES - 1];
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
		memcpy(out->have, known[i].have, sizeof(known[i].have));
		out->n = known[i].n;
		return;
	}
	fail_msg("no state is called '%.*s'", (int)name.n, name.p);
}

unsigned page_routes(struct slice name, struct route out[3])
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
			r.leg[r.legs++] = PAGE_LEGACY;
		else if (slice_eq(part, SLICE("cloud")))
			r.leg[r.legs++] = PAGE_CLOUD;
		else
			return 0;
	}
	out[0] = r;
	return r.legs > 0;
}

static unsigned cut_row(struct slice line, struct slice cell[COLUMNS])
{
	unsigned n = 0;

	if (line.n < 2 || line.p[0] != '|')
		return 0;
	line = slice_from(line, 1);
	while (n < COLUMNS && slice_next(&line, '|', &cell[n]))
		cell[n] = slice_trim(cell[n]), n++;
	return n - 1; /* behind the last bar */
}

static void place(struct page_states *s, uint16_t leg, enum role role)
{
	for (unsigned i = 0; i < s->n; i++) {
		s->have[i].number = role;
		s->have[i].leg = leg;
		s->have[i].role = (uint8_t)role;
	}
}

/* "| legacy | cloud | …": states are columns. */
static unsigned single_row(struct walk *w, const struct slice *cell,
    unsigned n)
{
	struct route from[3];

	assert_int_equal(page_routes(cell[0], from), 1);
	for (unsigned i = 2; i < n; i++) {
		struct page_cell c = {.to = cell[1], .text = cell[i]};

		states_of(w->head[i], &c.primary);
		place(&c.primary, from[0].leg[0], ROLE_PRIMARY);
		w->fn(w->arg, &c);
	}
	return n - 2;
}

/* "### legacy+cloud to cloud": rows are the primary, columns the copy. */
static unsigned dual_row(struct walk *w, const struct slice *cell, unsigned n)
{
	struct route from[3];

	assert_int_equal(page_routes(w->route[0], from), 1);
	for (unsigned i = 1; i < n; i++) {
		struct page_cell c = {.to = w->route[1], .text = cell[i]};

		assert_true(slice_starts(w->head[i], SLICE("copy ")));
		states_of(cell[0], &c.primary);
		states_of(slice_from(w->head[i], 5), &c.copy);
		place(&c.primary, from[0].leg[0], ROLE_PRIMARY);
		place(&c.copy, from[0].leg[1], ROLE_COPY);
		w->fn(w->arg, &c);
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

static unsigned row(struct walk *w, struct slice line)
{
	struct slice cell[COLUMNS];
	unsigned n = cut_row(line, cell);

	if (n == 0 || slice_starts(cell[0], SLICE("---")))
		return 0;
	if (slice_eq(cell[0], SLICE("old")) ||
	    slice_eq(cell[0], SLICE("primary"))) {
		memcpy(w->head, cell, sizeof(w->head));
		w->heads = n;
		return 0;
	}
	if (w->heads != n)
		return 0;
	return slice_eq(w->head[0], SLICE("old")) ? single_row(w, cell, n)
						   : dual_row(w, cell, n);
}

unsigned page_walk(void (*fn)(void *arg, const struct page_cell *c), void *arg)
{
	char *text = read_page();
	struct slice rest = slice_str(text), line;
	struct walk w = {.fn = fn, .arg = arg};
	unsigned cells = 0;

	while (slice_next(&rest, '\n', &line))
		if (!dual_heading(line, w.route))
			cells += row(&w, line);
	mem_free(text);
	return cells;
}
