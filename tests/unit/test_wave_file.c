/* SPDX-License-Identifier: ISC
 *
 * Waves in the file of the cutover table: members, slices, states, rules,
 * decisions.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/change/change_int.h"
#include "policy/change/table_copy.h"
#include "policy/check/table_check.h"
#include "policy/wave/file/decided.h"
#include "policy/wave/file/exclude.h"
#include "policy/wave/file/wave_file_int.h"
#include "policy/wave/file/wave_make.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"
#include "tests/unit/wave_tmp.h"

enum { NOW = WAVE_TMP_NOW, TEXT = WAVE_TMP_TEXT };

static const struct change_by by = {.who = "ann", .host = "host",
	.command = "wave", .note = "why"};

static struct wave_counts counts_now(struct table_tmp *t, const char *name)
{
	struct wave_file *f = wave_tmp_open(t, false);
	struct wave_counts c;
	struct error err;
	struct wave w;

	assert_int_equal(wave_need(f, name, &w, &err), 0);
	assert_int_equal(wave_count_now(f, &w, &c, &err), 0);
	wave_file_close(f);
	return c;
}

/* ---- creation --------------------------------------------------------- */

static void a_wave_has_whole_mailboxes_and_their_routes(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_made made = wave_tmp_create(t, "w1", "zoe bob nobody");
	struct wave_file *f = wave_tmp_open(t, false);
	struct error err;
	struct wave w;

	assert_int_equal(made.members, 5);
	assert_int_equal(made.no_row, 1);
	assert_int_equal(made.elsewhere, 0);
	wave_tmp_members(t, "w1", "amy.b pending, amy pending, bob pending, "
	    "nobody pending, zoe pending");
	assert_int_equal(wave_need(f, "w1", &w, &err), 0);
	assert_int_equal(w.state, WAVE_PLANNED);
	assert_string_equal(w.route, "cloud");
	assert_string_equal(w.who, "ann");
	assert_string_equal(w.note, "why");
	assert_int_equal(w.options.slice, WAVE_SLICE_DEFAULT);
	assert_int_equal(wave_has(f, SLICE("w1"), SLICE("amy@example.com"),
	    &err), 1);
	assert_int_equal(wave_has(f, SLICE("w1"), SLICE("ann@example.com"),
	    &err), 0);
	assert_int_equal(wave_of(f, SLICE("bob@example.com"), &w, &err), 1);
	assert_string_equal(w.name, "w1");
	assert_int_equal(wave_need(f, "w2", &w, &err), -1);
	wave_file_close(f);
	/* No change was made, and no row. */
	assert_false(table_tmp_get(t, "nobody@example.com").found);
	assert_string_equal(table_tmp_get(t, "bob@example.com").route_text,
	    "legacy");
	table_tmp_free(t);
}

static void what_is_no_wave_is_refused_and_nothing_made(void **state)
{
	static const struct {
		const char *name, *members, *says;
	} cases[] = {
	    {"w1", "ann", "there is a wave w1 already (planned)"},
	    {"w 2", "ann", "'w 2' is no name of a wave: letters, digits, "
		"'-', '_' and '.' may stand in one"},
	};
	struct table_tmp *t = wave_tmp_table(state);

	wave_tmp_create(t, "w1", "ann");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct wave_made made;
		struct error err;

		assert_int_equal(wave_tmp_try(t, cases[i].name,
		    cases[i].members, &made, &err), -1);
		assert_string_equal(err.text, cases[i].says);
	}
	wave_tmp_refused(t, "w2", WAVE_START,
	    "there is no wave w2; posthouse wave "
	    "list shows all");
	table_tmp_free(t);
}

