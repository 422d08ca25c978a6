/* SPDX-License-Identifier: ISC
 *
 * The thread that counts how long listeners were open.
 *
 * A span is a row of observed.db; it ends after an hour, where the listener or
 * the daemon takes no mail, and where the wall clock moved otherwise than the
 * monotonic one, so that no span covers a time that was not.
 */
#include "relay/cutover/verdict/observer.h"

#include <pthread.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/base/thread.h"
#include "relay/observed/watched.h"
#include "relay/post/call.h"
#include "relay/watch/from_legs.h"

enum {
	LOOK_MS = 1000,
	WRITE_MS = 60000,
	LONGEST_MS = 10000, /* between two looks; more was a stall */
	SET_US = 2000000,   /* the clocks may drift apart so far */
	KEEP_DAYS = 800,
};

struct listen_span {
	char *listen;
	int64_t from_us, to_us, observed_us;
	bool seen;  /* by the look in hand */
	bool dirty; /* not on the disk as it is */
};

struct observer {
	struct observer_config c;
	struct conf_snapshot *snapshot;
	_Atomic(struct conf_snapshot *) next_snapshot;
	struct listen_span *span;
	int spans;
	struct { /* the last look; mono 0: there was none */
		int64_t mono_ms, wall_us;
		bool taking;
	} last;
	int64_t written_ms;
	struct error fault;
	struct mailbox box;
	pthread_t thread;
	bool running;
	_Atomic bool stop;
};

struct observer *observer_new(const struct observer_config *c)
{
	struct observer *o = NEW(struct observer);

	o->c = *c;
	o->snapshot = snapshot_ref(c->snapshot);
	mailbox_init(&o->box);
	return o;
}

void observer_free(struct observer *o)
{
	if (o == NULL)
		return;
	for (int i = 0; i < o->spans; i++)
		mem_free(o->span[i].listen);
	mem_free(o->span);
	snapshot_unref(atomic_exchange(&o->next_snapshot, NULL));
	snapshot_unref(o->snapshot);
	mailbox_fini(&o->box);
	mem_free(o);
}

/* ---- looking ----------------------------------------------------------- */

static struct listen_span *span_of(struct observer *o, const char *listen)
{
	for (int i = 0; i < o->spans; i++)
		if (strcmp(o->span[i].listen, listen) == 0)
			return &o->span[i];
	return NULL;
}

static void begin_span(struct observer *o, const char *listen, int64_t wall_us)
{
	o->span = mem_resize(o->span,
	    (size_t)(o->spans + 1) * sizeof(*o->span));
	o->span[o->spans++] = (struct listen_span){.listen = mem_strdup(listen),
	    .from_us = wall_us, .to_us = wall_us, .seen = true};
}

/* Written, or of no length. */
static void drop_span(struct observer *o, int i)
{
	mem_free(o->span[i].listen);
	o->span[i] = o->span[--o->spans];
}

/* The time between the last look and this one, us; 0: it does not count. */
static int64_t passed(const struct observer *o, int64_t mono_ms,
    int64_t wall_us)
{
	int64_t ms = mono_ms - o->last.mono_ms;
	int64_t moved = wall_us - o->last.wall_us - ms * 1000;

	if (o->last.mono_ms == 0 || !o->last.taking || ms <= 0 ||
	    ms > LONGEST_MS || moved > SET_US || moved < -SET_US)
		return 0;
	return ms * 1000;
}

static void look_at(struct observer *o, const char *listen, int64_t us,
    int64_t wall_us)
{
	struct listen_span *s = span_of(o, listen);

	if (s == NULL) {
		begin_span(o, listen, wall_us);
		return;
	}
	s->seen = true;
	s->observed_us += us;
	s->to_us = wall_us;
	s->dirty = true;
}

static bool is_over(const struct listen_span *s)
{
	return !s->seen || s->to_us - s->from_us > HOUR_US;
}

static void write_all(struct observer *o, int64_t wall_us);

/* Spans that are over are written first, and then begun anew by the next
 * look. */
static void end_spans(struct observer *o, bool all, int64_t wall_us)
{
	bool any = false;

	for (int i = 0; i < o->spans; i++)
		any |= all || is_over(&o->span[i]);
	if (!any)
		return;
	write_all(o, wall_us);
	for (int i = o->spans - 1; i >= 0; i--)
		if (all || is_over(&o->span[i]))
			drop_span(o, i);
}

static void look(struct observer *o, int64_t mono_ms, int64_t wall_us)
{
	const struct conf *c = o->snapshot->conf;
	bool taking = o->c.takes_mail(o->c.arg);
	int64_t us = passed(o, mono_ms, wall_us);

	if (us == 0)
		end_spans(o, true, wall_us);
	for (int i = 0; i < o->spans; i++)
		o->span[i].seen = false;
	for (int i = 0; taking && i < c->listens; i++)
		if (!c->listen[i].closed)
			look_at(o, c->listen[i].name, us, wall_us);
	end_spans(o, false, wall_us);
	o->last.mono_ms = mono_ms;
	o->last.wall_us = wall_us;
	o->last.taking = taking;
}

