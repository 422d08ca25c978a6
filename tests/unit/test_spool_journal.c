/* SPDX-License-Identifier: ISC
 *
 * The main lane on a good disk: what is posted, what comes back, what is
 * found after a restart. Row names (M1, J2 …) are those of doc/journal.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/spool_rig.h"

enum { SLOTS = 8 };

static struct rig *open_rig(void)
{
	struct rig *r = rig_new(SLOTS);

	if (!rig_open(r))
		fail_msg("%s", r->err.text);
	return r;
}

static void reopen(struct rig *r)
{
	rig_close(r);
	if (!rig_open(r))
		fail_msg("%s", r->err.text);
}

static struct rig *crash(struct rig *r)
{
	struct rig *q = rig_over(fakedisk_cut(r->disk, CUT_KEEPS_ALL, 1), r);

	rig_free(r);
	if (!rig_open(q))
		fail_msg("%s", q->err.text);
	return q;
}

static uint64_t total(struct rig *r, enum total t)
{
	struct spool_stats st;

	spool_stats(r->spool, &st);
	return st.leg[names_id(r->names, SLICE("legacy"))].total[t];
}

static void m1_a_stored_message_is_live_and_whole_after_a_restart(void **state)
{
	static const size_t bodies[] = {0, 1, 4096, 5000, 70000};
	struct rig *r = open_rig();

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bodies); i++)
		rig_accept(r, bodies[i]);
	rig_pump(r);
	for (int turn = 0; turn < 3; turn++) {
		for (unsigned i = 0; i < r->n; i++)
			assert_int_equal(r->m[i].promise, P_STORED);
		assert_null(rig_check(r));
		reopen(r);
		assert_true(r->start.clean);
		assert_int_equal(r->start.messages, ARRAY_LEN(bodies));
		assert_int_equal(r->told, ARRAY_LEN(bodies));
		assert_int_equal(r->start.highest_id, r->m[r->n - 1].id);
	}
	rig_free(r);
}

static void m2_one_sync_answers_all_that_waited(void **state)
{
	struct rig *r = open_rig();
	struct spool_stats before, after;

	(void)state;
	spool_stats(r->spool, &before);
	for (int i = 0; i < 9; i++)
		rig_accept(r, 100);
	assert_int_equal(r->commit_letters, 0); /* never from inside */
	rig_write(r);
	spool_stats(r->spool, &after);
	assert_int_equal(r->commit_letters, 9);
	assert_int_equal(after.syncs - before.syncs, 1);
	rig_free(r);
}

static void m3_a_message_without_live_deliveries_is_not_live(void **state)
{
	struct rig *r = open_rig();

	(void)state;
	for (enum dstate s = D_DELIVERED; s < D_STATES; s++) {
		struct rig_message *m = rig_accept(r, 50);

		rig_pump(r);
		rig_settle(r, m, s, 0);
		rig_pump(r);
		assert_int_equal(m->promise, P_SETTLED);
	}
	assert_null(rig_check(r));
	r = crash(r);
	assert_null(rig_check(r));
	assert_int_equal(r->start.messages, 0);
	rig_free(r);
}

static void j1_every_live_state_survives_with_its_reply(void **state)
{
	struct rig *r = open_rig();
	struct spool_fetch *f;

	(void)state;
	for (enum dstate s = D_QUEUED; s <= D_PARKED; s++) {
		rig_accept(r, 60);
		rig_pump(r);
		rig_settle(r, &r->m[r->n - 1], s, 0);
	}
	rig_pump(r);
	for (int turn = 0; turn < 2; turn++) {
		for (unsigned i = 0; i < r->n; i++) {
			f = rig_fetch(r, r->m[i].id, false);
			assert_int_equal(f->status, 0);
			assert_null(f->source);
			assert_int_equal(f->deliveries, 1);
			assert_int_equal(f->delivery[0].state, D_QUEUED + i);
			assert_int_equal(f->delivery[0].attempts, 1);
			assert_true(slice_eq(strbuf_view(&f->reply[0]),
			    SLICE("250 2.0.0 taken")));
			assert_true(slice_eq(strbuf_view(&f->envelope),
			    SLICE("envelope")));
			spool_fetch_free(f);
		}
		r = crash(r);
	}
	rig_free(r);
}