static void members_come_and_go_while_it_is_planned(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_made made;
	struct change *ch;
	uint64_t n;
	struct error err;

	wave_tmp_create(t, "w1", "ann bob");
	ch = wave_tmp_staged(t, "amy bob");
	assert_int_equal(wave_add(ch, "w1", &by, &made, &err), 0);
	change_close(ch);
	assert_int_equal(made.members, 3);
	ch = wave_tmp_staged(t, "zoe ann cid");
	assert_int_equal(wave_remove(ch, NULL, &by, &n, &err), 0);
	change_close(ch);
	assert_int_equal(n, 4);
	wave_tmp_members(t, "w1", "bob pending");
	wave_tmp_move(t, "w1", WAVE_START);
	ch = wave_tmp_staged(t, "ann");
	assert_int_equal(wave_add(ch, "w1", &by, &made, &err), -1);
	change_close(ch);
	assert_string_equal(err.text, "wave w1 is running: members are added "
	    "and removed while it is planned");
	ch = wave_tmp_staged(t, "bob");
	assert_int_equal(wave_remove(ch, NULL, &by, &n, &err), 0);
	change_close(ch);
	assert_int_equal(n, 0);
	table_tmp_free(t);
}

static void a_recipient_is_in_one_active_wave(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_made made;

	wave_tmp_create(t, "w1", "ann bob amy");
	wave_tmp_move(t, "w1", WAVE_START);
	made = wave_tmp_create(t, "w2", "cid bob zoe");
	assert_int_equal(made.elsewhere, 4);
	assert_int_equal(made.line, 2);
	assert_string_equal(made.address, "bob@example.com");
	assert_string_equal(made.wave, "w1");
	wave_tmp_refused(t, "w2", WAVE_START,
	    "wave w2: line 2: bob@example.com is in "
	    "wave w1, which is scheduled, running or paused, and 3 more "
	    "members are in such waves; a recipient is in one such wave at "
	    "most");
	wave_tmp_move(t, "w1", WAVE_ROLLBACK);
	wave_tmp_move(t, "w2", WAVE_START);
	wave_tmp_refused(t, "w1", WAVE_SCHEDULE,
	    "wave w1: line 2: bob@example.com "
	    "is in wave w2, which is scheduled, running or paused, and 3 "
	    "more members are in such waves; a recipient is in one such wave "
	    "at most");
	table_tmp_free(t);
}

/* ---- slices ----------------------------------------------------------- */

static void slices_take_whole_mailboxes_in_order(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_tmp_run run = {.name = "w1"};
	struct wave_counts c;

	wave_tmp_create(t, "w1", "zoe ann bob cid");
	wave_tmp_move(t, "w1", WAVE_START);
	assert_int_equal(wave_tmp_slice(t, &run, 1), 3);
	assert_string_equal(run.text, "amy.b done, amy done, zoe done");
	assert_int_equal(run.slice.slice, 1);
	assert_int_equal(wave_tmp_slice(t, &run, 2), 2);
	assert_string_equal(run.text, "ann done, bob done");
	assert_int_equal(run.slice.slice, 2);
	assert_string_equal(table_tmp_get(t, "zoe@example.com").route_text,
	    "cloud");
	c = counts_now(t, "w1");
	assert_int_equal(c.members, 6);
	assert_int_equal(c.there, 5);
	assert_int_equal(c.state[MEMBER_PENDING], 1);
	wave_tmp_refused(t, "w1", WAVE_END,
	    "wave w1 is running: end is refused; "
	    "possible now: pause, rollback");
	wave_tmp_slice(t, &run, 2);
	wave_tmp_move(t, "w1", WAVE_END);
	/* A change from elsewhere shows. */
	table_tmp_route(t, "ann@example.com", "legacy");
	c = counts_now(t, "w1");
	assert_int_equal(c.there, 5);
	assert_int_equal(c.moved_on, 1);
	table_tmp_free(t);
}

static void a_member_is_done_once(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_tmp_run run = {.name = "w1"};
	struct change_row row = {.route = "third", .held = -1};
	struct error err;

	wave_tmp_create(t, "w1", "ann bob");
	wave_tmp_move(t, "w1", WAVE_START);
	wave_tmp_slice(t, &run, 1);
	wave_tmp_look(t, &run, 9, false);
	assert_string_equal(run.text, "bob done");
	assert_int_equal(change_set(run.ch, SLICE("ann@example.com"), &row,
	    &err), 0);
	assert_int_equal(wave_tmp_make(&run, &err), 0);
	assert_int_equal(run.slice.members, 1);
	table_tmp_free(t);
}

