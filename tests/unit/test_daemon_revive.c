/* SPDX-License-Identifier: ISC
 *
 * A message that was delivered gets a new delivery on another leg, which no
 * change of the table moves and no notice comes of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/post/mail.h"
#include "relay/settle/revive.h"
#include "tests/unit/daemon_rig.h"

static const char sender[] = "sue@elsewhere.example";
#define HOUR INT64_C(3600)

/* As a replay asks. */
struct asking {
	struct revive_request q;
	struct mailbox box;
	struct revive_to to;
	enum revive_status status;
	unsigned answers;
};

static int setup(void **state)
{
	struct drig *r = drig_new();

	spool_limits_set(r->shared.spool, 256 << 20, HOUR * 1000000);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	drig_free(*state);
	return 0;
}

static void report(struct drig *r, enum outcome what, int code,
    const char *text)
{
	struct result res = drig_result(what, code, text);
	struct worker_job *j = drig_job(r);

	assert_non_null(j);
	drig_report(r, j, WHY_ATTEMPT, &res, 1);
	drig_pump(r);
}

static uint64_t accept_on(struct drig *r, int leg)
{
	struct spool_delivery d =
	    drig_delivery(r, 0, leg, ROLE_PRIMARY, D_QUEUED);
	uint64_t id = drig_accept(r, sender, 1, &d, 1);

	drig_pump(r);
	return id;
}

static uint64_t delivered(struct drig *r)
{
	uint64_t id = accept_on(r, r->legacy);

	report(r, OUT_DELIVERED, 250, "taken");
	return id;
}

static struct spool_fetch *fetch(struct drig *r, struct mailbox *box,
    uint64_t id)
{
	struct spool_fetch *f = spool_fetch_new(id, box, 1);
	struct letter *l;

	f->want_kept = true;
	spool_fetch_post(r->shared.spool, f);
	drig_pump(r);
	l = mailbox_take(box);
	assert_ptr_equal(l, &f->letter);
	if (f->status != 0)
		fail_msg("%s", f->err.text);
	return f;
}

static void on_done(struct revive_request *q, enum revive_status status)
{
	struct asking *a = q->arg;

	a->status = status;
	a->answers++;
}

static void asking_init(struct drig *r, struct asking *a, uint64_t id)
{
	*a = (struct asking){0};
	mailbox_init(&a->box);
	a->to.hash = mail_hash("user0@example.com");
	a->q = (struct revive_request){.fetch = fetch(r, &a->box, id),
	    .to = &a->to, .n = 1, .leg = r->cloud,
	    .change = r->change, .sender = mail_sender(sender), .who = "joe",
	    .reason = "replay 1", .done = on_done, .arg = a};
}

static void asking_fini(struct asking *a)
{
	spool_fetch_free(a->q.fetch);
	mailbox_fini(&a->box);
}

static enum revive_status revive(struct drig *r, uint64_t id)
{
	struct asking a;

	asking_init(r, &a, id);
	revive_apply(r->queue_thread, &a.q);
	drig_pump(r);
	assert_int_equal(a.answers, 1);
	asking_fini(&a);
	return a.status;
}

static void is_revived(struct drig *r, uint64_t id, uint32_t number,
    enum dstate state)
{
	struct delivery_ref i = drig_item(r, id, number);

	assert_int_equal(i.state, state);
	assert_int_equal(i.leg, r->cloud);
	assert_int_equal(i.role, ROLE_COPY);
	assert_int_equal(i.flags & (DF_PINNED | DF_REPLAYED),
	    DF_PINNED | DF_REPLAYED);
}

static void what_is_over_goes_to_another_leg(void **state)
{
	struct drig *r = *state;
	uint64_t id = delivered(r);
	struct worker_job *j;
	struct spool_stats st;

	assert_int_equal(revive(r, id), REVIVE_DONE);
	is_revived(r, id, 1, D_QUEUED);
	j = drig_job(r);
	assert_non_null(j);
	assert_true(j->id == id && j->leg == r->cloud && j->n == 1);
	assert_int_equal(j->row[0].ref.number, 1);
	drig_report(r, j, WHY_ATTEMPT,
	    &(struct result){.outcome = OUT_DELIVERED, .code = 250,
		.enh = "2.0.0", .remote = "", .text = "", .tls = "",
		.tls_failed = "", .address = ""}, 1);
	drig_pump(r);
	spool_stats(r->shared.spool, &st);
	assert_int_equal(st.leg[r->cloud].total[T_CREATED], 1);
	assert_int_equal(st.leg[r->cloud].total[T_DELIVERED], 1);
	assert_int_equal(st.leg[r->legacy].total[T_CREATED], 1);
	drig_check(r);
}

static void change(struct drig *r, const char *route, bool held)
{
	drig_change(r, route, held);
	drig_pump(r);
}

static void no_change_of_the_table_moves_it(void **state)
{
	struct drig *r = *state;
	uint64_t id = delivered(r);

	assert_int_equal(revive(r, id), REVIVE_DONE);
	drig_unclaim(r, drig_job(r), false, true);
	change(r, "legacy", false);
	is_revived(r, id, 1, D_QUEUED);
	change(r, "reject", false);
	is_revived(r, id, 1, D_QUEUED);
	change(r, "legacy", true);
	is_revived(r, id, 1, D_HELD);
	drig_later(r, 600);
	assert_null(drig_job(r));
	change(r, "legacy", false);
	is_revived(r, id, 1, D_QUEUED);
	report(r, OUT_DELIVERED, 250, "taken");
	assert_int_equal(drig_state(r, id, 2), D_NONE);
	drig_check(r);
}

