/* SPDX-License-Identifier: ISC
 *
 * The thread around the steps of waves, and their events.
 */
#include "relay/cutover/wave/wave_thread.h"

#include <pthread.h>

#include "relay/audit/note_post.h"
#include "relay/base/mem.h"
#include "relay/base/thread.h"
#include "relay/cutover/wave/wave_ledger.h"
#include "relay/observed/unfit.h"
#include "relay/post/behind_mail.h"
#include "relay/post/call.h"
#include "relay/watch/alarm.h"

struct wave_thread {
	struct shared *shared;
	struct alarms *alarms;
	struct wave_ledger *ledger; /* of a step; NULL */
	struct unfit *unfit; /* of a step; NULL */
	struct wave_run *run;
	struct mailbox box;
	struct conf_snapshot *snapshot;
	_Atomic(struct conf_snapshot *) next_snapshot;
	pthread_t thread;
	bool running;
	_Atomic bool stop;
};

/* ---- preflights ------------------------------------------------------- */

static struct unfit *unfit_of(struct wave_thread *t)
{
	if (t->unfit == NULL)
		t->unfit = unfit_new(t->snapshot->conf->audit.path);
	return t->unfit;
}

static void drop_unfit(struct wave_thread *t)
{
	unfit_free(t->unfit);
	t->unfit = NULL;
}

static struct unfit_wave unfit_wave_of(const struct wave *w)
{
	return (struct unfit_wave){w->name, w->route, w->created_us};
}

static bool on_unfit(void *arg, const struct wave *w, struct slice address,
    char *why, size_t why_size)
{
	const struct unfit_wave of = unfit_wave_of(w);

	return unfit_member(unfit_of(arg), &of, address, why, why_size);
}

int64_t wave_thread_preflight(struct wave_thread *t, const struct wave *w)
{
	const struct unfit_wave of = unfit_wave_of(w);
	int64_t us = unfit_asked_at(unfit_of(t), &of);

	drop_unfit(t);
	return us;
}

/* ---- events ----------------------------------------------------------- */

static void put_slice(struct jout *j, const struct wave_told *t)
{
	if (t->slice > 0)
		jout_int(j, "slice", (int64_t)t->slice);
	if (t->change > 0)
		jout_int(j, "change", (int64_t)t->change);
	if (t->slice > 0 || t->change > 0)
		jout_int(j, "members", (int64_t)t->members);
}

static void put_held(struct jout *j, const struct wave_counts *n)
{
	uint64_t held = n->state[MEMBER_HELD] + n->state[MEMBER_FLIPPED];

	if (held > 0)
		jout_int(j, "held", (int64_t)held);
	if (n->state[MEMBER_FAILED] > 0)
		jout_int(j, "failed", (int64_t)n->state[MEMBER_FAILED]);
}

static void put_preflight(struct jout *j, struct wave_thread *w,
    const struct wave_told *t)
{
	int64_t us;

	if (t->hold != NULL || t->step != WAVE_START)
		return;
	us = wave_thread_preflight(w, t->wave);
	if (us != 0)
		jout_time(j, "preflight", us);
	else
		jout_str(j, "preflight", "none");
}

static void on_told(void *arg, const struct wave_told *t)
{
	struct wave_thread *w = arg;
	struct note_draft n;
	struct jout *j = note_open(&n, EVENT_WAVE);

	jout_str(j, "name", t->wave->name);
	jout_str(j, "state", wave_state_text((int)t->wave->state));
	jout_str(j, "step",
	    t->hold != NULL ? t->hold : wave_event_text(t->step));
	jout_int(j, "run", (int64_t)t->wave->run);
	put_slice(j, t);
	jout_int(j, "done", (int64_t)t->counts->state[MEMBER_DONE]);
	jout_int(j, "pending", (int64_t)t->counts->state[MEMBER_PENDING]);
	put_held(j, t->counts);
	put_preflight(j, w, t);
	if (t->who[0] != '\0')
		jout_str(j, "who", t->who);
	if (t->reason[0] != '\0')
		jout_str(j, "reason", t->reason);
	note_post(&n, w->shared->spool, NOTE_SYSTEM,
	    clock_wall_us(w->shared->clock));
}

/* ---- holds ------------------------------------------------------------ */

static enum held_is on_held(void *arg, const struct conf *c,
    const struct held_asked *q, char why[HELD_WHY_MAX])
{
	struct wave_thread *t = arg;

	if (t->ledger == NULL)
		t->ledger = wave_ledger_new(c, t->shared->names);
	return wave_ledger_held(t->ledger, q, why);
}

