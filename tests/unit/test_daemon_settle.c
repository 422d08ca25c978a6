/* SPDX-License-Identifier: ISC
 *
 * The fate of a delivery: by an attempt's outcome, by an administrator, by a
 * changed route, by a disk that refuses, and over a restart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/mail/envelope.h"
#include "tests/unit/daemon_rig.h"
#include "tests/unit/spool_peek.h"

static const char sender[] = "sue@elsewhere.example";

static int setup(void **state)
{
	*state = drig_new();
	return 0;
}

static int teardown(void **state)
{
	drig_free(*state);
	return 0;
}

static void disk_refuses(struct drig *r, bool refuses)
{
	r->disk->fault = refuses ? FAULT_EIO : FAULT_NONE;
	r->disk->fail_mask = 1U << CALL_WRITE;
	r->disk->calls = 0;
	r->disk->fail_at = refuses ? 1 : 0;
	r->disk->fail_on = refuses;
}

static unsigned messages(struct drig *r)
{
	struct queue_counts c;

	queue_count(queue_thread_queue(r->queue_thread), &c);
	return (unsigned)c.messages;
}

/* ---- outcomes ---- */

static const struct {
	const char *name, *from;
	enum role role;
	unsigned notify;
	enum why why;
	enum outcome outcome;
	enum dstate state; /* D_NONE: over with all of its message */
	unsigned dsns;
} outcomes[] = {
    {"delivered", sender, ROLE_PRIMARY, 0, WHY_ATTEMPT, OUT_DELIVERED,
	D_NONE, 0},
    {"4xx", sender, ROLE_PRIMARY, 0, WHY_ATTEMPT, OUT_DEFERRED, D_DEFERRED,
	0},
    {"5xx of a primary", sender, ROLE_PRIMARY, 0, WHY_ATTEMPT, OUT_FAILED,
	D_NONE, 1},
    {"5xx of a copy", sender, ROLE_COPY, 0, WHY_ATTEMPT, OUT_FAILED, D_PARKED,
	0},
    {"5xx of a DSN", "", ROLE_PRIMARY, 0, WHY_ATTEMPT, OUT_FAILED, D_PARKED,
	0},
    {"5xx, NOTIFY=NEVER", sender, ROLE_PRIMARY, NOTIFY_NEVER, WHY_ATTEMPT,
	OUT_FAILED, D_NONE, 0},
    {"5xx, NOTIFY=DELAY", sender, ROLE_PRIMARY, NOTIFY_DELAY, WHY_ATTEMPT,
	OUT_FAILED, D_NONE, 0},
    {"lifetime over", sender, ROLE_PRIMARY, 0, WHY_LIFETIME, OUT_FAILED,
	D_PARKED, 1},
    {"lifetime of a copy over", sender, ROLE_COPY, 0, WHY_LIFETIME,
	OUT_FAILED, D_PARKED, 0},
    {"lifetime of a DSN over", "", ROLE_PRIMARY, 0, WHY_LIFETIME, OUT_FAILED,
	D_PARKED, 0},
    {"returned", sender, ROLE_PRIMARY, 0, WHY_ADMIN, OUT_FAILED, D_NONE, 1},
    {"returned, but a DSN", "", ROLE_PRIMARY, 0, WHY_ADMIN, OUT_FAILED,
	D_NONE, 0},
    {"nothing said", sender, ROLE_PRIMARY, 0, WHY_ATTEMPT, OUT_UNTRIED,
	D_QUEUED, 0},
};

static void an_outcome_makes_a_state_by_role_and_sender(void **state)
{
	struct drig *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		struct spool_delivery d = drig_delivery(r, 0, r->legacy,
		    outcomes[i].role, D_QUEUED);
		struct result res = drig_result(outcomes[i].outcome, 550, "no");
		unsigned before = messages(r);
		uint64_t id = drig_accept(r, outcomes[i].from, 1, &d, 1);

		print_message("%s\n", outcomes[i].name);
		r->route = drig_route(r, outcomes[i].role == ROLE_COPY
		    ? "cloud+legacy" : "legacy");
		drig_message(r, id)->notify = outcomes[i].notify;
		drig_report(r, drig_job(r), outcomes[i].why, &res, 1);
		drig_pump(r);
		assert_int_equal(drig_state(r, id, 0), outcomes[i].state);
		assert_int_equal(messages(r) - before,
		    outcomes[i].dsns + (outcomes[i].state != D_NONE));
		while (r->jobs != 0) /* DSNs on their way */
			drig_report(r, drig_job(r), WHY_ATTEMPT,
			    &(struct result){.outcome = OUT_DEFERRED,
				.stage = STAGE_RCPT, .remote = "", .text = "",
				.tls = "", .address = ""}, 1);
		drig_pump(r);
		drig_check(r);
	}
}

