/* SPDX-License-Identifier: ISC
 *
 * The programs hook.on_watermark and hook.on_held: they get the mailboxes
 * whose watermark is reached, and say which are synchronized.
 *
 * At least once: a row of ledger.db says that it is to be told until the
 * program has taken the list, whatever ends in between. A watermark that was
 * withdrawn and reached again while the program ran is not the one that it was
 * told of: it is told anew, whatever the program says of the first one.
 */
#include "relay/cutover/watermark/watermarks_int.h"

#include <stdio.h>

#include "relay/base/id.h"
#include "relay/base/jout.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/watch/alarm.h"

enum {
	EXIT_AGAIN = 75, /* EX_TEMPFAIL */
	ALARM_BYTES = 1024,
};

static const struct {
	enum spawn_row row;
	const char *kind; /* the argument */
} programs[MARK_HOOKS] = {
	[HOOK_WATERMARK] = {SPAWN_WATERMARK, "watermark"},
	[HOOK_HELD] = {SPAWN_HELD, "held"},
};

static bool has(const struct watermarks *w, enum mark_hook_kind kind)
{
	return spawner_has(w->cfg.spawner, programs[kind].row);
}

bool marks_hooked(const struct watermarks *w)
{
	return has(w, HOOK_WATERMARK) || has(w, HOOK_HELD);
}

bool marks_hook_kind(const struct watermarks *w, const struct decision *d,
    enum mark_hook_kind *kind_out)
{
	*kind_out = d->held && has(w, HOOK_HELD) ? HOOK_HELD : HOOK_WATERMARK;
	return has(w, *kind_out);
}

/* ---- the list ------------------------------------------------------------ */

static void put_line(struct watermarks *w, const struct watermark *row,
    struct strbuf *out)
{
	struct jout j;
	char id[ID_TEXT];

	jout_init(&j, out);
	jout_object(&j, NULL);
	jout_str(&j, "address", row->address);
	jout_str(&j, "leg", row->leg);
	jout_str(&j, "state", watermark_state_text((int)row->state));
	if (row->time_us != 0) {
		id_text(row->id, id);
		jout_time(&j, "last", row->time_us);
		jout_str(&j, "message", id);
	} else {
		jout_time(&j, "since", w->hook_since_us);
	}
	jout_int(&j, "change", (int64_t)row->change);
	jout_str(&j, "covers", "mail that passed here");
	jout_object_end(&j);
	strbuf_addc(out, '\n');
}

static void on_due(void *arg, const struct watermark *row)
{
	struct mark_hook *h = arg;
	struct watermarks *w = h->w;
	enum mark_hook_kind kind;
	struct decision d;

	if (h->n == MARK_HOOK_ROWS || row->state != WATERMARK_REACHED ||
	    !marks_route(w, slice_str(row->address), &d) ||
	    !marks_hook_kind(w, &d, &kind) || kind != h->kind)
		return;
	put_line(w, row, &h->input);
	h->row[h->n++] = (struct mark_hook_row){
	    .address = mem_strdup(row->address), .leg = mem_strdup(row->leg),
	    .at_us = row->at_us};
}

void marks_hook_due(struct watermarks *w, enum mark_hook_kind kind)
{
	w->hook[kind].due = true;
}

void marks_hooks_due(struct watermarks *w)
{
	for (int i = 0; i < MARK_HOOKS; i++)
		marks_hook_due(w, (enum mark_hook_kind)i);
}

/* From the first row on, at the next list. */
static void walk_anew(struct mark_hook *h)
{
	h->walks = false;
	h->due = true;
}

/* Goes on along what is due until the list is full. At the end nothing is
 * looked at again before more is due, or a route changed: rows of the other
 * program would be passed over each time. */
static int walk(struct watermarks *w, struct mark_hook *h,
    struct watermark_reader *r, struct error *err)
{
	int n = 1;

	if (!h->walks) {
		h->due = false;
		h->walks = true;
		h->page = (struct watermark_page){.which = WATERMARKS_HOOK,
		    .recipient = INT64_MIN, .leg = -1, .fn = on_due,
		    .arg = h};
	}
	if (table_begin(w->table, err) < 0)
		return -1;
	while (n > 0 && h->n < MARK_HOOK_ROWS) {
		h->page.limit = MARK_HOOK_ROWS - h->n;
		n = watermark_reader_page(r, &h->page, err);
	}
	table_end(w->table);
	if (marks_unread(w))
		h->due = true; /* what was passed over */
	h->walks = n > 0;
	return n;
}

