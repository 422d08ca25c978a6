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
	/* Several names are parted by blanks. */
	if (type == SPF_TYPE_A || type == SPF_TYPE_AAAA) {
		pack_bytes(&b, slice_of(record, type == SPF_TYPE_A ? 4 : 16));
	} else if (type == SPF_TYPE_PTR || type == SPF_TYPE_MX) {
		struct slice rest = slice_str(record), one;

		while (slice_next(&rest, ' ', &one))
			pack_bytes(&b, one);
	} else {
		pack_bytes(&b, slice_str(record));
	}
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

#define V6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\xcb\x01"
#define V6_NIBBLES "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0." \
	"8.b.d.0.1.0.0.2"

/* Each letter as the name that it makes is asked for (RFC 7208 7.2, 7.4). */
static void each_macro_has_its_value(void **state)
{
	static const struct {
		const char *text, *v4, *v6;
	} cases[] = {
		{"%{s}", "ann@d.example", "ann@d.example"},
		{"%{l}", "ann", "ann"},
		{"%{o}", "d.example", "d.example"},
		{"%{d}", "d.example", "d.example"},
		{"%{d1r}", "d", "d"},
		{"%{h}", "h.example", "h.example"},
		{"%{i}", "192.0.2.1", "2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0."
		    "0.0.0.0.0.0.0.0.c.b.0.1"},
		{"%{ir}", "1.2.0.192", V6_NIBBLES},
		{"%{v}", "in-addr", "ip6"},
	};
	struct world *w = *state;
	char record[64], want[200];

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		bool six = i % 2 == 1;

		w->q.client = six ? slice_of(V6, 16) : SLICE("\xc0\0\x02\x01");
		w->q.answers = 0;
		snprintf(record, sizeof(record), "v=spf1 exists:%s.x.y -all",
		    cases[i / 2].text);
		add(w, SPF_TYPE_TXT, "d.example", record);
		/* `exists` asks for A whatever the client is (5.7). */
		snprintf(want, sizeof(want), "A %s.x.y",
		    six ? cases[i / 2].v6 : cases[i / 2].v4);
		assert_string_equal(ask(w), want);
	}
}

/* %{c}, %{t} and %{r} are of an explanation alone (7.2). */
static void an_explanation_shows_the_client_as_people_write_it(void **state)
{
	struct world *w = *state;

	w->q.client = slice_of(V6, 16);
	add(w, SPF_TYPE_TXT, "d.example", "v=spf1 -all exp=e.x");
	add(w, SPF_TYPE_TXT, "e.x", "%{c} %{t} %{r} %{s}");
	assert_string_equal(ask(w), "fail -all d.example");
	assert_true(slice_eq(w->r.verdict.explanation,
	    SLICE("2001:db8::cb01 1000000000 unknown ann@D.example")));
}

/* 5.5: the names of the client's address, those whose address is the
 * client's, of which the domain itself or one below it will do. */
static void a_clients_names_are_validated(void **state)
{
	struct world *w = *state;

	add(w, SPF_TYPE_TXT, "d.example", "v=spf1 ptr:x.example -all");
	assert_string_equal(ask(w), "PTR 1.2.0.192.in-addr.arpa");
	add(w, SPF_TYPE_PTR, "1.2.0.192.in-addr.arpa",
	    "a.other.example ax.example b.x.example X.example");
	/* All that would do are asked at once, the others are not. */
	assert_string_equal(ask(w), "A b.x.example, A x.example");
	add(w, SPF_TYPE_A, "b.x.example", "\x0a\0\0\x01");
	add(w, SPF_TYPE_A, "x.example", "\x0a\0\0\x02");
	assert_string_equal(ask(w), "fail -all d.example");
	w->q.answer[2].records = slice_of("", 0);
	w->q.answer[2].status = SPF_ANSWER_FAILED; /* leaves its name out */
	assert_string_equal(ask(w), "fail -all d.example");
	w->q.answers = 3;
	add(w, SPF_TYPE_A, "x.example", "\xc0\0\x02\x01");
	assert_string_equal(ask(w), "pass ptr:x.example d.example");
	w->q.answers = 1;
	add(w, SPF_TYPE_PTR, "1.2.0.192.in-addr.arpa", NULL);
	assert_string_equal(ask(w), "fail -all d.example");
	assert_int_equal(w->r.verdict.voids, 1);
}

static void a_name_below_the_domain_is_enough(void **state)
{
	struct world *w = *state;

	add(w, SPF_TYPE_TXT, "d.example", "v=spf1 ptr:x.example -all");
	add(w, SPF_TYPE_PTR, "1.2.0.192.in-addr.arpa", "b.x.example");
	add(w, SPF_TYPE_A, "b.x.example", "\xc0\0\x02\x01");
	assert_string_equal(ask(w), "pass ptr:x.example d.example");
	/* ... but not one that ends alike. */
	w->q.answers = 1;
	add(w, SPF_TYPE_PTR, "1.2.0.192.in-addr.arpa", "bx.example");
	assert_string_equal(ask(w), "fail -all d.example");
}

