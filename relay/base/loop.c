/* SPDX-License-Identifier: ISC
 *
 * One thread, one event_base.
 *
 * No evthread locks: loop_stop() from another thread goes through an eventfd
 * like every other message.
 *
 * Timers are deadlines on the loop's clock, and one timer of libevent wakes the
 * loop for the earliest. That one may be early (libevent's clock is coarse, and
 * what it was set for may be gone) and is then set again.
 */
#include "relay/base/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "relay/base/assert.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"

/* So many patient ones in a turn, which the others wait for, and one more for
 * each PATIENT_SHARE that are ready: each turn hears of all of these. */
enum { PATIENT_A_TURN = 8, PATIENT_SHARE = 32 };

struct loop {
	struct event_base *base;
	const struct clock *clock;
	struct deadlines timers;
	struct event *ev_timers;
	int64_t wake_ms; /* ev_timers is set for it; -1: it is not */
	struct list deferred;
	struct event *ev_defer; /* pending while `deferred` is not empty */
	struct list ending;	/* loop_at_end() */
	struct list patient;	/* those that are ready, longest first */
	int patient_heard;	/* of them in this turn */
	struct event *ev_stop;
	int stop_fd;
	int64_t now_ms;
	bool stamped;	/* now_ms was read since this turn's wait ended */
	bool deferring; /* on_deferred() runs */
	_Atomic bool stop;
};

struct signal_arg {
	struct loop *loop;
	void (*fn)(void *arg, int signo);
	void *arg;
};

/* Every handler begins with this: the clock is read once a turn, and after
 * the wait, which may have been long. */
static void stamp(struct loop *l)
{
	if (l->stamped)
		return;
	l->now_ms = clock_mono_ms(l->clock);
	l->stamped = true;
}

static void defers_run(struct list *calls)
{
	struct defer *d;

	while ((d = LIST_FIRST(calls, struct defer, node)) != NULL) {
		list_remove(&d->node);
		d->fn(d->arg);
	}
}

/* Runs what was there when it began; what that defers runs in the next
 * turn, so a pair that defers each other cannot starve the sockets. */
static void on_deferred(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	struct list now;

	(void)fd;
	(void)what;
	stamp(l);
	list_init(&now);
	while (!list_empty(&l->deferred)) {
		struct list *n = l->deferred.next;

		list_remove(n);
		list_push_back(&now, n);
	}
	l->deferring = true;
	defers_run(&now);
	l->deferring = false;
}

static void run_timer(struct loop *l, struct timer *t)
{
	deadlines_remove(&l->timers, &t->deadline);
	t->set = false;
	t->fn(t->arg);
}

/* A timer that is set by another runs in the next turn, due or not. */
static void on_timers(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	uint64_t added = l->timers.added;
	struct deadline *d;

	(void)fd;
	(void)what;
	stamp(l);
	l->wake_ms = -1;
	while ((d = deadlines_first(&l->timers)) != NULL &&
	       d->at_ms <= l->now_ms && d->nth <= added)
		run_timer(l, CONTAINER_OF(d, struct timer, deadline));
}

/* Once a turn, not at each change: most timers are set and taken back, and
 * are never the earliest. A wake that is too early costs less. */
static void set_wake(struct loop *l)
{
	const struct deadline *d = deadlines_first(&l->timers);
	int64_t wait_ms;
	struct timeval tv;

	if (d == NULL)
		return;
	wait_ms = d->at_ms - clock_mono_ms(l->clock);
	if (wait_ms < 0)
		wait_ms = 0;
	if (l->wake_ms == d->at_ms && wait_ms > 0)
		return;
	tv.tv_sec = wait_ms / 1000;
	tv.tv_usec = wait_ms % 1000 * 1000;
	event_add(l->ev_timers, &tv);
	l->wake_ms = d->at_ms;
}

