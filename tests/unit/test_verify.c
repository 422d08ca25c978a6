/* SPDX-License-Identifier: ISC
 *
 * The index beside the journal's totals: figures at the cursor, eras, and
 * what is open in the index and not held by the journal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>

#include "relay/audit/delivered/last_delivery.h"
#include "relay/audit/leg_states.h"
#include "relay/audit/projector_int.h"
#include "relay/base/log.h"
#include "tests/unit/auditfixture.h"

enum { SPOOL_A = 11, SPOOL_B = 12, BATCH_RECORDS = 9000 };

static const struct spool_origin in_use = {.id = SPOOL_A,
    .end = {1, UINT64_MAX}};
static const struct spool_origin brand_new = {.id = SPOOL_A};
static const struct spool_origin another = {.id = SPOOL_B,
    .end = {1, UINT64_MAX}};

/* ---- helpers ----------------------------------------------------------- */

struct missing_seen {
	unsigned n;
	uint64_t id[8];
	char to[64], from[64], leg[64];
	char path[96]; /* of a file that is removed */
};

static void on_missing(void *arg, const struct conserve_missing *m)
{
	struct missing_seen *s = arg;

	assert_true(s->n < ARRAY_LEN(s->id));
	s->id[s->n++] = m->id;
	snprintf(s->to, sizeof(s->to), "%s", m->to);
	snprintf(s->from, sizeof(s->from), "%s", m->from);
	snprintf(s->leg, sizeof(s->leg), "%s", m->leg);
}

static void count_all(struct fixture *f, struct conserve *out,
    struct missing_seen *seen)
{
	struct error err;

	memset(seen, 0, sizeof(*seen));
	*out = (struct conserve){.on_missing = on_missing, .arg = seen};
	assert_int_equal(conserve_run(f->index, f->names, out, &err), 0);
}

static bool all_agree(const struct conserve *c)
{
	for (int i = 0; i < NAMES_MAX; i++)
		if (!conserve_agrees(&c->leg[i]))
			return false;
	return c->known && c->missing == 0;
}

static void assert_agrees(struct fixture *f)
{
	struct missing_seen seen;
	struct conserve c;

	count_all(f, &c, &seen);
	assert_true(c.known);
	for (int t = 0; t < TOTALS; t++) {
		print_message("%s\n", total_text((enum total)t));
		assert_int_equal(c.leg[f->cloud].total[t],
		    c.leg[f->cloud].journal[t]);
		assert_int_equal(c.leg[f->cloud].total[t],
		    f->j.total[f->cloud][t]);
	}
	assert_true(all_agree(&c));
}

static void run_as(struct fixture *f, const struct spool_origin *origin)
{
	f->j.origin = origin;
	run(f);
}

/* Two that wait and one that was delivered. */
static void three(struct fixture *f, uint64_t id[3])
{
	for (unsigned i = 0; i < 3; i++) {
		id[i] = fake_id(T0 + i, i);
		fake_accepted(&f->j, id[i], T0 + i, "bob@example.org", ann,
		    f->cloud);
	}
	sent(f, id[0], T0 + MINUTE, D_QUEUED, D_DEFERRED, 1);
	sent(f, id[2], T0 + MINUTE, D_QUEUED, D_DELIVERED, 1);
	fake_totals(&f->j);
}

static void exec(struct fixture *f, const char *file, const char *sql)
{
	char path[96];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/%s", f->index, file);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(db) > 0, 1);
	sqlite3_close(db);
}

/* ---- figures at the cursor --------------------------------------------- */

static void the_figures_at_the_cursor_are_the_journals(void **state)
{
	struct fixture *f = *state;
	uint64_t id[3];

	three(f, id);
	run_as(f, &brand_new);
	assert_agrees(f);
	sent(f, id[0], T0 + 2 * HOUR, D_DEFERRED, D_DELIVERED, 2);
	sent(f, id[1], T0 + 3 * HOUR, D_QUEUED, D_PARKED, 1);
	fake_totals(&f->j);
	run_as(f, &in_use);
	assert_agrees(f);
	sent(f, id[1], T0 + 5 * HOUR, D_PARKED, D_BOUNCED, 1);
	fake_totals(&f->j);
	run_as(f, &in_use);
	assert_agrees(f);
}

