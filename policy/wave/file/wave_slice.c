/* SPDX-License-Identifier: ISC
 *
 * Slices: which members go next, and what a slice did.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "policy/row.h"
#include "policy/wave/file/exclude.h"
#include "policy/wave/file/wave_member.h"
#include "policy/wave/file/wave_where.h"
#include "relay/base/mem.h"

/* ---- the next slice --------------------------------------------------- */

enum { REASON_MAX = 400, LOOK_AHEAD = 20000,
	TEXTS_BYTES = 1 << 20 };

/* The members of one mailbox, which share their fate: a change moves a mailbox
 * as a whole. */
struct seat {
	int64_t number;
	struct member *member;
	size_t n, room;
	enum member_state state;
	char reason[REASON_MAX];
	struct arena *texts;
};

struct slice_taking {
	const struct wave_take *take;
	const struct wave *wave;
	struct exclude_rules *rules;
	struct seat seat;
	uint64_t taken, seen;
};

static void put_out(struct seat *s, enum member_state state,
    struct slice address, const char *why)
{
	if (s->state != MEMBER_DONE)
		return;
	s->state = state;
	snprintf(s->reason, sizeof(s->reason), "%s%s%.*s", why,
	    s->n > 1 ? ": " : "", s->n > 1 ? (int)address.n : 0, address.p);
}

static void judge_unfit(struct slice_taking *t, const struct member *m)
{
	const struct wave_unfit *unfit = &t->take->unfit;
	char why[REASON_MAX / 2];

	if (unfit->fn != NULL && unfit->fn(unfit->arg, t->wave, m->address,
				     why, sizeof(why)))
		put_out(&t->seat, MEMBER_SKIPPED, m->address, why);
}

static void judge_member(struct slice_taking *t, const struct member *m,
    const struct where_row *row)
{
	uint64_t rule = m->now == NULL
			    ? 0 : exclude_rules_match(t->rules, row);
	char why[80];

	if (rule > 0) {
		snprintf(why, sizeof(why), "rule %" PRIu64, rule);
		put_out(&t->seat, MEMBER_EXCLUDED, m->address, why);
	} else if (t->take->force) {
		return;
	} else if (m->now == NULL) {
		put_out(&t->seat, MEMBER_SKIPPED, m->address, "no row");
	} else if (m->was == NULL) {
		put_out(&t->seat, MEMBER_SKIPPED, m->address,
		    "its row was made since the wave was created");
	} else if (strcmp(m->was, m->now) != 0) {
		snprintf(why, sizeof(why), "moved by change %" PRIu64
		    " since the wave was created", row->change);
		put_out(&t->seat, MEMBER_SKIPPED, m->address, why);
	} else {
		judge_unfit(t, m);
	}
}

static void keep_member(struct seat *s, const struct member *m)
{
	struct member *to;

	if (s->n == s->room) {
		s->room = s->room == 0 ? 8 : 2 * s->room;
		s->member = mem_resize(s->member,
		    s->room * sizeof(*s->member));
	}
	to = &s->member[s->n++];
	*to = *m;
	to->address = slice_str(arena_slicedup(s->texts, m->address));
	to->was = m->was == NULL ? NULL : arena_strdup(s->texts, m->was);
	to->now = m->now == NULL ? NULL : arena_strdup(s->texts, m->now);
	to->reason = "";
}

static void end_seat(struct slice_taking *t)
{
	struct seat *s = &t->seat;

	for (size_t i = 0; i < s->n; i++) {
		s->member[i].state = s->state;
		s->member[i].reason = s->reason;
		t->take->fn(t->take->arg, &s->member[i]);
	}
	t->taken += s->state == MEMBER_DONE ? s->n : 0;
	t->seen += s->n;
	s->n = 0;
	s->state = MEMBER_DONE;
	s->reason[0] = '\0';
	if (arena_bytes(s->texts) > TEXTS_BYTES) {
		arena_free(s->texts);
		s->texts = arena_new();
	}
}

static bool enough(const struct slice_taking *t)
{
	return t->taken >= t->take->limit ||
	       t->seen >= t->take->limit + LOOK_AHEAD;
}

