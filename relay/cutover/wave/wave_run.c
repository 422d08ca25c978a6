/* SPDX-License-Identifier: ISC
 *
 * The step of all waves: looks at each that is under way, and does what is due
 * first. Of several that have a slice to make, the one that waited longest.
 */
#include "relay/cutover/wave/wave_run_int.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "policy/wave/file/decided.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"

#define LOOK_US INT64_C(1000000)
#define SECOND_US INT64_C(1000000)
enum { FAILURES = 5 };

struct wave_run *wave_run_new(const char *path,
    const struct wave_run_ops *ops)
{
	struct wave_run *r = NEW(struct wave_run);

	r->path = path;
	r->ops = *ops;
	strbuf_init(&r->failing, WAVE_NAME_MAX + 1);
	return r;
}

void wave_run_unfit(struct wave_run *r, const struct wave_unfit *unfit)
{
	r->unfit = *unfit;
}

void wave_run_free(struct wave_run *r)
{
	if (r == NULL)
		return;
	wave_file_close(r->read);
	strbuf_fini(&r->failing);
	mem_free(r);
}

/* ---- one event -------------------------------------------------------- */

int run_move(const struct wave_now *n, const struct wave_said *said,
    struct error *err)
{
	struct wave_file *f = wave_file_open(n->run->path, true, err);
	int rc;

	if (f == NULL)
		return -1;
	rc = wave_begin(f, err);
	if (rc == 0) {
		if (said->event == WAVE_RESUME)
			rc = soak_resume(n, f, said, err);
		if (rc == 0)
			rc = wave_move(f, n->wave->name, said, NULL, err);
		rc = wave_end(f, rc, err);
	}
	wave_file_close(f);
	return rc < 0 ? -1
		      : wave_need(n->run->read, n->wave->name, n->wave, err);
}

int run_starter(const struct wave_now *n, struct change_by *by,
    struct error *err)
{
	struct decided_start start = {"posthoused", n->wave->host};

	if (decided_start(n->run->read, n->wave->name, &start, err) < 0)
		return -1;
	by->who = start.who;
	by->host = start.host;
	return 0;
}

void run_tell(const struct wave_now *n, enum wave_event step,
    const struct slice_made *made, const struct change_by *by)
{
	struct wave_counts counts;
	struct wave_told t = {
	    .wave = n->wave,
	    .step = step,
	    .counts = &counts,
	    .who = by == NULL ? "" : by->who,
	    .reason = n->wave->reason,
	};
	struct error ignored;

	if (made != NULL) {
		t.slice = made->slice;
		t.change = made->change;
		t.members = made->members;
		t.hold = made->hold;
	}
	if (n->run->ops.told == NULL)
		return;
	/* The step stands, whatever can be read of it now. */
	if (wave_count(n->run->read, n->wave->id, &counts, &ignored) < 0)
		counts = (struct wave_counts){0};
	n->run->ops.told(n->run->ops.arg, &t);
}

static int move_and_tell(const struct wave_now *n, enum wave_event event,
    const char *reason, struct error *err)
{
	const struct wave_said said = {.event = event, .reason = reason,
	    .now_us = n->now_us};

	if (run_move(n, &said, err) < 0)
		return -1;
	run_tell(n, event, NULL, NULL);
	return 0;
}

/* ---- what is due ------------------------------------------------------ */

struct wave_listed {
	struct wave_listed *next;
	struct wave wave;
};

struct slice_list {
	struct hour_slice *slice;
	int n, room;
	int64_t last_us; /* of the run `run` */
	uint64_t newest; /* its number; 0: none */
	unsigned run;
};

struct wave_look {
	struct wave_run *run;
	const struct conf *conf;
	int64_t now_us, next_us;
	struct arena *a;
	struct wave_listed *list;
	struct slice_list lately;
	/* The first thing to do. */
	struct wave *wave;
	struct wave_due due;
	int64_t last_us;
	struct soak_now soak;
};

