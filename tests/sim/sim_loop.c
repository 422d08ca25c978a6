/* SPDX-License-Identifier: ISC
 *
 * relay/base/loop.h on the simulated clock: linked instead of loop.c. A turn
 * runs what is ready in an order drawn from the seed; timers fire in order of
 * their time. Descriptors are those of sim_fd.h.
 */
#include "relay/base/loop.h"

#include "relay/base/mem.h"
#include "tests/sim/sim_fd.h"
#include "tests/sim/sim_task.h"
#include "tests/sim/sim_trace.h"

/* One per watched io. */
struct event {
	struct list node;   /* of loop.ios */
	struct list active; /* of this turn */
	struct io *io;
	int what; /* of an io that is active */
};

struct loop {
	const struct clock *clock;
	struct list ios, active, deferred, ending;
	struct deadlines timers;
	struct task *waits;
	int64_t now_ms;
	bool stop;
};

void loop_no_descriptor(int no)
{
	sim_fail("no descriptor: errno %d", no);
}

struct loop *loop_new(const struct clock *clock)
{
	struct loop *l = NEW(struct loop);

	l->clock = clock;
	list_init(&l->ios);
	list_init(&l->active);
	list_init(&l->deferred);
	list_init(&l->ending);
	l->now_ms = clock_mono_ms(clock);
	return l;
}

void loop_free(struct loop *l)
{
	if (l != NULL)
		deadlines_fini(&l->timers);
	mem_free(l);
}

int64_t loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

int64_t loop_next_ms(const struct loop *l)
{
	const struct deadline *d = deadlines_first(&l->timers);

	return d == NULL ? -1 : d->at_ms;
}

/* ---- a turn ---- */

static void push_shuffled(struct loop *l, struct event *e, unsigned n)
{
	struct list *at = l->active.next;

	for (uint64_t skip = sim_below(n + 1); skip > 0; skip--)
		at = at->next;
	list_insert_before(at, &e->active);
}

static void gather_ios(struct loop *l)
{
	unsigned n = 0;

	list_each(node, &l->ios) {
		struct event *e = LIST_ENTRY(node, struct event, node);

		e->what = sim_fd_ready(e->io->fd) & e->io->wanted;
		if (e->what != 0)
			push_shuffled(l, e, n++);
	}
}

static bool run_ios(struct loop *l)
{
	struct event *e;
	bool any = !list_empty(&l->active);

	while ((e = LIST_FIRST(&l->active, struct event, active)) != NULL) {
		list_remove(&e->active);
		e->io->fn(e->io->arg, e->what);
		task_maybe_yield();
	}
	return any;
}

/* A timer that is set by another runs in the next turn, due or not. */
static bool run_timers(struct loop *l)
{
	uint64_t added = l->timers.added;
	struct deadline *d;
	bool any = false;

	while ((d = deadlines_first(&l->timers)) != NULL &&
	       d->at_ms <= l->now_ms && d->nth <= added) {
		struct timer *t = CONTAINER_OF(d, struct timer, deadline);

		deadlines_remove(&l->timers, d);
		t->set = false;
		any = true;
		t->fn(t->arg);
		task_maybe_yield();
	}
	return any;
}

static void run_list(struct list *calls)
{
	struct defer *d;

	while ((d = LIST_FIRST(calls, struct defer, node)) != NULL) {
		list_remove(&d->node);
		d->fn(d->arg);
	}
}

/* A call deferred by a deferred call runs in the next turn. */
static bool run_deferred(struct loop *l)
{
	struct list now;
	bool any = !list_empty(&l->deferred);

	list_init(&now);
	while (!list_empty(&l->deferred)) {
		struct list *n = l->deferred.next;

		list_remove(n);
		list_push_back(&now, n);
	}
	run_list(&now);
	return any;
}

static bool turn(struct loop *l)
{
	bool ios, timers, deferred;

	run_list(&l->ending);
	l->now_ms = clock_mono_ms(l->clock);
	gather_ios(l);
	ios = run_ios(l);
	timers = run_timers(l);
	deferred = run_deferred(l);
	run_list(&l->ending);
	return ios || timers || deferred;
}

