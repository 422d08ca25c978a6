/* SPDX-License-Identifier: ISC
 *
 * How far a changed MX has spread: which servers are clean, until when an old
 * answer may live, and that nothing is good by silence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/propagation/spread.h"

#define H INT64_C(3600000000)
#define D (24 * H)
#define N (1000 * D) /* now */

static const struct spread_target us = {WAY_US, "", N - D, N, 0, 300};
static const struct spread_target old = {WAY_LEG, "legacy", N - D, N, 0, 300};
static const struct spread_target parent_ns = {WAY_SERVER, "ns1", N - D, N, 0,
    300};

/* Clean servers, the first of which a case may replace. */
static struct spread_server server[4];

static struct spread_facts facts(void)
{
	static const struct spread_server clean[4] = {
	    {SPREAD_AUTHORITATIVE, "ns1", "192.0.2.1", SAID_ANSWER, N, N - D,
		&us, 1},
	    {SPREAD_AUTHORITATIVE, "ns2", "192.0.2.2", SAID_ANSWER, N, N - D,
		&us, 1},
	    {SPREAD_RESOLVER, "", "192.0.2.3", SAID_ANSWER, N, N - D, &us, 1},
	    {SPREAD_PARENT, "a.example", "192.0.2.4", SAID_ANSWER, N, N - D,
		&parent_ns, 1},
	};

	for (size_t i = 0; i < 4; i++)
		server[i] = clean[i];
	return (struct spread_facts){.leg = "legacy", .now_us = N,
	    .interval_us = H, .stale_us = 3 * D, .server = server,
	    .servers = 4};
}

#define NIL {WAY_US, NULL, 0, 0, 0, 0}
#define TO(way, name) {WAY_##way, name, 1, 1, 0, 0}
#define WAS(way, name, ended, ttl) {WAY_##way, name, 1, 2, ended, ttl}
#define TO_US {TO(US, ""), NIL}
#define TO_LEG {TO(LEG, "legacy"), NIL}

/* ---- one server ---------------------------------------------------------- */

static const struct {
	const char *name;
	enum spread_kind kind;
	enum spread_said said;
	int64_t at_us, since_us;
	struct spread_target target[2];
	enum spread_state state;
} servers[] = {
	/* clang-format off */
	{ "all lead to us", SPREAD_RESOLVER, SAID_ANSWER, N, N, TO_US, SPREAD_CLEAN },
	{ "to the leg", SPREAD_RESOLVER, SAID_ANSWER, N, N, TO_LEG, SPREAD_OLD },
	{ "a worse preference to the leg", SPREAD_RESOLVER, SAID_ANSWER, N, N,
	  {TO(US, ""), TO(LEG, "legacy")}, SPREAD_OLD },
	{ "another leg is fine", SPREAD_RESOLVER, SAID_ANSWER, N, N,
	  {TO(LEG, "cloud"), NIL}, SPREAD_CLEAN },
	{ "elsewhere", SPREAD_RESOLVER, SAID_ANSWER, N, N, {TO(ELSEWHERE, ""), NIL}, SPREAD_OLD },
	{ "nowhere", SPREAD_RESOLVER, SAID_ANSWER, N, N, {TO(NOWHERE, ""), NIL}, SPREAD_OLD },
	{ "what has ended", SPREAD_RESOLVER, SAID_ANSWER, N, N,
	  {TO(US, ""), {WAY_LEG, "legacy", 1, 1, 2, 0}}, SPREAD_CLEAN },
	{ "nothing but what has ended", SPREAD_RESOLVER, SAID_ANSWER, N, N,
	  {{WAY_US, "", 1, 1, 2, 0}, {WAY_US, "", 1, 1, 2, 0}}, SPREAD_UNKNOWN },
	{ "never asked", SPREAD_RESOLVER, SAID_NOTHING, N, N, TO_US, SPREAD_UNKNOWN },
	{ "silent", SPREAD_RESOLVER, SAID_SILENT, N, N - 90 * D, TO_US, SPREAD_UNKNOWN },
	{ "refused", SPREAD_AUTHORITATIVE, SAID_REFUSED, N, N - 90 * D, TO_US, SPREAD_UNKNOWN },
	{ "asked three intervals ago", SPREAD_RESOLVER, SAID_ANSWER, N - 3 * H, N,
	  TO_US, SPREAD_CLEAN },
	{ "not asked for four", SPREAD_RESOLVER, SAID_ANSWER, N - 4 * H, N,
	  TO_US, SPREAD_UNKNOWN },
	{ "the clock was set back", SPREAD_RESOLVER, SAID_ANSWER, N + H, N,
	  TO_US, SPREAD_UNKNOWN },
	{ "retired, with the old MX", SPREAD_RETIRED, SAID_ANSWER, N, N, TO_LEG, SPREAD_OLD },
	{ "retired, refuses", SPREAD_RETIRED, SAID_REFUSED, N, N, TO_LEG, SPREAD_CLEAN },
	{ "retired, silent since an hour", SPREAD_RETIRED, SAID_SILENT, N, N - H,
	  TO_LEG, SPREAD_UNKNOWN },
	{ "retired, silent since a day", SPREAD_RETIRED, SAID_SILENT, N, N - D,
	  TO_LEG, SPREAD_CLEAN },
	/* clang-format on */
};

