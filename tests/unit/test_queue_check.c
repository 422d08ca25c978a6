/* SPDX-License-Identifier: ISC
 *
 * The checker finds each number that is wrong and each list that has what is
 * not its own: one is spoiled at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/queue/queue_check.h"
#include "relay/queue/queue_int.h"
#include "tests/unit/queue_fix.h"

enum {
	READY = 1, /* messages; two have one hash and one time */
	WAITS, WAITS_TOO, CLAIMED, HELD, PENDING, ASKED,
};

static void put(struct fixture *f, uint64_t id, enum dstate state,
    int64_t wait_s)
{
	struct delivery_ref i[2] = {fix_item(f, 0, LEGACY),
	    fix_item(f, 1, LEGACY)};

	i[0].hash = 7;
	i[0].state = (uint8_t)state;
	i[1].hash = 70 + id;
	i[1].state = D_HELD;
	i[0].due_us = wait_s == 0 ? 0 : f->clock.wall + wait_s * SECOND;
	assert_true(queue_insert(f->q, &(struct queue_arrival){id, 100, i, 2,
	    .claimed = id == CLAIMED}));
}

/* One message of each kind, and nothing that a step would move on. */
static void furnish(struct fixture *f)
{
	put(f, READY, D_QUEUED, 0);
	put(f, WAITS, D_DEFERRED, 60);
	put(f, WAITS_TOO, D_DEFERRED, 60);
	put(f, CLAIMED, D_QUEUED, 0);
	put(f, HELD, D_HELD, 0);
	put(f, ASKED, D_HELD, 0);
	queue_stale(f->q, ASKED);
	wake_step(f->q);
	put(f, PENDING, D_HELD, 0);
	queue_stale(f->q, PENDING);
}

static struct message *message(struct fixture *f, uint64_t id)
{
	return message_at(f->q, id_tree_find(f->q, id));
}

static struct delivery *first(struct fixture *f, uint64_t id)
{
	return delivery_at(f->q, message(f, id)->first);
}

/* ---- what is spoiled ---- */

static void state_unknown(struct fixture *f)
{
	first(f, HELD)->state = D_STATES;
}

static void lost_from_its_list(struct fixture *f)
{
	place_take(f->q, message(f, READY)->first);
}

static void started_too_soon(struct fixture *f)
{
	first(f, READY)->due_us += SECOND;
}

static void held_and_ready(struct fixture *f)
{
	first(f, READY)->state = D_HELD;
}

static void held_and_waiting(struct fixture *f)
{
	first(f, WAITS)->state = D_HELD;
}

static void wake_up_of_no_claim(struct fixture *f)
{
	first(f, READY)->woken = 1;
}

static void links_cut(struct fixture *f)
{
	delivery_at(f->q, first(f, CLAIMED)->prev)->next = 0;
}

static void out_of_its_chain(struct fixture *f)
{
	chain_remove(f->q, message(f, HELD)->first);
	f->q->chains.entries++;
}

static void chain_cut(struct fixture *f)
{
	first(f, WAITS)->chain_next = 0;
}

static void numbers_out_of_order(struct fixture *f)
{
	first(f, HELD)->number = 5;
}

static void another_messages(struct fixture *f)
{
	first(f, HELD)->msg = id_tree_find(f->q, WAITS);
}

static void live_miscounted(struct fixture *f)
{
	message(f, HELD)->live++;
}

static void last_is_another(struct fixture *f)
{
	message(f, HELD)->last = message(f, HELD)->first;
}

static void not_in_the_index(struct fixture *f)
{
	message(f, HELD)->id = 100;
}

static void pending_cut(struct fixture *f)
{
	message_at(f->q, HEAD_PENDING)->next = HEAD_PENDING;
}

static void again_of_none(struct fixture *f)
{
	message(f, HELD)->again = 1;
}

static void pending_miscounted(struct fixture *f)
{
	f->q->to_resolve++;
}

static void asked_miscounted(struct fixture *f)
{
	f->q->asked++;
}

static void count_of_a_state(struct fixture *f)
{
	f->q->counts.leg[LEGACY].state[D_HELD]--;
	f->q->counts.leg[LEGACY].state[D_FROZEN]++;
}

static void count_of_claims(struct fixture *f)
{
	f->q->counts.leg[LEGACY].claimed++;
}

static void count_of_messages(struct fixture *f)
{
	f->q->counts.messages++;
}

