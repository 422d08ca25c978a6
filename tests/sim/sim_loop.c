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

/* One per watched io, and one per timer. */
struct event {
	struct list node;   /* loop.ios, or loop.timers by time */
	struct list active; /* of this turn */
	struct io *io;
	struct timer *timer;
	int64_t at_us;
	int what; /* of an io that is active */
};

struct loop {
	const struct clock *clock;
	struct list ios, timers, active, deferred;
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
	list_init(&l->timers);
	list_init(&l->active);
	list_init(&l->deferred);
	l->now_ms = clock_mono_ms(clock);
	return l;
}

void loop_free(struct loop *l)
{
	mem_free(l);
}

int64_t loop_now_ms(const struct loop *l)
{
	return l->now_ms;
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

static void gather_timers(struct loop *l)
{
	int64_t now = l->clock->mono_us(l->clock);

	list_each_safe(node, &l->timers) {
		struct event *e = LIST_ENTRY(node, struct event, node);

		if (e->at_us > now)
			break;
		list_push_back(&l->active, &e->active);
	}
}

static void fire(struct event *e)
{
	struct timer *t = e->timer;

	if (t == NULL) {
		e->io->fn(e->io->arg, e->what);
		return;
	}
	list_remove(&e->node);
	t->set = false;
	t->fn(t->arg);
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
	while (!list_empty(&now)) {
		struct defer *d = LIST_ENTRY(now.next, struct defer, node);

		list_remove(&d->node);
		d->fn(d->arg);
	}
	return any;
}

static bool turn(struct loop *l)
{
	struct event *e;
	bool any;

	l->now_ms = clock_mono_ms(l->clock);
	gather_ios(l);
	gather_timers(l);
	any = !list_empty(&l->active);
	while ((e = LIST_FIRST(&l->active, struct event, active)) != NULL) {
		list_remove(&e->active);
		fire(e);
		task_maybe_yield();
	}
	return run_deferred(l) || any;
}

static void wait_until(struct loop *l, int64_t end_us)
{
	struct event *e = LIST_FIRST(&l->timers, struct event, node);

	if (!list_empty(&l->deferred))
		end_us = 0;
	if (e != NULL && e->at_us < end_us)
		end_us = e->at_us;
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
	struct list *at;
	struct event *e = t->ev;

	if (e == NULL) {
		e = t->ev = NEW(struct event);
		e->timer = t;
		list_node_init(&e->node);
		list_node_init(&e->active);
	}
	timer_del(t);
	e->at_us = t->loop->clock->mono_us(t->loop->clock) +
		   (ms < 0 ? 0 : ms) * 1000;
	at = t->loop->timers.next;
	while (at != &t->loop->timers &&
	       LIST_ENTRY(at, struct event, node)->at_us <= e->at_us)
		at = at->next;
	list_insert_before(at, &e->node);
	t->set = true;
	task_wake(t->loop->waits);
}

void timer_del(struct timer *t)
{
	if (t->ev != NULL) {
		list_remove(&t->ev->node);
		list_remove(&t->ev->active);
	}
	t->set = false;
}

void timer_fini(struct timer *t)
{
	timer_del(t);
	mem_free(t->ev);
	t->ev = NULL;
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
