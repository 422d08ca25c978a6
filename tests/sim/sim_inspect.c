/* SPDX-License-Identifier: ISC
 *
 * The product's own checkers, between two steps of the daemon: a wrong number
 * is found where it becomes wrong, not where it does harm.
 */
#include "tests/sim/sim_inspect.h"

#include "relay/client/client.h"
#include "relay/daemon/app.h"
#include "relay/delivery/attempt.h"
#include "relay/delivery/outgoing.h"
#include "relay/queue/queue_check.h"
#include "relay/settle/queue_thread.h"
#include "relay/spool/check/spool_check.h"
#include "tests/sim/sim_admin.h"
#include "tests/sim/sim_fd.h"
#include "tests/sim/sim_trace.h"

/* A slot is on its way for so long at most: a job in a mailbox, or waiting for
 * a slow disk. */
#define TRANSIT_US INT64_C(60000000)

static struct {
	const struct app *app;
	uint64_t steps;
	int64_t settled_us[NAMES_MAX]; /* when each slot was in a hand */
	struct queue_checker queue, ledger;
	struct spool_checker spool;
} in;

/* ---- slots ---- */

static int held_by(const struct worker *w, int leg)
{
	int held = (int)client_connections(w->client, leg);

	list_each(n, &w->outgoing->waiting[leg])
		held += LIST_ENTRY(n, struct attempt, node)->slot;
	return held;
}

static void check_leg(const struct app *a, int leg)
{
	int used = ledger_used(a->shared.ledger, leg), held = 0;
	const char *name = names_text(a->shared.names, leg);

	for (int i = 0; i < a->workers; i++)
		held += held_by(a->view[i], leg);
	if (held > used)
		sim_fail("%s: %d slots are taken, and %d are held: one was "
		    "given back twice", name, used, held);
	if (held == used)
		in.settled_us[leg] = sim_now_us();
	else if (sim_now_us() - in.settled_us[leg] > TRANSIT_US)
		sim_fail("%s: %d slots are taken, and %d are held: one was "
		    "never given back", name, used, held);
}

static void check_slots(const struct app *a)
{
	const char *why = ledger_check(a->shared.ledger, NULL, &in.ledger);

	if (why != NULL)
		sim_fail("ledger: %s", why);
	for (int leg = 0; leg < names_count(a->shared.names); leg++)
		check_leg(a, leg);
}

/* ---- after a step ---- */

static void begin(const struct app *a)
{
	in.app = a;
	for (int leg = 0; leg < NAMES_MAX; leg++)
		in.settled_us[leg] = sim_now_us();
}

static void inspect(void)
{
	const struct app *a = daemon_up() ? daemon_app() : NULL;
	const char *why;

	if (a != in.app)
		begin(a);
	if (a == NULL)
		return;
	check_slots(a);
	why = queue_check(queue_thread_queue(a->queue_thread), &in.queue);
	if (why != NULL)
		sim_fail("queue: %s", why);
	if (sim_locks_held() > 0)
		return;
	why = spool_check(a->shared.spool, &in.spool);
	if (why != NULL)
		sim_fail("spool: %s", why);
}

void inspect_setup(void)
{
	task_after_steps(inspect);
}