/* %{p}: the domain itself, else a name below it, else any, else "unknown". */
static void the_best_validated_name_is_taken(void **state)
{
	static const struct {
		const char *names, *want;
	} cases[] = {
		{"a.other.example b.d.example d.example", "A d.example.x.y"},
		{"a.other.example b.d.example", "A b.d.example.x.y"},
		{"a.other.example", "A a.other.example.x.y"},
		{NULL, "A unknown.x.y"},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		w->q.answers = 0;
		add(w, SPF_TYPE_TXT, "d.example", "v=spf1 exists:%{p}.x.y "
		    "-all");
		add(w, SPF_TYPE_PTR, "1.2.0.192.in-addr.arpa", cases[i].names);
		add(w, SPF_TYPE_A, "a.other.example", "\xc0\0\x02\x01");
		add(w, SPF_TYPE_A, "b.d.example", "\xc0\0\x02\x01");
		add(w, SPF_TYPE_A, "d.example", "\xc0\0\x02\x01");
		assert_string_equal(ask(w), cases[i].want);
	}
	/* None of the names has the client's address. */
	w->q.client = SLICE("\xc0\0\x02\x07");
	w->q.answers = 1;
	add(w, SPF_TYPE_PTR, "7.2.0.192.in-addr.arpa", "d.example");
	add(w, SPF_TYPE_A, "d.example", "\xc0\0\x02\x01");
	assert_string_equal(ask(w), "A unknown.x.y");
}

static void only_ten_names_of_a_client_are_looked_at(void **state)
{
	struct world *w = *state;
	struct strbuf names;

	strbuf_init(&names, 1000);
	for (int i = 0; i < 10; i++)
		strbuf_addf(&names, "n%d.other.example ", i);
	strbuf_adds(&names, "x.example");
	add(w, SPF_TYPE_TXT, "d.example", "v=spf1 ptr:x.example -all");
	add(w, SPF_TYPE_PTR, "1.2.0.192.in-addr.arpa", strbuf_cstr(&names));
	add(w, SPF_TYPE_A, "x.example", "\xc0\0\x02\x01");
	assert_string_equal(ask(w), "fail -all d.example");
	strbuf_fini(&names);
}

/* A client of IPv6 is looked up by AAAA, and by its nibbles. */
static void a_client_of_ipv6_is_asked_for_as_one(void **state)
{
	struct world *w = *state;

	w->q.client = slice_of(V6, 16);
	add(w, SPF_TYPE_TXT, "d.example", "v=spf1 a ptr -all");
	assert_string_equal(ask(w), "AAAA d.example");
	add(w, SPF_TYPE_AAAA, "d.example", NULL);
	assert_string_equal(ask(w), "PTR " V6_NIBBLES ".ip6.arpa");
	add(w, SPF_TYPE_PTR, V6_NIBBLES ".ip6.arpa", "h.d.example");
	assert_string_equal(ask(w), "AAAA h.d.example");
	add(w, SPF_TYPE_AAAA, "h.d.example", V6);
	assert_string_equal(ask(w), "pass ptr d.example");
}

/* "pass ip4:… fail -all", and "?" for one that is not known. */
static const char *ask_others(struct world *w)
{
	ask(w);
	guard_check_others(w->g, &w->q, 1000000000, w->mem, &w->r);
	strbuf_reset(&w->asked);
	for (int i = 0; i < w->r.others; i++) {
		const struct spf_verdict *v = &w->r.other[i].verdict;

		if (i > 0)
			strbuf_addc(&w->asked, ' ');
		if (!w->r.other[i].known)
			strbuf_addc(&w->asked, '?');
		else
			strbuf_addf(&w->asked, "%s %.*s",
			    spf_result_text(v->result), (int)v->mechanism.n,
			    v->mechanism.p);
	}
	return strbuf_cstr(&w->asked);
}

static void other_addresses_have_verdicts_of_their_own(void **state)
{
	static const struct {
		const char *record, *others;
	} cases[] = {
		{"v=spf1 ip4:192.0.2.1 ip4:203.0.113.7 ?all",
		    "pass ip4:203.0.113.7 neutral ?all neutral ?all"},
		/* The answers for the client's own do not serve them. */
		{"v=spf1 exists:%{i}.x.example -all", "? ? ?"},
		{"v=spf1 ip4:192.0.2.1 a:no.example -all", "? ? ?"},
		{"v=spf1 ip4:192.0.2.1 ip6:2001:db8::/32 -all",
		    "fail -all pass ip6:2001:db8::/32 fail -all"},
		/* … nor does what the client said of itself. */
		{"v=spf1 ip4:192.0.2.1 ip4:203.0.113.7 "
		 "exists:%{h}.x.example -all", "? ? ?"},
		{"v=spf1 nonsense", "permerror nonsense permerror nonsense "
		    "permerror nonsense"},
	};
	struct world *w = *state;

	w->q.others = 3;
	w->q.other[0] = SLICE("\xcb\0\x71\a");
	w->q.other[1] = slice_of(V6, 16);
	w->q.other[2] = SLICE("\xc6\x33\x64\x01");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		w->q.answers = 0;
		assert_string_equal(ask_others(w), ""); /* no record yet */
		add(w, SPF_TYPE_TXT, "d.example", cases[i].record);
		add(w, SPF_TYPE_A, "192.0.2.1.x.example", "\x7f\0\0\x02");
		assert_string_equal(ask_others(w), cases[i].others);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
		TEST(each_macro_has_its_value),
		TEST(an_explanation_shows_the_client_as_people_write_it),
		TEST(a_clients_names_are_validated),
		TEST(a_name_below_the_domain_is_enough),
		TEST(the_best_validated_name_is_taken),
		TEST(only_ten_names_of_a_client_are_looked_at),
		TEST(a_client_of_ipv6_is_asked_for_as_one),
		TEST(other_addresses_have_verdicts_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
