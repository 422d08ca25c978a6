/* SPDX-License-Identifier: ISC
 *
 * A wave moves from one state to another, in the caller's transaction.
 */
#include <inttypes.h>
#include <stdio.h>

#include "policy/wave/file/decided.h"
#include "policy/wave/file/wave_file_int.h"
#include "relay/base/clock.h"

int wave_clash(struct wave_file *f, int64_t id, struct wave_clash *clash_out,
    struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_CLASH, err);
	struct wave_clash *c = clash_out;
	int rc;

	*c = (struct wave_clash){0};
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, id);
	while ((rc = wave_step(f, st, err)) > 0) {
		if (c->members++ > 0)
			continue;
		snprintf(c->address, sizeof(c->address), "%s", db_str(st, 0));
		c->line = (uint64_t)sqlite3_column_int64(st, 1);
		snprintf(c->wave, sizeof(c->wave), "%s", db_str(st, 2));
	}
	return rc;
}

static int refuse_clash(const struct wave *w, const struct wave_clash *c,
    struct error *err)
{
	char line[40] = "", more[80] = "";

	if (c->line > 0)
		snprintf(line, sizeof(line), "line %" PRIu64 ": ", c->line);
	if (c->members > 1)
		snprintf(more, sizeof(more), ", and %" PRIu64 " more members "
		    "are in such waves", c->members - 1);
	return error_set(err, "wave %s: %s%.200s is in wave %s, which is "
	    "scheduled, running or paused%s; a recipient is in one such wave "
	    "at most", w->name, line, c->address, c->wave, more);
}

/* schedule, start and resume lead to slices. */
static int may_begin(struct wave_file *f, const struct wave *w,
    struct error *err)
{
	struct wave_clash clash;

	if (w->route[0] == '\0')
		return error_set(err, "wave %s has no target: say the route",
		    w->name);
	if (wave_clash(f, w->id, &clash, err) < 0)
		return -1;
	return clash.members > 0 ? refuse_clash(w, &clash, err) : 0;
}

static int begin_run(struct wave_file *f, struct wave *w, struct error *err)
{
	sqlite3_stmt *st;

	if (w->state != WAVE_RUNNING || w->begun)
		return 0;
	w->run++;
	w->begun = true;
	st = wave_stmt(f, WS_BEGIN_RUN, err);
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, w->id);
	return wave_do(f, st, NULL, err);
}

static int write_wave(struct wave_file *f, const struct wave *w,
    struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_UPDATE, err);
	struct strbuf options;
	int rc;

	if (st == NULL)
		return -1;
	strbuf_init(&options, WAVE_OPTIONS_TEXT);
	wave_options_print(&w->options, &options);
	sqlite3_bind_int64(st, 1, w->id);
	db_bind_str(st, 2, wave_state_text((int)w->state));
	sqlite3_bind_int64(st, 3, w->run);
	sqlite3_bind_int(st, 4, w->begun);
	db_bind_str(st, 5, w->route);
	db_bind(st, 6, strbuf_view(&options));
	sqlite3_bind_int64(st, 7, w->at_us);
	db_bind_str(st, 8, w->reason);
	sqlite3_bind_int64(st, 9, w->moved_us);
	rc = wave_do(f, st, NULL, err);
	strbuf_fini(&options);
	return rc;
}

static int delete_wave(struct wave_file *f, const struct wave *w,
    struct error *err)
{
	static const enum wave_statement each[] = {WS_DELETE_MEMBERS,
	    WS_DELETE};

	for (size_t i = 0; i < ARRAY_LEN(each); i++) {
		sqlite3_stmt *st = wave_stmt(f, each[i], err);

		if (st == NULL)
			return -1;
		sqlite3_bind_int64(st, 1, w->id);
		if (wave_do(f, st, NULL, err) < 0)
			return -1;
	}
	return 0;
}