static void on_overdue(void *arg, const char *wave, const char *text)
{
	struct wave_thread *t = arg;

	alarm_raise(t->alarms, ALARM_HOLD, wave, text);
}

/* ---- the brake -------------------------------------------------------- */

/* Full slots are no trouble, and neither is the end of the daemon. */
static bool on_shut(void *arg, int leg)
{
	const struct wave_thread *t = arg;

	return (ledger_gates(t->shared->ledger, leg) &
		   (GATE_SUSPENDED | GATE_BREAKER)) != 0;
}

static int on_look(void *arg, const struct conf *c,
    const struct brake_asked *q, struct brake_seen *seen_out,
    struct error *err)
{
	struct wave_thread *t = arg;
	const struct brake_legs legs = {c, t->shared->names, on_shut, t};

	return brake_look(&legs, q, seen_out, err);
}

static void on_braked(void *arg, const char *wave, const char *text)
{
	struct wave_thread *t = arg;

	alarm_raise(t->alarms, ALARM_BRAKE, wave, text);
}

/* ---- the thread ------------------------------------------------------- */

struct wave_thread *wave_thread_new(struct shared *sh, struct alarms *alarms,
    struct conf_snapshot *snapshot)
{
	struct wave_thread *t = NEW(struct wave_thread);
	const struct wave_run_ops ops = {on_told, on_held, on_overdue,
	    on_look, on_braked, t};

	t->shared = sh;
	t->alarms = alarms;
	t->snapshot = snapshot_ref(snapshot);
	t->run = wave_run_new(sh->table_path, &ops);
	wave_run_unfit(t->run, &(struct wave_unfit){on_unfit, t});
	mailbox_init(&t->box);
	return t;
}

void wave_thread_ask(struct wave_thread *t, void (*fn)(void *arg), void *arg)
{
	call_post(&t->box, 0, fn, arg);
}

static void take_snapshot(struct wave_thread *t)
{
	struct conf_snapshot *s = atomic_exchange(&t->next_snapshot, NULL);

	if (s == NULL)
		return;
	snapshot_unref(t->snapshot);
	t->snapshot = s;
}

void wave_thread_answer(struct wave_thread *t)
{
	struct letter *l = mailbox_take(&t->box);

	take_snapshot(t);
	while (l != NULL) {
		struct letter *next = l->next;

		call_run(l);
		l = next;
	}
}

int wave_thread_order(struct wave_thread *t, struct wave_order *order,
    struct wave_ordered *out, struct error *err)
{
	order->now_us = clock_wall_us(t->shared->clock);
	return wave_run_order(t->run, t->snapshot->conf, order, out, err);
}

int wave_thread_look(struct wave_thread *t, const char *name,
    struct wave_seen *out, struct error *err)
{
	return wave_run_look(t->run, name, out, err);
}

int wave_thread_step(struct wave_thread *t)
{
	enum { LONGEST_MS = 1000 };
	int64_t now_us, ms;

	wave_thread_answer(t);
	now_us = clock_wall_us(t->shared->clock);
	ms = (wave_run_step(t->run, t->snapshot->conf, now_us) - now_us +
		 999) / 1000;
	wave_ledger_free(t->ledger);
	t->ledger = NULL;
	drop_unfit(t);
	return ms > LONGEST_MS ? LONGEST_MS : ms < 0 ? 0 : (int)ms;
}

static void *run_thread(void *arg)
{
	struct wave_thread *t = arg;

	thread_name("ph-wave");
	thread_behind_mail(0); /* people wait for a slice */
	while (!atomic_load(&t->stop)) {
		int ms = wave_thread_step(t);

		if (ms > 0)
			mailbox_wait(&t->box, ms);
	}
	return NULL;
}

int wave_thread_start(struct wave_thread *t, struct error *err)
{
	int no = pthread_create(&t->thread, NULL, run_thread, t);

	if (no != 0)
		return error_sys(err, no, "starting the wave thread");
	t->running = true;
	return 0;
}

void wave_thread_configure(struct wave_thread *t, struct conf_snapshot *s)
{
	snapshot_unref(atomic_exchange(&t->next_snapshot, snapshot_ref(s)));
}

void wave_thread_stop(struct wave_thread *t)
{
	if (t == NULL || !t->running)
		return;
	atomic_store(&t->stop, true);
	mailbox_wake(&t->box);
	pthread_join(t->thread, NULL);
	t->running = false;
}

void wave_thread_free(struct wave_thread *t)
{
	if (t == NULL)
		return;
	wave_run_free(t->run);
	snapshot_unref(atomic_exchange(&t->next_snapshot, NULL));
	snapshot_unref(t->snapshot);
	mailbox_fini(&t->box);
	mem_free(t);
}