/* The base of the oldest file has what was counted before it. */
static void the_oldest_file_may_be_removed(void **state)
{
	struct fixture *f = *state;
	char path[96];
	uint64_t id[3];

	three(f, id);
	sent(f, id[0], T0 + 2 * HOUR, D_DEFERRED, D_DELIVERED, 2);
	fake_totals(&f->j);
	run_as(f, &brand_new);
	snprintf(path, sizeof(path), "%s/2026112205.db", f->index);
	assert_int_equal(remove(path), 0);
	assert_agrees(f);
	sent(f, id[1], T0 + 4 * HOUR, D_QUEUED, D_DELIVERED, 1);
	fake_totals(&f->j);
	run_as(f, &in_use);
	assert_agrees(f);
}

static bool prunes_and_holds_none(void *arg, uint64_t id, uint32_t number)
{
	(void)id;
	(void)number;
	remove(((struct missing_seen *)arg)->path);
	return false;
}

/* Counted, and removed before the walk that names what is missing. */
static void a_file_may_be_removed_while_it_is_counted(void **state)
{
	struct missing_seen seen = {.n = 0};
	struct conserve c = {.on_missing = on_missing,
	    .holds = prunes_and_holds_none, .arg = &seen};
	struct fixture *f = *state;
	struct error err;
	uint64_t id[3];

	three(f, id);
	sent(f, id[0], T0 + 2 * HOUR, D_DEFERRED, D_PARKED, 2);
	fake_totals(&f->j);
	run_as(f, &brand_new);
	snprintf(seen.path, sizeof(seen.path), "%s/2026112205.db", f->index);
	assert_int_equal(conserve_run(f->index, f->names, &c, &err), 0);
	assert_int_not_equal(remove(seen.path), 0);
	assert_int_equal(c.missing, 2);
	assert_int_equal(seen.n, 2);
}

static void an_altered_row_is_found_wherever_it_stands(void **state)
{
	static const struct {
		const char *file, *sql;
	} cases[] = {
		{"2026112205.db", "DELETE FROM recipient WHERE id ="
		    " (SELECT min(id) FROM recipient)"},
		{"2026112205.db", "UPDATE recipient SET legs ="
		    " replace(legs, 'deferred', 'parked')"},
		{"2026112205.db", "UPDATE recipient SET legs ="
		    " replace(legs, 'cloud', 'legacy')"},
		{"2026112207.db", "UPDATE recipient SET legs ="
		    " replace(legs, 'delivered', 'bounced')"},
		{"2026112207.db", "UPDATE recipient SET legs ="
		    " '0 cloud primary delivered' || char(10)"},
		{"2026112205.db", "UPDATE total SET created = created + 1"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture *f;
		struct missing_seen seen;
		struct conserve c;
		uint64_t id[3];

		teardown(state);
		setup(state);
		f = *state;
		three(f, id);
		sent(f, id[0], T0 + 2 * HOUR, D_DEFERRED, D_DELIVERED, 2);
		fake_totals(&f->j);
		run_as(f, &brand_new);
		assert_agrees(f);
		print_message("%s: %s\n", cases[i].file, cases[i].sql);
		exec(f, cases[i].file, cases[i].sql);
		count_all(f, &c, &seen);
		assert_false(all_agree(&c));
	}
}

/* More records than a transaction takes, in one batch. */
static void a_commit_waits_for_the_end_of_a_batch(void **state)
{
	struct fixture *f = *state;
	struct missing_seen seen;
	struct conserve c;

	for (unsigned i = 0; i < BATCH_RECORDS; i++)
		fake_accepted(&f->j, fake_id(T0 + i, i % 16384), T0 + i,
		    "bob@example.org", ann, f->cloud);
	fake_totals(&f->j);
	fake_accepted(&f->j, fake_id(T0 + MINUTE, 1), T0 + MINUTE,
	    "bob@example.org", ann, f->cloud);
	fake_totals(&f->j);
	f->j.origin = &brand_new;
	open_projector(f);
	for (unsigned i = 0; i < 60; i++) {
		steps(f, 1);
		count_all(f, &c, &seen);
		assert_true(c.at.generation == 0 || all_agree(&c));
	}
	close_projector(f);
	assert_agrees(f);
}

static void nothing_is_counted_before_its_place_is_reached(void **state)
{
	struct fixture *f = *state;
	struct conserve c = {.want = {1, UINT64_MAX}};
	struct error err;
	uint64_t id[3];

	three(f, id);
	run_as(f, &brand_new);
	assert_int_equal(conserve_run(f->index, f->names, &c, &err), 0);
	assert_false(c.reached);
	assert_int_equal(c.messages, 0);
	assert_int_equal(c.at.generation, 1);
	c.want = c.at;
	assert_int_equal(conserve_run(f->index, f->names, &c, &err), 0);
	assert_true(c.reached && c.known);
}

/* ---- eras -------------------------------------------------------------- */

/* A journal of its own, which holds one of the three messages. */
static void forget_journal(struct fixture *f)
{
	fakejournal_fini(&f->j);
	fakejournal_init(&f->j);
}

static void assert_two_are_missing(struct fixture *f, const uint64_t id[3])
{
	struct missing_seen seen;
	struct conserve c;

	count_all(f, &c, &seen);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.id[0], id[0]);
	assert_int_equal(seen.id[1], id[1]);
	assert_string_equal(seen.to, ann[0]);
	assert_string_equal(seen.from, "bob@example.org");
	assert_string_equal(seen.leg, "cloud");
	assert_int_equal(c.missing, 2);
	assert_int_equal(c.leg[f->cloud].total[T_OPEN],
	    c.leg[f->cloud].journal[T_OPEN] + 2);
	assert_int_equal(c.leg[f->cloud].gap, 0);
}