static void j2_an_update_of_an_unknown_id_is_ignored(void **state)
{
	struct rig *r = open_rig();
	struct rig_message *m = rig_accept(r, 60);

	(void)state;
	rig_pump(r);
	rig_settle(r, m, D_DELIVERED, OP_SYNC);
	rig_pump(r);
	assert_int_equal(total(r, T_DELIVERED), 1);
	rig_settle(r, m, D_QUEUED, OP_SYNC); /* too late */
	rig_pump(r);
	assert_int_equal(r->last_op, SPOOL_STORED);
	assert_int_equal(total(r, T_OPEN), 0);
	assert_int_equal(r->op_letters, 2);
	m->promise = P_SETTLED;
	assert_null(rig_check(r));
	rig_free(r);
}

static void j3_superseding_creates_the_successor_at_once(void **state)
{
	struct rig *r = open_rig();
	struct rig_message *m = rig_accept(r, 60);
	struct spool_op *op = spool_op_new();
	struct spool_update u[2];
	struct spool_fetch *f;

	(void)state;
	rig_pump(r);
	u[0] = (struct spool_update){.to = rig_delivery(r, D_SUPERSEDED)};
	u[1] = (struct spool_update){
	    .delivery = 1, .to = rig_delivery(r, D_QUEUED)};
	u[1].to.leg = (uint16_t)names_id(r->names, SLICE("cloud"));
	u[1].to.change = 77;
	spool_op_update(op, m->id, r->clock.wall, u, 2);
	spool_post(r->spool, op);
	rig_pump(r);
	r = crash(r);
	f = rig_fetch(r, r->m[0].id, false);
	assert_int_equal(f->deliveries, 2);
	assert_int_equal(f->delivery[0].state, D_SUPERSEDED);
	assert_int_equal(f->delivery[1].state, D_QUEUED);
	assert_int_equal(f->delivery[1].change, 77);
	assert_string_equal(names_text(r->names, f->delivery[1].leg), "cloud");
	spool_fetch_free(f);
	assert_int_equal(total(r, T_SUPERSEDED), 1);
	assert_int_equal(total(r, T_OPEN), 0);
	rig_free(r);
}

static void j4_plain_results_are_synced_within_100_ms(void **state)
{
	struct rig *r = open_rig();
	struct rig_message *m = rig_accept(r, 60);
	int wait;

	(void)state;
	rig_pump(r);
	rig_settle(r, m, D_DELIVERED, 0);
	wait = journal_step(r->spool, spool_now_ms(r->spool));
	assert_in_range(wait, 1, 100);
	assert_int_equal(m->promise, P_SETTLING);
	clock_fake_step(&r->clock, wait * 1000);
	rig_write(r);
	assert_int_equal(m->promise, P_SETTLED);
	/* A decision does not wait. */
	m = rig_accept(r, 60);
	rig_write(r);
	rig_settle(r, m, D_DELETED, OP_SYNC);
	rig_write(r);
	assert_int_equal(m->promise, P_SETTLED);
	rig_free(r);
}

static void g1_a_bounce_and_its_dsn_are_valid_only_together(void **state)
{
	struct rig *r = open_rig();
	struct rig_message *m = rig_accept(r, 60), *dsn;

	(void)state;
	rig_pump(r);
	dsn = rig_bounce(r, m);
	rig_pump(r);
	assert_int_equal(m->promise, P_SETTLED);
	assert_int_equal(dsn->promise, P_STORED);
	/* A second bounce of the same: no second DSN. */
	dsn = rig_bounce(r, m);
	rig_pump(r);
	assert_int_equal(dsn->promise, P_REFUSED);
	m->promise = P_SETTLED;
	assert_null(rig_check(r));
	r = crash(r);
	assert_null(rig_check(r));
	rig_free(r);
}

