/* SPDX-License-Identifier: ISC
 *
 * Plays a scenario: a task of the world that makes its events happen, looks
 * on meanwhile, and at the end heals everything and waits until all mail came
 * to an end.
 */
#include <stdio.h>
#include <stdlib.h>

#include "relay/base/attr.h"
#include "relay/queue/ledger.h"
#include "tests/sim/sim_admin.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_inspect.h"
#include "tests/sim/sim_recount.h"
#include "tests/sim/sim_witness.h"
#include "tests/sim/sim_leg.h"
#include "tests/sim/sim_scenario.h"
#include "tests/sim/sim_sender.h"
#include "tests/sim/sim_task.h"
#include "tests/sim/sim_trace.h"

#define S_US INT64_C(1000000)
enum { LOOK_MS = 500, QUIET_LOOKS = 20 };
/* Longer than any lifetime, with the time that a leg was down added. */
#define PATIENCE_US (6 * 3600 * S_US)

static struct {
	uint64_t seed;
	const struct sim_event *e;
	unsigned n;
	const bool *keep;
	bool over;
} run;

/* ---- starts and ends ---- */

/* Attempts whose results are not on disk yet may be made again. */
/* A slow leg answers up to so long after it took a mail. */
enum { CRASH_DOUBT_S = 30, STOP_DOUBT_S = 130, SYNC_DOUBT_S = 3600 };

static void doubt(int seconds)
{
	witness_doubt(sim_now_us() - seconds * S_US);
}

static void note_failed_sync(void)
{
	if (!sim_disk_failed())
		return;
	witness_sync_failed();
	doubt(SYNC_DOUBT_S);
}

static void restart(void)
{
	if (daemon_up()) {
		recount_read();
		recount_pause();
		note_failed_sync();
		doubt(STOP_DOUBT_S);
		daemon_stop();
		doubt(STOP_DOUBT_S);
	}
	sim_disk_heal();
	witness_trouble(TROUBLE_DISK, false);
	daemon_start();
	witness_trouble(TROUBLE_START, false);
}

static void crash(enum fake_cut how, uint64_t seed)
{
	recount_read();
	recount_forget();
	note_failed_sync();
	doubt(CRASH_DOUBT_S);
	daemon_crash(how, seed);
	daemon_start();
	witness_trouble(TROUBLE_START, false);
}

/* ---- events ---- */

static struct mood mood_drawn(uint32_t from)
{
	static const int numbers[] = {421, 450, 451, 452, 550, 554, 552};
	struct mood m = {.kind = from % 3 == 0 ? MOOD_UP
			     : (enum mood_kind)(from / 3 % MOODS),
	    .stage = (enum leg_stage)(from / 64 % AT_STAGES)};

	m.number = m.kind == MOOD_SLOW ? (int)(from / 512 % 15000)
	    : numbers[from / 512 % ARRAY_LEN(numbers)];
	return m;
}

static void change_routes(const struct sim_event *e)
{
	static const char *const routes[] = {"legacy", "cloud",
	    "legacy+cloud", "cloud+legacy", "reject", "defer"};
	int first = (int)(e->a % SIM_ROWS), n = 1 + (int)(e->b % 3);
	const char *route = routes[e->c % (e->c % 5 == 0
	    ? ARRAY_LEN(routes) : 4)];

	if (e->b % 16 == 0)
		admin_change(-1, 1, routes[e->c % 4], -1);
	else
		admin_change(first, first + n > SIM_ROWS ? 1 : n, route, -1);
}

static void act(const struct sim_event *e)
{
	static const char *const acts[] = {"retry", "park", "bounce",
	    "delete", "freeze", "thaw", "retry"};
	static const char *const states[] = {"queued", "deferred", "parked",
	    "held", "frozen"};
	json_t *args = json_pack("{s:s, s:s, s:s}",
	    "action", acts[e->a % ARRAY_LEN(acts)],
	    "state", states[e->b % ARRAY_LEN(states)],
	    "reason", "the scenario");

	if (e->c % 2 == 0)
		json_object_set_new(args, "leg",
		    json_string(leg_name((int)(e->c / 2 % 2))));
	sim_ctl("queue.act", args, NULL);
}

static void disk(const struct sim_event *e)
{
	witness_trouble(TROUBLE_DISK, e->a % 6 < 4);
	switch (e->a % 6) {
	case 0:
		sim_disk_full(true);
		break;
	case 1:
		sim_disk_fail(CALL_SYNC, 1 + e->b % 40);
		break;
	case 2:
		sim_disk_fail(CALL_WRITE, 1 + e->b % 40);
		break;
	case 3:
		sim_disk_slow(true);
		break;
	default:
		note_failed_sync();
		sim_disk_heal();
		break;
	}
	trace_line("disk %u", (unsigned)(e->a % 6));
}

static void leg_control(const struct sim_event *e)
{
	witness_trouble(TROUBLE_GATE + (int)(e->a % 2), e->b % 2 == 0);
	sim_ctl(e->b % 2 == 0 ? "leg.suspend" : "leg.resume",
	    json_pack("{s:s}", "leg", leg_name((int)(e->a % 2))), NULL);
}

