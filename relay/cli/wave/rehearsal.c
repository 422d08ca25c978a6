/* SPDX-License-Identifier: ISC
 *
 * Asks for the members of a slice without end, and puts the answer together.
 * The time of a slice is measured between two slices of one run, without their
 * pause. Some of these times contain a wait, so the median is taken.
 */
#include "relay/cli/wave/rehearsal.h"

#include <stdlib.h>

#include "relay/base/clock.h"
#include "relay/observed/unfit.h"

enum { TIMED_MAX = 10000, LATELY_MAX = 100000 };
#define SECOND_US INT64_C(1000000)

/* ---- members ------------------------------------------------------------ */

static void count_route(struct rehearsal *r, const char *text)
{
	for (int i = 0; i < r->routes; i++)
		if (strcmp(r->was[i].text, text) == 0) {
			r->was[i].members++;
			return;
		}
	if (r->routes < REHEARSAL_ROUTES)
		r->was[r->routes++] =
		    (struct rehearsal_route){arena_strdup(r->texts, text), 1};
}

static void leave_out(struct rehearsal *r, const struct member *m)
{
	r->left_out++;
	if (r->outs == REHEARSAL_LEFT_OUT)
		return;
	r->out[r->outs++] =
	    (struct rehearsal_left_out){arena_slicedup(r->texts, m->address),
		member_state_text(m->state), arena_strdup(r->texts, m->reason)};
}

struct rehearsed {
	struct rehearsal *r;
	struct unfit *unfit;
	struct hold_look *hold; /* NULL: it is not to hold */
};

static void take_member(void *arg, const struct member *m)
{
	struct rehearsed *p = arg;
	struct rehearsal *r = p->r;

	if (m->state != MEMBER_DONE) {
		leave_out(r, m);
		return;
	}
	r->held += m->held;
	if (m->now != NULL && strcmp(m->now, r->route) == 0) {
		r->there++;
		return;
	}
	r->moves++;
	count_route(r, m->now == NULL ? "no row" : m->now);
	r->rowless += m->now == NULL;
	if (p->hold != NULL && m->now != NULL)
		hold_look_member(p->hold, m->address, m->now);
}

static bool on_unfit(void *arg, const struct wave *w, struct slice address,
    char *why, size_t why_size)
{
	struct rehearsed *p = arg;
	const struct unfit_wave of = {w->name, p->r->route, w->created_us};

	return unfit_member(p->unfit, &of, address, why, why_size);
}

static void note_preflight(struct rehearsal *r, struct unfit *u)
{
	const struct unfit_wave of = {r->wave.name, r->route,
	    r->wave.created_us};

	r->preflight_us = unfit_asked_at(u, &of);
	r->unfit = unfit_count(u, &of);
	r->preflight_fault = arena_strdup(r->texts, unfit_fault(u));
}

static int take_members(
    struct wave_file *f, struct rehearsal *r, struct error *err)
{
	struct rehearsed p = {r, unfit_new(r->conf->audit.path),
	    r->options.hold ? hold_look_new(r->conf, r->names,
				  clock_wall_us(&clock_system)) : NULL};
	const struct wave_take take = {.conf = r->conf,
	    .limit = UINT64_MAX / 2, .force = r->options.force,
	    .unfit = {on_unfit, &p}, .fn = take_member, .arg = &p};
	uint64_t seen;
	int rc;

	r->out = arena_alloc(r->texts, REHEARSAL_LEFT_OUT * sizeof(r->out[0]));
	rc = wave_take(f, &r->wave, &take, &seen, err);
	note_preflight(r, p.unfit);
	unfit_free(p.unfit);
	if (p.hold != NULL && hold_look_end(p.hold, &(struct hold_of){
		r->options.slice, r->options.deadline_s}, &r->hold,
		&r->hold_fault) == 0)
		r->hold_fault.text[0] = '\0';
	return rc;
}

/* ---- what a slice takes -------------------------------------------------- */

struct timing {
	struct wave_file *f;
	int64_t *took;
	int n;
	unsigned run; /* of the slice before, and its time: */
	int64_t before_us, pause_us;
};