static void gather(struct watermarks *w, struct mark_hook *h)
{
	struct watermark_reader *r = marks_reader(w);
	struct error err;

	if (r == NULL)
		return;
	w->hook_since_us = watermark_reader_since(r);
	if (walk(w, h, r, &err) < 0) {
		marks_trouble(w, &err);
		walk_anew(h);
	}
	watermark_reader_close(r);
}

static void forget(struct mark_hook *h)
{
	while (h->n > 0) {
		struct mark_hook_row *r = &h->row[--h->n];

		mem_free(r->address);
		mem_free(r->leg);
		mem_free(r->failed);
	}
	strbuf_reset(&h->input);
	hook_lines_reset(&h->lines);
	h->last[0] = '\0';
	h->ended = false;
}

/* ---- what it says -------------------------------------------------------- */

static bool take_report(struct mark_hook *h, const struct hook_report *said)
{
	bool known = false;

	for (unsigned i = 0; i < h->n; i++) {
		struct mark_hook_row *r = &h->row[i];

		if (!slice_case_eq(said->address, slice_str(r->address)))
			continue;
		known = true;
		if (said->word == HOOK_SAYS_SYNCED) {
			r->synced = true;
			continue;
		}
		mem_free(r->failed);
		r->failed = said->why.n > 0 ? mem_slicedup(said->why)
					    : mem_strdup("it gave no reason");
	}
	return known;
}

/* The last line that is no report says why a program failed. */
static void take_line(void *arg, struct slice line)
{
	struct mark_hook *h = arg;
	struct hook_report said = hook_report_read(line);

	if (slice_trim(line).n > 0 &&
	    (said.word == HOOK_SAYS_NOTHING || !take_report(h, &said)))
		snprintf(h->last, sizeof(h->last), "%.*s", (int)line.n,
		    line.p);
}

static void on_said(void *arg, struct slice bytes)
{
	struct mark_hook *h = arg;

	hook_lines_take(&h->lines, bytes);
}

/* ---- the end ------------------------------------------------------------- */

static void again(struct mark_hook *h)
{
	int64_t wait = hook_pause_again(&h->pause, marks_mono_ms(h->w));

	walk_anew(h);
	log_warn("hook.again", kv_str("hook", programs[h->kind].kind),
	    kv_int("mailboxes", h->n), kv_int("in_s", wait / 1000),
	    kv_str("said", h->last));
}

static void on_done(void *arg, const struct spawn_end *end)
{
	struct mark_hook *h = arg;

	hook_lines_end(&h->lines);
	spawn_run_free(h->run);
	h->run = NULL;
	h->ended = true;
	h->taken = end->fate == SPAWN_EXITED && end->code == 0;
	h->broken = end->fate == SPAWN_EXITED && end->code != 0 &&
		    end->code != EXIT_AGAIN;
	if (h->broken && h->last[0] == '\0')
		snprintf(h->last, sizeof(h->last), "it ended with %d",
		    end->code);
	if (h->taken || h->broken)
		hook_pause_over(&h->pause);
	else
		again(h);
	timer_set(&h->w->again, 0);
}

static void post(struct watermarks *w, const struct mark_hook_row *r,
    enum watermark_hook hook, const char *text)
{
	watermark_post(w->last, &(struct watermark_op){.what = DO_HOOK,
	    .hook = hook, .note = text, .address = slice_str(r->address),
	    .leg = r->leg, .at_us = r->at_us});
}

static void raise(struct mark_hook *h, unsigned failed, const char *address,
    const char *why)
{
	char text[ALARM_BYTES];

	snprintf(text, sizeof(text), "hook.on_%s failed for %u of %u mailboxes,"
	    " first %s: %s; see `posthouse watermark list`, and say `posthouse "
	    "watermark synced` when it was done by hand",
	    programs[h->kind].kind, failed, h->n, address, why);
	alarm_raise(h->w->cfg.alarms, ALARM_HOOK, programs[h->kind].kind,
	    text);
}