/* A message with an attempt on record, and when it is due again. */
static void deferred(struct rig *r, int64_t due_us)
{
	struct rig_message *m = rig_accept(r, 60);
	struct spool_update u = {.to = rig_delivery(r, D_DEFERRED)};
	struct spool_op *op = spool_op_new();

	rig_pump(r);
	u.to.attempts = 1;
	u.to.due_us = due_us;
	spool_op_update(op, m->id, r->clock.wall, &u, 1);
	spool_post(r->spool, op);
	rig_pump(r);
}

static void u1_after_an_unclean_end_open_deliveries_may_have_been_sent(
    void **state)
{
	struct rig *r = open_rig();
	int64_t minute = 60000000;

	(void)state;
	rig_accept(r, 60);
	rig_pump(r);
	deferred(r, 0); /* due at once */
	deferred(r, r->clock.wall + minute);
	deferred(r, r->clock.wall + 60 * minute);
	clock_fake_step(&r->clock, 2 * minute);
	reopen(r);
	assert_true(r->start.clean);
	assert_int_equal(r->uncertain, 0);
	r = crash(r);
	assert_false(r->start.clean);
	assert_int_equal(r->uncertain, 3); /* all but the one that waits */
	/* It stays so, also over an orderly stop. */
	reopen(r);
	assert_true(r->start.clean);
	assert_int_equal(r->uncertain, 3);
	rig_free(r);
}

/* Whether an attempt may have been made is asked of the time that does not
 * jump: one that was due is due, though the clock was set back. */
static void u1_does_not_depend_on_the_wall_clock(void **state)
{
	struct rig *r = open_rig();
	int64_t minute = 60000000;

	(void)state;
	deferred(r, r->clock.wall + minute);
	deferred(r, r->clock.wall + 600 * minute);
	clock_fake_step(&r->clock, 2 * minute);
	r->clock.wall -= 60 * minute;
	rig_accept(r, 60);
	rig_pump(r);
	r = crash(r);
	assert_int_equal(r->uncertain, 2);
	r->clock.wall += 900 * minute;
	rig_pump(r);
	rig_accept(r, 60);
	rig_pump(r);
	r = crash(r);
	assert_int_equal(r->uncertain, 3);
	rig_free(r);
}

static void j5_totals_are_conserved_over_restarts(void **state)
{
	struct rig *r = open_rig();

	(void)state;
	for (int i = 0; i < 40; i++) {
		struct rig_message *m = rig_accept(r, 3000);

		rig_pump(r);
		if (i % 4 != 0)
			rig_settle(r, m, i % 4 == 1 ? D_DELIVERED : D_BOUNCED,
			    0);
		rig_pump(r);
		if (i % 10 == 9)
			r = crash(r);
	}
	assert_int_equal(total(r, T_CREATED), 40);
	assert_int_equal(total(r, T_DELIVERED), 10);
	assert_int_equal(total(r, T_BOUNCED), 20);
	assert_int_equal(total(r, T_OPEN), 10);
	rig_free(r);
}

static void f1_facts_outlive_restarts_and_recycling(void **state)
{
	struct rig *r = open_rig();
	struct strbuf value;
	struct spool_stats st;

	(void)state;
	strbuf_init(&value, FACT_BYTES);
	rig_fact(r, "change", "41");
	rig_fact(r, "leg.cloud", "suspended");
	rig_fact(r, "change", "42");
	rig_pump(r);
	rig_fact(r, "leg.cloud", "");
	rig_pump(r);
	for (int i = 0; i < 200; i++) {
		struct rig_message *m = rig_accept(r, 4000);

		rig_pump(r);
		rig_settle(r, m, D_DELIVERED, 0);
		rig_pump(r);
	}
	spool_stats(r->spool, &st);
	assert_true(st.recycled > 8);
	r = crash(r);
	assert_true(spool_fact(r->spool, "change", &value));
	assert_string_equal(strbuf_cstr(&value), "42");
	assert_false(spool_fact(r->spool, "leg.cloud", &value));
	strbuf_fini(&value);
	rig_free(r);
}

