/* SPDX-License-Identifier: ISC
 *
 * route.wait, behind flip --wait and hold --wait. The ops loop.
 */
#include "relay/control/control_int.h"

#include "relay/cutover/change_people.h"

/* Until no attempt that was begun under an older change is open for the
 * recipients of the change, or at all. */
struct route_wait {
	struct control *c;
	struct ctl_request *r;
	uint64_t change;
	struct change_people people; /* all: whatever recipient they are for */
	unsigned open;
	bool applied;
	int64_t until_us; /* monotonic; 0: no limit */
	struct timer again;
};

static int64_t now_us(const struct control *c)
{
	const struct clock *clock = c->cfg.shared->clock;

	return clock->mono_us(clock);
}

static void on_wait_back(void *arg);

static void wait_look(void *arg)
{
	struct route_wait *w = arg;
	struct queue *q = queue_thread_queue(w->c->cfg.queue_thread);

	w->applied = atomic_load(&w->c->cfg.shared->change_told) >= w->change;
	w->open = queue_older_attempts(q, &w->people.people, w->change);
	control_come_back(w->c, on_wait_back, w);
}

static void on_wait_again(void *arg)
{
	struct route_wait *w = arg;

	control_ask_queue(w->c, wait_look, w);
}

static void wait_free(struct route_wait *w)
{
	timer_fini(&w->again);
	w->c->busy--;
	snapshot_unref(w->people.snapshot);
	queue_people_fini(&w->people.people);
	mem_free(w);
}

static void on_wait_back(void *arg)
{
	struct route_wait *w = arg;

	if (w->applied && w->open == 0) {
		ctl_end(w->r, 0, "%s", "");
		wait_free(w);
		return;
	}
	if (ctl_gone(w->r)) {
		ctl_end(w->r, 1, "gone");
		wait_free(w);
		return;
	}
	if (w->until_us != 0 && now_us(w->c) >= w->until_us) {
		ctl_end(w->r, 1, "%u attempt%s begun before the change %s "
		    "still under way; the change stands, and later ones go by "
		    "it", w->open, w->open == 1 ? "" : "s",
		    w->open == 1 ? "is" : "are");
		wait_free(w);
		return;
	}
	timer_set(&w->again, LOOK_AGAIN_MS);
}

static void on_people_back(void *arg)
{
	struct route_wait *w = arg;

	control_ask_queue(w->c, wait_look, w);
}

/* The table thread. */
static void on_people(void *arg)
{
	struct route_wait *w = arg;

	control_come_back(w->c, on_people_back, w);
}

static void ask_people(struct control *c, struct route_wait *w)
{
	w->people.follow = c->cfg.follow;
	w->people.snapshot = snapshot_ref(c->snapshot);
	w->people.change = w->change;
	w->people.done = on_people;
	w->people.arg = w;
	change_people_read(&w->people);
}

/* {"change": N, "all": true, "timeout_ms": T}; change 0 is no change, and over
 * at once. */
void control_route_wait(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct control *c = arg;
	struct route_wait *w = NEW(struct route_wait);

	w->c = c;
	w->r = r;
	c->busy++;
	w->change = (uint64_t)json_integer_value(
	    json_object_get(args, "change"));
	queue_people_init(&w->people.people);
	if (w->change == 0 || json_is_true(json_object_get(args, "all")))
		queue_people_add_all(&w->people.people);
	if (json_is_integer(json_object_get(args, "timeout_ms")))
		w->until_us = now_us(c) + 1000 *
		    json_integer_value(json_object_get(args, "timeout_ms"));
	timer_init(&w->again, c->cfg.ops, on_wait_again, w);
	if (w->people.people.all)
		control_ask_queue(c, wait_look, w);
	else
		ask_people(c, w);
	table_follow_poke(c->cfg.follow);
}