static void a_slice_that_may_not_be_changes_nothing(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_tmp_run run = {.name = "w1"};
	struct error err;

	wave_tmp_create(t, "w1", "ann bob");
	wave_tmp_move(t, "w1", WAVE_START);
	wave_tmp_look(t, &run, 1, false);
	table_tmp_route(t, "ann@example.com", "third");
	assert_int_equal(wave_tmp_make(&run, &err), -1);
	assert_string_equal(err.text, "wave w1: ann@example.com was moved "
	    "while the slice was made");
	wave_tmp_look(t, &run, 9, false);
	assert_string_equal(run.text, "ann skipped moved by change 8 since "
	    "the wave was created, bob done");
	wave_tmp_move(t, "w1", WAVE_PAUSE);
	assert_int_equal(wave_tmp_make(&run, &err), -1);
	assert_string_equal(err.text, "wave w1 is paused: slice-done is "
	    "refused; possible now: schedule, resume, rollback");
	assert_string_equal(table_tmp_get(t, "bob@example.com").route_text,
	    "legacy");
	wave_tmp_move(t, "w1", WAVE_RESUME);
	wave_tmp_slice(t, &run, 9);
	wave_tmp_look(t, &run, 9, true);
	run.slice.slice = 1; /* again */
	assert_int_equal(wave_tmp_make(&run, &err), -1);
	assert_string_equal(err.text, "wave w1: slice 1 of run 1 was made "
	    "already");
	wave_tmp_members(t, "w1", "ann pending, bob done");
	wave_tmp_look(t, &run, 9, true);
	assert_string_equal(run.text, "ann done");
	assert_int_equal(wave_tmp_make(&run, &err), 0);
	wave_tmp_members(t, "w1", "ann done, bob done");
	table_tmp_free(t);
}

static void what_can_not_go_is_left_out_with_its_reason(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_tmp_run run = {.name = "w1"};

	wave_tmp_create(t, "w1", "amy nobody cid bob late");
	table_tmp_route(t, "late@example.com", "legacy");
	table_tmp_route(t, "amy@example.com", "third");
	wave_tmp_move(t, "w1", WAVE_START);
	assert_int_equal(wave_tmp_slice(t, &run, 9), 2);
	assert_string_equal(run.text, "amy.b skipped moved by change 9 since "
	    "the wave was created: amy@example.com, amy skipped moved by "
	    "change 9 since the wave was created: amy@example.com, zoe "
	    "skipped moved by change 9 since the wave was created: "
	    "amy@example.com, bob done, cid done, late skipped its row was "
	    "made since the wave was created, nobody skipped no row");
	table_tmp_free(t);
}

/* ---- rules ------------------------------------------------------------ */

static int rule(struct table_tmp *t, bool add, const char *where,
    uint64_t *number, struct error *err)
{
	struct wave_file *f = wave_tmp_open(t, true);
	const struct exclude_said said = {.where = where, .by = &by,
	    .now_us = NOW, .number = add ? 0 : *number};
	int rc;

	assert_int_equal(wave_begin(f, err), 0);
	rc = add ? exclude_add(f, &said, number, err)
		 : exclude_remove(f, &said, err);
	if (wave_end(f, rc < 0 ? -1 : 0, err) < 0)
		rc = -1;
	wave_file_close(f);
	return rc;
}

/* Committed while the members of a slice were read. */
static void a_rule_meanwhile_stops_the_slice(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_tmp_run run = {.name = "w1"};
	uint64_t number = 0;
	struct error err;

	wave_tmp_create(t, "w1", "ann bob");
	wave_tmp_move(t, "w1", WAVE_START);
	for (int add = 1; add >= 0; add--) {
		wave_tmp_look(t, &run, 9, false);
		assert_int_equal(rule(t, add, "address = 'ann@example.com'",
		    &number, &err), add ? 0 : 1);
		assert_int_equal(wave_tmp_make(&run, &err), -1);
		assert_string_equal(err.text,
		    "a rule of wave exclude was changed meanwhile");
		assert_int_equal(err.no, EBUSY);
		wave_tmp_members(t, "w1", "ann pending, bob pending");
	}
	assert_int_equal(wave_tmp_slice(t, &run, 9), 2);
	table_tmp_free(t);
}