static void a_server_is_clean_only_by_what_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		struct spread_facts f = facts();
		size_t n = servers[i].target[1].name == NULL ? 1 : 2;
		struct spread_server s = {servers[i].kind, "x", "y",
		    servers[i].said, servers[i].at_us, servers[i].since_us,
		    servers[i].target, n};
		const char *why = NULL;

		if (spread_server_state(&f, &s, &why) != servers[i].state ||
		    why == NULL)
			fail_msg("%s", servers[i].name);
	}
}

static void without_a_leg_each_leg_is_old(void **state)
{
	struct spread_target t = {WAY_LEG, "cloud", 1, N, 0, 1};
	struct spread_facts f = facts();

	(void)state;
	assert_false(spread_target_is_old(&f, &t));
	f.leg = NULL;
	assert_true(spread_target_is_old(&f, &t));
}

/* ---- the domain ---------------------------------------------------------- */

static struct spread_judged judged(const struct spread_facts *f)
{
	struct spread_judged j;

	spread_judge(f, &j);
	assert_non_null(j.why);
	return j;
}

static void each_server_alone_spoils_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct spread_facts f = facts();
		struct spread_judged j;

		f.now_us = N + H;
		f.stated = (struct spread_stated){N - 20 * D, 60};
		assert_int_equal(judged(&f).state, SPREAD_CLEAN);
		server[i].said = SAID_SILENT;
		j = judged(&f);
		assert_int_equal(j.state, SPREAD_UNKNOWN);
		assert_ptr_equal(j.worst, &server[i]);
		assert_int_equal(j.count[SPREAD_UNKNOWN], 1);
		assert_int_equal(j.count[SPREAD_CLEAN], 3);
		if (server[i].kind == SPREAD_PARENT)
			continue;
		server[i].said = SAID_ANSWER;
		server[i].target = &old;
		assert_int_equal(judged(&f).state, SPREAD_OLD);
	}
}

static void a_kind_of_server_that_is_missing_spoils_it(void **state)
{
	static const struct {
		size_t first, n;
	} lists[] = {{0, 0}, {2, 2}, {0, 3}, {0, 2}};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct spread_facts f = facts();

		f.stated = (struct spread_stated){N - 20 * D, 60};
		f.server += lists[i].first;
		f.servers = lists[i].n;
		if (judged(&f).state != SPREAD_UNKNOWN)
			fail_msg("list %zu", i);
	}
}

static void servers_past_the_ceiling_spoil_it(void **state)
{
	struct spread_facts f = facts();

	(void)state;
	f.stated = (struct spread_stated){N - 20 * D, 60};
	f.more = true;
	assert_int_equal(judged(&f).state, SPREAD_UNKNOWN);
}

/* ---- until when ---------------------------------------------------------- */

/* Old answers of two servers, a delegation of before, and what is stated. */
static const struct {
	const char *name;
	struct spread_target was[2]; /* of ns1, ns2; way US: nothing old */
	struct spread_target delegation;
	struct spread_stated stated;
	int64_t until_us, changed_us;
	bool is_stated, is_unseen;
} untils[] = {
	/* clang-format off */
	{ "nothing was seen: seven days from the first clean look at all", {NIL}, NIL, {0, 0},
	  N - D + 7 * D + 3 * D, N - D, false, true },
	{ "one was seen to change", {WAS(LEG, "legacy", N - 5 * D, 3600), NIL}, NIL, {0, 0},
	  N - 5 * D + H + 3 * D, N - 5 * D, false, false },
	{ "the last one counts, and the largest TTL",
	  {WAS(LEG, "legacy", N - 5 * D, 86400), WAS(ELSEWHERE, "", N - 4 * D, 300)}, NIL, {0, 0},
	  N - 4 * D + D + 3 * D, N - 4 * D, false, false },
	{ "whichever comes first in the list",
	  {WAS(LEG, "legacy", N - 4 * D, 300), WAS(ELSEWHERE, "", N - 5 * D, 86400)}, NIL, {0, 0},
	  N - 4 * D + D + 3 * D, N - 4 * D, false, false },
	{ "one has it still", {WAS(LEG, "legacy", N - 5 * D, 60), WAS(LEG, "legacy", 0, 60)}, NIL,
	  {N - 20 * D, 60}, 0, 0, false, false },
	{ "another leg's is not old", {WAS(LEG, "cloud", N - 5 * D, 60), NIL}, NIL, {0, 0},
	  N - D + 10 * D, N - D, false, true },
	{ "a delegation of before", {WAS(LEG, "legacy", N - 5 * D, 60), NIL},
	  WAS(SERVER, "ns0", N - 4 * D, 172800), {0, 0},
	  N - 4 * D + 2 * D + 3 * D, N - 4 * D, false, false },
	{ "a delegation of before, without an old answer", {NIL},
	  WAS(SERVER, "ns0", N - 4 * D, 172800), {0, 0},
	  N - D + 10 * D, N - D, false, true },
	{ "stated", {NIL}, NIL, {N - 9 * D, 86400}, N - 9 * D + D + 3 * D, N - 9 * D, true, false },
	{ "what was seen is not shortened", {WAS(LEG, "legacy", N - 5 * D, 3600), NIL}, NIL,
	  {N - 30 * D, 60}, N - 5 * D + H + 3 * D, N - 5 * D, false, false },
	{ "but lengthened", {WAS(LEG, "legacy", N - 5 * D, 3600), NIL}, NIL,
	  {N - 5 * D, 172800}, N - 5 * D + 2 * D + 3 * D, N - 5 * D, true, false },
	/* clang-format on */
};

