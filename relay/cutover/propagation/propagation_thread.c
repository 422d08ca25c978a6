/* SPDX-License-Identifier: ISC
 *
 * The thread around looks.
 */
#include "relay/cutover/propagation/propagation_thread.h"

#include <pthread.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/base/thread.h"
#include "relay/cutover/propagation/spread_look.h"
#include "relay/post/call.h"

enum {
	FIRST_MS = 60 * 1000, /* behind a start, which has more to do */
	LONGEST_MS = 1000,    /* until the next look at the clock     */
	DNS_PORT = 53,
};

struct looked_at {
	char *domain;
	int64_t due_ms; /* monotonic */
};

struct propagation_thread {
	struct shared *shared;
	struct loop *loop;
	struct mailbox box;
	struct conf_snapshot *snapshot;
	_Atomic(struct conf_snapshot *) next_snapshot;
	struct looked_at *at; /* of each domain of the snapshot */
	int domains;
	bool failing; /* which was logged */
	pthread_t thread;
	bool running;
	_Atomic bool stop;
};

/* ---- the domains --------------------------------------------------------- */

static int64_t now_ms(const struct propagation_thread *t)
{
	return clock_mono_ms(t->shared->clock);
}

static int64_t first_due_ms(const struct propagation_thread *t)
{
	int64_t ms = t->snapshot->conf->propagation.interval_ms;

	return now_ms(t) + (ms < FIRST_MS ? ms : FIRST_MS);
}

/* A shorter interval counts at once. */
static int64_t due_of(const struct looked_at *had, int n, const char *domain,
    int64_t missing_ms, int64_t latest_ms)
{
	for (int i = 0; i < n; i++)
		if (strcmp(had[i].domain, domain) == 0)
			return had[i].due_ms < latest_ms ? had[i].due_ms
							 : latest_ms;
	return missing_ms;
}

static void forget_domains(struct looked_at *at, int n)
{
	for (int i = 0; i < n; i++)
		mem_free(at[i].domain);
	mem_free(at);
}

static void take_domains(struct propagation_thread *t)
{
	const struct conf *c = t->snapshot->conf;
	struct looked_at *had = t->at;
	int n = t->domains;
	int64_t latest_ms = now_ms(t) + c->propagation.interval_ms;

	t->at = NEW_ARRAY(struct looked_at, c->domains + 1);
	t->domains = c->domains;
	for (int i = 0; i < c->domains; i++)
		t->at[i] = (struct looked_at){mem_strdup(c->domain[i].name),
		    due_of(had, n, c->domain[i].name, first_due_ms(t),
			latest_ms)};
	forget_domains(had, n);
}

static struct looked_at *next_due(struct propagation_thread *t)
{
	struct looked_at *next = NULL;

	for (int i = 0; i < t->domains; i++)
		if (next == NULL || t->at[i].due_ms < next->due_ms)
			next = &t->at[i];
	return next;
}

/* ---- a look -------------------------------------------------------------- */

static int look(struct propagation_thread *t, struct observed *o,
    const char *domain, struct arena *a, struct error *err)
{
	struct spread_rows *known = arena_alloc(a, sizeof(*known));
	const struct spread_look_how how = {.loop = t->loop,
	    .conf = t->snapshot->conf, .stop = &t->stop,
	    .server_port = DNS_PORT, .known = known};
	struct spread_look l;

	if (spread_get(o, domain, a, known, err) < 0 ||
	    !spread_look_run(&how, domain, a, &l, err))
		return -1;
	/* Behind the answers: what they say has ended had ended by now. */
	l.at_us = clock_wall_us(t->shared->clock);
	return spread_put(o, &l, err);
}

int propagation_thread_look(struct propagation_thread *t, const char *domain,
    struct error *err)
{
	struct arena *a = arena_new();
	struct observed *o = observed_open(t->snapshot->conf->audit.path,
	    clock_wall_us(t->shared->clock), err);
	int rc = o == NULL ? -1 : look(t, o, domain, a, err);

