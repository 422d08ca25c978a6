/* SPDX-License-Identifier: ISC
 *
 * Which watermarks are reached. In rounds over what is not reached or not
 * told, a page at a time:
 *
 *   the queue is asked what is open for each recipient and leg; then the
 *   journal is synced, so that all results of before the answer are; then
 *   ledger.db must have taken in what lies before that place.
 *
 * A wave makes tens of thousands of them reached at once. Their events go into
 * the journal in parts, each when the one before is synced, so that the sync of
 * a message has little beside it.
 */
#include "relay/cutover/watermark/watermarks_int.h"

#include <stdio.h>

#include "relay/audit/note_post.h"
#include "relay/base/assert.h"
#include "relay/base/id.h"
#include "relay/base/mem.h"
#include "relay/post/call.h"
#include "relay/post/mail.h"
#include "relay/post/queue_letters.h"
#include "relay/settle/queue_thread.h"
#include "relay/watch/alarm.h"

enum {
	ASK_ROWS = 32768, /* a page */
	TELL_ROWS = 500, /* a page that has events */
	ROUND_MS = 200,	 /* between rounds, while something is to be done */
	QUIET_MS = 1000, /* … and while nothing is */
	BUSY_MS = 2000,	 /* later while a long change is read: a commit each */
	ALARM_BYTES = 512,
};

/* ---- what is told -------------------------------------------------------- */

static void note(struct watermarks *w, const struct watermark *row)
{
	struct note_draft n;
	struct jout *j = note_open(&n, EVENT_WATERMARK);
	char id[ID_TEXT];

	jout_str(j, "to", row->address);
	jout_str(j, "leg", row->leg);
	jout_str(j, "state", watermark_state_text((int)row->state));
	if (row->time_us != 0) {
		id_text(row->id, id);
		jout_time(j, "last", row->time_us);
		jout_str(j, "message", id);
	} else {
		jout_str(j, "last", "");
		jout_time(j, "since", watermark_reader_since(w->ask.reader));
	}
	jout_int(j, "change", (int64_t)row->change);
	jout_str(j, "covers", "mail that passed here");
	note_post(&n, w->shared->spool, NOTE_WATERMARK, marks_wall_us(w));
}

static void raise(struct watermarks *w, const struct watermark *row)
{
	char text[ALARM_BYTES], id[ID_TEXT];

	id_text(row->id, id);
	snprintf(text, sizeof(text), "leg %s took message %s for %s after its "
	    "watermark; synchronize that mailbox once more when `posthouse "
	    "watermark list` shows it as reached again, and see `posthouse "
	    "trace --id %s` for why it went there", row->leg, id,
	    row->address, id);
	alarm_raise(w->cfg.alarms, ALARM_WATERMARK, row->leg, text);
}

static bool is_final(enum watermark_state state)
{
	return state == WATERMARK_REACHED || state == WATERMARK_SYNCED;
}

static bool is_hooked(struct watermarks *w, const struct watermark *row)
{
	enum mark_hook_kind kind;
	struct decision d;

	if (row->state != WATERMARK_REACHED || !marks_hooked(w) ||
	    !marks_route(w, slice_str(row->address), &d) ||
	    !marks_hook_kind(w, &d, &kind))
		return false;
	marks_hook_due(w, kind);
	return true;
}

/* It is told in a later round while its route cannot be read: no program would
 * hear of it. */
static void tell(struct watermarks *w, const struct watermark *row)
{
	bool hooked;

	marks_unread(w); /* of rows before this one */
	hooked = is_hooked(w, row);
	if (marks_unread(w))
		return;
	note(w, row);
	if (++w->ask.told == TELL_ROWS)
		w->ask.page.full = true;
	if (row->state == WATERMARK_WITHDRAWN)
		raise(w, row);
	watermark_post(w->last, &(struct watermark_op){.what = DO_TOLD,
	    .number = row->state, .address = slice_str(row->address),
	    .hook = hooked ? HOOK_DUE : HOOK_NONE,
	    .leg = row->leg});
	if (row->state == WATERMARK_REACHED)
		marks_remember(w, row);
}

/* ---- a page -------------------------------------------------------------- */

static void add_row(struct watermarks *w, const struct watermark *row,
    int leg)
{
	struct mark_round *a = &w->ask;

	if (a->n == a->cap) {
		a->cap = a->cap == 0 ? 64 : a->cap * 2;
		a->row = mem_resize(a->row, a->cap * sizeof(*a->row));
	}
	a->row[a->n++] = (struct ask_row){
	    .address = mem_strdup(row->address), .leg = (uint16_t)leg,
	    .hash = mail_key_hash(w->snapshot->conf, slice_str(row->address)),
	    .was_open = row->open};
}

static void on_watermark(void *arg, const struct watermark *row)
{
	struct watermarks *w = arg;
	struct slice address = slice_str(row->address);
	int leg = names_id(w->shared->names, slice_str(row->leg));
	struct decision d;

	w->ask.seen = true;
	if (row->told != row->state)
		tell(w, row);
	if (is_final(row->state) || leg < 0 || !marks_route(w, address, &d))
		return;
	if (marks_named(&d.route, d.held, leg))
		marks_event(w, WATERMARK_NAMED, &(struct watermark_op){
		    .address = address, .leg = row->leg});
	else
		add_row(w, row, leg);
}

static void forget_rows(struct mark_round *a)
{
	while (a->n > 0)
		mem_free(a->row[--a->n].address);
	a->phase = ASK_IDLE;
}

