/* SPDX-License-Identifier: ISC
 *
 * Waves are created, and their members chosen, from the rows that a change has
 * staged. The work is a part of that change which takes the staged rows away,
 * so no route changes and the change gets no number.
 */
#include "policy/wave/file/wave_make.h"

#include <inttypes.h>
#include <stdio.h>

#include "policy/change/change_int.h"
#include "policy/wave/file/decided.h"
#include "policy/wave/file/wave_file_int.h"
#include "policy/wave/file/wave_schema.h"
#include "relay/base/clock.h"

struct work {
	/* Inside the transaction, with all addresses of the mailboxes. */
	int (*fn)(struct work *work, struct wave_file *f, struct error *err);
	const char *name;	     /* of the wave; NULL: all planned ones */
	const struct change_by *by;
	const struct wave_new *wave; /* create */
	struct wave_made made;
};

/* ---- what is staged --------------------------------------------------- */

static int on_stage(void *arg, struct change *ch, struct change_done *done,
    struct error *err)
{
	struct work *work = arg;
	struct wave_file *f = wave_file_on(&ch->db, err);
	int rc = -1;

	(void)done;
	if (f == NULL)
		return -1;
	if (change_widen(ch, err) == 0 && wave_touch(f, err) == 0 &&
	    work->fn(work, f, err) == 0)
		rc = db_do(&f->db, WS_STAGED_CLEAR, err);
	wave_file_close(f);
	return rc;
}

static int run(struct change *ch, struct work *work, struct error *err)
{
	const struct change_part part = {.stage = on_stage, .arg = work};
	const struct change_how how = {.as_of = -1, .part = &part};
	struct change_done done;

	return change_commit(ch, &how, work->by, &done, err);
}

static int planned(struct wave_file *f, const char *name, struct wave *w,
    struct error *err)
{
	if (wave_need(f, name, w, err) < 0)
		return -1;
	return w->state == WAVE_PLANNED
		   ? 0 : error_set(err, "wave %s is %s: members are added and "
			"removed while it is planned", name,
			wave_state_text((int)w->state));
}

/* ---- members ---------------------------------------------------------- */

static int count_no_row(struct wave_file *f, int64_t id, uint64_t *out,
    struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_NO_ROW, err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, id);
	if (wave_step(f, st, err) < 0)
		return -1;
	*out = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

static int add_staged(struct wave_file *f, int64_t id,
    struct wave_made *made, struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_STAGED_ADD, err);
	struct wave_clash clash;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, id);
	if (wave_do(f, st, &made->members, err) < 0 ||
	    count_no_row(f, id, &made->no_row, err) < 0 ||
	    wave_clash(f, id, &clash, err) < 0)
		return -1;
	made->elsewhere = clash.members;
	made->line = clash.line;
	memcpy(made->address, clash.address, sizeof(made->address));
	memcpy(made->wave, clash.wave, sizeof(made->wave));
	return 0;
}

static int record(struct wave_file *f, const struct change_by *by,
    const char *about, const char *detail, struct error *err)
{
	const struct decided d = {
	    .time_us = clock_wall_us(&clock_system),
	    .who = by->who,
	    .host = by->host,
	    .command = by->command,
	    .about = about,
	    .detail = detail,
	    .note = by->note == NULL ? "" : by->note,
	};

	return decided_add(f, &d, err);
}

static int record_members(struct wave_file *f, const struct work *work,
    const char *what, struct error *err)
{
	char detail[80];

	snprintf(detail, sizeof(detail), "%s %" PRIu64 " member%s", what,
	    work->made.members, work->made.members == 1 ? "" : "s");
	return record(f, work->by, work->name == NULL ? "" : work->name,
	    detail, err);
}

static int do_create(struct work *work, struct wave_file *f,
    struct error *err)
{
	int64_t id;

	if (wave_insert(f, work->wave, &id, err) < 0 ||
	    add_staged(f, id, &work->made, err) < 0)
		return -1;
	return record_members(f, work, "created with", err);
}

static int do_add(struct work *work, struct wave_file *f, struct error *err)
{
	struct wave w;

	if (planned(f, work->name, &w, err) < 0 ||
	    add_staged(f, w.id, &work->made, err) < 0)
		return -1;
	return record_members(f, work, "added", err);
}

static int do_remove(struct work *work, struct wave_file *f,
    struct error *err)
{
	struct wave w = {0};
	sqlite3_stmt *st;

	if (work->name != NULL && planned(f, work->name, &w, err) < 0)
		return -1;
	st = wave_stmt(f, work->name == NULL ? WS_STAGED_REMOVE_ALL
					     : WS_STAGED_REMOVE, err);
	if (st == NULL)
		return -1;
	if (work->name != NULL)
		sqlite3_bind_int64(st, 1, w.id);
	if (wave_do(f, st, &work->made.members, err) < 0)
		return -1;
	return record_members(f, work, "removed", err);
}

