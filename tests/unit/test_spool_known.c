/* SPDX-License-Identifier: ISC
 *
 * A journal and how far others have read it: it goes on above what they know,
 * and is read by those who only look.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "relay/base/log.h"
#include "relay/spool/tail/tail.h"
#include "relay/spool/start/spool_open.h"
#include "tests/unit/spool_rig.h"

enum { SLOTS = 12, MESSAGES = 5 };

static struct rig *with_mail(void)
{
	struct rig *r = rig_new(SLOTS);

	assert_true(rig_open(r));
	for (int i = 0; i < MESSAGES; i++)
		rig_accept(r, 700);
	rig_pump(r);
	rig_settle(r, &r->m[0], D_DELIVERED, 0);
	rig_pump(r);
	return r;
}

static void a_journal_that_was_read_to_its_end_goes_on_there(void **state)
{
	struct rig *r = with_mail();
	struct spool_pos end = spool_synced(r->spool);

	(void)state;
	rig_close(r);
	r->c.known = end;
	assert_true(rig_open(r));
	assert_true(r->start.clean);
	assert_int_equal(spool_origin(r->spool).end.generation, 1);
	assert_true(spool_pos_cmp(spool_origin(r->spool).end, end) > 0);
	assert_int_equal(spool_pos_cmp(spool_origin(r->spool).begin,
			     spool_origin(r->spool).end), 0);
	assert_int_equal(spool_origin(r->spool).corrected, 0);
	rig_free(r);
}

static void one_that_ends_before_goes_on_in_a_generation_above(void **state)
{
	static const struct spool_pos known[] = {
		{1, UINT64_C(1) << 20}, {9, 4096}, {2, 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct rig *r = with_mail();

		print_message("%zu\n", i);
		rig_close(r);
		r->c.known = known[i];
		assert_true(rig_open(r));
		assert_int_equal(spool_origin(r->spool).begin.generation,
		    known[i].generation + 1);
		assert_int_equal(spool_origin(r->spool).end.generation, 1);
		rig_accept(r, 700);
		rig_pump(r);
		assert_int_equal(spool_synced(r->spool).generation,
		    known[i].generation + 1);
		assert_null(rig_check(r));
		rig_close(r);
		r->c.known = (struct spool_pos){0};
		assert_true(rig_open(r)); /* and stays there */
		assert_true(spool_synced(r->spool).generation >
		    known[i].generation);
		assert_null(rig_check(r));
		rig_free(r);
	}
}

static void a_new_spool_begins_above_what_is_known(void **state)
{
	struct rig *r = rig_new(SLOTS);

	(void)state;
	r->c.known = (struct spool_pos){41, 4096};
	assert_true(rig_open(r));
	assert_int_equal(spool_origin(r->spool).end.generation, 0);
	assert_int_equal(spool_synced(r->spool).generation, 42);
	rig_free(r);
}

static void the_tail_tells_the_totals_of_each_batch(void **state)
{
	struct rig *r = with_mail();
	struct spool_tail *t =
	    spool_tail_open(r->spool, (struct spool_pos){0});
	struct spool_stats *st = NEW(struct spool_stats);
	struct spool_record rec;
	struct spool_gap gap;
	struct spool_pos end = {0};
	uint64_t total[NAMES_MAX][TOTALS] = {{0}};

	(void)state;
	while (spool_tail_next(t, &rec, &gap) == TAIL_RECORD) {
		end = rec.next;
		if (rec.type == REC_TOTALS)
			memcpy(total, rec.total, sizeof(total));
	}
	spool_stats(r->spool, st);
	for (int i = 0; i < NAMES_MAX; i++)
		assert_memory_equal(total[i], st->leg[i].total,
		    sizeof(total[i]));
	assert_int_equal(spool_pos_cmp(end, spool_synced(r->spool)), 0);
	spool_tail_close(t);
	mem_free(st);
	rig_free(r);
}

static void a_look_finds_what_is_live_and_writes_nothing(void **state)
{
	struct rig *r = with_mail();
	struct spool_stats *st = NEW(struct spool_stats);
	struct spool *look;
	struct error err;

	(void)state;
	rig_kill(r);
	r->disk->fault = FAULT_EIO;
	r->disk->fail_mask = 1u << CALL_WRITE | 1u << CALL_RENAME;
	r->disk->fail_at = 1;
	r->disk->calls = 0;
	look = spool_look(&r->c, NULL, &err);
	assert_non_null(look);
	assert_int_equal(r->disk->calls, 0);
	for (unsigned i = 0; i < r->n; i++)
		assert_int_equal(spool_holds(look, r->m[i].id, 0), i > 0);
	assert_false(spool_holds(look, r->m[1].id, 1));
	assert_false(spool_holds(look, 4711, 0));
	spool_stats(look, st);
	assert_int_equal(st->live_messages, MESSAGES - 1);
	spool_close(look);
	r->disk->fault = FAULT_NONE;
	assert_true(rig_open(r));
	assert_null(rig_check(r));
	mem_free(st);
	rig_free(r);
}

static void a_look_at_nothing_says_so(void **state)
{
	struct rig *r = rig_new(SLOTS);
	struct error err;

	(void)state;
	assert_null(spool_look(&r->c, NULL, &err));
	assert_int_equal(err.no, ENOENT);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_journal_that_was_read_to_its_end_goes_on_there),
	    cmocka_unit_test(
		one_that_ends_before_goes_on_in_a_generation_above),
	    cmocka_unit_test(a_new_spool_begins_above_what_is_known),
	    cmocka_unit_test(the_tail_tells_the_totals_of_each_batch),
	    cmocka_unit_test(a_look_finds_what_is_live_and_writes_nothing),
	    cmocka_unit_test(a_look_at_nothing_says_so),
	};

	log_setup(-1, LOG_LV_ERROR, &clock_system);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