static void mark(struct table_tmp *t, const char *address,
    const struct member_mark *m)
{
	struct wave_file *f = wave_tmp_open(t, true);
	struct error err;
	struct wave w;

	assert_int_equal(wave_begin(f, &err), 0);
	assert_int_equal(wave_need(f, "w1", &w, &err), 0);
	assert_int_equal(wave_end(f, wave_mark(f, &w, slice_str(address), m,
	    &err), &err), 0);
	wave_file_close(f);
}

static void a_rule_leaves_out_until_it_is_taken_away(void **state)
{
	static const struct member_mark out = {.state = MEMBER_EXCLUDED,
	    .reason = "rule 1"};
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_tmp_run run = {.name = "w1"};
	uint64_t number = 0;
	struct error err;

	wave_tmp_create(t, "w1", "amy ann bob");
	wave_tmp_move(t, "w1", WAVE_START);
	assert_int_equal(rule(t, true, "address like 'an%' or "
	    "address = zoe@example.com", &number, &err), 0);
	assert_int_equal(number, 1);
	wave_tmp_look(t, &run, 9, true);
	assert_string_equal(run.text, "amy.b excluded rule 1: "
	    "zoe@example.com, amy excluded rule 1: zoe@example.com, zoe "
	    "excluded rule 1: zoe@example.com, ann excluded rule 1, bob "
	    "done");
	change_close(run.ch);
	mark(t, "ann@example.com", &out);
	wave_tmp_members(t, "w1", "amy.b pending, amy pending, ann excluded "
	    "rule 1, bob pending, zoe pending");
	assert_int_equal(rule(t, true, "address like 'an%' or "
	    "address = zoe@example.com", &number, &err), -1);
	assert_string_equal(err.text, "rule 1 has that expression already");
	wave_tmp_create(t, "w2", "bob");
	assert_int_equal(rule(t, true, "wave = w2", &number, &err), 0);
	wave_tmp_look(t, &run, 9, true);
	assert_non_null(strstr(run.text, "bob excluded rule 2"));
	change_close(run.ch);
	assert_int_equal(rule(t, false, NULL, &number, &err), 1);
	number = 7;
	assert_int_equal(rule(t, false, NULL, &number, &err), 0);
	number = 0;
	assert_int_equal(rule(t, false, "address like 'an%' or "
	    "address = zoe@example.com", &number, &err), 1);
	wave_tmp_members(t, "w1", "amy.b pending, amy pending, ann pending, "
	    "bob pending, zoe pending");
	table_tmp_free(t);
}

/* ---- rollback --------------------------------------------------------- */

static int on_back(void *arg, struct db *db, const struct change_done *done,
    struct error *err)
{
	struct wave_file *f = wave_file_on(db, err);
	struct wave w;
	int rc;

	assert_non_null(f);
	assert_int_equal(wave_need(f, "w1", &w, err), 0);
	rc = wave_taken_back(f, &w, done->change, arg, err);
	wave_file_close(f);
	return rc;
}

static void a_rolled_back_wave_runs_anew(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_tmp_run run = {.name = "w1"};
	struct change_row row = {.route = "legacy", .held = -1};
	uint64_t back = 0;
	const struct change_part part = {.also = on_back, .arg = &back};
	const struct change_how how = {.as_of = -1, .part = &part};
	struct change *ch;
	struct error err;

	wave_tmp_create(t, "w1", "ann bob cid");
	wave_tmp_move(t, "w1", WAVE_START);
	wave_tmp_slice(t, &run, 2);
	ch = table_tmp_change(t);
	assert_int_equal(change_set(ch, SLICE("ann@example.com"), &row, &err),
	    0);
	table_tmp_commit(ch, &how);
	assert_int_equal(back, 1);
	wave_tmp_members(t, "w1", "ann skipped rolled back by change 9, bob "
	    "done, cid pending");
	wave_tmp_move(t, "w1", WAVE_ROLLBACK);
	wave_tmp_refused(t, "w1", WAVE_DELETE,
	    "wave w1 is rolled-back: delete is "
	    "refused; possible now: schedule, start");
	wave_tmp_move(t, "w1", WAVE_START);
	wave_tmp_members(t, "w1", "ann pending, bob done, cid pending");
	wave_tmp_slice(t, &run, 9);
	assert_int_equal(run.slice.slice, 1); /* of run 2 */
	wave_tmp_move(t, "w1", WAVE_END);
	table_tmp_free(t);
}

