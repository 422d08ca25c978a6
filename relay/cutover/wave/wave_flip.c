/* SPDX-License-Identifier: ISC
 *
 * One slice of a wave: its members are looked for, staged, and flipped by one
 * change, in the transaction of which they are marked.
 */
#include "relay/cutover/wave/wave_run_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "policy/wave/file/exclude.h"

struct left_out {
	struct left_out *next;
	const char *address;
	struct member_mark mark;
};

struct slicing {
	const struct wave_now *n;
	struct change *ch;
	struct arena *a;
	struct left_out *out; /* skipped or excluded */
	struct wave_slice slice;
	uint64_t staged;
	struct error *err; /* of what could not be staged */
	bool failed;
};

static void stage_member(struct slicing *s, const struct member *m)
{
	const struct wave *w = s->n->wave;
	const struct change_row row = {
	    .route = w->options.hold ? NULL : w->route,
	    .held = w->options.hold ? 1 : -1,
	};

	if (change_set(s->ch, m->address, &row, s->err) < 0)
		s->failed = true;
	s->staged++;
}

static void on_member(void *arg, const struct member *m)
{
	struct slicing *s = arg;
	struct left_out *o;

	if (s->failed)
		return;
	if (m->state == MEMBER_DONE) {
		stage_member(s, m);
		return;
	}
	o = arena_alloc(s->a, sizeof(*o));
	o->next = s->out;
	o->address = arena_slicedup(s->a, m->address);
	o->mark = (struct member_mark){.state = m->state,
	    .reason = m->reason == NULL ? NULL
					: arena_strdup(s->a, m->reason)};
	s->out = o;
}

/* Inside the change's transaction. */
static int mark_members(void *arg, struct db *db,
    const struct change_done *done, struct error *err)
{
	struct slicing *s = arg;
	const struct wave *w = s->n->wave;
	struct wave_file *f = wave_file_on(db, err);
	int rc = f == NULL ? -1 : 0;

	for (struct left_out *o = s->out; rc == 0 && o != NULL; o = o->next)
		rc = wave_mark(f, w, slice_str(o->address), &o->mark, err);
	s->slice.change = done->change;
	if (rc == 0 && s->staged > 0)
		rc = wave_slice_done(f, w->name, &s->slice, err);
	wave_file_close(f);
	return rc;
}

static int commit(struct slicing *s, struct error *err)
{
	const struct wave *w = s->n->wave;
	const struct change_part part = {.also = mark_members, .arg = s};
	const struct change_how how = {
	    .create = w->options.force,
	    .inherit = w->options.force && w->options.hold,
	    .mailboxes = true,
	    .twice = w->options.force,
	    .as_of = -1,
	    .kind = "wave",
	    .part = &part,
	};
	char note[WAVE_NAME_MAX + 40];
	struct change_by by = {.command = "wave", .note = note,
	    .wave = w->name};
	struct change_done done;

	snprintf(note, sizeof(note), "slice %" PRIu64 " of wave %s%s",
	    s->slice.slice, w->name, w->options.hold ? ", held" : "");
	if (run_starter(s->n, &by, err) < 0)
		return -1;
	return change_commit(s->ch, &how, &by, &done, err);
}

/* By the handle of the change, so that the rows of the members, which are all
 * over the table, are read from the file only once. */
static int take(struct slicing *s, struct wave_file *f, uint64_t limit,
    uint64_t *seen_out, struct error *err)
{
	const struct wave_now *n = s->n;
	const struct wave_take take = {
	    .conf = n->conf,
	    .limit = limit,
	    .force = n->wave->options.force,
	    .unfit = n->run->unfit,
	    .fn = on_member,
	    .arg = s,
	};

	s->err = err;
	if (exclude_mark(f, &s->slice.rules, err) < 0 ||
	    wave_take(f, n->wave, &take, seen_out, err) < 0 || s->failed)
		return -1;
	return wave_slice_next(f, n->wave, &s->slice.slice, err);
}

int slice_make(const struct wave_now *n, uint64_t limit,
    struct slice_made *made_out, struct error *err)
{
	struct slicing s = {.n = n};
	struct wave_file *f;
	uint64_t seen = 0;
	int rc;

	s.slice.now_us = n->now_us;
	s.slice.force = n->wave->options.force;
	s.slice.hold = n->wave->options.hold;
	s.ch = change_open(n->run->path, n->conf, err);
	if (s.ch == NULL)
		return -1;
	change_watch(s.ch, &(struct change_watch){.wait_ms = STEP_WAIT_MS});
	s.a = arena_new();
	f = wave_file_on(change_db(s.ch), err);
	rc = f == NULL ? -1 : take(&s, f, limit, &seen, err);
	wave_file_close(f);
	if (rc == 0 && seen > 0)
		rc = commit(&s, err);
	*made_out = (struct slice_made){s.slice.slice, s.slice.change,
	    s.slice.members, s.slice.hold ? "held" : NULL};
	arena_free(s.a);
	change_close(s.ch);
	return rc;
}