/* Forward by up to an hour, or back. */
static void set_clock(const struct sim_event *e)
{
	int64_t us = (int64_t)(e->a % 3600) * S_US;

	witness_trouble(TROUBLE_START, false);
	witness_clock_set();
	sim_clock_jump(e->b % 2 == 0 ? us : -us);
	trace_line("the clock is set");
}

static void hold(const struct sim_event *e, int held)
{
	int first = (int)(e->a % SIM_ROWS);

	admin_change(first, 1 + (int)(e->b % 2) * (first + 1 < SIM_ROWS),
	    NULL, held);
}

static void happen(const struct sim_event *e)
{
	switch (e->kind) {
	case EV_SESSION:
		senders_begin(e->a);
		break;
	case EV_MOOD:
		leg_mood((int)(e->a % SIM_LEGS), mood_drawn(e->b));
		break;
	case EV_ROUTE:
		change_routes(e);
		break;
	case EV_HOLD:
	case EV_RELEASE:
		hold(e, e->kind == EV_HOLD);
		break;
	case EV_ACT:
		act(e);
		break;
	case EV_LEG:
		leg_control(e);
		break;
	case EV_RELOAD:
		witness_trouble(TROUBLE_START, false);
		daemon_reload(e->a % 6);
		break;
	case EV_DISK:
		disk(e);
		break;
	case EV_CRASH:
		crash((enum fake_cut)(e->a % CUTS), e->b);
		break;
	case EV_RESTART:
		restart();
		break;
	case EV_CLOCK:
		set_clock(e);
		break;
	case EV_DNS:
		witness_trouble(TROUBLE_DNS, e->a % 2 == 0);
		sim_dns_fails(e->a % 2 == 0);
		break;
	case EV_KINDS:
		break;
	}
}

/* ---- the run ---- */

static void look(void)
{
	recount_read();
	note_failed_sync();
	recount_check_calm();
}

static void wait_until(int64_t at_us)
{
	while (sim_now_us() < at_us) {
		int64_t step = at_us - sim_now_us();

		task_sleep_us(step < LOOK_MS * INT64_C(1000) ? step
		    : LOOK_MS * INT64_C(1000));
		look();
	}
}

static void heal(void)
{
	trace_line("everything is healed");
	for (int i = 0; i < SIM_LEGS; i++)
		leg_mood(i, (struct mood){.kind = MOOD_UP});
	sim_dns_fails(false);
	note_failed_sync();
	/* A failed sync needs a restart, and no other end of it counts. */
	restart();
	if (!daemon_up())
		sim_fail("the daemon does not start on a healthy disk");
	for (int i = 0; i < SIM_LEGS - 1; i++)
		sim_ctl("leg.resume", json_pack("{s:s}", "leg", leg_name(i)),
		    NULL);
	for (int i = 0; i < SIM_ROWS; i++)
		admin_change(i, 1, NULL, 0);
	sim_ctl("queue.act", json_pack("{s:s, s:s}", "action", "thaw",
	    "state", "frozen"), NULL);
	sim_ctl("queue.act", json_pack("{s:s, s:s}", "action", "retry",
	    "state", "deferred"), NULL);
}

static void wait_for_the_end(void)
{
	int64_t end = sim_now_us() + PATIENCE_US;
	unsigned quiet = 0;

	while (quiet < QUIET_LOOKS && sim_now_us() < end) {
		task_sleep_us(S_US);
		look();
		if (recount_open_deliveries() == 0 && senders_open() == 0)
			quiet++;
		else
			quiet = 0;
	}
	if (senders_open() != 0)
		sim_fail("%u sessions have no end", senders_open());
	if (recount_open_deliveries() != 0)
		trace_line("%u deliveries have no end",
		    recount_open_deliveries());
}

static void *play(void *arg)
{
	(void)arg;
	witness_routed(&(struct witness_route){.user = -1, .row = true,
	    .leg = {LEG_LEGACY, -1}});
	if (!daemon_start())
		sim_fail("the daemon does not start");
	for (unsigned i = 0; i < run.n; i++) {
		char text[100];

		wait_until(run.e[i].at_us);
		if (run.keep != NULL && !run.keep[i])
			continue;
		scenario_text(&run.e[i], text);
		trace_line("event %u: %s", i, text);
		happen(&run.e[i]);
	}
	heal();
	wait_for_the_end();
	recount_check_end();
	if (daemon_up())
		audit_check();
	recount_pause();
	daemon_stop();
	run.over = true;
	return NULL;
}

void scenario_play(uint64_t seed, const struct sim_event *e, unsigned n,
    const bool *keep)
{
	run.seed = seed;
	run.e = e;
	run.n = n;
	run.keep = keep;
	sim_disk_setup();
	recount_setup();
	inspect_setup();
	legs_setup(seed);
	task_new(SIDE_WORLD, "scenario", play, NULL);
	task_run(&run.over);
	trace_line("the end: %u mails", witness_mails());
}
