/* SPDX-License-Identifier: ISC
 *
 * Walks through a wave in time. The log of slices is that of the hour before,
 * and what the walk adds to it.
 */
#include "policy/wave/wave_course.h"

#include "relay/base/clock.h"
#include "relay/base/mem.h"

#define SECOND_US INT64_C(1000000)

struct course_walk {
	const struct course_of *of;
	struct wave_course *out;
	struct wave_moment m;
	struct hour_slice *log;
	int first, n, room; /* first: the oldest that still counts */
	bool waited;	    /* the next slice begins a part */
};

static void add_slice(struct course_walk *w, int64_t at_us, uint64_t members)
{
	if (w->n == w->room) {
		w->room = w->room < 64 ? 64 : 2 * w->room;
		w->log =
		    mem_resize(w->log, (size_t)w->room * sizeof(w->log[0]));
	}
	w->log[w->n++] = (struct hour_slice){at_us / SECOND_US, members};
}

static void look(struct course_walk *w)
{
	struct wave_moment *m = &w->m;

	while (w->first < w->n &&
	       w->log[w->first].at_s <= m->now_us / SECOND_US - HOUR_S)
		w->first++;
	m->log.slice = w->log == NULL ? NULL : w->log + w->first;
	m->log.slices = w->n - w->first;
}

/* The part at hand; a new one after a wait. */
static struct course_part *part(struct course_walk *w)
{
	struct wave_course *out = w->out;
	struct course_part *p;

	if (out->parts > 0 && !w->waited)
		return &out->part[out->parts - 1];
	w->waited = false;
	if (out->parts == COURSE_PARTS) {
		out->cut = true;
		return &out->part[COURSE_PARTS - 1];
	}
	p = &out->part[out->parts++];
	*p = (struct course_part){.from_us = w->m.now_us, .to_us = w->m.now_us};
	return p;
}

static void make_slice(struct course_walk *w, uint64_t limit)
{
	struct course_part *p = part(w);
	uint64_t n = limit < w->m.pending ? limit : w->m.pending;

	p->slices++;
	p->members += n;
	p->to_us = w->m.now_us;
	p->wait = WAVE_WAIT_NONE;
	w->out->slices++;
	add_slice(w, w->m.now_us, n);
	w->m.pending -= n;
	w->m.last_us = w->m.now_us;
	w->m.now_us += w->of->slice_us;
	w->out->end_us = w->m.now_us;
}

static void pass_time(struct course_walk *w, const struct wave_due *due)
{
	if (due->wait != WAVE_WAIT_PAUSE) {
		struct course_part *p = part(w);

		p->wait = due->wait;
		p->until_us = due->until_us;
		p->blackout = due->blackout;
		w->waited = true;
	}
	w->m.now_us = due->until_us;
}

void wave_course(const struct course_of *of, struct wave_course *course_out)
{
	struct wave_options options = *of->options;
	struct course_walk w = {.of = of,
	    .out = course_out,
	    .m = {.now_us = of->from_us,
		.state = WAVE_RUNNING,
		.options = &options,
		.pending = of->members,
		.last_us = of->last_us,
		.limits = of->limits}};

	/* Each slice is good when its soak is over. */
	if (options.soak_s > options.pause_s)
		options.pause_s = options.soak_s;
	*course_out = (struct wave_course){.end_us = of->from_us};
	for (int i = 0; i < of->log.slices; i++)
		add_slice(&w, of->log.slice[i].at_s * SECOND_US,
		    of->log.slice[i].members);
	while (course_out->slices < COURSE_SLICES_MAX) {
		struct wave_due due;

		look(&w);
		due = wave_due(&w.m);
		if (due.step == WAVE_MAKE_SLICE)
			make_slice(&w, due.limit);
		else if (due.step == WAVE_WAIT)
			pass_time(&w, &due);
		else
			break;
		if (w.m.now_us >= INT64_MAX - DAY_US)
			break;
	}
	if (w.m.pending > 0)
		course_out->end_us = INT64_MAX;
	mem_free(w.log);
}