/* The outcome of each, when all that is synchronized is decided. */
static void conclude(struct watermarks *w, struct mark_hook *h)
{
	const char *first = NULL, *why = "";
	unsigned failed = 0;

	for (unsigned i = 0; i < h->n; i++) {
		struct mark_hook_row *r = &h->row[i];
		const char *text = r->failed != NULL ? r->failed
				   : h->broken ? h->last : NULL;

		if (r->decided)
			continue;
		if (text != NULL) {
			post(w, r, HOOK_FAILED, text);
			why = failed++ == 0 ? text : why;
			first = first == NULL ? r->address : first;
		} else if (h->taken) {
			post(w, r, HOOK_TAKEN, NULL);
		}
	}
	if (failed > 0)
		raise(h, failed, first, why);
	forget(h);
}

/* Decides the synchronized mailboxes of one leg. True: there was one. */
static bool decide_leg(struct watermarks *w, struct mark_hook *h)
{
	struct watermark_decision d = {.leg = NULL, .who = "hook",
	    .host = "", .command = programs[h->kind].kind, .note = ""};
	struct arena *a = arena_new();

	d.row = arena_alloc(a, h->n * sizeof(*d.row) + 1);
	for (unsigned i = 0; i < h->n; i++) {
		struct mark_hook_row *r = &h->row[i];

		if (!r->synced || r->decided ||
		    (d.leg != NULL && strcmp(d.leg, r->leg) != 0))
			continue;
		d.leg = r->leg;
		d.row[d.n].address = r->address;
		d.row[d.n++].at_us = r->at_us;
		r->decided = true;
		post(w, r, HOOK_TAKEN, NULL);
	}
	if (d.n > 0)
		marks_decide_now(w, &d);
	/* Not written: the program is asked again for all of it. */
	if (d.n > 0 && d.err.text[0] != '\0') {
		marks_trouble(w, &d.err);
		for (unsigned i = 0; i < h->n; i++)
			if (strcmp(h->row[i].leg, d.leg) == 0 &&
			    h->row[i].synced)
				post(w, &h->row[i], HOOK_DUE, NULL);
		walk_anew(h);
	}
	arena_free(a);
	return d.n > 0;
}

/* ---- the start ----------------------------------------------------------- */

static void begin(struct watermarks *w, struct mark_hook *h)
{
	const struct spawn_job job = {.row = programs[h->kind].row,
	    .arg = programs[h->kind].kind, .said = on_said, .done = on_done,
	    .done_arg = h};
	struct spawn_job j = job;
	struct error err;

	if (!hook_pause_due(&h->pause, marks_mono_ms(w)) || !has(w, h->kind))
		return;
	h->pause.next_ms = marks_mono_ms(w) + TROUBLE_MS;
	gather(w, h);
	if (h->n == 0)
		return;
	j.input = strbuf_view(&h->input);
	h->run = spawn_run_new(w->cfg.spawner, w->loop, &j, &err);
	if (h->run != NULL)
		return;
	log_warn("hook.start", kv_str("hook", j.arg), kv_err(&err));
	again(h);
	forget(h);
}

void marks_hooks_init(struct watermarks *w)
{
	for (int i = 0; i < MARK_HOOKS; i++) {
		struct mark_hook *h = &w->hook[i];

		h->w = w;
		h->kind = (enum mark_hook_kind)i;
		strbuf_init(&h->input, SPAWN_RUN_INPUT_MAX);
		hook_lines_init(&h->lines);
		h->lines.fn = take_line;
		h->lines.arg = h;
	}
}

/* A commit of ledger.db is not hurried for nothing. */
static bool is_due(const struct watermarks *w, const struct mark_hook *h)
{
	return h->n > 0 || (h->run == NULL && (h->due || h->walks) &&
			       has(w, h->kind) &&
			       hook_pause_due(&h->pause, marks_mono_ms(w)));
}

void marks_hooks(struct watermarks *w)
{
	for (int i = 0; i < MARK_HOOKS; i++) {
		struct mark_hook *h = &w->hook[i];

		if (!is_due(w, h))
			continue;
		if (!marks_settled(w))
			return;
		if (h->n > 0 && decide_leg(w, h))
			continue;
		if (h->ended)
			conclude(w, h);
		else if (h->run == NULL)
			begin(w, h);
	}
}

/* A program that runs is ended, and gets its list again after the start. */
void marks_hooks_end(struct watermarks *w)
{
	for (int i = 0; i < MARK_HOOKS; i++) {
		struct mark_hook *h = &w->hook[i];

		spawn_run_free(h->run);
		h->run = NULL;
		forget(h);
		strbuf_fini(&h->input);
		hook_lines_fini(&h->lines);
	}
}