static void f2_facts_have_a_ceiling(void **state)
{
	struct rig *r = open_rig();
	char key[16], big[FACT_BYTES + 1];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[FACT_BYTES] = '\0';
	rig_fact(r, "big", big);
	rig_pump(r);
	assert_int_equal(r->last_op, SPOOL_FAILED);
	/* As many as all legs can have, twice; and the clock and the table. */
	assert_true(FACTS_MAX >= 2 * NAMES_MAX + 2);
	for (int i = 0; i < FACTS_MAX + 40; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		rig_fact(r, key, "v");
		rig_pump(r);
		assert_int_equal(r->last_op,
		    i < FACTS_MAX ? SPOOL_STORED : SPOOL_FAILED);
	}
	rig_fact(r, "k7", "w"); /* one that is there is changed still */
	rig_pump(r);
	assert_int_equal(r->last_op, SPOOL_STORED);
	rig_free(r);
}

static void w1_a_stored_body_is_delivered_from_memory(void **state)
{
	struct rig *r = open_rig();
	struct spool_delivery to = rig_delivery(r, D_QUEUED);
	struct spool_draft *d =
	    spool_draft_new(r->spool, 5, &r->in, NULL);
	struct source *a, *b;
	struct slice chunk;

	(void)state;
	assert_int_equal(spool_draft_add(d, SLICE("hello"), 0), ADD_OK);
	assert_true(slice_eq(spool_draft_head(d), SLICE("hello")));
	spool_draft_commit(d, SLICE("e"), &to, 1, RIG_ROOM);
	rig_write(r);
	assert_int_equal(d->letter.status, SPOOL_STORED);
	a = spool_draft_source(d);
	b = spool_draft_source(d);
	spool_draft_free(d);
	assert_int_equal(atomic_load(&r->spool->pool_used), 0);
	assert_int_equal(atomic_load(&r->spool->window_used), 5);
	source_free(b);
	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(source_next(a, &chunk), SOURCE_CHUNK);
		assert_true(slice_eq(chunk, SLICE("hello")));
		assert_int_equal(source_next(a, &chunk), SOURCE_END);
		source_rewind(a);
	}
	source_free(a);
	assert_int_equal(atomic_load(&r->spool->window_used), 0);
	rig_free(r);
}

static void w2_beyond_the_memory_window_there_is_no_source(void **state)
{
	struct rig *r = rig_new(SLOTS);
	struct spool_draft *d;

	(void)state;
	r->c.memory_window_bytes = 4;
	assert_true(rig_open(r));
	d = spool_draft_new(r->spool, 5, &r->in, NULL);
	assert_int_equal(spool_draft_add(d, SLICE("hello"), 0), ADD_OK);
	assert_null(spool_draft_source(d));
	assert_int_equal(atomic_load(&r->spool->window_used), 0);
	spool_draft_free(d);
	rig_free(r);
}

static void m4_an_envelope_that_no_record_holds_is_refused(void **state)
{
	struct rig *r = open_rig();
	struct spool_delivery to = rig_delivery(r, D_QUEUED);
	struct spool_draft *d =
	    spool_draft_new(r->spool, 5, &r->in, NULL);
	char *big = mem_new(2 << 20);

	(void)state;
	spool_draft_commit(d, slice_of(big, 2 << 20), &to, 1, RIG_ROOM);
	rig_write(r);
	assert_int_equal(d->letter.status, SPOOL_FAILED);
	spool_draft_free(d);
	rig_accept(r, 10);
	rig_pump(r);
	assert_null(rig_check(r));
	mem_free(big);
	rig_free(r);
}