	observed_close(o);
	arena_free(a);
	for (int i = 0; i < t->domains; i++)
		if (strcmp(t->at[i].domain, domain) == 0)
			t->at[i].due_ms = now_ms(t) +
			    t->snapshot->conf->propagation.interval_ms;
	return rc;
}

static void look_at_next(struct propagation_thread *t,
    const struct looked_at *next)
{
	struct error err = {0};
	int rc = propagation_thread_look(t, next->domain, &err);

	if (rc < 0 && !t->failing && !atomic_load(&t->stop))
		log_warn("propagation.failed", kv_str("domain", next->domain),
		    kv_err(&err), kv_str("effect", "where its MX leads is "
			"unknown; it is tried again"));
	t->failing = rc < 0;
}

/* ---- the thread ---------------------------------------------------------- */

struct propagation_thread *propagation_thread_new(struct shared *sh,
    struct conf_snapshot *snapshot)
{
	struct propagation_thread *t = NEW(struct propagation_thread);

	t->shared = sh;
	t->snapshot = snapshot_ref(snapshot);
	t->loop = loop_new(sh->clock);
	mailbox_init(&t->box);
	take_domains(t);
	return t;
}

void propagation_thread_ask(struct propagation_thread *t,
    void (*fn)(void *arg), void *arg)
{
	call_post(&t->box, 0, fn, arg);
}

static void take_snapshot(struct propagation_thread *t)
{
	struct conf_snapshot *s = atomic_exchange(&t->next_snapshot, NULL);

	if (s == NULL)
		return;
	snapshot_unref(t->snapshot);
	t->snapshot = s;
	take_domains(t);
}

void propagation_thread_answer(struct propagation_thread *t)
{
	struct letter *l = mailbox_take(&t->box);

	take_snapshot(t);
	while (l != NULL) {
		struct letter *next = l->next;

		call_run(l);
		l = next;
	}
}

/* Returns when it wants to be called again, ms from now. */
static int step(struct propagation_thread *t)
{
	const struct looked_at *next;
	int64_t ms;

	propagation_thread_answer(t);
	next = next_due(t);
	if (next == NULL || t->snapshot->conf->propagation.interval_ms == 0)
		return LONGEST_MS;
	ms = next->due_ms - now_ms(t);
	if (ms > 0)
		return ms < LONGEST_MS ? (int)ms : LONGEST_MS;
	look_at_next(t, next);
	return 0;
}

static void *run_thread(void *arg)
{
	struct propagation_thread *t = arg;

	thread_name("ph-propagation");
	while (!atomic_load(&t->stop)) {
		int ms = step(t);

		if (ms > 0)
			mailbox_wait(&t->box, ms);
	}
	return NULL;
}

int propagation_thread_start(struct propagation_thread *t, struct error *err)
{
	int no = pthread_create(&t->thread, NULL, run_thread, t);

	if (no != 0)
		return error_sys(err, no, "starting the propagation thread");
	t->running = true;
	return 0;
}

void propagation_thread_configure(struct propagation_thread *t,
    struct conf_snapshot *s)
{
	snapshot_unref(atomic_exchange(&t->next_snapshot, snapshot_ref(s)));
}

void propagation_thread_stop(struct propagation_thread *t)
{
	if (t == NULL || !t->running)
		return;
	atomic_store(&t->stop, true);
	mailbox_wake(&t->box);
	pthread_join(t->thread, NULL);
	t->running = false;
}

void propagation_thread_free(struct propagation_thread *t)
{
	if (t == NULL)
		return;
	forget_domains(t->at, t->domains);
	snapshot_unref(atomic_exchange(&t->next_snapshot, NULL));
	snapshot_unref(t->snapshot);
	mailbox_fini(&t->box);
	loop_free(t->loop);
	mem_free(t);
}
