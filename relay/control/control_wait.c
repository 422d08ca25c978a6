/* SPDX-License-Identifier: ISC
 *
 * route.wait, behind flip --wait and hold --wait. The ops loop.
 */
#include "relay/control/control_int.h"

#include "relay/cutover/table_follow.h"
#include "relay/post/mail.h"

/* Until no attempt that was begun under an older change is open for these
 * recipients, or at all. */
struct route_wait {
	struct control *c;
	struct ctl_request *r;
	uint64_t change;
	uint64_t *hash;
	size_t hashes;
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

	w->applied = atomic_load(&w->c->cfg.shared->change_floor) >= w->change;
	w->open = 0;
	for (size_t i = 0; i < w->hashes; i++)
		w->open += queue_older_attempts(q, w->hash[i], w->change);
	w->open += queue_older_attempts(q, QUEUE_ANYBODY, w->change);
	if (w->hashes == 0)
		w->open = queue_older_attempts(q, 0, w->change);
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
	mem_free(w->hash);
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

void control_route_wait(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct control *c = arg;
	struct route_wait *w = NEW(struct route_wait);
	const json_t *keys = json_object_get(args, "addresses");
	size_t n = json_array_size(keys);

	w->c = c;
	w->r = r;
	c->busy++;
	w->change = (uint64_t)json_integer_value(
	    json_object_get(args, "change"));
	w->hash = NEW_ARRAY(uint64_t, n);
	for (size_t i = 0; i < n; i++) {
		const char *k = json_string_value(json_array_get(keys, i));

		if (k != NULL)
			w->hash[w->hashes++] =
			    mail_key_hash(c->snapshot->conf, slice_str(k));
	}
	if (json_is_integer(json_object_get(args, "timeout_ms")))
		w->until_us = now_us(c) + 1000 *
		    json_integer_value(json_object_get(args, "timeout_ms"));
	timer_init(&w->again, c->cfg.ops, on_wait_again, w);
	table_follow_poke(c->cfg.follow);
	control_ask_queue(c, wait_look, w);
}
