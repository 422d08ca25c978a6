/* SPDX-License-Identifier: ISC
 *
 * Askings, their rows and answers in observed.db, and the members of a wave
 * that they leave out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/observed/unfit.h"
#include "tests/unit/conf_tmp.h"

enum { TAKEN = 1, UNKNOWN = 2, REFUSED = 3, UNDECIDED = 4 };
#define NOW (100 * DAY_US)

struct fixture {
	const char *dir;
	struct observed *o;
	struct arena *a;
	struct error err;
	char seen[1000];
};

static void begin(struct fixture *f, void **state)
{
	char path[500];

	memset(f, 0, sizeof(*f));
	f->dir = *state;
	snprintf(path, sizeof(path), "%s/%s", f->dir, OBSERVED_NAME);
	unlink(path);
	assert_true(observed_prepare(f->dir, NOW));
	f->o = observed_open(f->dir, NOW, &f->err);
	assert_non_null(f->o);
	f->a = arena_new();
}

static void end(struct fixture *f)
{
	arena_free(f->a);
	observed_close(f->o);
}

static int64_t add(struct fixture *f, const char *wave, int64_t created_us)
{
	const struct asking a = {.kind = ASKING_WAVE, .about = wave,
	    .created_us = created_us, .route = "cloud", .who = "ann",
	    .started_us = NOW};
	int64_t number = asking_add(f->o, &a, &f->err);

	assert_true(number > 0);
	return number;
}

static void put(struct fixture *f, int64_t number, const char *address,
    enum asked_kind kind)
{
	const struct asked_row row = {.leg = "cloud", .address = address,
	    .said = address, .kind = kind, .tag = ""};

	struct asking_writer *w = asking_writer_new(f->o, number, &f->err);

	assert_non_null(w);
	assert_int_equal(asking_put_row(w, &row, &f->err), 0);
	asking_writer_free(w);
}

static void answer(struct fixture *f, const char *said, int class,
    int64_t at_us)
{
	const struct asked_row row = {.leg = "cloud", .said = said,
	    .class = class, .code = 550, .enh = "5.1.1", .reply = "No one",
	    .at_us = at_us};

	assert_int_equal(asked_answer(f->o, &row, &f->err), 0);
}

static void mark(struct fixture *f, int64_t number, const char *address,
    int64_t again_us)
{
	const struct asked_row row = {.leg = "cloud", .address = address,
	    .tries = 1, .settled = again_us == 0};

	assert_int_equal(asked_mark(f->o, number, &row, again_us, &f->err), 0);
}

static void on_row(void *arg, const struct asked_row *row)
{
	struct fixture *f = arg;
	size_t n = strlen(f->seen);

	snprintf(f->seen + n, sizeof(f->seen) - n, "%s:%d:%d ", row->address,
	    row->class, row->random_class);
}

static const char *rows(struct fixture *f, const struct asked_page *page)
{
	struct asked_page p = *page;

	p.fn = on_row;
	p.arg = f;
	f->seen[0] = '\0';
	assert_true(asked_rows(f->o, &p, &f->err) >= 0);
	return f->seen;
}

static void random_names_come_first_and_retries_in_their_time(void **state)
{
	struct fixture f;
	struct asked_page page = {.leg = "cloud", .due_us = NOW, .limit = 10};
	int64_t due;

	begin(&f, state);
	page.number = add(&f, "w1", 1);
	put(&f, page.number, "ann@a.test", ASKED_MEMBER);
	put(&f, page.number, "bob@a.test", ASKED_ALIAS);
	put(&f, page.number, "@a.test", ASKED_RANDOM);
	assert_string_equal(rows(&f, &page),
	    "@a.test:0:0 ann@a.test:0:0 bob@a.test:0:0 ");
	mark(&f, page.number, "@a.test", 0);
	mark(&f, page.number, "ann@a.test", NOW + 5);
	assert_string_equal(rows(&f, &page), "bob@a.test:0:0 ");
	page.due_us = NOW + 5;
	assert_string_equal(rows(&f, &page), "bob@a.test:0:0 ann@a.test:0:0 ");
	page.limit = 1;
	assert_string_equal(rows(&f, &page), "bob@a.test:0:0 ");
	mark(&f, page.number, "bob@a.test", 0);
	assert_int_equal(asked_next_due(f.o, page.number, "cloud", &due,
	    &f.err), 0);
	assert_int_equal(due, NOW + 5);
	mark(&f, page.number, "ann@a.test", 0);
	assert_int_equal(asked_next_due(f.o, page.number, "cloud", &due,
	    &f.err), 0);
	assert_int_equal(due, INT64_MAX);
	end(&f);
}

static void a_row_has_its_answer_and_that_to_the_random_name(void **state)
{
	struct fixture f;
	struct asked_page page = {.leg = NULL};
	struct asked_row row = {.leg = "cloud", .said = "ann@a.test"};
	struct asking_counts n;

	begin(&f, state);
	page.number = add(&f, "w1", 1);
	put(&f, page.number, "ann@a.test", ASKED_MEMBER);
	put(&f, page.number, "bob@b.test", ASKED_MEMBER);
	put(&f, page.number, "@a.test", ASKED_RANDOM);
	answer(&f, "ann@a.test", TAKEN, NOW);
	answer(&f, "@a.test", UNKNOWN, NOW);
	assert_string_equal(rows(&f, &page),
	    "@a.test:2:2 ann@a.test:1:2 bob@b.test:0:0 ");
	assert_int_equal(asked_find(f.o, &row, f.a, &f.err), 1);
	assert_int_equal(row.class, TAKEN);
	assert_int_equal(row.random_class, UNKNOWN);
	assert_int_equal(row.at_us, NOW);
	row.said = "eve@a.test";
	assert_int_equal(asked_find(f.o, &row, f.a, &f.err), 0);
	/* Random names are no recipients. */
	assert_int_equal(asking_count(f.o, page.number, &n, &f.err), 0);
	assert_int_equal(n.rows, 2);
	assert_int_equal(n.settled, 0);
	end(&f);
}