static void another_spool_begins_an_era_and_what_was_open_is_missing(
    void **state)
{
	struct fixture *f = *state;
	uint64_t id[3], fresh = fake_id(T0 + HOUR, 7);

	three(f, id);
	run_as(f, &brand_new);
	forget_journal(f);
	fake_accepted(&f->j, fresh, T0 + HOUR, "eve@example.org", ann,
	    f->cloud);
	fake_totals(&f->j);
	run_as(f, &another);
	assert_two_are_missing(f, id);
	trace(f, (struct search){.id = fresh});
	assert_int_equal(f->founds, 1);
	assert_int_equal(count_events(f, "eve@example.org"), 1);
	sent(f, fresh, T0 + 3 * HOUR, D_QUEUED, D_DELIVERED, 1);
	fake_totals(&f->j);
	run_as(f, &another);
	assert_two_are_missing(f, id);
}

static void assert_begins(struct fixture *f, int64_t since)
{
	const struct projector_era *era;

	f->j.origin = &another;
	open_projector(f);
	era = projector_era(f->p);
	assert_true(era->replaced);
	assert_int_equal(era->open, 2);
	assert_non_null(strstr(era->why, "the spool is another"));
	assert_true(last_delivery_since(projector_last(f->p)) >= since);
}

/* It is committed at the start, and others learn of it later: killed between,
 * the next start tells of it. The new journal's places are below the old
 * one's. */
static void an_era_is_told_until_its_event_is_in_the_index(void **state)
{
	static const char told[] = "spool\0{\"state\":\"replaced\"}";
	struct fixture *f = *state;
	const struct projector_era *era;
	uint64_t id[3], fresh = fake_id(T0 + HOUR, 7);
	int64_t since;

	three(f, id);
	run_as(f, &brand_new);
	since = clock_wall_us(&f->clock.clock);
	forget_journal(f);
	fake_accepted(&f->j, fresh, T0 + HOUR, "eve@example.org", ann,
	    f->cloud);
	fake_totals(&f->j);
	assert_begins(f, since);
	close_projector(f); /* at once */
	assert_begins(f, since);
	steps(f, 20); /* its event is not in the journal yet */
	close_projector(f);
	assert_true(count_events(f, "eve@example.org") > 0);
	fake_note(&f->j, T0 + 3 * HOUR, slice_of(told, sizeof(told) - 1));
	fake_totals(&f->j);
	assert_begins(f, 0);
	assert_int_equal(projector_flush(f->p, INT64_MAX), 0);
	close_projector(f);
	f->j.origin = &another;
	open_projector(f);
	era = projector_era(f->p);
	assert_string_equal(era->why, "");
	assert_false(era->replaced);
	close_projector(f);
	assert_two_are_missing(f, id);
}