static void wait_until(struct loop *l, int64_t end_us)
{
	int64_t next_ms = loop_next_ms(l);

	if (!list_empty(&l->deferred) || !list_empty(&l->ending))
		end_us = 0;
	if (next_ms >= 0 && next_ms * 1000 < end_us)
		end_us = next_ms * 1000;
	l->waits = task_self();
	list_each(node, &l->ios) {
		struct io *io = LIST_ENTRY(node, struct event, node)->io;

		if ((sim_fd_ready(io->fd) & io->wanted) != 0)
			end_us = 0;
	}
	task_wait_until(end_us);
	l->waits = NULL;
}

void loop_run(struct loop *l)
{
	while (!l->stop) {
		wait_until(l, INT64_MAX);
		turn(l);
	}
}

void loop_stop(struct loop *l)
{
	l->stop = true;
	task_wake(l->waits);
}

/* As libevent has it: one round, of what is ready or becomes so. */
void loop_once(struct loop *l, int wait_ms)
{
	int64_t end = sim_now_us() + wait_ms * INT64_C(1000);

	while (!turn(l) && sim_now_us() < end)
		wait_until(l, end);
	l->now_ms = clock_mono_ms(l->clock);
}

/* ---- descriptors ---- */

static void on_change(void *arg)
{
	struct loop *l = arg;

	task_wake(l->waits);
}

void io_init(struct io *io, struct loop *l, int fd,
    void (*fn)(void *arg, int what), void *arg)
{
	struct event *e = NEW(struct event);

	*io = (struct io){.loop = l, .fn = fn, .arg = arg, .fd = fd,
	    .ev_read = e};
	list_node_init(&io->turn);
	e->io = io;
	list_node_init(&e->active);
	list_node_init(&e->node);
	list_push_back(&l->ios, &e->node);
	sim_fd_watch(fd, on_change, l);
}

void io_want(struct io *io, int what)
{
	if (io->ev_read != NULL && (io->ev_read->what & what) == 0)
		list_remove(&io->ev_read->active);
	io->wanted = what;
	task_wake(io->loop->waits);
}

void io_fini(struct io *io)
{
	struct event *e = io->ev_read;

	if (e == NULL)
		return;
	sim_fd_watch(io->fd, NULL, NULL);
	list_remove(&e->node);
	list_remove(&e->active);
	mem_free(e);
	io->ev_read = NULL;
	io->wanted = 0;
}

/* ---- timers ---- */

void timer_init(struct timer *t, struct loop *l, void (*fn)(void *arg),
    void *arg)
{
	*t = (struct timer){.loop = l, .fn = fn, .arg = arg};
}

void timer_set(struct timer *t, int64_t ms)
{
	struct loop *l = t->loop;

	deadlines_remove(&l->timers, &t->deadline);
	deadlines_add(&l->timers, &t->deadline,
	    clock_mono_ms(l->clock) + (ms < 0 ? 0 : ms));
	t->set = true;
	task_wake(l->waits);
}

void timer_del(struct timer *t)
{
	if (t->set)
		deadlines_remove(&t->loop->timers, &t->deadline);
	t->set = false;
}

void timer_fini(struct timer *t)
{
	timer_del(t);
}

/* ---- deferred calls ---- */

void defer_init(struct defer *d, void (*fn)(void *arg), void *arg)
{
	list_node_init(&d->node);
	d->fn = fn;
	d->arg = arg;
}

void loop_defer(struct loop *l, struct defer *d)
{
	if (defer_pending(d))
		return;
	list_push_back(&l->deferred, &d->node);
	task_wake(l->waits);
}

void loop_at_end(struct loop *l, struct defer *d)
{
	if (defer_pending(d))
		return;
	list_push_back(&l->ending, &d->node);
	task_wake(l->waits);
}

void defer_cancel(struct defer *d)
{
	list_remove(&d->node);
}

bool defer_pending(const struct defer *d)
{
	return !list_empty(&d->node);
}

/* ---- signals: there are none ---- */

struct event *loop_signal(struct loop *l, int signo,
    void (*fn)(void *arg, int signo), void *arg)
{
	(void)l;
	(void)fn;
	(void)arg;
	sim_fail("signal %d is not simulated", signo);
}

void loop_signal_free(struct event *ev)
{
	(void)ev;
}