static void what_is_under_way_is_found_again(void **state)
{
	struct fixture f;
	struct asking at, got;
	struct asking_which which = {.kind = ASKING_WAVE, .about = "w1"};
	int64_t first, second;

	begin(&f, state);
	first = add(&f, "w1", 1);
	second = add(&f, "w1", 1);
	observed_close(f.o); /* a kill */
	f.o = observed_open(f.dir, NOW, &f.err);
	assert_non_null(f.o);
	assert_int_equal(asking_next(f.o, 0, f.a, &at, &f.err), 1);
	assert_int_equal(at.number, first);
	at.ended_us = NOW + 1;
	at.reason = "cloud: the leg asks for less";
	at.stop = 1;
	at.notes = "a note";
	assert_int_equal(asking_end(f.o, &at, &f.err), 0);
	assert_int_equal(asking_next(f.o, 0, f.a, &at, &f.err), 1);
	assert_int_equal(at.number, second);
	assert_int_equal(asking_next(f.o, second, f.a, &at, &f.err), 0);
	assert_int_equal(asking_get(f.o, &which, f.a, &got, &f.err), 1);
	assert_int_equal(got.number, second);
	which.number = first;
	assert_int_equal(asking_get(f.o, &which, f.a, &got, &f.err), 1);
	assert_string_equal(got.reason, "cloud: the leg asks for less");
	assert_string_equal(got.notes, "a note");
	end(&f);
}

static void a_leg_stays_stopped_until_it_is_forgiven(void **state)
{
	struct fixture f;
	struct asked_stop stop = {NOW, 2, "blocked"}, got;
	int64_t number;

	begin(&f, state);
	number = add(&f, "w1", 1);
	assert_int_equal(asked_stop_get(f.o, "cloud", f.a, &got, &f.err), 0);
	assert_int_equal(asked_stop_put(f.o, "cloud", &stop, &f.err), 0);
	assert_int_equal(asked_stop_get(f.o, "cloud", f.a, &got, &f.err), 1);
	assert_int_equal(got.stop, 2);
	assert_string_equal(got.reason, "blocked");
	assert_int_equal(asked_stop_get(f.o, "legacy", f.a, &got, &f.err), 0);
	assert_int_equal(asked_stop_forgive(f.o, number, &f.err), 0);
	assert_int_equal(asked_stop_get(f.o, "cloud", f.a, &got, &f.err), 1);
	put(&f, number, "ann@a.test", ASKED_MEMBER); /* of cloud */
	assert_int_equal(asked_stop_forgive(f.o, number, &f.err), 0);
	assert_int_equal(asked_stop_get(f.o, "cloud", f.a, &got, &f.err), 0);
	end(&f);
}