/* ---- what is kept ----------------------------------------------------- */

static void add_decided(void *arg, const struct decided *d)
{
	char *text = arg;
	size_t n = strlen(text);

	assert_string_equal(d->who, "ann");
	assert_string_equal(d->note, "why");
	snprintf(text + n, TEXT - n, "%s%llu %s: %s", n == 0 ? "" : "; ",
	    (unsigned long long)d->number, d->about, d->detail);
}

static void add_slice(void *arg, const struct slice_row *s)
{
	char *text = arg;
	size_t n = strlen(text);

	snprintf(text + n, TEXT - n, "%s%u/%llu %llu@%lld",
	    n == 0 ? "" : ", ", s->run, (unsigned long long)s->slice,
	    (unsigned long long)s->members, (long long)s->time_us);
}

static void decisions_and_slices_are_on_record(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_tmp_run run = {.name = "w1"};
	char text[TEXT] = "", slices[TEXT] = "", late[TEXT] = "";
	struct decided_page page = {.fn = add_decided, .arg = text};
	struct wave_file *f;
	struct error err;
	struct wave w;

	wave_tmp_create(t, "w1", "ann bob");
	assert_int_equal(wave_tmp_said(t, "w1", (struct wave_said){.by = &by,
	    .event = WAVE_SCHEDULE, .at_us = 0}, &err), 0);
	assert_int_equal(wave_tmp_said(t, "w1", (struct wave_said){
	    .event = WAVE_START}, &err), 0); /* by itself */
	wave_tmp_slice(t, &run, 1);
	wave_tmp_slice(t, &run, 1);
	f = wave_tmp_open(t, false);
	assert_int_equal(decided_each(f, &page, &err), 0);
	assert_string_equal(text, "1 w1: created with 2 members; 2 w1: from "
	    "planned to scheduled, route cloud, at "
	    "1970-01-01T00:00:00.000000Z");
	text[0] = '\0';
	page.about = "w1";
	page.after = 1;
	assert_int_equal(decided_each(f, &page, &err), 0);
	assert_string_equal(text, "2 w1: from planned to scheduled, route "
	    "cloud, at 1970-01-01T00:00:00.000000Z");
	assert_int_equal(wave_need(f, "w1", &w, &err), 0);
	assert_int_equal(wave_slices(f, w.id, add_slice, slices, &err), 0);
	assert_string_equal(slices, "1/1 1@1000000, 1/2 1@1000000");
	assert_int_equal(wave_slices_since(f, NOW - 1, add_slice, late,
	    &err), 0);
	assert_string_equal(late, slices);
	late[0] = '\0';
	assert_int_equal(wave_slices_since(f, NOW, add_slice, late, &err), 0);
	assert_string_equal(late, "");
	wave_file_close(f);
	table_tmp_free(t);
}

static void a_time_stays_when_its_schedule_is_taken_off(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	const struct wave_said at = {.event = WAVE_SCHEDULE, .by = &by,
	    .at_us = 77, .route = "third"};
	struct wave_file *f;
	struct error err;
	struct wave w;

	wave_tmp_create(t, "w1", "ann");
	assert_int_equal(wave_tmp_said(t, "w1", at, &err), 0);
	f = wave_tmp_open(t, false);
	assert_int_equal(wave_need(f, "w1", &w, &err), 0);
	assert_int_equal(w.at_us, 77);
	assert_string_equal(w.route, "third");
	assert_int_equal(w.moved_us, NOW);
	wave_tmp_move(t, "w1", WAVE_UNSCHEDULE);
	assert_int_equal(wave_need(f, "w1", &w, &err), 0);
	assert_int_equal(w.at_us, 77);
	assert_int_equal(w.state, WAVE_PLANNED);
	wave_file_close(f);
	table_tmp_free(t);
}

