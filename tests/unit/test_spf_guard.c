/* SPDX-License-Identifier: ISC
 *
 * The guard and libspf2 behind it, round by round: which names a check wants,
 * and what it says when it has them. `tests/e2e/test_spf_process.py` has the
 * suite of RFC 7208, the limits and the attacks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/attr.h"
#include "relay/base/mem.h"
#include "relay/spf/guard/guard.h"

struct world {
	struct guard *g;
	struct arena *mem;
	struct strbuf asked; /* "TXT d.example, A h.example" of a round */
	struct spf_request q;
	struct spf_reply r;
};

static int setup(void **state)
{
	struct world *w = NEW(struct world);

	w->g = guard_new();
	w->mem = arena_new();
	strbuf_init(&w->asked, 4096);
	w->q.client = SLICE("\xc0\0\x02\x01");
	w->q.helo = SLICE("h.example");
	w->q.local = SLICE("ann");
	w->q.domain = SLICE("D.example");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	guard_free(w->g);
	arena_free(w->mem);
	strbuf_fini(&w->asked);
	mem_free(w);
	return 0;
}

static const char *type_name(enum spf_type t)
{
	return t == SPF_TYPE_A ? "A" : t == SPF_TYPE_AAAA ? "AAAA" :
	       t == SPF_TYPE_MX ? "MX" : t == SPF_TYPE_PTR ? "PTR" : "TXT";
}

/* The names that the check wants, or its result with the term. */
static const char *ask(struct world *w)
{
	struct spf_verdict *v = &w->r.verdict;

	guard_check(w->g, &w->q, 1000000000, w->mem, &w->r);
	strbuf_reset(&w->asked);
	for (int i = 0; i < w->r.questions; i++)
		strbuf_addf(&w->asked, "%s%s %.*s", i > 0 ? ", " : "",
		    type_name(w->r.question[i].type),
		    (int)w->r.question[i].name.n, w->r.question[i].name.p);
	if (w->r.questions == 0)
		strbuf_addf(&w->asked, "%s %.*s %.*s",
		    spf_result_text(v->result), (int)v->mechanism.n,
		    v->mechanism.p, (int)v->domain.n, v->domain.p);
	return strbuf_cstr(&w->asked);
}

/* An answer; NULL: there is no such name. */
static void add(struct world *w, enum spf_type type, const char *name,
    const char *record)
{
	struct spf_answer *a = &w->q.answer[w->q.answers++];
	struct strbuf b;

	*a = (struct spf_answer){.type = type, .name = slice_str(name),
	    .status = record == NULL ? SPF_ANSWER_NXDOMAIN : SPF_ANSWER_OK};
	if (record == NULL)
		return;
	strbuf_init(&b, 4096);
	pack_bytes(&b, type == SPF_TYPE_A ? slice_of(record, 4) :
					    slice_str(record));
	a->records = slice_of(arena_slicedup(w->mem, strbuf_view(&b)), b.n);
	strbuf_fini(&b);
}

static void what_is_missing_is_wanted(void **state)
{
	struct world *w = *state;

	assert_string_equal(ask(w), "TXT d.example");
	add(w, SPF_TYPE_TXT, "d.example", "v=spf1 a:%{d} mx:M.example "
	    "include:i.example exists:%{l}.x.y a:h.example -all");
	/* One with a macro is expanded when it is reached, an include is asked
	 * when it is; what else is fixed goes along. */
	assert_string_equal(ask(w), "A d.example, MX m.example, A h.example");
	add(w, SPF_TYPE_A, "d.example", NULL);
	add(w, SPF_TYPE_A, "h.example", "\xc0\0\x02\x01");
	add(w, SPF_TYPE_MX, "m.example", "X.example");
	assert_string_equal(ask(w), "A x.example");
	add(w, SPF_TYPE_A, "x.example", "\x0a\0\0\x01");
	assert_string_equal(ask(w), "TXT i.example");
	add(w, SPF_TYPE_TXT, "i.example", "v=spf1 -all");
	assert_string_equal(ask(w), "A ann.x.y");
	add(w, SPF_TYPE_A, "ann.x.y", NULL);
	assert_string_equal(ask(w), "pass a:h.example d.example");
	assert_int_equal(w->r.verdict.lookups, 5);
	assert_int_equal(w->r.verdict.voids, 2);
	assert_int_equal(w->r.used, SPF_USED_LOCAL);
	assert_int_equal(w->r.reads, 2);
}