/* An older copy has one of the two: it is not told again. */
static void a_journal_that_went_back_is_read_again_in_silence(void **state)
{
	const struct spool_origin back = {.id = SPOOL_A, .end = {1, 4096},
	    .begin = {1, 4096 * 3}};
	struct fixture *f = *state;
	const struct projector_era *era;
	struct missing_seen seen;
	struct conserve c;
	uint64_t id[3];
	unsigned lines;

	three(f, id);
	run_as(f, &brand_new);
	lines = count_events(f, "\n");
	forget_journal(f);
	fake_accepted(&f->j, id[0], T0, "bob@example.org", ann, f->cloud);
	fake_totals(&f->j);
	fake_totals(&f->j); /* the batch that the session begins with */
	f->j.origin = &back;
	open_projector(f);
	era = projector_era(f->p);
	assert_true(era->replaced);
	assert_int_equal(era->open, 2);
	assert_non_null(strstr(era->why, "the journal ends at 1:4096"));
	steps(f, 5);
	assert_int_equal(projector_flush(f->p, INT64_MAX), 0);
	close_projector(f);
	assert_int_equal(count_events(f, "\n"), lines);
	count_all(f, &c, &seen);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.id[0], id[1]);
	trace(f, (struct search){.id = id[0]});
	assert_int_equal(f->founds, 2);
}

static void totals_that_the_journal_corrected_begin_an_era(void **state)
{
	const struct spool_origin corrected = {.id = SPOOL_A,
	    .end = {1, UINT64_MAX}, .corrected = 2};
	struct fixture *f = *state;
	uint64_t id[3];

	three(f, id);
	run_as(f, &brand_new);
	forget_journal(f);
	fake_totals(&f->j);
	f->j.origin = &corrected;
	open_projector(f);
	assert_false(projector_era(f->p)->replaced);
	assert_true(projector_era(f->p)->why[0] != '\0');
	steps(f, 5);
	assert_int_equal(projector_flush(f->p, INT64_MAX), 0);
	close_projector(f);
	assert_two_are_missing(f, id);
}

/* The index was behind when segments were lost: what it had not read is news,
 * and what of that is gone is a gap. */
static void an_era_tells_what_the_index_had_not_read(void **state)
{
	static const struct {
		size_t unreadable; /* a record */
		unsigned gaps;
	} cases[] = {{1, 0}, {7, 1}, {SIZE_MAX, 0}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spool_origin corrected = {.id = SPOOL_A,
		    .end = {1, UINT64_MAX}, .corrected = 2};
		uint64_t id[3], fresh = fake_id(T0 + MINUTE, 7);
		struct fixture *f;

		teardown(state);
		setup(state);
		f = *state;
		three(f, id);
		run_as(f, &brand_new);
		for (unsigned n = 0; n < 2; n++) {
			fake_accepted(&f->j, fresh + n, T0 + MINUTE,
			    "eve@example.org", ann, f->cloud);
			fake_totals(&f->j);
		}
		corrected.begin = (struct spool_pos){1, 4096 * f->j.n};
		fake_totals(&f->j);
		f->j.passed = cases[i].unreadable;
		run_as(f, &corrected);
		trace(f, (struct search){.id = fresh + 1});
		assert_int_equal(f->founds, 1);
		assert_int_equal(count_events(f, "audit.gap"), cases[i].gaps);
		assert_int_equal(count_events(f, "eve@example.org"), 2);
	}
}

static void a_journal_that_goes_on_begins_none(void **state)
{
	struct fixture *f = *state;
	uint64_t id[3];

	three(f, id);
	run_as(f, &brand_new);
	f->j.origin = &in_use;
	open_projector(f);
	assert_string_equal(projector_era(f->p)->why, "");
	assert_int_equal(hourfile_state(projector_file(f->p))->era, 0);
	assert_false(f->p->owed.note || f->p->owed.ledger);
	close_projector(f);
	assert_agrees(f);
}