static void one_dialog_may_deliver_defer_and_fail(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d[3];
	struct result res[] = {drig_result(OUT_DELIVERED, 250, "ok"),
	    drig_result(OUT_DEFERRED, 450, "later"),
	    drig_result(OUT_FAILED, 550, "never")};
	uint64_t id;

	for (uint32_t i = 0; i < 3; i++)
		d[i] = drig_delivery(r, i, r->legacy, ROLE_PRIMARY, D_QUEUED);
	id = drig_accept(r, sender, 3, d, 3);
	drig_report(r, drig_job(r), WHY_ATTEMPT, res, 3);
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 0), D_DELIVERED);
	assert_int_equal(drig_state(r, id, 1), D_DEFERRED);
	assert_int_equal(drig_state(r, id, 2), D_BOUNCED);
	assert_int_equal(drig_item(r, id, 2).flags, DF_DSN_SENT);
	assert_int_equal(r->job[0]->leg, r->outside); /* the DSN */
}

/* The DSN finds no room; what was delivered in the same dialog stays so. */
static void a_dsn_without_room_bounces_nothing_and_repeats_nothing(
    void **state)
{
	struct drig *r = *state;
	struct spool_delivery d[2];
	struct result res[] = {drig_result(OUT_DELIVERED, 250, "ok"),
	    drig_result(OUT_FAILED, 550, "never")};
	uint64_t id;

	for (uint32_t i = 0; i < 2; i++)
		d[i] = drig_delivery(r, i, r->legacy, ROLE_PRIMARY, D_QUEUED);
	id = drig_accept(r, sender, 2, d, 2);
	disk_refuses(r, true);
	drig_report(r, drig_job(r), WHY_ATTEMPT, res, 2);
	drig_pump(r);
	disk_refuses(r, false);
	drig_pump(r);
	assert_int_equal(messages(r), 1);
	assert_int_equal(drig_state(r, id, 0), D_DELIVERED);
	assert_int_equal(drig_state(r, id, 1), D_DEFERRED);
	assert_int_equal(drig_item(r, id, 1).flags, 0);
	drig_check(r);
	drig_later(r, 61);
	assert_int_equal(r->jobs, 1);
	assert_int_equal(r->job[0]->n, 1); /* the failed one alone */
}

static void who_was_told_is_not_told_again(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED);
	struct result res = drig_result(OUT_FAILED, 550, "never");
	uint64_t id = drig_accept(r, sender, 1, &d, 1);
	bool ok;

	drig_report(r, drig_job(r), WHY_LIFETIME, &res, 1);
	drig_pump(r);
	assert_int_equal(messages(r), 2);
	drig_unclaim(r, drig_job(r), false, true); /* the DSN's */
	assert_true(drig_act(r, ACT_RETRY, id, 0, &ok) && ok);
	drig_report(r, drig_job(r), WHY_ATTEMPT, &res, 1);
	drig_pump(r);
	assert_int_equal(messages(r), 1); /* only the first DSN */
	assert_int_equal(drig_state(r, id, 0), D_NONE);
}

static void what_may_have_been_sent_stays_uncertain(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED);
	struct result lost = drig_result(OUT_DEFERRED, 0, "connection lost");
	struct result later = drig_result(OUT_DEFERRED, 450, "later");
	uint64_t id = drig_accept(r, sender, 1, &d, 1);

	lost.uncertain = true;
	drig_report(r, drig_job(r), WHY_ATTEMPT, &lost, 1);
	drig_later(r, 61);
	drig_report(r, drig_job(r), WHY_ATTEMPT, &later, 1);
	drig_pump(r);
	assert_int_equal(drig_item(r, id, 0).uncertain, UNC_YES);
	assert_int_equal(drig_item(r, id, 0).attempts, 2);
}