static void count_held(struct fixture *f)
{
	atomic_fetch_add(&f->q->held, 1);
}

static void count_of_chains(struct fixture *f)
{
	f->q->chains.entries--;
}

static void count_ready(struct fixture *f)
{
	f->q->leg[LEGACY].ready++;
}

static void ready_elsewhere(struct fixture *f)
{
	ledger_set_ready(f->ledger, LEGACY, 0);
}

static void ready_of_another_leg(struct fixture *f)
{
	uint32_t n = message(f, READY)->first;

	place_take(f->q, n);
	list_append(f->q, HEAD_READY + CLOUD, n);
	first(f, READY)->place = PLACE_READY;
	f->q->leg[LEGACY].ready++;
	ledger_set_ready(f->ledger, LEGACY, 1);
}

static void claimed_and_waiting(struct fixture *f)
{
	first(f, WAITS)->place = PLACE_CLAIMED;
	f->q->counts.leg[LEGACY].claimed++;
}

static void slot_unseen(struct fixture *f)
{
	memset(f->q->wheel.occupied, 0, sizeof(f->q->wheel.occupied));
}

static void slot_of_another_time(struct fixture *f)
{
	first(f, WAITS)->due_us += 100 * SECOND;
}

static void scout_of_none(struct fixture *f)
{
	f->q->leg[CLOUD].scout = message(f, CLAIMED)->first;
}

static void gate_without_breaker(struct fixture *f)
{
	ledger_gate(f->ledger, CLOUD, GATE_BREAKER, true);
}

static void trial_that_waits(struct fixture *f)
{
	f->q->leg[LEGACY].trial = message(f, WAITS)->first;
}

static void scout_that_waits(struct fixture *f)
{
	f->q->leg[LEGACY].breaker = BREAKER_HALF_OPEN;
	f->q->leg[LEGACY].scout = message(f, WAITS)->first;
	ledger_gate(f->ledger, LEGACY, GATE_BREAKER, true);
}

static void trial_of_another_leg(struct fixture *f)
{
	f->q->leg[CLOUD].trial = message(f, CLAIMED)->first;
}

static void scout_of_another_leg(struct fixture *f)
{
	f->q->leg[CLOUD].breaker = BREAKER_HALF_OPEN;
	f->q->leg[CLOUD].scout = message(f, CLAIMED)->first;
	ledger_gate(f->ledger, CLOUD, GATE_BREAKER, true);
}

static void trial_of_no_delivery(struct fixture *f)
{
	f->q->leg[LEGACY].trial = HEAD_CLAIMED;
}

static void half_open_without_scout(struct fixture *f)
{
	f->q->leg[CLOUD].breaker = BREAKER_HALF_OPEN;
	ledger_gate(f->ledger, CLOUD, GATE_BREAKER, true);
}

static void breaker_without_gate(struct fixture *f)
{
	f->q->leg[CLOUD].breaker = BREAKER_OPEN;
}

static void over_and_still_there(struct fixture *f)
{
	struct message *m = message(f, HELD);

	first(f, HELD)->state = D_DELIVERED;
	delivery_at(f->q, m->last)->state = D_DELIVERED;
	m->live = 0;
}

static void chain_of_another(struct fixture *f)
{
	first(f, WAITS)->chain_prev = message(f, HELD)->last;
}

static void state_none(struct fixture *f)
{
	first(f, HELD)->state = D_NONE;
}

static void count_of_backlog_domains(struct fixture *f)
{
	f->q->in_backlogs.domains++;
}

static void count_unproven(struct fixture *f)
{
	f->q->leg[WAY].unproven++;
}

static void count_of_backlogs(struct fixture *f)
{
	f->q->in_backlogs.deliveries++;
}

