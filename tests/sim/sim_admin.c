/* SPDX-License-Identifier: ISC
 *
 * The cutover table, changed as the command line does it.
 */
#include "tests/sim/sim_admin.h"

#include <stdio.h>

#include "policy/change/change.h"
#include "tests/sim/sim_witness.h"
#include "tests/sim/sim_leg.h"
#include "tests/sim/sim_task.h"
#include "tests/sim/sim_trace.h"

/* Read once: the scenario changes nothing in it that matters here. */
static struct conf *conf_of_admin(void)
{
	static struct conf *c;
	char path[300];
	struct error err;

	if (c != NULL)
		return c;
	snprintf(path, sizeof(path), "%s/posthouse.conf", daemon_folder());
	c = conf_load(path, names_new(), &err);
	if (c == NULL)
		sim_fail("configuration: %s", err.text);
	return c;
}

static void address_of(int user, char out[40])
{
	if (user < 0)
		snprintf(out, 40, "@corp.example");
	else
		witness_address(user, out);
}

static int leg_in(const char *route, unsigned which)
{
	const char *second = strchr(route, '+');

	if (which == 1 && second == NULL)
		return -1;
	route = which == 0 ? route : second + 1;
	for (int i = 0; i < SIM_LEGS; i++)
		if (strncmp(route, leg_name(i), strlen(leg_name(i))) == 0)
			return i;
	return -1;
}

/* The last value of each row: a change may leave one as it is. */
static struct witness_route rows[SIM_USERS + 1];

static void note(int user, const char *route, int held, uint64_t change)
{
	struct witness_route *r = &rows[user + 1];

	r->at_us = sim_now_us();
	r->user = user;
	r->change = change;
	if (!r->row)
		r->leg[0] = r->leg[1] = -1;
	r->row = true;
	if (route != NULL) {
		r->leg[0] = leg_in(route, 0);
		r->leg[1] = leg_in(route, 1);
	}
	if (held >= 0)
		r->held = held != 0;
	witness_routed(r);
}

static bool stage(struct change *ch, int first, int n,
    const struct change_row *row, struct error *err)
{
	char address[40];

	for (int i = first; i < first + n; i++) {
		address_of(i, address);
		if (change_set(ch, slice_str(address), row, err) < 0)
			return false;
	}
	return true;
}

bool admin_change(int first, int n, const char *route, int held)
{
	static const struct change_by by = {.who = "admin", .host = "sim",
	    .command = "flip", .note = ""};
	struct change_row row = {.route = route, .held = held};
	struct change_how how = {.create = route != NULL, .as_of = -1};
	struct change_done done = {0};
	struct error err = {0};
	struct conf *c = conf_of_admin();
	char path[300];
	struct change *ch;
	bool good;

	snprintf(path, sizeof(path), "%s/cutover.db", daemon_folder());
	ch = change_open(path, c, &err);
	good = ch != NULL && stage(ch, first, n, &row, &err) &&
	       change_commit(ch, &how, &by, &done, &err) == 0;
	if (ch != NULL)
		change_close(ch);
	for (int i = first; good && done.change != 0 && i < first + n; i++)
		note(i, route, held, done.change);
	trace_line("change %llu: rows %d to %d %s held %d %s",
	    (unsigned long long)done.change, first, first + n - 1,
	    route == NULL ? "-" : route, held, good ? "" : err.text);
	return good;
}
