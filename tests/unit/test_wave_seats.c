/* SPDX-License-Identifier: ISC
 *
 * Members of waves: those of a plan are seated one by one, and recipients of
 * envelopes are known as members.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/wave/file/wave_file_int.h"
#include "policy/wave/file/wave_make.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/wave_tmp.h"

static const struct change_by by = {.who = "ann", .host = "host",
	.command = "wave", .note = "why"};

static int indexes_of_members(struct wave_file *f)
{
	struct error err;
	int64_t n = -1;

	assert_int_equal(db_int(&f->db, "SELECT count(*) FROM sqlite_schema "
	    "WHERE type = 'index' AND tbl_name = 'member' "
	    "AND sql IS NOT NULL", &n, &err), 0);
	return (int)n;
}

/* How many indexes there were while `members` were seated. */
static int seat_planned(struct table_tmp *t, const char *name,
    const char *address, uint64_t members)
{
	const struct wave_new wave = {.name = name, .by = &by,
	    .now_us = WAVE_TMP_NOW};
	const struct wave_seat seat = {.address = slice_str(address),
	    .was = "legacy"};
	struct wave_file *f = wave_tmp_open(t, true);
	struct error err;
	int64_t id;
	int meanwhile;

	assert_int_equal(wave_begin(f, &err), 0);
	assert_int_equal(wave_insert(f, &wave, &id, &err), 0);
	assert_int_equal(wave_seats_begin(f, members, &err), 0);
	meanwhile = indexes_of_members(f);
	assert_int_equal(wave_seat(f, id, &seat, &err), 0);
	assert_int_equal(wave_seats_end(f, &err), 0);
	assert_int_equal(indexes_of_members(f), 2);
	assert_int_equal(wave_end(f, 0, &err), 0);
	wave_file_close(f);
	return meanwhile;
}

static void a_large_plan_makes_the_indexes_of_members_at_its_end(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_file *f;
	struct error err;
	struct wave w;

	assert_int_equal(seat_planned(t, "p1", "ann@example.com", 1), 0);
	assert_int_equal(seat_planned(t, "p2", "bob@example.com", 1), 2);
	f = wave_tmp_open(t, false);
	assert_int_equal(wave_of(f, SLICE("ann@example.com"), &w, &err), 1);
	assert_string_equal(w.name, "p1");
	wave_file_close(f);
	wave_tmp_members(t, "p2", "bob pending");
	table_tmp_free(t);
}

static void a_member_is_known_however_a_client_writes_it(void **state)
{
	static const struct {
		const char *to;
		int is;
	} cases[] = {
	    {"bob@example.com", 1},
	    {"BOB@Example.COM", 1},
	    {"bob+x@example.com", 1},
	    {"Bob+X@Example.COM", 1},
	    {"bob-x@example.com", 0},
	    {"cid+x@Example.COM", 0},
	    {"amy+x@Example.COM", 1},
	    {"cid@example.com", 0},
	    {"no address", 0},
	};
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_file *f;
	struct error err;

	wave_tmp_create(t, "w1", "bob amy");
	f = wave_tmp_open(t, false);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].to);
		assert_int_equal(wave_has_recipient(f, t->c, "w1",
		    cases[i].to, &err), cases[i].is);
	}
	wave_file_close(f);
	table_tmp_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		a_large_plan_makes_the_indexes_of_members_at_its_end),
	    cmocka_unit_test(a_member_is_known_however_a_client_writes_it),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