/* ---- failures under a route that has changed ---- */

static const struct {
	const char *name, *before, *after;
	bool held;
	int copy; /* the one that fails is the copy */
	enum dstate failed, other;
	unsigned dsns;
} changed[] = {
    {"nothing changed", "legacy", "legacy", false, 0, D_NONE, D_NONE, 1},
    {"he moved to the cloud", "legacy", "cloud", false, 0, D_SUPERSEDED,
	D_QUEUED, 0},
    {"he is held by now", "legacy", "legacy", true, 0, D_HELD, D_NONE, 0},
    {"no leg is named by now", "legacy", "defer", false, 0, D_PARKED, D_NONE,
	0},
    {"the copy is the primary by now", "legacy+cloud", "cloud", false, 1,
	D_DEFERRED, D_SUPERSEDED, 0},
    {"a copy stays one", "legacy+cloud", "legacy+cloud", false, 1, D_PARKED,
	D_DEFERRED, 0},
};

static void a_failure_under_an_old_route_settles_nothing(void **state)
{
	struct drig *r = *state;
	struct result no = drig_result(OUT_FAILED, 550, "no such user");
	struct result later = drig_result(OUT_DEFERRED, 450, "later");

	for (size_t i = 0; i < ARRAY_LEN(changed); i++) {
		struct spool_delivery d[2] = {
		    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED),
		    drig_delivery(r, 0, r->cloud, ROLE_COPY, D_QUEUED)};
		unsigned before = messages(r), number = changed[i].copy != 0;
		struct worker_job *j;
		uint64_t id;

		print_message("%s\n", changed[i].name);
		r->route = drig_route(r, changed[i].before);
		r->held = false;
		id = drig_accept(r, sender, 1, d, changed[i].copy + 1);
		if (changed[i].copy)
			drig_report(r, drig_job(r), WHY_ATTEMPT, &later, 1);
		drig_pump(r);
		j = drig_job(r);
		/* The table has it; the queue will hear of it later. */
		r->route = drig_route(r, changed[i].after);
		r->held = changed[i].held;
		r->change++;
		drig_report(r, j, WHY_ATTEMPT, &no, 1);
		drig_pump(r);
		assert_int_equal(drig_state(r, id, number), changed[i].failed);
		assert_int_equal(drig_state(r, id, 1 - number),
		    changed[i].other);
		assert_int_equal(messages(r) - before, changed[i].dsns +
		    (changed[i].failed != D_NONE));
		while (r->jobs != 0)
			drig_report(r, drig_job(r), WHY_ATTEMPT, &later, 1);
		drig_pump(r);
		drig_check(r);
	}
}

/* ---- administrators ---- */

static const struct {
	enum dstate from;
	enum act what;
	bool taken;
	enum dstate to;
	const char *says;
} acts[] = {
    {D_PARKED, ACT_RETRY, true, D_QUEUED, NULL},
    {D_HELD, ACT_RETRY, false, D_HELD, "held: "},
    {D_FROZEN, ACT_RETRY, false, D_FROZEN, "frozen: "},
    {D_DEFERRED, ACT_FREEZE, true, D_FROZEN, NULL},
    {D_HELD, ACT_FREEZE, true, D_FROZEN, NULL},
    {D_FROZEN, ACT_FREEZE, false, D_FROZEN, "frozen already"},
    {D_PARKED, ACT_FREEZE, false, D_PARKED, "parked: "},
    {D_FROZEN, ACT_THAW, true, D_QUEUED, NULL},
    {D_PARKED, ACT_THAW, false, D_PARKED, "not frozen"},
    {D_DEFERRED, ACT_PARK, true, D_PARKED, NULL},
    {D_PARKED, ACT_PARK, false, D_PARKED, "parked already"},
    {D_DEFERRED, ACT_DELETE, true, D_NONE, NULL},
    {D_PARKED, ACT_DELETE, true, D_NONE, NULL},
    {D_HELD, ACT_DELETE, true, D_NONE, NULL},
};

static uint64_t accept_in(struct drig *r, enum dstate in)
{
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, in);

	d.due_us = d.created_us + INT64_C(3600000000);
	return drig_accept(r, sender, 1, &d, 1);
}

