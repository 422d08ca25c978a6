/* SPDX-License-Identifier: ISC
 *
 * The figures of a wave.
 */
#include "relay/cli/wave/wave_figures.h"

#include "policy/wave/file/soak_verdict.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"

/* Slices of the last hour, of all waves. */
struct hour_log {
	struct hour_slice *slice;
	int n, room;
};

struct run_log {
	const struct wave *wave;
	struct wave_figures *figures;
	uint64_t after_first; /* members of all slices but the first */
	uint64_t newest;      /* the number of that slice; 0 */
};

static void add_hour(void *arg, const struct slice_row *s)
{
	struct hour_log *log = arg;

	if (log->n == log->room) {
		log->room = log->room == 0 ? 64 : 2 * log->room;
		log->slice = mem_resize(log->slice,
		    (size_t)log->room * sizeof(*log->slice));
	}
	log->slice[log->n++] = (struct hour_slice){
	    .at_s = s->time_us / 1000000, .members = s->members};
}

static void add_run(void *arg, const struct slice_row *s)
{
	struct run_log *log = arg;
	struct wave_figures *g = log->figures;

	if (s->run != log->wave->run || !log->wave->begun)
		return;
	if (g->slices++ == 0)
		g->first_us = s->time_us;
	else
		log->after_first += s->members;
	g->last_us = s->time_us;
	g->moved += s->members;
	log->newest = s->slice;
}

/* Over the time from the first slice to the newest, whose members went in
 * it. */
static void add_rate(const struct run_log *log, int64_t now_us)
{
	struct wave_figures *g = log->figures;
	int64_t took_us = g->last_us - g->first_us;
	double hours = (double)took_us / (double)HOUR_US, rate;

	if (took_us <= 0 || log->after_first == 0)
		return;
	rate = (double)log->after_first / hours;
	g->per_hour = (uint64_t)(rate + 0.5);
	if (log->wave->state == WAVE_RUNNING)
		g->end_us = now_us +
			    (int64_t)((double)g->counts.state[MEMBER_PENDING] /
				rate * (double)HOUR_US);
}

/* By the figures that the daemon wrote down last. */
static int add_soak(struct wave_file *f, const struct run_log *log,
    struct wave_moment *m, struct error *err)
{
	struct soak *s = &log->figures->soak;
	int rc = soak_get(f, log->wave, log->newest, s, err);

	if (rc <= 0) {
		s->slice = 0;
		return rc;
	}
	if (log->wave->state != WAVE_RUNNING || s->ended_us != 0)
		return 0;
	m->watch = WATCH_SOAKS;
	m->watch_us = soak_due_of(s, &(struct soak_around){
	    .options = &log->wave->options, .now_us = m->now_us}).until_us;
	return 0;
}

static int add_due(struct wave_file *f, const struct wave *w,
    struct wave_moment *m, struct wave_figures *g, struct error *err)
{
	struct hour_log log = {0};
	int rc = wave_slices_since(f, m->now_us - HOUR_US, add_hour, &log,
	    err);

	m->state = w->state;
	m->at_us = w->at_us;
	m->options = &w->options;
	m->pending = g->counts.state[MEMBER_PENDING];
	m->held = g->counts.state[MEMBER_HELD];
	m->flipped = g->counts.state[MEMBER_FLIPPED];
	m->moved_us = w->moved_us;
	m->last_us = g->last_us;
	hour_log_bound(log.slice, log.n, m->now_us / 1000000,
	    m->now_us / 1000000);
	m->log = (struct slice_log){log.slice, log.n};
	if (rc == 0)
		g->due = wave_due(m);
	mem_free(log.slice);
	return rc;
}

int wave_figures(struct wave_file *f, const struct wave *w,
    const struct conf *c, struct wave_figures *figures_out,
    struct error *err)
{
	struct wave_figures *g = figures_out;
	struct run_log log = {.wave = w, .figures = g};
	struct wave_moment m = {
	    .now_us = clock_wall_us(&clock_system),
	    .limits = &c->wave.limits,
	};

	*g = (struct wave_figures){0};
	if (wave_count_now(f, w, &g->counts, err) < 0 ||
	    wave_slices(f, w->id, add_run, &log, err) < 0 ||
	    add_soak(f, &log, &m, err) < 0)
		return -1;
	g->left = g->counts.state[MEMBER_PENDING] +
		  g->counts.state[MEMBER_HELD] + g->counts.moved_on;
	add_rate(&log, m.now_us);
	return add_due(f, w, &m, g, err);
}