/* Its sender was told "delivered", or asked for nothing. */
static void no_notice_comes_of_it(void **state)
{
	struct drig *r = *state;
	uint64_t id = delivered(r);
	unsigned messages = r->n;

	assert_int_equal(revive(r, id), REVIVE_DONE);
	report(r, OUT_FAILED, 550, "no such user");
	is_revived(r, id, 1, D_PARKED);
	assert_int_equal(r->n, messages);
	assert_null(drig_job(r));
	drig_check(r);
}

/* One recipient has it; another leg of the same message waits still. */
static void what_is_live_still_gets_one_more(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d[2] = {
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED),
	    drig_delivery(r, 1, r->outside, ROLE_PRIMARY, D_HELD)};
	uint64_t id = drig_accept(r, sender, 2, d, 2);

	drig_pump(r);
	report(r, OUT_DELIVERED, 250, "taken");
	assert_int_equal(revive(r, id), REVIVE_DONE);
	is_revived(r, id, 2, D_QUEUED);
	drig_restart(r, true);
	is_revived(r, id, 2, D_QUEUED);
	drig_pump(r);
	report(r, OUT_DELIVERED, 250, "taken");
	is_revived(r, id, 2, D_DELIVERED);
	assert_int_equal(drig_state(r, id, 1), D_HELD);
	drig_check(r);
}

/* Nothing is sent of which the journal may know nothing. */
static void it_is_in_hand_until_it_is_written(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d[2] = {
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED),
	    drig_delivery(r, 1, r->outside, ROLE_PRIMARY, D_HELD)};
	uint64_t id = drig_accept(r, sender, 2, d, 2);
	struct queue_at at = {id, 0};
	struct queue_row row[8];
	struct asking a;
	unsigned n, claimed = 0;

	drig_pump(r);
	report(r, OUT_DELIVERED, 250, "taken");
	asking_init(r, &a, id);
	revive_apply(r->queue_thread, &a.q);
	n = queue_walk(queue_thread_queue(r->queue_thread), &at, row, 8);
	for (unsigned i = 0; i < n; i++)
		claimed += row[i].item.number == 2 && row[i].claimed;
	assert_int_equal(claimed, 1);
	drig_pump(r);
	assert_int_equal(a.status, REVIVE_DONE);
	report(r, OUT_DELIVERED, 250, "taken");
	asking_fini(&a);
	drig_check(r);
}

static void it_is_there_after_a_kill(void **state)
{
	struct drig *r = *state;
	uint64_t id = delivered(r);

	assert_int_equal(revive(r, id), REVIVE_DONE);
	drig_restart(r, true);
	is_revived(r, id, 1, D_QUEUED);
	assert_int_equal(drig_state(r, id, 0), D_DELIVERED);
	drig_pump(r);
	report(r, OUT_DELIVERED, 250, "taken");
	drig_check(r);
}

/* Two that were asked for of one state make one delivery. */
static void what_changed_meanwhile_is_fetched_again(void **state)
{
	struct drig *r = *state;
	uint64_t id = delivered(r);
	struct asking one, two;

	asking_init(r, &one, id);
	asking_init(r, &two, id);
	revive_apply(r->queue_thread, &one.q);
	revive_apply(r->queue_thread, &two.q);
	drig_pump(r);
	assert_int_equal(one.status, REVIVE_DONE);
	assert_int_equal(two.status, REVIVE_CHANGED);
	assert_int_equal(two.answers, 1);
	assert_int_equal(drig_state(r, id, 2), D_NONE);
	revive_apply(r->queue_thread, &two.q);
	assert_int_equal(two.answers, 2);
	asking_fini(&one);
	asking_fini(&two);
	/* Under way just now. */
	assert_int_equal(revive(r, id), REVIVE_BUSY);
	report(r, OUT_DEFERRED, 450, "later");
	drig_check(r);
}

static void it_goes_behind_mail_that_was_never_delivered(void **state)
{
	struct drig *r = *state;
	uint64_t old = delivered(r), live;
	struct worker_job *j;
	int *slots = &r->idle[r->cloud];

	while (ledger_take(r->shared.ledger, r->cloud))
		++*slots;
	assert_int_equal(revive(r, old), REVIVE_DONE);
	r->route = drig_route(r, "cloud");
	live = accept_on(r, r->cloud);
	assert_null(drig_job(r));
	assert_true(old < live);
	ledger_give(r->shared.ledger, r->cloud);
	--*slots;
	drig_pump(r);
	j = drig_job(r);
	assert_non_null(j);
	assert_true(j->id == live);
	drig_unclaim(r, j, false, true);
	drig_pump(r);
	j = drig_job(r);
	assert_non_null(j);
	assert_true(j->id == old);
	drig_unclaim(r, j, false, true);
	for (; *slots > 0; --*slots)
		ledger_give(r->shared.ledger, r->cloud);
	drig_pump(r);
	drig_check(r);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_over_goes_to_another_leg),
		T(no_change_of_the_table_moves_it),
		T(no_notice_comes_of_it),
		T(what_is_live_still_gets_one_more),
		T(it_is_in_hand_until_it_is_written),
		T(it_is_there_after_a_kill),
		T(what_changed_meanwhile_is_fetched_again),
		T(it_goes_behind_mail_that_was_never_delivered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