static void an_act_is_taken_in_its_states_and_no_other(void **state)
{
	struct drig *r = *state;
	bool ok;

	r->route = drig_route(r, "legacy");
	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		uint64_t id = accept_in(r, acts[i].from);

		print_message("act %d in %s\n", (int)acts[i].what,
		    dstate_text(acts[i].from));
		assert_int_equal(drig_act(r, acts[i].what, id, 0, &ok),
		    acts[i].taken);
		assert_int_equal(ok, acts[i].taken);
		assert_true(ok || strstr(r->act_said, acts[i].says) != NULL);
		assert_int_equal(drig_state(r, id, 0), acts[i].to);
	}
}

static void an_act_that_the_disk_refuses_changes_nothing(void **state)
{
	struct drig *r = *state;
	bool ok;

	r->route = drig_route(r, "legacy");
	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		uint64_t id = accept_in(r, acts[i].from);

		disk_refuses(r, true);
		drig_act(r, acts[i].what, id, 0, &ok);
		assert_false(ok);
		disk_refuses(r, false);
		drig_pump(r);
		assert_int_equal(drig_state(r, id, 0), acts[i].from);
	}
	drig_check(r);
}

static void what_is_in_a_hand_is_not_acted_on(void **state)
{
	struct drig *r = *state;
	struct result done = drig_result(OUT_DELIVERED, 250, "ok");
	uint64_t id = accept_in(r, D_PARKED);
	struct worker_job *j;
	bool ok;

	/* Returned twice: the second finds it in the first's hand. */
	assert_true(drig_act(r, ACT_BOUNCE, id, 0, &ok));
	assert_false(r->act[0].called);
	assert_false(drig_act(r, ACT_BOUNCE, id, 0, &ok));
	assert_false(drig_act(r, ACT_RETRY, id, 0, &ok));
	assert_false(drig_act(r, ACT_DELETE, id, 0, &ok));
	j = drig_job(r);
	assert_int_equal(j->kind, JOB_BOUNCE);
	/* Its message cannot be read: it is parked as before, and not sent. */
	drig_unclaim(r, j, false, true);
	drig_later(r, 120);
	assert_true(r->act[0].called && !r->act[0].ok);
	assert_int_equal(r->jobs, 0);
	assert_int_equal(drig_state(r, id, 0), D_PARKED);
	/* In a dialog. */
	r->route = drig_route(r, "legacy");
	assert_true(drig_act(r, ACT_RETRY, id, 0, &ok) && ok);
	assert_false(drig_act(r, ACT_BOUNCE, id, 0, &ok));
	drig_report(r, drig_job(r), WHY_ATTEMPT, &done, 1);
	drig_pump(r);
	drig_check(r);
	assert_int_equal(messages(r), 0);
}

/* ---- routes ---- */

static void a_reroute_that_the_disk_refuses_is_made_later(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_DEFERRED);
	uint64_t id;

	d.due_us = d.created_us + INT64_C(3600000000);
	id = drig_accept(r, sender, 1, &d, 1);
	disk_refuses(r, true);
	drig_change(r, "cloud", false);
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 0), D_DEFERRED);
	assert_int_equal(drig_state(r, id, 1), D_NONE);
	disk_refuses(r, false);
	drig_later(r, 5);
	assert_int_equal(drig_state(r, id, 0), D_SUPERSEDED);
	assert_int_equal(drig_state(r, id, 1), D_QUEUED);
}

static void mail_parked_for_want_of_a_route_goes_when_there_is_one(
    void **state)
{
	struct drig *r = *state;
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_DEFERRED);
	uint64_t id;

	d.due_us = d.created_us + INT64_C(3600000000);
	id = drig_accept(r, sender, 1, &d, 1);
	drig_change(r, "gone", false);
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 0), D_PARKED);
	drig_change(r, "legacy", false);
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 0), D_SUPERSEDED);
	assert_int_equal(drig_state(r, id, 1), D_QUEUED);
	assert_int_equal(drig_item(r, id, 1).leg, r->legacy);
}

/* Between the first recipient of a change and its end a message comes in that
 * was resolved before it. */