static const struct {
	void (*spoil)(struct fixture *f);
	const char *said;
	bool local; /* a slice finds it, too */
} rows[] = {
	/* clang-format off */
	{ state_unknown,        "a state that does not exist",  true  },
	{ lost_from_its_list,   "nothing will start it",        true  },
	{ started_too_soon,     "it is not due",                true  },
	{ held_and_ready,       "it may not be started",        true  },
	{ held_and_waiting,     "it waits for no time",         true  },
	{ wake_up_of_no_claim,  "a claim that is none",         true  },
	{ links_cut,            "its neighbours do not know",   true  },
	{ out_of_its_chain,     "not in the chain",             true  },
	{ chain_cut,            "not in the chain",             true  },
	{ numbers_out_of_order, "not its own",                  true  },
	{ another_messages,     "not its own",                  true  },
	{ live_miscounted,      "counts its live",              true  },
	{ last_is_another,      "its last delivery",            true  },
	{ not_in_the_index,     "the index does not find it",   true  },
	{ pending_cut,          "its neighbours do not know",   true  },
	{ again_of_none,        "asked again",                  true  },
	{ pending_miscounted,   "to be resolved",               false },
	{ asked_miscounted,     "to be resolved",               false },
	{ count_of_a_state,     "the counts",                   false },
	{ count_of_claims,      "the counts",                   false },
	{ count_of_messages,    "the counts",                   false },
	{ count_held,           "deliveries held",              false },
	{ count_of_chains,      "deliveries held",              false },
	{ count_ready,          "ready in its list",            false },
	{ ready_elsewhere,      "in the ledger",                false },
	{ ready_of_another_leg, "ready in its list",            false },
	{ count_unproven,       "of unproven domains",          false },
	{ count_of_backlogs,    "backlogs",                     false },
	{ claimed_and_waiting,  "in the list of claims",        false },
	{ slot_unseen,          "not looked at",                false },
	{ slot_of_another_time, "another time",                 false },
	{ scout_of_none,        "scout",                        false },
	{ gate_without_breaker, "gate",                         false },
	{ trial_that_waits,     "its trial is no attempt",      false },
	{ scout_that_waits,     "its scout is no attempt",      false },
	{ trial_of_another_leg, "its trial is no attempt",      false },
	{ scout_of_another_leg, "its scout is no attempt",      false },
	{ trial_of_no_delivery, "its trial is no attempt",      false },
	{ half_open_without_scout, "scout 0, gate 1",           false },
	{ breaker_without_gate, "scout 0, gate 0",              false },
	{ over_and_still_there, "it is over, and still there",  true  },
	{ chain_of_another,     "not in the chain",             true  },
	{ state_none,           "a state that does not exist",  true  },
	{ count_of_backlog_domains, "backlogs",                 false },
	/* clang-format on */
};

/* The index is walked by id: three slices see all of it. */
static const char *by_slices(const struct fixture *f, struct queue_checker *c)
{
	const char *why = NULL;

	for (int i = 0; i < 10 && why == NULL; i++)
		why = queue_check_some(f->q, c, 3);
	return why;
}

static void spoil_and_look(unsigned i, bool slices)
{
	struct queue_checker c = {0};
	struct fixture *f;
	const char *why;
	void *state;

	assert_int_equal(fix_setup(&state), 0);
	f = state;
	furnish(f);
	fix_check(f);
	assert_null(by_slices(f, &c));
	rows[i].spoil(f);
	why = slices ? by_slices(f, &c) : queue_check(f->q, &c);
	print_message("%s\n", why == NULL ? "(nothing)" : why);
	assert_int_equal(why != NULL, !slices || rows[i].local);
	if (why != NULL)
		assert_non_null(strstr(why, rows[i].said));
	assert_int_equal(fix_teardown(&state), 0);
}

static void what_is_spoiled_is_found(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		spoil_and_look(i, false);
}

static void a_slice_finds_what_is_wrong_with_one_message(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		spoil_and_look(i, true);
}

static void slots_are_what_is_in_hands(void **state)
{
	struct fixture *f = *state;
	struct queue_checker c = {0};
	int held[NAMES_MAX] = {0};

	assert_true(ledger_take(f->ledger, CLOUD));
	assert_non_null(ledger_check(f->ledger, held, &c));
	assert_string_equal(c.text, "leg 1: 1 slots taken, 0 in hands");
	held[CLOUD] = 1;
	assert_null(ledger_check(f->ledger, held, &c));
	assert_null(ledger_check(f->ledger, NULL, &c));
	ledger_gate(f->ledger, CLOUD, (enum ledger_gate)64, true);
	assert_non_null(ledger_check(f->ledger, NULL, &c));
	assert_non_null(strstr(c.text, "a gate that does not exist"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_spoiled_is_found),
		cmocka_unit_test(a_slice_finds_what_is_wrong_with_one_message),
		cmocka_unit_test_setup_teardown(slots_are_what_is_in_hands,
		    fix_setup, fix_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