int wave_create(struct change *ch, const struct wave_new *w,
    struct wave_made *made_out, struct error *err)
{
	struct work work = {.fn = do_create, .name = w->name, .by = w->by,
	    .wave = w};
	int rc = run(ch, &work, err);

	*made_out = work.made;
	return rc;
}

int wave_add(struct change *ch, const char *name, const struct change_by *by,
    struct wave_made *made_out, struct error *err)
{
	struct work work = {.fn = do_add, .name = name, .by = by};
	int rc = run(ch, &work, err);

	*made_out = work.made;
	return rc;
}

int wave_remove(struct change *ch, const char *name,
    const struct change_by *by, uint64_t *members_out, struct error *err)
{
	struct work work = {.fn = do_remove, .name = name, .by = by};
	int rc = run(ch, &work, err);

	*members_out = work.made.members;
	return rc;
}

/* ---- members of a wave as the rows of a change ------------------------- */

struct staging {
	struct change *ch;
	const struct change_row *row;
	struct error *err;
	int rc;
};

static void stage_member(void *arg, const struct member *m)
{
	struct staging *s = arg;

	if (s->rc == 0)
		s->rc = change_set(s->ch, m->address, s->row, s->err);
}

int wave_stage(struct change *ch, const struct wave_stage *s,
    struct error *err)
{
	struct staging to = {.ch = ch, .row = s->row, .err = err};
	struct member_page page = {.state = s->state, .fn = stage_member,
	    .arg = &to};
	struct wave_file *f = wave_file_on(&ch->db, err);
	struct wave w;
	int rc;

	if (f == NULL)
		return -1;
	rc = wave_need(f, s->name, &w, err);
	if (rc == 0) {
		page.id = w.id;
		rc = wave_members(f, &page, err);
	}
	wave_file_close(f);
	return rc < 0 ? -1 : to.rc;
}

/* ---- one by one ------------------------------------------------------- */

int wave_insert(struct wave_file *f, const struct wave_new *w,
    int64_t *id_out, struct error *err)
{
	const struct wave_options options =
	    w->options == NULL ? wave_options_default() : *w->options;
	const struct change_by *by = w->by;
	struct strbuf text;
	struct wave there;
	sqlite3_stmt *st;
	int rc = wave_name_check(w->name, err) < 0
		     ? -1 : wave_get(f, w->name, &there, err);

	if (rc > 0)
		return error_set(err, "there is a wave %s already (%s)",
		    w->name, wave_state_text((int)there.state));
	st = rc < 0 ? NULL : wave_stmt(f, WS_INSERT, err);
	if (st == NULL)
		return -1;
	strbuf_init(&text, WAVE_OPTIONS_TEXT);
	wave_options_print(&options, &text);
	db_bind_str(st, 1, w->name);
	db_bind_str(st, 2, w->route == NULL ? "" : w->route);
	db_bind(st, 3, strbuf_view(&text));
	sqlite3_bind_int64(st, 4, w->now_us);
	db_bind_str(st, 5, by->who);
	db_bind_str(st, 6, by->host);
	db_bind_str(st, 7, by->note == NULL ? "" : by->note);
	sqlite3_bind_int64(st, 8, w->at_us);
	rc = wave_do(f, st, NULL, err);
	strbuf_fini(&text);
	*id_out = sqlite3_last_insert_rowid(f->db.handle);
	return rc;
}

int wave_seat(struct wave_file *f, int64_t id, const struct wave_seat *seat,
    struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_SEAT, err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, id);
	db_bind(st, 2, seat->address);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)seat->seat);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)seat->line);
	db_bind_str(st, 5, seat->was);
	return wave_do(f, st, NULL, err);
}

int wave_seats_begin(struct wave_file *f, uint64_t members,
    struct error *err)
{
	/* A cache for the leaves at which the waves of a plan grow, and for
	 * the sorting. */
	static const char cache[] = "PRAGMA cache_size = -65536;";
	sqlite3_stmt *st = wave_stmt(f, WS_FEWER, err);
	bool fewer;

	if (st == NULL || db_script(&f->db, cache, err) < 0)
		return -1;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)members);
	if (wave_step(f, st, err) < 0)
		return -1;
	fewer = sqlite3_column_int(st, 0) != 0;
	sqlite3_reset(st);
	return fewer ? db_script(&f->db, wave_indexes_drop, err) : 0;
}

int wave_seats_end(struct wave_file *f, struct error *err)
{
	return db_script(&f->db, wave_indexes, err);
}