static void a_message_that_comes_in_the_middle_of_a_change_is_rerouted(
    void **state)
{
	struct drig *r = *state;
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_HELD);
	struct wake_letter *l = mem_new(sizeof(*l) + sizeof(l->hash[0]));
	uint64_t id;

	r->route = drig_route(r, "cloud");
	l->letter.kind = S_WAKE;
	l->change = ++r->change;
	l->n = 1;
	l->hash[0] = 1;
	mailbox_post(r->shared.queue_box, &l->letter);
	id = drig_accept(r, sender, 1, &d, 1);
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 0), D_SUPERSEDED);
	assert_int_equal(drig_state(r, id, 1), D_QUEUED);
}

/* The plan of a resolved message is being written when an attempt's result
 * comes that adds a delivery, too: each has a number of its own. */
static void a_result_waits_for_the_plan_that_is_being_written(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d[2] = {
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED),
	    drig_delivery(r, 1, r->legacy, ROLE_PRIMARY, D_DEFERRED)};
	struct result ok = drig_result(OUT_DELIVERED, 250, "ok");
	uint64_t id;

	d[1].due_us = d[1].created_us + INT64_C(3600000000);
	id = drig_accept(r, sender, 2, d, 2);
	r->began = drig_word(r);
	drig_change(r, "cloud+legacy", false);
	queue_thread_step(r->queue_thread); /* asks for the routes */
	for (int i = 0; i < 3; i++) {
		spool_turn(r->shared.spool, clock_mono_ms(r->shared.clock));
		drig_letters(r);
	}
	queue_thread_step(r->queue_thread); /* posts the plan */
	drig_flip(r, "legacy+cloud", false);
	drig_report(r, drig_job(r), WHY_ATTEMPT, &ok, 1);
	queue_thread_step(r->queue_thread); /* the journal has not answered */
	drig_pump(r);
	drig_tell(r);
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 0), D_DELIVERED);
	for (uint32_t rcpt = 0; rcpt < 2; rcpt++) {
		unsigned copies = 0;

		for (uint32_t k = 2; k < 4; k++)
			copies += drig_item(r, id, k).rcpt == rcpt &&
				  drig_item(r, id, k).leg == r->cloud;
		assert_int_equal(copies, 1);
	}
}

/* The route does not name its leg, and no delivery there can stand for it: it
 * is parked, and does not go round between queue and worker. */
static void what_has_no_place_in_the_route_is_parked(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d[2] = {
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED),
	    drig_delivery(r, 0, r->cloud, ROLE_COPY, D_DELETED)};
	uint64_t id;

	r->route = drig_route(r, "cloud");
	id = drig_accept(r, sender, 1, d, 2);
	drig_unclaim(r, drig_job(r), true, false);
	drig_pump(r);
	assert_int_equal(r->jobs, 0);
	assert_int_equal(drig_state(r, id, 0), D_PARKED);
	assert_int_equal(drig_item(r, id, 0).reason, WHY_NO_ROUTE);
	drig_later(r, 61);
	assert_int_equal(r->jobs, 0);
}

/* The leg and SPF agree on the sender: it is not told, and the result stays. */
static void what_is_forged_is_parked_with_its_reply(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED);
	struct result res = drig_result(OUT_PARKED, 550, "5.7.26 no");
	uint64_t id = drig_accept(r, sender, 1, &d, 1);

	r->forged = true;
	drig_report(r, drig_job(r), WHY_ATTEMPT, &res, 1);
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 0), D_PARKED);
	assert_int_equal(drig_item(r, id, 0).reason, WHY_FORGED);
	assert_true(why_has_result(drig_item(r, id, 0).reason));
	assert_int_equal(drig_item(r, id, 0).attempts, 1);
	assert_int_equal(r->jobs, 0); /* no notice */
}

static void held_time_is_no_lifetime(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_DEFERRED);
	struct worker_job *j;
	uint64_t id;

	id = drig_accept(r, sender, 1, &d, 1);
	drig_unclaim(r, drig_job(r), false, true);
	drig_change(r, "legacy", true);
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 0), D_HELD);
	drig_later(r, 7200);
	drig_change(r, "legacy", false);
	drig_pump(r);
	j = drig_job(r);
	assert_int_equal(j->kind, JOB_ATTEMPT);
	drig_unclaim(r, j, false, false);
	drig_later(r, 3600);
	assert_int_equal(r->job[0]->kind, JOB_EXPIRED);
}