/* ---- writing ----------------------------------------------------------- */

struct writing {
	struct observed *to;
	struct error *err;
	int rc;
};

static void write_came(void *arg, const struct from_leg *some)
{
	struct writing *w = arg;

	if (w->rc == 0)
		w->rc = came_add(w->to, &(struct came_row){.leg = some->leg,
		    .domain = some->domain, .hop = some->hop,
		    .kind = (int)some->kind, .first_us = some->first_us,
		    .last_us = some->last_us, .messages = some->messages,
		    .id = some->id}, w->err);
}

static int write_spans(struct observer *o, struct observed *to,
    struct error *err)
{
	for (int i = 0; i < o->spans; i++) {
		struct listen_span *s = &o->span[i];

		if (s->dirty && watched_put(to, &(struct watched_row){
			s->listen, s->from_us, s->to_us, s->observed_us},
			err) < 0)
			return -1;
	}
	return 0;
}

/* The counts of legs are taken away inside the transaction; should it fail,
 * they are lost, and the fault says so. */
static int write_to(struct observer *o, struct observed *to, int64_t wall_us,
    struct error *err)
{
	struct writing w = {.to = to, .err = err};

	if (observed_do(to, "BEGIN IMMEDIATE", err) < 0 ||
	    write_spans(o, to, err) < 0 ||
	    watched_prune(to, wall_us - KEEP_DAYS * DAY_US, err) < 0)
		return -1;
	from_legs_take(o->c.from_legs, write_came, &w);
	return w.rc < 0 ? -1 : observed_do(to, "COMMIT", err);
}

static void write_all(struct observer *o, int64_t wall_us)
{
	struct error err = {0};
	struct observed *to = observed_open(o->c.dir, wall_us, &err);
	int rc = to == NULL ? -1 : write_to(o, to, wall_us, &err);

	observed_close(to); /* what was not committed is undone */
	if (rc < 0 && o->fault.text[0] == '\0')
		log_warn("observer.failed", kv_err(&err),
		    kv_str("effect", "silence is not put on record"));
	o->fault = rc < 0 ? err : (struct error){0};
	o->written_ms = clock_mono_ms(o->c.shared->clock);
	for (int i = 0; i < o->spans && rc == 0; i++)
		o->span[i].dirty = false;
}

const char *observer_fault(const struct observer *o)
{
	return o->fault.text;
}

/* ---- the thread -------------------------------------------------------- */

static void take_snapshot(struct observer *o)
{
	struct conf_snapshot *s = atomic_exchange(&o->next_snapshot, NULL);

	if (s == NULL)
		return;
	snapshot_unref(o->snapshot);
	o->snapshot = s;
}

void observer_step(struct observer *o, bool now)
{
	int64_t mono_ms = clock_mono_ms(o->c.shared->clock);
	int64_t wall_us = clock_wall_us(o->c.shared->clock);

	take_snapshot(o);
	look(o, mono_ms, wall_us);
	if (now || mono_ms - o->written_ms >= WRITE_MS)
		write_all(o, wall_us);
}

void observer_answer(struct observer *o)
{
	struct letter *l = mailbox_take(&o->box);

	if (l != NULL)
		observer_step(o, true);
	while (l != NULL) {
		struct letter *next = l->next;

		call_run(l);
		l = next;
	}
}

static void *run_thread(void *arg)
{
	struct observer *o = arg;

	thread_name("ph-observer");
	while (!atomic_load(&o->stop)) {
		observer_step(o, false);
		mailbox_wait(&o->box, LOOK_MS);
		observer_answer(o);
	}
	observer_step(o, true);
	return NULL;
}

int observer_start(struct observer *o, struct error *err)
{
	int no = pthread_create(&o->thread, NULL, run_thread, o);

	if (no != 0)
		return error_sys(err, no, "starting the observer");
	o->running = true;
	return 0;
}

void observer_configure(struct observer *o, struct conf_snapshot *s)
{
	snapshot_unref(atomic_exchange(&o->next_snapshot, snapshot_ref(s)));
}

void observer_stop(struct observer *o)
{
	if (o == NULL || !o->running)
		return;
	atomic_store(&o->stop, true);
	mailbox_wake(&o->box);
	pthread_join(o->thread, NULL);
	o->running = false;
}

void observer_ask(struct observer *o, void (*fn)(void *arg), void *arg)
{
	call_post(&o->box, 0, fn, arg);
}