static int judge_by_waves(struct wave_file *f, struct slice_taking *t,
    const struct member *m, struct where_row *row, struct error *err)
{
	struct strbuf names;
	int rc;

	strbuf_init(&names, WHERE_WAVES_TEXT);
	rc = wave_names_of(f, row->address, &names, err);
	row->waves = strbuf_view(&names);
	if (rc == 0)
		judge_member(t, m, row);
	strbuf_fini(&names);
	return rc;
}

static int take_row(struct wave_file *f, struct slice_taking *t,
    sqlite3_stmt *st, struct error *err)
{
	struct where_row row = {
	    .address = db_text(st, 0),
	    .route = db_text(st, 8),
	    .held = sqlite3_column_int(st, 9) != 0,
	    .mailbox = db_text(st, WAVE_MEMBER_COLUMNS + 1),
	    .tags = db_text(st, WAVE_MEMBER_COLUMNS + 2),
	    .change = (uint64_t)sqlite3_column_int64(st,
		WAVE_MEMBER_COLUMNS + 3),
	};
	const struct conf_domain *d;
	struct member m;

	if (wave_member_at(f, st, &m, err) < 0)
		return -1;
	d = conf_domain(t->take->conf, row_domain(row.address));
	row.customer = slice_str(d == NULL ? "" : d->customer);
	keep_member(&t->seat, &m);
	if (exclude_rules_ask_wave(t->rules))
		return judge_by_waves(f, t, &m, &row, err);
	judge_member(t, &m, &row);
	return 0;
}

static int take_rows(struct wave_file *f, struct slice_taking *t,
    sqlite3_stmt *st, struct error *err)
{
	int rc;

	while ((rc = wave_step(f, st, err)) > 0) {
		int64_t seat = sqlite3_column_int64(st, WAVE_MEMBER_COLUMNS);

		if (t->seat.n > 0 && seat != t->seat.number) {
			end_seat(t);
			if (enough(t))
				break;
		}
		t->seat.number = seat;
		if (take_row(f, t, st, err) < 0) {
			rc = -1;
			break;
		}
	}
	if (rc >= 0 && t->seat.n > 0)
		end_seat(t);
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

int wave_take(struct wave_file *f, const struct wave *w,
    const struct wave_take *take, uint64_t *seen_out, struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_TAKE, err);
	struct slice_taking t = {.take = take, .wave = w,
	    .seat = {.state = MEMBER_DONE}};
	int rc = -1;

	*seen_out = 0;
	if (st == NULL)
		return -1;
	t.rules = exclude_rules_load(f, err);
	if (t.rules == NULL)
		return -1;
	t.seat.texts = arena_new();
	sqlite3_bind_int64(st, 1, w->id);
	rc = take_rows(f, &t, st, err);
	*seen_out = t.seen;
	arena_free(t.seat.texts);
	mem_free(t.seat.member);
	exclude_rules_free(t.rules);
	return rc;
}

int wave_slice_next(struct wave_file *f, const struct wave *w,
    uint64_t *slice_out, struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_SLICE_NEXT, err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, w->id);
	sqlite3_bind_int64(st, 2, w->run);
	if (wave_step(f, st, err) < 0)
		return -1;
	*slice_out = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

/* ---- inside the transaction of a change ------------------------------- */

static int mark_by(struct wave_file *f, const struct wave *w,
    enum wave_statement which, struct wave_slice *slice, struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, which, err);
	uint64_t members = 0;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, w->id);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)slice->change);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)slice->slice);
	sqlite3_bind_int64(st, 4, w->run);
	if (which == WS_SLICE_MARK)
		sqlite3_bind_int(st, 5, slice->force);
	if (wave_do(f, st, &members, err) < 0)
		return -1;
	slice->members += members;
	return 0;
}

static int staged(struct wave_file *f, uint64_t *rows_out, struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_STAGED, err);

	if (st == NULL || wave_step(f, st, err) < 0)
		return -1;
	*rows_out = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

/* Mostly each staged row is of a member, and in the change: others are looked
 * for when there are fewer. */
static int mark_staged(struct wave_file *f, const struct wave *w,
    struct wave_slice *slice, struct error *err)
{
	uint64_t rows;