static void an_old_answer_may_live_until(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(untils) / sizeof(untils[0]); i++) {
		struct spread_facts f = facts();
		struct spread_target seen[2][2], parent[2] = {parent_ns,
		    untils[i].delegation};
		struct spread_judged j;

		for (size_t k = 0; k < 2; k++) {
			seen[k][0] = us;
			seen[k][1] = untils[i].was[k];
			server[k].target = seen[k];
			server[k].targets = seen[k][1].name == NULL ? 1 : 2;
		}
		server[3].target = parent;
		server[3].targets = parent[1].name == NULL ? 1 : 2;
		f.stated = untils[i].stated;
		j = judged(&f);
		if (j.until_us != untils[i].until_us ||
		    j.changed_us != untils[i].changed_us ||
		    j.stated != untils[i].is_stated ||
		    j.unseen != untils[i].is_unseen)
			fail_msg("%s: until %+lld h, changed %+lld h",
			    untils[i].name,
			    (long long)((j.until_us - N) / H),
			    (long long)((j.changed_us - N) / H));
	}
}

static void a_retired_server_ends_when_it_is_gone(void **state)
{
	struct spread_facts f = facts();
	struct spread_target was = WAS(LEG, "legacy", 0, 3600);

	(void)state;
	server[1].kind = SPREAD_RETIRED;
	server[1].target = &was;
	server[1].said = SAID_SILENT;
	server[1].since_us = N - H;
	assert_int_equal(judged(&f).until_us, 0);
	server[1].since_us = N - 2 * D;
	assert_int_equal(judged(&f).until_us, N - 2 * D + H + 3 * D);
	server[1].said = SAID_REFUSED;
	server[1].since_us = N - H;
	assert_int_equal(judged(&f).until_us, N - H + H + 3 * D);
}

static void it_is_clean_when_that_is_past(void **state)
{
	struct spread_facts f = facts();

	(void)state;
	f.stated = (struct spread_stated){N - 4 * D, 86400};
	assert_int_equal(judged(&f).state, SPREAD_CLEAN);
	f.stated.changed_us++;
	assert_int_equal(judged(&f).state, SPREAD_WAITS);
	server[0].targets = 0; /* never seen with an answer */
	f.stated.changed_us = 0;
	assert_int_equal(judged(&f).state, SPREAD_UNKNOWN);
	assert_int_equal(judged(&f).until_us, 0);
}

static void each_value_has_a_word(void **state)
{
	(void)state;
	for (int i = 0; i < SPREAD_KINDS; i++)
		assert_non_null(spread_kind_text((enum spread_kind)i));
	for (int i = 0; i < SPREAD_STATES; i++)
		assert_non_null(spread_state_text((enum spread_state)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_server_is_clean_only_by_what_it_says),
	    cmocka_unit_test(without_a_leg_each_leg_is_old),
	    cmocka_unit_test(each_server_alone_spoils_it),
	    cmocka_unit_test(a_kind_of_server_that_is_missing_spoils_it),
	    cmocka_unit_test(servers_past_the_ceiling_spoil_it),
	    cmocka_unit_test(an_old_answer_may_live_until),
	    cmocka_unit_test(a_retired_server_ends_when_it_is_gone),
	    cmocka_unit_test(it_is_clean_when_that_is_past),
	    cmocka_unit_test(each_value_has_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