static enum spool_status commit_again(struct rig *r, uint64_t id)
{
	struct spool_delivery to = rig_delivery(r, D_QUEUED);
	struct spool_draft *d = spool_draft_new(r->spool, id, &r->in, NULL);
	enum spool_status st;

	assert_int_equal(spool_draft_add(d, SLICE("another"), 0), ADD_OK);
	spool_draft_commit(d, SLICE("e"), &to, 1, RIG_ROOM);
	rig_pump(r);
	st = d->letter.status;
	spool_draft_free(d);
	return st;
}

/* Also when both come in one batch. */
static void m5_a_live_message_keeps_its_id(void **state)
{
	struct rig *r = open_rig();
	struct rig_message *m = rig_accept(r, 100);

	(void)state;
	assert_int_equal(commit_again(r, m->id), SPOOL_TAKEN);
	assert_int_equal(commit_again(r, m->id), SPOOL_TAKEN);
	assert_true(rig_live(r, m));
	assert_int_equal(total(r, T_CREATED), 1);
	reopen(r);
	assert_true(rig_live(r, m));
	rig_settle(r, m, D_DELIVERED, OP_SYNC);
	rig_pump(r);
	assert_int_equal(total(r, T_DELIVERED), 1);
	assert_int_equal(commit_again(r, m->id), SPOOL_STORED); /* over */
	rig_free(r);
}

/* A thread that reads the table or an import adds them at any time: each batch
 * has room for the totals of as many as it writes. */
static void j6_legs_that_come_while_a_batch_is_filled_are_in_the_next(
    void **state)
{
	struct rig *r = open_rig();
	struct journal *j = &r->spool->journal;
	char name[16];
	uint64_t room;

	(void)state;
	rig_accept(r, 100);
	rig_pump(r);
	batch_begin(&j->batch);
	room = fill_room(r->spool);
	assert_true(room > 0);
	for (int i = 0; i < NAMES_MAX - 8; i++) {
		snprintf(name, sizeof(name), "later%d", i);
		assert_true(names_id(r->names, slice_str(name)) >= 0);
	}
	fill_totals(r->spool);
	assert_true(j->batch.meta.n < 1024);
	batch_begin(&j->batch);
	assert_true(fill_room(r->spool) < room);
	fill_totals(r->spool);
	assert_true(j->batch.meta.n > 16384);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		m1_a_stored_message_is_live_and_whole_after_a_restart),
	    cmocka_unit_test(m2_one_sync_answers_all_that_waited),
	    cmocka_unit_test(m3_a_message_without_live_deliveries_is_not_live),
	    cmocka_unit_test(j1_every_live_state_survives_with_its_reply),
	    cmocka_unit_test(j2_an_update_of_an_unknown_id_is_ignored),
	    cmocka_unit_test(j3_superseding_creates_the_successor_at_once),
	    cmocka_unit_test(j4_plain_results_are_synced_within_100_ms),
	    cmocka_unit_test(g1_a_bounce_and_its_dsn_are_valid_only_together),
	    cmocka_unit_test(u1_does_not_depend_on_the_wall_clock),
	    cmocka_unit_test(
		u1_after_an_unclean_end_open_deliveries_may_have_been_sent),
	    cmocka_unit_test(j5_totals_are_conserved_over_restarts),
	    cmocka_unit_test(f1_facts_outlive_restarts_and_recycling),
	    cmocka_unit_test(f2_facts_have_a_ceiling),
	    cmocka_unit_test(w1_a_stored_body_is_delivered_from_memory),
	    cmocka_unit_test(w2_beyond_the_memory_window_there_is_no_source),
	    cmocka_unit_test(m4_an_envelope_that_no_record_holds_is_refused),
		cmocka_unit_test(m5_a_live_message_keeps_its_id),
		cmocka_unit_test(
		    j6_legs_that_come_while_a_batch_is_filled_are_in_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