/* "from planned to scheduled, route cloud, at 2026-…; slice=1000 …" */
static void detail_of(const struct wave *w, const struct wave *before,
    const struct wave_said *said, struct strbuf *out)
{
	char at[CLOCK_RFC3339_MAX];
	struct strbuf options;
	struct slice rest, line;

	strbuf_addf(out, "from %s to %s",
	    wave_state_text((int)before->state),
	    said->event == WAVE_DELETE ? wave_state_text(WAVE_GONE)
				       : wave_state_text((int)w->state));
	if (said->part)
		strbuf_adds(out, ", a part");
	if (said->accept)
		strbuf_addf(out, ", accepted: %s", before->reason);
	if (w->route[0] != '\0')
		strbuf_addf(out, ", route %s", w->route);
	if (w->state == WAVE_SCHEDULED) {
		clock_rfc3339(w->at_us, at);
		strbuf_addf(out, ", at %s", at);
	}
	if (said->options == NULL)
		return;
	strbuf_init(&options, WAVE_OPTIONS_TEXT);
	wave_options_print(&w->options, &options);
	rest = strbuf_view(&options);
	while (slice_next(&rest, '\n', &line))
		if (line.n > 0)
			strbuf_addf(out, ", %.*s", (int)line.n, line.p);
	strbuf_fini(&options);
}

static int record(struct wave_file *f, const struct wave *w,
    const struct wave *before, const struct wave_said *said,
    struct error *err)
{
	struct decided d = {.time_us = said->now_us, .about = w->name};
	struct strbuf detail;
	int rc;

	if (said->by == NULL)
		return 0;
	strbuf_init(&detail, WAVE_OPTIONS_TEXT);
	detail_of(w, before, said, &detail);
	d.who = said->by->who;
	d.host = said->by->host;
	d.command = said->by->command;
	d.note = said->by->note == NULL ? "" : said->by->note;
	d.detail = strbuf_cstr(&detail);
	rc = decided_add(f, &d, err);
	strbuf_fini(&detail);
	return rc;
}

/* Takes over what the event says. */
static void take_said(struct wave_file *f, struct wave *w,
    const struct wave_said *said)
{
	/* Neither the reason of a pause nor a deadline changes by it. */
	if (said->event == WAVE_FLIP)
		return;
	if (said->route != NULL)
		w->route = arena_strdup(f->texts, said->route);
	if (said->options != NULL)
		w->options = *said->options;
	/* The time of a plan stays when a wave is unscheduled. */
	w->at_us = said->event == WAVE_SCHEDULE ? said->at_us
		   : w->at_us;
	w->reason = said->reason == NULL ? ""
					 : arena_strdup(f->texts, said->reason);
	w->moved_us = said->now_us;
	if (said->event == WAVE_ROLLBACK && !said->part)
		w->begun = false;
}

static int next_state(struct wave_file *f, const struct wave *w,
    const struct wave_said *said, int *next_out, struct error *err)
{
	struct wave_facts facts = {
	    .name = w->name,
	    .state = w->state,
	    .begun = w->begun,
	    .again = w->run > 0 && !w->begun,
	    .part = said->part,
	};
	struct wave_counts counts = {0};

	if (wave_count(f, w->id, &counts, err) < 0)
		return -1;
	facts.pending = counts.state[MEMBER_PENDING];
	facts.held = counts.state[MEMBER_HELD] + counts.state[MEMBER_FLIPPED];
	return wave_next(&facts, said->event, next_out, err);
}

int wave_move(struct wave_file *f, const char *name,
    const struct wave_said *said, struct wave *wave_out, struct error *err)
{
	struct wave w, before;
	int next, rc;

	if (wave_need(f, name, &w, err) < 0 ||
	    next_state(f, &w, said, &next, err) < 0)
		return -1;
	before = w;
	take_said(f, &w, said);
	if (next != WAVE_GONE)
		w.state = (enum wave_state)next;
	if ((said->event == WAVE_SCHEDULE || said->event == WAVE_START ||
		said->event == WAVE_RESUME) && may_begin(f, &w, err) < 0)
		return -1;
	if (begin_run(f, &w, err) < 0)
		return -1;
	rc = next == WAVE_GONE ? delete_wave(f, &w, err)
			       : write_wave(f, &w, err);
	if (rc == 0)
		rc = record(f, &w, &before, said, err);
	if (rc == 0 && wave_out != NULL)
		*wave_out = w;
	return rc;
}