static void old_answers_and_askings_go_and_no_others(void **state)
{
	struct fixture f;
	struct asking at;
	struct asking_which which = {.kind = ASKING_WAVE};
	struct asked_row row = {.leg = "cloud"};
	struct asking_counts n;

	begin(&f, state);
	which.number = add(&f, "old", 1);
	put(&f, which.number, "ann@a.test", ASKED_MEMBER);
	assert_int_equal(asking_get(f.o, &which, f.a, &at, &f.err), 1);
	at.ended_us = NOW - 10;
	assert_int_equal(asking_end(f.o, &at, &f.err), 0);
	put(&f, add(&f, "new", 1), "ann@a.test", ASKED_MEMBER);
	answer(&f, "ann@a.test", TAKEN, NOW - 10);
	answer(&f, "bob@a.test", TAKEN, NOW);
	assert_int_equal(asked_prune(f.o, NOW, &f.err), 0);
	assert_int_equal(asking_get(f.o, &which, f.a, &at, &f.err), 0);
	assert_int_equal(asking_count(f.o, which.number, &n, &f.err), 0);
	assert_int_equal(n.rows, 0);
	assert_int_equal(asking_next(f.o, 0, f.a, &at, &f.err), 1);
	assert_string_equal(at.about, "new");
	row.said = "ann@a.test";
	assert_int_equal(asked_find(f.o, &row, f.a, &f.err), 0);
	row.said = "bob@a.test";
	assert_int_equal(asked_find(f.o, &row, f.a, &f.err), 1);
	end(&f);
}

/* ---- members that would fail --------------------------------------------- */

static bool is_unfit(struct fixture *f, const struct unfit_wave *w,
    const char *address)
{
	struct unfit *u = unfit_new(f->dir);
	bool bad = unfit_member(u, w, slice_str(address), f->seen,
	    sizeof(f->seen));

	unfit_free(u);
	return bad;
}

static int64_t asked_at(struct fixture *f, const struct unfit_wave *w)
{
	struct unfit *u = unfit_new(f->dir);
	int64_t us = unfit_asked_at(u, w);

	unfit_free(u);
	return us;
}

static void only_this_waves_last_preflight_leaves_members_out(void **state)
{
	const struct unfit_wave w = {"w1", "cloud", 7};
	const struct unfit_wave others[] = {
	    {"w2", "cloud", 7}, {"w1", "legacy", 7}, {"w1", "cloud", 8}};
	struct fixture f;
	int64_t number;

	begin(&f, state);
	number = add(&f, "w1", 7);
	put(&f, number, "ann@a.test", ASKED_MEMBER);
	put(&f, number, "bob@a.test", ASKED_MEMBER);
	put(&f, number, "cat@a.test", ASKED_MEMBER);
	put(&f, number, "dan@a.test", ASKED_ALIAS);
	put(&f, number, "@a.test", ASKED_RANDOM);
	answer(&f, "ann@a.test", UNKNOWN, NOW);
	answer(&f, "bob@a.test", TAKEN, NOW);
	answer(&f, "cat@a.test", UNDECIDED, NOW);
	answer(&f, "dan@a.test", REFUSED, NOW);
	answer(&f, "@a.test", UNKNOWN, NOW);
	answer(&f, "eve@a.test", UNKNOWN, NOW); /* of a shadow */
	assert_true(is_unfit(&f, &w, "ann@a.test"));
	assert_string_equal(f.seen, "preflight: cloud said 550 5.1.1 No one");
	assert_true(is_unfit(&f, &w, "dan@a.test"));
	assert_false(is_unfit(&f, &w, "bob@a.test"));
	assert_false(is_unfit(&f, &w, "cat@a.test"));
	assert_false(is_unfit(&f, &w, "eve@a.test"));
	assert_false(is_unfit(&f, &w, "@a.test"));
	assert_int_equal(asked_at(&f, &w), NOW);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_false(is_unfit(&f, &others[i], "ann@a.test"));
		assert_int_equal(asked_at(&f, &others[i]), 0);
	}
	/* The next one counts, and has not come so far. */
	put(&f, add(&f, "w1", 7), "bob@a.test", ASKED_MEMBER);
	assert_false(is_unfit(&f, &w, "ann@a.test"));
	end(&f);
}

static void without_the_file_there_was_no_preflight(void **state)
{
	const struct unfit_wave w = {"w1", "cloud", 7};
	struct fixture f;
	char path[500];

	begin(&f, state);
	put(&f, add(&f, "w1", 7), "ann@a.test", ASKED_MEMBER);
	answer(&f, "ann@a.test", UNKNOWN, NOW);
	assert_int_equal(asked_at(&f, &w), NOW);
	snprintf(path, sizeof(path), "%s/%s", f.dir, OBSERVED_NAME);
	assert_int_equal(unlink(path), 0);
	assert_false(is_unfit(&f, &w, "ann@a.test"));
	assert_int_equal(asked_at(&f, &w), 0);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		random_names_come_first_and_retries_in_their_time),
	    cmocka_unit_test(
		a_row_has_its_answer_and_that_to_the_random_name),
	    cmocka_unit_test(what_is_under_way_is_found_again),
	    cmocka_unit_test(a_leg_stays_stopped_until_it_is_forgiven),
	    cmocka_unit_test(old_answers_and_askings_go_and_no_others),
	    cmocka_unit_test(
		only_this_waves_last_preflight_leaves_members_out),
	    cmocka_unit_test(without_the_file_there_was_no_preflight),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