void marks_ask_end(struct watermarks *w)
{
	forget_rows(&w->ask);
	mem_free(w->ask.row);
	watermark_reader_close(w->ask.reader);
	w->ask = (struct mark_round){.phase = ASK_IDLE};
}

static void end_round(struct watermarks *w)
{
	struct mark_round *a = &w->ask;

	watermark_reader_close(a->reader);
	a->reader = NULL;
	a->round_ms = marks_mono_ms(w) + (a->seen ? ROUND_MS : QUIET_MS);
	a->seen = false;
}

/* Everything that was posted is committed before: else it would be done twice.
 */
static bool begin_round(struct watermarks *w)
{
	struct mark_round *a = &w->ask;

	int64_t due = a->round_ms + (w->log.busy ? BUSY_MS : 0);

	if (marks_mono_ms(w) < due || !marks_settled(w))
		return false;
	a->reader = marks_reader(w);
	a->page = (struct watermark_page){.which = WATERMARKS_TODO,
	    .recipient = INT64_MIN, .leg = -1, .limit = ASK_ROWS,
	    .fn = on_watermark, .arg = w};
	if (a->reader == NULL)
		a->round_ms = marks_mono_ms(w) + TROUBLE_MS;
	return a->reader != NULL;
}

/* The page has posted events: the next one comes when they are synced. */
static void wait_for_events(struct watermarks *w)
{
	struct mark_round *a = &w->ask;

	if (a->told == 0)
		return;
	a->phase = ASK_TOLD;
	marks_flush(w, &a->flush);
}

/* ---- the queue ----------------------------------------------------------- */

static void on_answer(void *arg);

/* On the queue's thread. */
static void look(void *arg)
{
	struct watermarks *w = arg;
	struct mark_round *a = &w->ask;
	struct queue *q = queue_thread_queue(w->cfg.queue_thread);

	for (int leg = 0; leg < names_count(w->shared->names); leg++)
		a->anybody[leg] = queue_open_at(q, QUEUE_ANYBODY, leg);
	for (unsigned i = 0; i < a->n; i++)
		a->row[i].open = queue_open_at(q, a->row[i].hash,
		    a->row[i].leg) + a->anybody[a->row[i].leg];
	call_post(&w->box, M_CALL, on_answer, w);
}

/* Keeps the rows of which nothing is open; the others say what is. */
static void keep_clear(struct watermarks *w)
{
	struct mark_round *a = &w->ask;
	unsigned kept = 0;

	for (unsigned i = 0; i < a->n; i++) {
		struct ask_row *r = &a->row[i];

		if (r->open != r->was_open && r->open != 0)
			watermark_post(w->last, &(struct watermark_op){
			    .what = DO_OPEN, .number = r->open,
			    .address = slice_str(r->address),
			    .leg = names_text(w->shared->names, r->leg)});
		if (r->open == 0)
			a->row[kept++] = *r;
		else
			mem_free(r->address);
	}
	a->n = kept;
}

static void on_answer(void *arg)
{
	struct watermarks *w = arg;

	PH_ASSERT(w->ask.phase == ASK_QUEUE);
	if (w->ended) { /* the journal takes nothing any more */
		forget_rows(&w->ask);
		return;
	}
	keep_clear(w);
	w->ask.phase = w->ask.n == 0 ? ASK_IDLE : ASK_TAKE;
	if (w->ask.n != 0)
		marks_flush(w, &w->ask.flush);
	else
		wait_for_events(w);
}

/* ---- and ledger.db ------------------------------------------------------- */

static void clear(struct watermarks *w)
{
	struct mark_round *a = &w->ask;

	for (unsigned i = 0; i < a->n; i++)
		marks_event(w, WATERMARK_CLEAR, &(struct watermark_op){
		    .address = slice_str(a->row[i].address),
		    .leg = names_text(w->shared->names, a->row[i].leg)});
	forget_rows(a);
}

static bool next_page(struct watermarks *w)
{
	struct mark_round *a = &w->ask;
	struct error err;
	int n;

	if (a->reader == NULL && !begin_round(w))
		return false;
	a->told = 0;
	n = table_begin(w->table, &err);
	if (n == 0) {
		n = watermark_reader_page(a->reader, &a->page, &err);
		table_end(w->table);
		marks_unread(w); /* those rows come in the next round */
	}
	if (n < 0)
		marks_trouble(w, &err);
	if (n <= 0) {
		end_round(w);
		return false;
	}
	if (a->n > 0) {
		a->phase = ASK_QUEUE;
		call_post(w->shared->queue_box, S_CALL, look, w);
	} else {
		wait_for_events(w);
	}
	return a->phase == ASK_IDLE;
}

/* A journal that takes nothing says so elsewhere. */
static bool told(struct mark_round *a)
{
	if (a->flush.state == FLUSH_ASKED)
		return false;
	a->flush.state = FLUSH_NONE;
	a->phase = ASK_IDLE;
	return true;
}

bool marks_ask(struct watermarks *w)
{
	struct mark_round *a = &w->ask;

	if (a->phase == ASK_TOLD)
		return told(a);
	if (a->phase == ASK_TAKE && a->flush.state == FLUSH_FAILED) {
		a->flush.state = FLUSH_NONE;
		forget_rows(a); /* the next round asks again */
	}
	if (a->phase == ASK_TAKE) {
		if (!marks_took(w, &a->flush))
			return false;
		clear(w);
		return true;
	}
	return a->phase == ASK_IDLE && next_page(w);
}