static void a_verdict_wants_nothing_more(void **state)
{
	struct world *w = *state;

	add(w, SPF_TYPE_TXT, "d.example", "v=spf1 include:i.x mx:m.x -all");
	add(w, SPF_TYPE_TXT, "i.x", "v=spf1 -a:h.x");
	add(w, SPF_TYPE_A, "h.x", "\xc0\0\x02\x01");
	add(w, SPF_TYPE_MX, "m.x", "h.x");
	pack_bytes(&w->asked, SLICE("h.x"));
	pack_bytes(&w->asked, SLICE("other.x"));
	w->q.answer[3].records = slice_of(arena_slicedup(w->mem,
	    strbuf_view(&w->asked)), w->asked.n);
	/* other.x would be asked with h.x, but that is known, and does. */
	assert_string_equal(ask(w), "pass mx:m.x d.example");
	assert_int_equal(w->r.questions, 0);
}

static void includes_go_together_once_one_has_shown_itself(void **state)
{
	struct world *w = *state;

	add(w, SPF_TYPE_TXT, "d.example", "v=spf1 include:a.x include:b.x "
	    "include:c.x redirect=r.x");
	assert_string_equal(ask(w), "TXT a.x");
	add(w, SPF_TYPE_TXT, "a.x", "v=spf1");
	assert_string_equal(ask(w), "TXT b.x, TXT c.x");
	add(w, SPF_TYPE_TXT, "b.x", "v=spf1 ?all");
	add(w, SPF_TYPE_TXT, "c.x", "v=spf1 ~all");
	assert_string_equal(ask(w), "TXT r.x");
	add(w, SPF_TYPE_TXT, "r.x", "v=spf1 ~all");
	assert_string_equal(ask(w), "softfail ~all r.x");
}

static void an_explanation_is_asked_for_after_a_fail_alone(void **state)
{
	struct world *w = *state;

	add(w, SPF_TYPE_TXT, "d.example", "v=spf1 a -all exp=e.x");
	assert_string_equal(ask(w), "A d.example");
	add(w, SPF_TYPE_A, "d.example", "\xc0\0\x02\x01");
	assert_string_equal(ask(w), "pass a d.example");
	w->q.client = SLICE("\xc0\0\x02\x02");
	assert_string_equal(ask(w), "TXT e.x");
	add(w, SPF_TYPE_TXT, "e.x", "%{c} at %{t}: %{r}\x02");
	assert_string_equal(ask(w), "fail -all d.example");
	assert_int_equal(w->r.verdict.explanation.n, 0);
	w->q.answer[w->q.answers - 1] = (struct spf_answer){0};
	w->q.answers--;
	add(w, SPF_TYPE_TXT, "e.x", "%{c} at %{t}: %{r}");
	assert_string_equal(ask(w), "fail -all d.example");
	assert_true(slice_eq(w->r.verdict.explanation,
	    SLICE("192.0.2.2 at 1000000000: unknown")));
}

/* The default explanation of libspf2 would write past its buffer here. */
static void a_senders_octets_do_not_reach_libspf2(void **state)
{
	struct world *w = *state;
	char local[200];

	memset(local, 0xff, sizeof(local));
	w->q.local = slice_of(local, sizeof(local));
	w->q.helo = slice_of(local, sizeof(local));
	add(w, SPF_TYPE_TXT, "d.example", "v=spf1 ?exists:%{s}.x.y ~all");
	for (int i = 0; i < 1000; i++)
		assert_string_equal(ask(w), "softfail ~all d.example");
}

static void an_error_has_its_term_and_its_cause(void **state)
{
	struct world *w = *state;

	add(w, SPF_TYPE_TXT, "d.example", "v=spf1 a include:i.x -all");
	add(w, SPF_TYPE_A, "d.example", "\x0a\0\0\x01");
	add(w, SPF_TYPE_TXT, "i.x", "v=spf1 mx:%(x) -all");
	assert_string_equal(ask(w), "permerror mx:%(x) i.x");
	assert_true(slice_eq(w->r.verdict.problem,
	    SLICE("a % begins no macro")));
	w->q.answers--;
	add(w, SPF_TYPE_TXT, "i.x", NULL);
	assert_string_equal(ask(w), "permerror include:i.x d.example");
	w->q.answer[2].status = SPF_ANSWER_FAILED;
	assert_string_equal(ask(w), "temperror include:i.x d.example");
	w->q.answer[0].status = SPF_ANSWER_FAILED;
	assert_string_equal(ask(w), "temperror  d.example");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_missing_is_wanted,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(a_verdict_wants_nothing_more,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    includes_go_together_once_one_has_shown_itself, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    an_explanation_is_asked_for_after_a_fail_alone, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_senders_octets_do_not_reach_libspf2, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    an_error_has_its_term_and_its_cause, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