/* A descriptor may have become unwanted after it was queued. */
static void run_patient(struct loop *l)
{
	int most = PATIENT_A_TURN + l->patient_heard / PATIENT_SHARE;
	struct io *io;

	for (int i = 0; i < most; i++) {
		int what;

		io = LIST_FIRST(&l->patient, struct io, turn);
		if (io == NULL)
			return;
		stamp(l);
		what = io->ready & io->wanted;
		io_settled(io);
		if (what != 0)
			io->fn(io->arg, what);
	}
}

/* Also before the wait: calls added between turns run before the loop waits. */
static void turn(struct loop *l)
{
	defers_run(&l->ending);
	set_wake(l);
	l->stamped = false;
	l->patient_heard = 0;
	event_base_loop(l->base, list_empty(&l->patient)
			? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK);
	run_patient(l);
	defers_run(&l->ending);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	event_base_loopbreak(l->base);
}

/* Descriptors are counted at the start, and some are kept for us (fd.h):
 * another process lowered the limit, or the machine has none left. */
void loop_no_descriptor(int no)
{
	struct error err;

	error_sys(&err, no, "a descriptor of our own cannot be opened or "
	    "watched (see LimitNOFILE, fs.file-max and memory)");
	log_error("loop.failed", kv_err(&err), kv_str("effect",
	    "the program ends; what was accepted is in the journal"));
	_exit(1);
}

/* A descriptor that cannot be watched would never be heard of again, and it
 * may be a mailbox. libevent reports it in a line of its log only. */
static void on_libevent(int severity, const char *msg)
{
	if (severity < EVENT_LOG_WARN)
		return;
	log_error("loop.libevent", kv_str("what", msg));
	if (strncmp(msg, "Epoll ", 6) == 0)
		loop_no_descriptor(errno);
}

struct loop *loop_new(const struct clock *clock)
{
	struct loop *l = NEW(struct loop);
	struct event_config *cfg = event_config_new();

	if (cfg == NULL)
		mem_exhausted(0);
	event_set_log_callback(on_libevent);
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(cfg, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	l->base = event_base_new_with_config(cfg);
	if (l->base == NULL)
		loop_no_descriptor(errno);
	event_config_free(cfg);
	l->clock = clock;
	l->wake_ms = -1;
	l->ev_timers = event_new(l->base, -1, 0, on_timers, l);
	list_init(&l->deferred);
	list_init(&l->ending);
	list_init(&l->patient);
	l->ev_defer = event_new(l->base, -1, 0, on_deferred, l);
	l->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->stop_fd < 0)
		loop_no_descriptor(errno);
	l->ev_stop = event_new(
	    l->base, l->stop_fd, EV_READ | EV_PERSIST, on_stop, l);
	event_add(l->ev_stop, NULL);
	l->now_ms = clock_mono_ms(clock);
	return l;
}

void loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	event_free(l->ev_stop);
	event_free(l->ev_defer);
	event_free(l->ev_timers);
	deadlines_fini(&l->timers);
	event_base_free(l->base);
	close(l->stop_fd);
	mem_free(l);
}

void loop_run(struct loop *l)
{
	while (!atomic_load(&l->stop))
		turn(l);
}

void loop_stop(struct loop *l)
{
	uint64_t one = 1;

	atomic_store(&l->stop, true);
	if (write(l->stop_fd, &one, sizeof(one)) < 0)
		return; /* full: it is readable already */
}

static void on_wait_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

void loop_once(struct loop *l, int wait_ms)
{
	struct timeval tv = {wait_ms / 1000, wait_ms % 1000 * 1000};
	struct event *ev = event_new(l->base, -1, 0, on_wait_over, NULL);

	event_add(ev, &tv);
	turn(l);
	event_free(ev);
	l->stamped = false;
	l->now_ms = clock_mono_ms(l->clock);
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

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	struct io *io = arg;
	int ready = ((what & EV_READ) ? IO_READ : 0) |
		    ((what & EV_WRITE) ? IO_WRITE : 0);

	(void)fd;
	stamp(io->loop);
	if (!io->patient) {
		io->fn(io->arg, ready);
		return;
	}
	io->ready |= ready;
	io->loop->patient_heard++;
	if (list_empty(&io->turn))
		list_push_back(&io->loop->patient, &io->turn);
}

