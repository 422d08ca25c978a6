/* SPDX-License-Identifier: ISC
 *
 * Programs of the worker's tests.
 */
#include "tests/unit/rig_program.h"

#include "relay/base/mem.h"
#include "relay/base/strbuf.h"

enum { GIVEN_MAX = 4 << 20 };

static struct {
	const struct rig_program *p;
	struct strbuf given;
} programs[SPAWN_ROWS];

struct spawn_run {
	struct spawn_job job;
	struct rig_program p;
	struct timer timer;
	bool over;
};

void rig_program(enum spawn_row row, const struct rig_program *p)
{
	programs[row].p = p;
}

static struct strbuf *given(enum spawn_row row)
{
	struct strbuf *b = &programs[row].given;

	if (b->max == 0)
		strbuf_init(b, GIVEN_MAX);
	return b;
}

const char *rig_program_given(enum spawn_row row)
{
	return strbuf_cstr(given(row));
}

/* ---- relay/spawn/spawner.h ---- */

bool spawner_has(const struct spawner *s, enum spawn_row row)
{
	(void)s;
	return programs[row].p != NULL;
}

bool spawner_run(struct spawner *s, enum spawn_row row, const char *arg,
    struct slice input)
{
	(void)s;
	(void)row;
	(void)arg;
	(void)input;
	return false;
}

bool spawner_start(struct spawner *s, enum spawn_row row, const char *arg,
    const struct spawn_fds *fds)
{
	(void)s;
	(void)row;
	(void)arg;
	(void)fds;
	return false;
}

/* ---- relay/spawn/spawn_run.h ---- */

static void say(struct spawn_run *r, const char *text)
{
	if (r->job.said != NULL && text != NULL)
		r->job.said(r->job.done_arg, slice_str(text));
}

static void on_end(void *arg)
{
	struct spawn_run *r = arg;
	struct spawn_end end = {.fate = r->p.fate, .code = r->p.code};

	r->over = true;
	say(r, r->p.says);
	if (r->job.said == NULL && r->p.says != NULL)
		end.output = slice_str(r->p.says);
	r->job.done(r->job.done_arg, &end);
}

static void on_begin(void *arg)
{
	struct spawn_run *r = arg;

	timer_init(&r->timer, r->timer.loop, on_end, r);
	timer_set(&r->timer, r->p.after_s * INT64_C(1000));
	say(r, r->p.says_first);
}

struct spawn_run *spawn_run_new(struct spawner *s, struct loop *loop,
    const struct spawn_job *job, struct error *err)
{
	const struct rig_program *p = programs[job->row].p;
	struct spawn_run *r;

	(void)s;
	if (p == NULL || p->full) {
		error_set(err, "there is no such program, too many wait, or "
			       "the spawner is gone");
		return NULL;
	}
	r = NEW(struct spawn_run);
	r->job = *job;
	r->p = *p;
	strbuf_addf(given(job->row), "run %s\n", job->arg);
	strbuf_addsl(given(job->row), job->input);
	timer_init(&r->timer, loop, on_begin, r);
	timer_set(&r->timer, 0);
	return r;
}

void spawn_run_free(struct spawn_run *r)
{
	if (r == NULL)
		return;
	if (!r->over)
		strbuf_adds(given(r->job.row), "killed\n");
	timer_fini(&r->timer);
	mem_free(r);
}