/* As db_log.c and the chain want of each transaction. */
static void each_transaction_marks_the_log_and_goes_on_with_the_chain(
    void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_file *f = wave_tmp_open(t, true);
	struct table_checked checked;
	int64_t before = 0, after = 0;
	struct error err;

	assert_int_equal(db_int(&f->db, "SELECT writes FROM about", &before,
	    &err), 0);
	wave_tmp_create(t, "w1", "ann");
	wave_tmp_move(t, "w1", WAVE_START);
	wave_tmp_move(t, "w1", WAVE_PAUSE);
	assert_int_equal(db_int(&f->db, "SELECT writes FROM about", &after,
	    &err), 0);
	assert_int_equal(after - before, 3);
	wave_file_close(f);
	assert_int_equal(table_check(t->path, true, &checked, &err), 0);
	assert_string_equal(checked.wrong.text, "");
	table_tmp_free(t);
}

static void staging_the_members_of_a_wave_locks_nothing(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	const struct change_row row = {.held = 1};
	const struct wave_stage of = {"w1", -1, &row};
	struct change *ch = table_tmp_change(t);
	struct error err;

	assert_int_equal(wave_stage(ch, &of, &err), -1);
	assert_int_not_equal(sqlite3_txn_state(ch->db.handle, "main"),
	    SQLITE_TXN_WRITE);
	change_close(ch);
	wave_tmp_create(t, "w1", "ann bob");
	ch = table_tmp_change(t);
	assert_int_equal(wave_stage(ch, &of, &err), 0);
	assert_int_equal(change_staged(ch), 2);
	change_close(ch);
	table_tmp_free(t);
}

static void count_wave(void *arg, const struct wave *w)
{
	(void)w;
	++*(int *)arg;
}

static int count_waves(struct wave_file *f)
{
	struct error err;
	int n = 0;

	assert_int_equal(wave_each(f, count_wave, &n, &err), 0);
	return n;
}

static void a_table_without_waves_has_none(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_file *f = wave_tmp_open(t, false);
	struct error err;
	struct wave w;

	assert_int_equal(count_waves(f), 0);
	assert_int_equal(wave_get(f, "w1", &w, &err), 0);
	assert_int_equal(wave_of(f, SLICE("ann@example.com"), &w, &err), 0);
	wave_tmp_create(t, "w1", "ann");
	assert_int_equal(count_waves(f), 1); /* the handle sees them come */
	wave_tmp_move(t, "w1", WAVE_DELETE);
	assert_int_equal(count_waves(f), 0);
	wave_file_close(f);
	table_tmp_free(t);
}

static void a_backup_has_the_waves_and_the_table_is_whole(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct table_checked checked;
	char copy[400];
	struct wave_file *f;
	struct error err;

	wave_tmp_create(t, "w1", "ann amy");
	snprintf(copy, sizeof(copy), "%s.copy", t->path);
	unlink(copy);
	assert_int_equal(table_backup(t->path, copy, &err), 0);
	assert_int_equal(table_check(copy, true, &checked, &err), 0);
	assert_int_equal(table_checked_say(&checked, &err), 0);
	f = wave_file_open(copy, false, &err);
	assert_non_null(f);
	assert_int_equal(count_waves(f), 1);
	wave_file_close(f);
	unlink(copy);
	table_tmp_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_wave_has_whole_mailboxes_and_their_routes),
	    cmocka_unit_test(what_is_no_wave_is_refused_and_nothing_made),
	    cmocka_unit_test(members_come_and_go_while_it_is_planned),
	    cmocka_unit_test(a_recipient_is_in_one_active_wave),
	    cmocka_unit_test(slices_take_whole_mailboxes_in_order),
	    cmocka_unit_test(a_member_is_done_once),
	    cmocka_unit_test(a_slice_that_may_not_be_changes_nothing),
	    cmocka_unit_test(a_rule_meanwhile_stops_the_slice),
	    cmocka_unit_test(what_can_not_go_is_left_out_with_its_reason),
	    cmocka_unit_test(a_rule_leaves_out_until_it_is_taken_away),
	    cmocka_unit_test(a_rolled_back_wave_runs_anew),
	    cmocka_unit_test(decisions_and_slices_are_on_record),
	    cmocka_unit_test(a_time_stays_when_its_schedule_is_taken_off),
	    cmocka_unit_test(
		each_transaction_marks_the_log_and_goes_on_with_the_chain),
	    cmocka_unit_test(staging_the_members_of_a_wave_locks_nothing),
	    cmocka_unit_test(a_table_without_waves_has_none),
	    cmocka_unit_test(a_backup_has_the_waves_and_the_table_is_whole),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