static void time_slice(void *arg, const struct slice_row *s)
{
	struct timing *t = arg;
	int64_t took = s->time_us - t->before_us - t->pause_us;

	if (s->run == t->run && t->before_us != 0 && t->n < TIMED_MAX)
		t->took[t->n++] = took < 0 ? 0 : took;
	t->run = s->run;
	t->before_us = s->time_us;
}

struct wave_ids {
	struct arena *texts;
	int64_t *id, *pause_s;
	int n, room;
};

static void note_id(void *arg, const struct wave *w)
{
	struct wave_ids *ids = arg;

	if (ids->n == ids->room) {
		ids->room = ids->room == 0 ? 64 : 2 * ids->room;
		ids->id =
		    mem_resize(ids->id, (size_t)ids->room * sizeof(ids->id[0]));
		ids->pause_s = mem_resize(
		    ids->pause_s, (size_t)ids->room * sizeof(ids->id[0]));
	}
	ids->id[ids->n] = w->id;
	ids->pause_s[ids->n++] = w->options.pause_s;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int time_slices(
    struct wave_file *f, struct rehearsal *r, struct error *err)
{
	struct wave_ids ids = {.texts = r->texts};
	struct timing t = {.f = f, .took = NEW_ARRAY(int64_t, TIMED_MAX)};
	int rc = wave_each(f, note_id, &ids, err);

	for (int i = 0; i < ids.n && rc == 0; i++) {
		t.before_us = 0;
		t.pause_us = ids.pause_s[i] * SECOND_US;
		rc = wave_slices(f, ids.id[i], time_slice, &t, err);
	}
	qsort(t.took, (size_t)t.n, sizeof(t.took[0]), by_size);
	r->timed = (uint64_t)t.n;
	r->slice_us = t.n == 0 ? 0 : t.took[t.n / 2];
	mem_free(t.took);
	mem_free(ids.id);
	mem_free(ids.pause_s);
	return rc;
}

/* ---- the course ---------------------------------------------------------- */

struct lately {
	struct hour_slice *slice;
	int n;
};

static void note_slice(void *arg, const struct slice_row *s)
{
	struct lately *l = arg;

	if (l->n < LATELY_MAX)
		l->slice[l->n++] =
		    (struct hour_slice){s->time_us / SECOND_US, s->members};
}

static int find_course(
    struct wave_file *f, struct rehearsal *r, struct error *err)
{
	struct lately l = {NEW_ARRAY(struct hour_slice, LATELY_MAX), 0};
	int rc =
	    wave_slices_since(f, r->from_us - HOUR_US, note_slice, &l, err);
	const struct course_of of = {.options = &r->options,
	    .limits = &r->conf->wave.limits,
	    .members = r->moves + r->there,
	    .from_us = r->from_us,
	    .slice_us = r->slice_us,
	    .log = {l.slice, l.n}};

	if (rc == 0)
		wave_course(&of, &r->course);
	mem_free(l.slice);
	return rc;
}

/* ---- other waves --------------------------------------------------------- */

static void note_other(void *arg, const struct wave *w)
{
	struct rehearsal *r = arg;

	if (w->id == r->wave.id || r->others == REHEARSAL_OTHERS ||
	    (w->state != WAVE_SCHEDULED && w->state != WAVE_RUNNING &&
		w->state != WAVE_PAUSED))
		return;
	r->other[r->others++] = (struct rehearsal_other){
	    arena_strdup(r->texts, w->name), wave_state_text((int)w->state),
	    w->id, 0};
}

static int find_others(
    struct wave_file *f, struct rehearsal *r, struct error *err)
{
	struct wave_counts counts;

	if (wave_each(f, note_other, r, err) < 0)
		return -1;
	for (int i = 0; i < r->others; i++) {
		if (wave_count(f, r->other[i].id, &counts, err) < 0)
			return -1;
		r->other[i].left = counts.state[MEMBER_PENDING];
	}
	return 0;
}

int rehearse(struct wave_file *f, struct rehearsal *r, struct error *err)
{
	if (take_members(f, r, err) < 0 || time_slices(f, r, err) < 0 ||
	    find_others(f, r, err) < 0)
		return -1;
	return find_course(f, r, err);
}
