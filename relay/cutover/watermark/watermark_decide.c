/* SPDX-License-Identifier: ISC
 *
 * Decisions about watermarks, of people and programs: rows of the table `mark`
 * in the table's file first, which outlives ledger.db, then events.
 */
#include "relay/cutover/watermark/watermarks_int.h"

#include "policy/mark/mark_file.h"
#include "relay/base/mem.h"
#include "relay/post/call.h"

/* The rows of a decision that have a watermark, as marks. */
struct mark_gather {
	struct watermark_decision *d;
	struct arena *a;
	unsigned at; /* in d->row */
	struct watermark_mark *mark;
	size_t n, cap;
	int64_t now_us;
};

static struct mark_file *marks_open(struct watermarks *w, struct error *err)
{
	if (w->marks == NULL)
		w->marks = mark_file_open(w->shared->table_path, err);
	return w->marks;
}

static void add_mark(struct mark_gather *g, const struct watermark *row)
{
	struct watermark_decision *d = g->d;

	if (g->n == g->cap) {
		g->cap = g->cap == 0 ? 64 : g->cap * 2;
		g->mark = mem_resize(g->mark, g->cap * sizeof(*g->mark));
	}
	g->mark[g->n++] = (struct watermark_mark){
	    .address = slice_str(arena_strdup(g->a, row->address)),
	    .leg = arena_strdup(g->a, row->leg), .waived = d->waived,
	    .change = row->change, .time_us = g->now_us, .who = d->who,
	    .host = d->host, .command = d->command, .note = d->note};
}

/* "Synchronized" of what is not reached would be one run too early. */
static void on_watermark(void *arg, const struct watermark *row)
{
	struct mark_gather *g = arg;
	struct watermark_decision *d = g->d;

	if (d->leg[0] != '\0' && strcmp(d->leg, row->leg) != 0)
		return;
	if (d->row[g->at].at_us != 0 && d->row[g->at].at_us != row->at_us)
		return;
	if (!d->waived &&
	    watermark_next(row->state, WATERMARK_SYNC) < 0) {
		if (d->row[g->at].result == MARK_NONE)
			d->row[g->at].result = MARK_EARLY;
		d->row[g->at].leg = names_text(g->d->names,
		    names_id(g->d->names, slice_str(row->leg)));
		d->row[g->at].state = (int)row->state;
		return;
	}
	d->row[g->at].result = MARK_DONE;
	add_mark(g, row);
}

/* Of a leg that is named a person also does without what was never begun: a
 * name of a catch-all that no row ever had. */
static void add_unmarked(struct mark_gather *g, struct slice address)
{
	struct watermark_decision *d = g->d;
	const struct watermark none = {.leg = d->leg,
	    .address = arena_slicedup(g->a, address)};

	if (!d->waived || d->leg[0] == '\0' ||
	    d->row[g->at].result != MARK_NONE)
		return;
	d->row[g->at].result = MARK_DONE;
	add_mark(g, &none);
}

static int gather(struct watermarks *w, struct mark_gather *g,
    struct watermark_reader *r)
{
	struct watermark_decision *d = g->d;
	struct strbuf key;
	int rc = 0;

	strbuf_init(&key, KEY_BYTES);
	for (g->at = 0; g->at < d->n && rc >= 0; g->at++) {
		strbuf_reset(&key);
		d->row[g->at].result = MARK_ADDRESS;
		if (!marks_key(w, slice_str(d->row[g->at].address), &key))
			continue;
		d->row[g->at].result = MARK_NONE;
		rc = watermark_reader_get(r, strbuf_view(&key), on_watermark,
		    g, &d->err);
		if (rc >= 0)
			add_unmarked(g, strbuf_view(&key));
	}
	strbuf_fini(&key);
	return rc < 0 ? -1 : 0;
}

static void post_marks(struct watermarks *w, const struct mark_gather *g)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct watermark_mark *m = &g->mark[i];
		struct watermark_op op = {.what = DO_WAIVE,
		    .address = m->address, .leg = m->leg,
		    .at_us = m->time_us};

		if (m->waived)
			watermark_post(w->last, &op);
		else
			marks_event(w, WATERMARK_SYNC, &op);
	}
}

void marks_decide_now(struct watermarks *w, struct watermark_decision *d)
{
	struct mark_gather g = {.d = d, .a = arena_new(),
	    .now_us = marks_wall_us(w)};
	struct watermark_reader *r;
	struct mark_file *f;

	d->err.text[0] = '\0';
	d->names = w->shared->names;
	r = watermark_reader_open_at(watermark_path(w->last),
	    w->snapshot->conf, &d->err);
	if (r != NULL && gather(w, &g, r) == 0 && g.n > 0) {
		f = marks_open(w, &d->err);
		if (f != NULL && mark_put(f, g.mark, g.n, &d->err) == 0)
			post_marks(w, &g);
	}
	watermark_reader_close(r);
	mem_free(g.mark);
	arena_free(g.a);
}

static struct watermark_decision *first_of(struct watermark_decision **list)
{
	struct watermark_decision *d = *list;

	*list = d->next;
	return d;
}

static void answer(struct watermarks *w)
{
	while (w->answer != NULL) {
		struct watermark_decision *d = first_of(&w->answer);

		call_post(d->to, d->kind, d->done, d->arg);
	}
}

/* Answered when ledger.db has it, so that a list shows it. */
void marks_decide(struct watermarks *w)
{
	if ((w->decide == NULL && w->answer == NULL) || !marks_settled(w))
		return;
	answer(w);
	while (w->decide != NULL) {
		struct watermark_decision *d = first_of(&w->decide);

		marks_decide_now(w, d);
		d->next = w->answer;
		w->answer = d;
	}
}

void marks_decide_end(struct watermarks *w)
{
	answer(w);
	while (w->decide != NULL) {
		struct watermark_decision *d = first_of(&w->decide);

		error_set(&d->err, "posthoused stops");
		call_post(d->to, d->kind, d->done, d->arg);
	}
}

static void remember(struct watermarks *w, const struct watermark *row,
    bool waived)
{
	struct watermark_mark m = {.address = slice_str(row->address),
	    .leg = row->leg, .waived = waived};
	struct watermark_op op = {.what = DO_WAIVE, .address = m.address,
	    .leg = row->leg};
	struct error err;

	if (marks_open(w, &err) == NULL) {
		marks_trouble(w, &err);
		return;
	}
	if (mark_get(w->marks, &m, &err) != 1 || m.change < row->change)
		return;
	op.at_us = m.time_us;
	if (waived)
		watermark_post(w->last, &op);
	else if (m.time_us > row->time_us)
		marks_event(w, WATERMARK_SYNC, &op);
}

/* The decisions stand although ledger.db was made anew; of an earlier one that
 * was reached again since then, they do not. */
void marks_remember(struct watermarks *w, const struct watermark *row)
{
	remember(w, row, false);
	if (!row->waived)
		remember(w, row, true);
}

void watermarks_decide(struct watermarks *w, struct watermark_decision *d)
{
	d->letter.kind = M_DECIDE;
	mailbox_post(&w->box, &d->letter);
}