static void on_wave(void *arg, const struct wave *w)
{
	struct wave_look *l = arg;
	struct wave_listed *c;

	/* A paused one may have mail of flipped members to release, or an
	 * alarm to raise. */
	if (w->state != WAVE_SCHEDULED && w->state != WAVE_RUNNING &&
	    w->options.rollback == 0 &&
	    !(w->state == WAVE_PAUSED &&
		(w->options.hold || soak_is_watched(w))))
		return;
	c = arena_alloc(l->a, sizeof(*c));
	c->wave = *w;
	c->wave.name = arena_strdup(l->a, w->name);
	c->wave.route = arena_strdup(l->a, w->route);
	c->wave.reason = arena_strdup(l->a, w->reason);
	c->wave.who = arena_strdup(l->a, w->who);
	c->wave.host = arena_strdup(l->a, w->host);
	c->wave.note = arena_strdup(l->a, w->note);
	c->next = l->list;
	l->list = c;
}

static void on_lately(void *arg, const struct slice_row *s)
{
	struct slice_list *l = arg;

	if (l->n == l->room) {
		l->room = l->room == 0 ? 64 : 2 * l->room;
		l->slice = mem_resize(l->slice,
		    (size_t)l->room * sizeof(*l->slice));
	}
	l->slice[l->n++] = (struct hour_slice){s->time_us / 1000000,
	    s->members};
}

static void on_slice(void *arg, const struct slice_row *s)
{
	struct slice_list *l = arg;

	if (s->run == l->run && s->time_us > l->last_us)
		l->last_us = s->time_us;
	if (s->run == l->run && s->slice > l->newest)
		l->newest = s->slice;
}

static int moment_of(struct wave_look *l, struct wave *w,
    struct wave_moment *m, struct soak_now *soak, struct error *err)
{
	const struct wave_now n = {l->run, l->conf, w, l->now_us};
	struct slice_list last = {.run = w->run};
	struct wave_counts counts;
	bool settle = false;

	if (wave_count(l->run->read, w->id, &counts, err) < 0 ||
	    wave_slices(l->run->read, w->id, on_slice, &last, err) < 0)
		return -1;
	if (counts.state[MEMBER_HELD] > 0 && w->state == WAVE_RUNNING &&
	    hold_look(&n, &settle, err) < 0)
		return -1;
	if (soak_look(&n, last.newest, soak, err) < 0)
		return -1;
	*m = (struct wave_moment){
	    .now_us = l->now_us,
	    .state = w->state,
	    .at_us = w->at_us,
	    .options = &w->options,
	    .pending = counts.state[MEMBER_PENDING],
	    .held = counts.state[MEMBER_HELD],
	    .flipped = counts.state[MEMBER_FLIPPED],
	    .settle = settle,
	    .moved_us = w->moved_us,
	    .last_us = last.last_us > l->now_us ? l->run->ahead_us
						: last.last_us,
	    .watch = soak->watch,
	    .watch_us = soak->until_us,
	    .limits = &l->conf->wave.limits,
	    .log = {l->lately.slice, l->lately.n},
	};
	return 0;
}

/* A rollback that is under way comes before all slices; these go by the time
 * of the last one. */
static bool prefer(struct wave_look *l, struct wave *w, struct wave_due due,
    int64_t last_us)
{
	if (l->wave != NULL && last_us >= l->last_us)
		return false;
	l->wave = w;
	l->due = due;
	l->last_us = last_us;
	return true;
}

static int judge(struct wave_look *l, struct wave *w, struct error *err)
{
	struct soak_now soak;
	struct wave_moment m;
	struct wave_due due;

	if (w->options.rollback > 0) {
		prefer(l, w, (struct wave_due){.step = WAVE_NOTHING}, -1);
		return 0;
	}
	if (moment_of(l, w, &m, &soak, err) < 0)
		return -1;
	due = wave_due(&m);
	if (due.step == WAVE_WAIT && due.until_us < l->next_us)
		l->next_us = due.until_us;
	if (due.step != WAVE_WAIT && due.step != WAVE_NOTHING &&
	    prefer(l, w, due, due.step == WAVE_MAKE_SLICE ? m.last_us : 0))
		l->soak = soak;
	return 0;
}