static void held_time_is_no_lifetime_though_roles_change(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d[2] = {
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_DEFERRED),
	    drig_delivery(r, 0, r->cloud, ROLE_COPY, D_DEFERRED)};
	struct worker_job *j;
	uint64_t id;

	d[0].due_us = d[1].due_us = d[0].created_us + INT64_C(1800000000);
	r->route = drig_route(r, "legacy+cloud");
	id = drig_accept(r, sender, 1, d, 2);
	drig_change(r, "legacy+cloud", true);
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 1), D_HELD);
	drig_later(r, 7200);
	drig_change(r, "cloud+legacy", false);
	drig_pump(r);
	assert_int_equal(r->jobs, 2);
	while ((j = drig_job(r)) != NULL) {
		assert_int_equal(j->kind, JOB_ATTEMPT);
		drig_unclaim(r, j, false, true);
	}
}

static void a_parked_copy_that_rises_is_tried_however_old(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d[2] = {
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_DEFERRED),
	    drig_delivery(r, 0, r->cloud, ROLE_COPY, D_PARKED)};
	struct worker_job *j;
	uint64_t id;

	d[0].due_us = d[0].created_us + INT64_C(1800000000);
	d[1].created_us -= INT64_C(7200000000);
	r->route = drig_route(r, "legacy+cloud");
	id = drig_accept(r, sender, 1, d, 2);
	drig_change(r, "cloud", false);
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 0), D_SUPERSEDED);
	assert_int_equal(drig_item(r, id, 1).role, ROLE_PRIMARY);
	j = drig_job(r);
	assert_non_null(j);
	assert_int_equal(j->kind, JOB_ATTEMPT);
	drig_unclaim(r, j, false, true);
}

/* ---- restart ---- */

static void a_restart_finds_what_was_there(void **state)
{
	static const enum dstate states[] = {D_QUEUED, D_DEFERRED, D_HELD,
	    D_FROZEN, D_PARKED};
	struct drig *r = *state;
	struct result later = drig_result(OUT_DEFERRED, 450, "later");
	uint64_t id[2][ARRAY_LEN(states)];

	for (unsigned k = 0; k < 2; k++) {
		for (size_t i = 0; i < ARRAY_LEN(states); i++)
			id[k][i] = accept_in(r, states[i]);
		if (k == 0) {
			drig_later(r, 3600);
			drig_report(r, drig_job(r), WHY_ATTEMPT, &later, 1);
		}
		drig_pump(r);
		drig_restart(r, k != 0);
		drig_pump(r);
		for (size_t i = 0; i < ARRAY_LEN(states); i++) {
			struct delivery_ref item = drig_item(r, id[k][i], 0);

			if (k == 0 && i == 0) { /* it was attempted */
				assert_int_equal(item.attempts, 1);
				assert_int_equal(item.state, D_DEFERRED);
				continue;
			}
			assert_int_equal(item.state, states[i]);
			/* D8: only an unclean end leaves doubt. */
			assert_int_equal(item.uncertain,
			    k != 0 && dstate_open(states[i])
				? UNC_POSSIBLE : UNC_NO);
		}
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(an_outcome_makes_a_state_by_role_and_sender),
	    T(one_dialog_may_deliver_defer_and_fail),
	    T(a_dsn_without_room_bounces_nothing_and_repeats_nothing),
	    T(who_was_told_is_not_told_again),
	    T(what_may_have_been_sent_stays_uncertain),
	    T(a_failure_under_an_old_route_settles_nothing),
	    T(an_act_is_taken_in_its_states_and_no_other),
	    T(an_act_that_the_disk_refuses_changes_nothing),
	    T(what_is_in_a_hand_is_not_acted_on),
	    T(a_reroute_that_the_disk_refuses_is_made_later),
	    T(mail_parked_for_want_of_a_route_goes_when_there_is_one),
	    T(a_message_that_comes_in_the_middle_of_a_change_is_rerouted),
	    T(a_result_waits_for_the_plan_that_is_being_written),
	    T(what_has_no_place_in_the_route_is_parked),
	    T(what_is_forged_is_parked_with_its_reply),
	    T(held_time_is_no_lifetime),
	    T(held_time_is_no_lifetime_though_roles_change),
	    T(a_parked_copy_that_rises_is_tried_however_old),
	    T(a_restart_finds_what_was_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