void io_init(struct io *io, struct loop *l, int fd,
    void (*fn)(void *arg, int what), void *arg)
{
	*io = (struct io){.loop = l, .fn = fn, .arg = arg, .fd = fd};
	list_node_init(&io->turn);
	io->ev_read =
	    event_new(l->base, fd, EV_READ | EV_PERSIST, on_io, io);
}

static void watch(struct event *ev, bool on)
{
	if (on)
		event_add(ev, NULL);
	else if (ev != NULL)
		event_del(ev);
}

void io_want(struct io *io, int what)
{
	int changed = io->wanted ^ what;

	PH_ASSERT(what == 0 || io->loop != NULL);
	if (changed & IO_READ)
		watch(io->ev_read, what & IO_READ);
	if (changed & IO_WRITE) {
		/* Most connections never wait to write. */
		if (io->ev_write == NULL)
			io->ev_write = event_new(io->loop->base, io->fd,
			    EV_WRITE | EV_PERSIST, on_io, io);
		watch(io->ev_write, what & IO_WRITE);
	}
	io->wanted = what;
}

void io_fini(struct io *io)
{
	if (io->ev_read != NULL)
		event_free(io->ev_read);
	if (io->ev_write != NULL)
		event_free(io->ev_write);
	if (io->loop != NULL)
		io_settled(io);
	io->ev_read = io->ev_write = NULL;
	io->wanted = 0;
}

void timer_init(struct timer *t, struct loop *l, void (*fn)(void *arg),
    void *arg)
{
	*t = (struct timer){.loop = l, .fn = fn, .arg = arg};
}

void timer_set(struct timer *t, int64_t ms)
{
	struct loop *l = t->loop;
	int64_t now_ms;

	PH_ASSERT(l != NULL && t->fn != NULL);
	now_ms = l->stamped ? l->now_ms : clock_mono_ms(l->clock);
	deadlines_remove(&l->timers, &t->deadline);
	deadlines_add(&l->timers, &t->deadline, now_ms + (ms < 0 ? 0 : ms));
	t->set = true;
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

void defer_init(struct defer *d, void (*fn)(void *arg), void *arg)
{
	list_node_init(&d->node);
	d->fn = fn;
	d->arg = arg;
}

void loop_defer(struct loop *l, struct defer *d)
{
	static const struct timeval next_turn = {0, 0};

	PH_ASSERT(d->fn != NULL); /* zeroed memory would count as pending */
	if (defer_pending(d))
		return;
	if (list_empty(&l->deferred) && l->deferring)
		event_add(l->ev_defer, &next_turn);
	else if (list_empty(&l->deferred))
		event_active(l->ev_defer, EV_TIMEOUT, 0);
	list_push_back(&l->deferred, &d->node);
}

void loop_at_end(struct loop *l, struct defer *d)
{
	PH_ASSERT(d->fn != NULL);
	if (!defer_pending(d))
		list_push_back(&l->ending, &d->node);
}

void defer_cancel(struct defer *d)
{
	list_remove(&d->node);
}

bool defer_pending(const struct defer *d)
{
	return !list_empty(&d->node);
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct signal_arg *a = arg;

	(void)what;
	stamp(a->loop);
	a->fn(a->arg, (int)signo);
}

struct event *loop_signal(struct loop *l, int signo,
    void (*fn)(void *arg, int signo), void *arg)
{
	struct signal_arg *a = NEW(struct signal_arg);
	struct event *ev;

	*a = (struct signal_arg){l, fn, arg};
	ev = evsignal_new(l->base, signo, on_signal, a);
	event_add(ev, NULL);
	return ev;
}

void loop_signal_free(struct event *ev)
{
	if (ev == NULL)
		return;
	mem_free(event_get_callback_arg(ev));
	event_free(ev);
}