/* ---- doing it --------------------------------------------------------- */

static int late(const struct wave_now *n, struct error *err)
{
	char reason[120];

	snprintf(reason, sizeof(reason), "its time was over by %lld min when "
	    "it could begin: the daemon had stopped, or the clock was set",
	    (long long)((n->now_us - n->wave->at_us) / 60000000));
	return move_and_tell(n, WAVE_PAUSE, reason, err);
}

static int make_slice(const struct wave_now *n, uint64_t limit,
    struct error *err)
{
	struct slice_made made;

	if (slice_make(n, limit, &made, err) < 0)
		return -1;
	if (made.members > 0)
		run_tell(n, WAVE_SLICE_DONE, &made, NULL);
	return 0;
}

static int go_on_back(const struct wave_now *n, struct error *err)
{
	const struct back_order order = {.limit = n->wave->options.rollback};
	struct slice_made told = {0};
	struct back_made made;

	if (back_make(n, &order, &made, err) < 0 ||
	    wave_need(n->run->read, n->wave->name, n->wave, err) < 0)
		return -1;
	told.change = made.change;
	told.members = made.recipients;
	run_tell(n, WAVE_ROLLBACK, &told, NULL);
	return 0;
}

/* Told before it is written down: twice is better than never. */
static int overdue(const struct wave_now *n, struct error *err)
{
	const char *name = n->wave->name;
	char reason[400];

	snprintf(reason, sizeof(reason), "members are held for longer than the "
	    "deadline: `posthouse wave resume %s --release` gives their mail "
	    "to their old route, without it the wave waits as long again; "
	    "`posthouse wave flip %s ADDR` flips those that moved", name,
	    name);
	if (n->run->ops.overdue != NULL)
		n->run->ops.overdue(n->run->ops.arg, name, reason);
	return move_and_tell(n, WAVE_PAUSE, reason, err);
}

static int go_on_hold(const struct wave_now *n, enum wave_step step,
    struct error *err)
{
	struct slice_made made;

	if ((step == WAVE_RELEASE ? hold_release(n, &made, err)
				  : hold_settle(n, &made, err)) < 0)
		return -1;
	run_tell(n, WAVE_SLICE_DONE, &made, NULL);
	return 0;
}

static int act(const struct wave_now *n, const struct wave_due *due,
    const struct soak_now *soak, struct error *err)
{
	switch (due->step) {
	case WAVE_BEGIN:
		return move_and_tell(n, WAVE_START, NULL, err);
	case WAVE_LATE:
		return late(n, err);
	case WAVE_FINISH:
		return move_and_tell(n, WAVE_END, NULL, err);
	case WAVE_MAKE_SLICE:
		return make_slice(n, due->limit, err);
	case WAVE_RELEASE:
	case WAVE_SETTLE:
		return go_on_hold(n, due->step, err);
	case WAVE_OVERDUE:
		return overdue(n, err);
	case WAVE_SOAK:
	case WAVE_SOAKED:
	case WAVE_BRAKE:
	case WAVE_BRAKE_TELL:
	case WAVE_TAKE_BACK:
		return soak_act(n, due->step, soak, err);
	case WAVE_NOTHING: /* a rollback goes on */
		return go_on_back(n, err);
	case WAVE_WAIT:
		break;
	}
	return 0;
}

/* A rollback that cannot go on would keep all other waves from theirs. What is
 * back by then stays so, and no slice follows that moves others on. */
static int stop_back(const struct wave_now *n, const struct error *why,
    struct error *err)
{
	bool makes_slices = n->wave->state == WAVE_RUNNING ||
			    n->wave->state == WAVE_SCHEDULED;
	struct wave_options options = n->wave->options;
	char reason[sizeof(why->text) + 40];
	const struct wave_said said = {
	    .event = makes_slices ? WAVE_PAUSE : WAVE_ROLLBACK,
	    .options = &options,
	    .part = true,
	    .reason = reason,
	    .now_us = n->now_us,
	};