static void the_cursor_is_read_without_a_projector(void **state)
{
	struct fixture *f = *state;
	uint64_t id[3];

	assert_int_equal(projector_cursor(f->index).generation, 0);
	three(f, id);
	run_as(f, &brand_new);
	assert_int_equal(projector_cursor(f->index).generation, 1);
	assert_int_equal(projector_cursor(f->index).offset, 4096 * 7);
}

/* ---- messages whose acceptance the index never saw ---------------------- */

static void a_new_index_counts_from_where_it_begins(void **state)
{
	const struct spool_origin old = {.id = SPOOL_A,
	    .end = {1, UINT64_MAX}, .begin = {1, 4096 * 4}};
	struct fixture *f = *state;
	struct spool_delivery d = now(f, D_DEFERRED, 1);
	struct envelope_rcpt to = {.to = ann[0], .orcpt = ""};
	uint64_t stub = fake_id(T0, 1), carried = fake_id(T0, 2);
	struct envelope e = {.id = carried, .accepted_us = T0,
	    .client = "192.0.2.1", .client_name = "", .listen = "old-mx",
	    .helo = "", .tls = "", .from = "bob@example.org", .envid = "",
	    .message_id = "", .spf = "", .rcpt = &to, .rcpts = 1};

	f->j.total[f->cloud][T_CREATED] = f->j.total[f->cloud][T_OPEN] = 2;
	sent(f, stub, T0 + MINUTE, D_DEFERRED, D_DELIVERED, 2);
	fake_message(&f->j, REC_CARRY, &e, &d, 1);
	fake_totals(&f->j);
	fake_totals(&f->j); /* the batch that the session begins with */
	run_as(f, &old);
	assert_agrees(f);
	sent(f, carried, T0 + 2 * HOUR, D_DEFERRED, D_BOUNCED, 3);
	fake_totals(&f->j);
	run_as(f, &in_use);
	assert_agrees(f);
}

/* ---- words of a row ------------------------------------------------------ */

static void a_line_of_a_row_says_what_was_before(void **state)
{
	static const struct recipient_leg legs[] = {
		{0, ROLE_PRIMARY, D_QUEUED, D_NONE, {"cloud", 5}},
		{1, ROLE_COPY, D_DELIVERED, D_PARKED, {"legacy", 6}},
		{77, ROLE_PRIMARY, D_SUPERSEDED, D_SUPERSEDED, {"a b", 3}},
	};
	struct recipient_leg l;
	struct strbuf text;
	struct slice rest;

	(void)state;
	strbuf_init(&text, 1000);
	for (size_t i = 0; i < ARRAY_LEN(legs); i++)
		leg_states_print(&text, &legs[i]);
	rest = strbuf_view(&text);
	assert_true(slice_starts(rest, SLICE("0 cloud primary queued\n"
	    "1 legacy copy delivered parked\n")));
	for (size_t i = 0; i < ARRAY_LEN(legs); i++) {
		assert_true(leg_states_next(&rest, &l));
		assert_int_equal(l.number, legs[i].number);
		assert_int_equal(l.role, legs[i].role);
		assert_int_equal(l.state, legs[i].state);
		assert_int_equal(l.before, legs[i].before);
		assert_true(slice_eq(l.leg, legs[i].leg));
	}
	assert_false(leg_states_next(&rest, &l));
	strbuf_fini(&text);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_figures_at_the_cursor_are_the_journals),
		T(the_oldest_file_may_be_removed),
		T(a_file_may_be_removed_while_it_is_counted),
		T(an_altered_row_is_found_wherever_it_stands),
		T(a_commit_waits_for_the_end_of_a_batch),
		T(nothing_is_counted_before_its_place_is_reached),
		T(another_spool_begins_an_era_and_what_was_open_is_missing),
		T(an_era_is_told_until_its_event_is_in_the_index),
		T(a_journal_that_went_back_is_read_again_in_silence),
		T(totals_that_the_journal_corrected_begin_an_era),
		T(an_era_tells_what_the_index_had_not_read),
		T(a_journal_that_goes_on_begins_none),
		T(the_cursor_is_read_without_a_projector),
		T(a_new_index_counts_from_where_it_begins),
		cmocka_unit_test(a_line_of_a_row_says_what_was_before),
	};

	log_setup(-1, LOG_LV_ERROR, &clock_system);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