	slice->members = 0;
	if (slice->hold)
		return mark_by(f, w, WS_HOLD_MARK, slice, err);
	if (mark_by(f, w, WS_SLICE_MARK, slice, err) < 0 ||
	    staged(f, &rows, err) < 0)
		return -1;
	if (slice->members == rows)
		return 0;
	if (!slice->force && wave_refuse_moved(f, w, slice->change, err) < 0)
		return -1;
	return mark_by(f, w, WS_SLICE_STAY, slice, err);
}

static int add_slice(struct wave_file *f, const struct wave *w,
    const struct wave_slice *slice, struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_SLICE_ADD, err);
	uint64_t added = 0;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, w->id);
	sqlite3_bind_int64(st, 2, w->run);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)slice->slice);
	sqlite3_bind_int64(st, 4, slice->now_us);
	sqlite3_bind_int64(st, 5, (sqlite3_int64)slice->change);
	sqlite3_bind_int64(st, 6, (sqlite3_int64)slice->members);
	if (wave_do(f, st, &added, err) < 0)
		return -1;
	return added == 1 ? 0
			  : error_set(err, "wave %s: slice %" PRIu64 " of "
				"run %u was made already", w->name,
				slice->slice, w->run);
}

/* Committed while the members were read. The next step reads them anew. */
static int refuse_new_rule(struct wave_file *f,
    const struct wave_slice *slice, struct error *err)
{
	int64_t now;

	if (exclude_mark(f, &now, err) < 0)
		return -1;
	if (now == slice->rules)
		return 0;
	error_set(err, "a rule of wave exclude was changed meanwhile");
	err->no = EBUSY;
	return -1;
}

int wave_slice_done(struct wave_file *f, const char *name,
    struct wave_slice *slice, struct error *err)
{
	struct wave w;
	int next;

	if (wave_need(f, name, &w, err) < 0 ||
	    wave_next(&(struct wave_facts){.name = w.name, .state = w.state,
			  .begun = w.begun}, WAVE_SLICE_DONE, &next, err) < 0)
		return -1;
	if (refuse_new_rule(f, slice, err) < 0)
		return -1;
	if (slice->hold && !slice->force &&
	    wave_refuse_moved(f, &w, slice->change, err) < 0)
		return -1;
	if (mark_staged(f, &w, slice, err) < 0)
		return -1;
	return add_slice(f, &w, slice, err);
}

int wave_taken_back(struct wave_file *f, const struct wave *w,
    uint64_t change, uint64_t *members_out, struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_TAKEN_BACK, err);
	char why[60];

	snprintf(why, sizeof(why), "rolled back by change %" PRIu64, change);
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, w->id);
	db_bind_str(st, 2, why);
	return wave_do(f, st, members_out, err);
}

/* ---- slices on record ------------------------------------------------- */

static int each_slice(struct wave_file *f, sqlite3_stmt *st,
    void (*fn)(void *arg, const struct slice_row *s), void *arg,
    struct error *err)
{
	int rc;

	while ((rc = wave_step(f, st, err)) > 0) {
		const struct slice_row row = {
		    .run = (unsigned)sqlite3_column_int(st, 0),
		    .slice = (uint64_t)sqlite3_column_int64(st, 1),
		    .change = (uint64_t)sqlite3_column_int64(st, 2),
		    .members = (uint64_t)sqlite3_column_int64(st, 3),
		    .time_us = sqlite3_column_int64(st, 4),
		};

		fn(arg, &row);
	}
	return rc;
}

int wave_slices(struct wave_file *f, int64_t id,
    void (*fn)(void *arg, const struct slice_row *s), void *arg,
    struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_SLICES, err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, id);
	return each_slice(f, st, fn, arg, err);
}

int wave_slices_since(struct wave_file *f, int64_t since_us,
    void (*fn)(void *arg, const struct slice_row *s), void *arg,
    struct error *err)
{
	int rc = wave_absent(f, err);
	sqlite3_stmt *st;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = wave_stmt(f, WS_SLICES_SINCE, err);
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, since_us);
	return each_slice(f, st, fn, arg, err);
}