	snprintf(reason, sizeof(reason), "its rollback stopped: %s",
	    why->text);
	options.rollback = 0;
	options.take_back = false;
	if (run_move(n, &said, err) < 0)
		return -1;
	run_tell(n, said.event, NULL, NULL);
	return 0;
}

static int stop(const struct wave_now *n, enum wave_step step,
    const struct error *why, struct error *err)
{
	return n->wave->options.rollback > 0 || step == WAVE_TAKE_BACK
		   ? stop_back(n, why, err)
		   : move_and_tell(n, WAVE_PAUSE, why->text, err);
}

/* A step that fails again and again is for a person to look at. */
static void failed(const struct wave_now *n, enum wave_step step,
    const struct error *err)
{
	struct wave_run *r = n->run;
	struct error ignored;

	log_warn("wave.step", kv_str("wave", n->wave->name), kv_err(err));
	if (err->no == EBUSY)
		return; /* the end of a long import is waited for */
	if (strcmp(strbuf_cstr(&r->failing), n->wave->name) != 0)
		r->failures = 0;
	strbuf_reset(&r->failing);
	strbuf_adds(&r->failing, n->wave->name);
	if (++r->failures < FAILURES)
		return;
	r->failures = 0;
	if (stop(n, step, err, &ignored) < 0)
		log_error("wave.pause", kv_str("wave", n->wave->name),
		    kv_err(&ignored));
}

/* The clock was set back: what was made before that counts for an hour by the
 * new clock, from when it is seen. */
static void take_ahead(struct wave_look *l)
{
	struct wave_run *r = l->run;
	const struct slice_list *log = &l->lately;

	if (log->n == 0 || log->slice[log->n - 1].at_s <= l->now_us / SECOND_US)
		r->ahead_us = 0;
	else if (r->ahead_us == 0 || r->ahead_us > l->now_us)
		r->ahead_us = l->now_us;
	if (r->ahead_us != 0)
		hour_log_bound(l->lately.slice, l->lately.n,
		    l->now_us / SECOND_US, r->ahead_us / SECOND_US);
}

static int find(struct wave_look *l, struct error *err)
{
	struct wave_file *f = l->run->read;

	if (wave_each(f, on_wave, l, err) < 0)
		return -1;
	if (l->list == NULL)
		return 0;
	if (wave_slices_since(f, l->now_us - INT64_C(3600000000), on_lately,
		&l->lately, err) < 0)
		return -1;
	take_ahead(l);
	for (struct wave_listed *c = l->list; c != NULL; c = c->next)
		if (judge(l, &c->wave, err) < 0)
			return -1;
	return 0;
}

static void do_first(struct wave_look *l)
{
	struct wave_now n = {l->run, l->conf, l->wave, l->now_us};
	struct error err;

	if (act(&n, &l->due, &l->soak, &err) < 0) {
		failed(&n, l->due.step, &err);
		return;
	}
	l->run->failures = 0;
	l->next_us = l->now_us;
}

int64_t wave_run_step(struct wave_run *r, const struct conf *c,
    int64_t now_us)
{
	struct wave_look l = {.run = r, .conf = c, .now_us = now_us,
	    .next_us = now_us + LOOK_US, .a = arena_new()};
	struct error err;
	struct stat st;

	/* Another file may stand there since: opened anew each time. */
	wave_file_close(r->read);
	r->read = NULL;
	if (stat(r->path, &st) == 0 && st.st_size > 0)
		r->read = wave_file_open(r->path, false, &err);
	/* A table that cannot be read is the table thread's to report. */
	if (r->read != NULL && find(&l, &err) == 0 && l.wave != NULL)
		do_first(&l);
	mem_free(l.lately.slice);
	arena_free(l.a);
	return l.next_us;
}
