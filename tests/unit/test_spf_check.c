/* SPDX-License-Identifier: ISC
 *
 * Checks of SPF between a DNS server of our own and a helper that evaluates a
 * small language: "v=spf1 want=TYPE:NAME … used=N RESULT", where TYPE is a
 * letter: A, 6 (AAAA), M, P, T; "next=" is "want=" before all that follows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/checker_rig.h"

enum { TURNS = 3000 };

/* clang-format off */
static const struct dnsserver_row zone[] = {
	{ "plain.example",  "TXT", 0, "@ 600 TXT other\n@ 600 TXT v=spf1 |used=0 pass" },
	{ "local.example",  "TXT", 0, "@ 600 TXT v=spf1 used=4 pass" },
	{ "short.example",  "TXT", 0, "@ 600 TXT v=spf1 want=A:one.example pass" },
	{ "one.example",    "A",   0, "@ 10 A 192.0.2.1" },
	{ "long.example",   "TXT", 0, "@ 86400 TXT v=spf1 pass" },
	{ "zero.example",   "TXT", 0, "@ 0 TXT v=spf1 want=A:z1.example want=A:z2.example pass" },
	{ "z1.example",     "A",   0, "@ 0 A 192.0.2.1" },
	{ "z2.example",     "A",   0, "@ 0 A 192.0.2.2" },
	{ "all.example",    "TXT", 0, "@ 600 TXT v=spf1 want=A:all.example want=6:all.example "
	                              "want=M:all.example want=P:all.example pass" },
	{ "all.example",    "A",   0, "@ 600 A 192.0.2.1\n@ 600 A 192.0.2.2" },
	{ "all.example",    "AAAA", 0, "@ 600 AAAA 2001:db8::1" },
	{ "all.example",    "MX",  0, "@ 600 MX 20 b.example\n@ 600 MX 10 A \\\377.example" },
	{ "all.example",    "PTR", 0, "@ 600 PTR p.example" },
	{ "fail.example",   "TXT", 0, "@ 600 TXT v=spf1 fail" },
	{ "why.example",    "TXT", 0, "@ 600 TXT v=spf1 fail want=T:e.example" },
	{ "whynul.example", "TXT", 0, "@ 600 TXT v=spf1 fail nul" },
	{ "down.example",   "TXT", 2, "" },
	{ "endless.example", "TXT", 0, "@ 600 TXT v=spf1 endless" },
	{ "same.example",   "TXT", 0, "@ 600 TXT v=spf1 same" },
	{ "greedy.example", "TXT", 0, "@ 600 TXT v=spf1 greedy" },
	{ "nul.example",    "TXT", 0, "@ 600 TXT v=spf1 nul" },
	{ "dead.example",   "TXT", 0, "@ 600 TXT v=spf1 dead" },
	{ 0 },
};
/* clang-format on */

struct world {
	struct checker_rig rig;
	struct rig_checker spf;
	struct netaddr client;
	bool ours;
	char name[SPF_QUESTIONS_MAX][64]; /* of the helper's questions */
	/* of the last request */
	struct strbuf seen;
	/* of the last verdict */
	int done;
	char text[2000]; /* the result, and "problem", "=record" */
	struct spf_checked checked;
};

/* ---- the helper ---- */

static const struct spf_answer *answer(const struct spf_request *q,
    enum spf_type type, struct slice name)
{
	for (int i = 0; i < q->answers; i++)
		if (q->answer[i].type == type &&
		    slice_eq(q->answer[i].name, name))
			return &q->answer[i];
	return NULL;
}

static enum spf_type type_of(char letter)
{
	return letter == 'A' ? SPF_TYPE_A : letter == '6' ? SPF_TYPE_AAAA
	    : letter == 'M' ? SPF_TYPE_MX : letter == 'P' ? SPF_TYPE_PTR
	    : SPF_TYPE_TXT;
}

static void want(struct spf_reply *r, enum spf_type type, struct slice name)
{
	r->question[r->questions++] = (struct spf_question){type, name};
}

static struct slice name_of(struct world *w, int i, int number)
{
	snprintf(w->name[i], sizeof(w->name[i]), "n%d.endless.example",
	    number);
	return slice_str(w->name[i]);
}

/* Replies that no record leads to. */
static bool misbehave(struct world *w, struct slice word,
    const struct spf_request *q, struct spf_reply *r)
{
	if (slice_eq(word, SLICE("endless")))
		want(r, SPF_TYPE_A, name_of(w, 0, q->answers));
	else if (slice_eq(word, SLICE("same")))
		want(r, SPF_TYPE_TXT, q->domain);
	else if (slice_eq(word, SLICE("nul")))
		want(r, SPF_TYPE_A, SLICE("a\0b.example"));
	else if (slice_eq(word, SLICE("greedy")))
		for (int i = 0; i < SPF_QUESTIONS_MAX; i++)
			want(r, SPF_TYPE_A, name_of(w, i, 1000 + i));
	return !slice_eq(word, SLICE("dead"));
}

static bool run_record(struct world *w, struct slice record,
    const struct spf_request *q, struct spf_reply *r)
{
	struct slice word;
	uint64_t n;

	while (slice_next(&record, ' ', &word)) {
		if (slice_starts(word, SLICE("want=")) ||
		    slice_starts(word, SLICE("next="))) {
			enum spf_type type = type_of(word.p[5]);
			bool next = word.p[0] == 'n';

			word = slice_from(word, 7);
			if (answer(q, type, word) == NULL)
				want(r, type, word);
			if (next && r->questions > 0)
				return true;
		} else if (slice_starts(word, SLICE("used=")) &&
			   slice_uint(slice_from(word, 5), 7, &n)) {
			r->used = (unsigned)n;
		} else if (!spf_result_parse(word, &r->verdict.result) &&
			   !misbehave(w, word, q, r)) {
			return false;
		}
	}
	return true;
}

static void see(struct world *w, const struct spf_request *q)
{
	strbuf_reset(&w->seen);
	for (int i = 0; i < q->answers; i++) {
		struct slice records = q->answer[i].records, record;

		strbuf_addf(&w->seen, "%d/%d", (int)q->answer[i].type,
		    (int)q->answer[i].status);
		while (spf_record_next(&records, &record)) {
			strbuf_addc(&w->seen, '=');
			if (record.n == 4 || record.n == 16)
				strbuf_addf(&w->seen, "%02x",
				    (unsigned char)record.p[record.n - 1]);
			else
				strbuf_addsl(&w->seen, record);
		}
		strbuf_addc(&w->seen, ';');
	}
}

static bool on_request(void *arg, const struct spf_request *q,
    struct spf_reply *r)
{
	struct world *w = arg;
	const struct spf_answer *a = answer(q, SPF_TYPE_TXT, q->domain);
	struct slice records, record;

	see(w, q);
	assert_non_null(a); /* it is there before the helper is asked */
	r->verdict.domain = q->domain;
	if (a->status == SPF_ANSWER_FAILED)
		r->verdict.result = SPF_TEMPERROR;
	records = a->records;
	while (spf_record_next(&records, &record))
		if (slice_starts(record, SLICE("v=spf1"))) {
			r->read[r->reads++] = q->domain;
			if (!run_record(w, record, q, r))
				return false;
		}
	if (r->verdict.result == SPF_FAIL && r->questions == 0)
		r->verdict.explanation = SLICE("go away");
	return true;
}

/* ---- the world ---- */

static int setup(void **state)
{
	struct world *w = NEW(struct world);

	checker_rig_open(&w->rig, zone);
	rig_checker_open(&w->spf, &w->rig, on_request, w, NULL);
	strbuf_init(&w->seen, 1 << 20);
	assert_int_equal(netaddr_parse(&w->client, SLICE("192.0.2.1"), 25), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	rig_checker_close(&w->spf);
	checker_rig_close(&w->rig);
	strbuf_fini(&w->seen);
	mem_free(w);
	return 0;
}

static void turn(struct world *w, int wait_ms)
{
	dnsserver_turn(w->rig.loop, &w->rig.clock, wait_ms);
}

static void step_ms(struct world *w, int64_t ms)
{
	clock_fake_step(&w->rig.clock, ms * 1000);
	loop_once(w->rig.loop, 0);
}

static void take(struct world *w, const struct spf_checked *c)
{
	struct strbuf b;

	strbuf_init(&b, sizeof(w->text) - 1);
	strbuf_adds(&b, spf_result_text(c->verdict.result));
	if (c->verdict.problem.n > 0)
		strbuf_adds(&b, ": ");
	strbuf_addsl(&b, c->verdict.problem);
	if (c->verdict.explanation.n > 0)
		strbuf_adds(&b, ", ");
	strbuf_addsl(&b, c->verdict.explanation);
	snprintf(w->text, sizeof(w->text), "%s", strbuf_cstr(&b));
	strbuf_fini(&b);
	w->checked = *c;
}

static void on_done(void *arg, const struct spf_checked *c)
{
	struct world *w = arg;

	take(w, c);
	w->done++;
}

/* True: it was known. */
static bool begin(struct world *w, const char *sender, bool explain,
    struct spf_wait *wait)
{
	struct spf_subject s = {.client = &w->client,
	    .helo = SLICE("mx.example"), .sender = slice_str(sender),
	    .explain = explain, .ours = w->ours};
	const struct spf_checked *c;

	*wait = (struct spf_wait){.done = on_done, .arg = w};
	c = spf_check(w->spf.checker, &s, wait);
	if (c != NULL)
		take(w, c);
	return c != NULL;
}

static void until(struct world *w, int done)
{
	checker_rig_until(&w->rig, &w->done, done);
}

/* A check, known or not: its text. */
static const char *check(struct world *w, const char *sender)
{
	int before = w->done;
	struct spf_wait wait;

	print_message("%s\n", sender);
	if (!begin(w, sender, true, &wait)) {
		assert_int_equal(w->done, before); /* later, never at once */
		until(w, before + 1);
	}
	return w->text;
}

/* ---- cases ---- */

static void a_verdict_is_found_and_then_known(void **state)
{
	struct world *w = *state;
	const struct spf_check_counts *n = spf_check_counts(w->spf.checker);

	assert_string_equal(check(w, "ann@plain.example"), "pass");
	assert_int_equal(w->checked.rounds, 1);
	assert_int_equal(w->checked.queries, 1);
	assert_false(w->checked.cached);
	assert_int_equal(w->checked.reads, 1);
	assert_string_equal(check(w, "bob@PLAIN.example."), "pass");
	assert_true(w->checked.cached);
	assert_int_equal(w->rig.server.asked, 1);
	assert_int_equal(fakehelper_asked(w->spf.helper), 1);
	assert_int_equal(n->checks, 2);
	assert_int_equal(n->cached, 1);
	assert_int_equal(n->temperrors, 0);
}

static void what_the_dns_says_reaches_the_helper(void **state)
{
	struct world *w = *state;

	assert_string_equal(check(w, "ann@all.example"), "pass");
	assert_int_equal(w->checked.rounds, 2);
	assert_int_equal(w->checked.queries, 5);
	assert_string_equal(strbuf_cstr(&w->seen),
	    "16/0=v=spf1 want=A:all.example want=6:all.example "
	    "want=M:all.example want=P:all.example pass;"
	    "1/0=01=02;28/0=01;15/0=a \\\377.example=b.example;"
	    "12/0=p.example;");
	assert_string_equal(check(w, "ann@nobody.example"), "none");
	assert_string_equal(strbuf_cstr(&w->seen), "16/2;");
	assert_string_equal(check(w, "ann@down.example"), "temperror");
	assert_string_equal(strbuf_cstr(&w->seen), "16/3;");
}

static void nothing_is_asked_about_what_is_no_domain(void **state)
{
	struct world *w = *state;
	struct spf_wait wait;

	assert_true(begin(w, "ann@localhost", true, &wait));
	assert_string_equal(w->text, "none");
	netaddr_parse(&w->client, SLICE("127.0.0.1"), 25);
	assert_true(begin(w, "ann@plain.example", true, &wait));
	assert_string_equal(w->text, "none");
	assert_int_equal(w->rig.server.asked, 0);
	assert_int_equal(spf_check_counts(w->spf.checker)->checks, 0);
}

static void equal_checks_under_way_are_one(void **state)
{
	struct world *w = *state;
	struct spf_wait wait[100];

	for (int i = 0; i < 100; i++)
		assert_false(begin(w, "ann@short.example", true, &wait[i]));
	until(w, 100);
	assert_int_equal(w->rig.server.asked, 2);
	assert_int_equal(fakehelper_asked(w->spf.helper), 2);
	assert_int_equal(spf_check_counts(w->spf.checker)->cached, 99);
}

static void a_verdict_lives_as_long_as_the_shortest_answer(void **state)
{
	struct world *w = *state;

	check(w, "ann@short.example");
	step_ms(w, 9000);
	check(w, "ann@short.example");
	assert_true(w->checked.cached);
	step_ms(w, 2000);
	check(w, "ann@short.example");
	assert_false(w->checked.cached);
	assert_int_equal(w->rig.server.asked, 3); /* the record was known */
	check(w, "ann@long.example");
	step_ms(w, SPF_TTL_MAX_MS - 1000);
	check(w, "ann@long.example");
	assert_true(w->checked.cached);
	step_ms(w, 2000);
	check(w, "ann@long.example");
	assert_false(w->checked.cached);
}

/* An answer that the resolver has had for a while is not believed for its whole
 * time once more. */
static void of_a_known_answer_the_rest_of_its_time_counts(void **state)
{
	struct world *w = *state;

	check(w, "ann@plain.example");
	step_ms(w, 590000);
	netaddr_parse(&w->client, SLICE("192.0.2.2"), 25);
	check(w, "ann@plain.example");
	assert_int_equal(w->rig.server.asked, 1);
	step_ms(w, 11000);
	check(w, "ann@plain.example");
	assert_false(w->checked.cached);
	assert_int_equal(w->rig.server.asked, 2);
}

static void an_answer_counts_for_the_whole_check(void **state)
{
	struct world *w = *state;

	assert_string_equal(check(w, "ann@zero.example"), "pass");
	assert_int_equal(w->rig.server.asked, 3);
	assert_int_equal(w->checked.rounds, 2);
}

static void a_local_part_that_was_looked_at_is_of_the_key(void **state)
{
	struct world *w = *state;

	assert_string_equal(check(w, "ann@local.example"), "pass");
	check(w, "bob@local.example");
	assert_false(w->checked.cached);
	assert_int_equal(fakehelper_asked(w->spf.helper), 2);
	check(w, "ann@local.example");
	assert_true(w->checked.cached);
}

static void an_explanation_is_made_anew(void **state)
{
	struct world *w = *state;
	struct spf_wait wait;

	assert_string_equal(check(w, "ann@fail.example"), "fail, go away");
	assert_string_equal(check(w, "ann@fail.example"), "fail, go away");
	assert_false(w->checked.cached);
	assert_int_equal(w->rig.server.asked, 1);
	assert_true(begin(w, "ann@fail.example", false, &wait));
	assert_string_equal(w->text, "fail");
}

static void an_explanation_is_asked_for_where_it_is_wanted(void **state)
{
	struct world *w = *state;
	struct spf_wait wait;

	assert_false(begin(w, "ann@why.example", false, &wait));
	until(w, 1);
	assert_string_equal(w->text, "fail");
	assert_int_equal(w->rig.server.asked, 1);
	assert_string_equal(check(w, "ann@why.example"), "fail, go away");
	assert_int_equal(w->rig.server.asked, 2);
	/* One that cannot be had does not take the fail away. */
	assert_string_equal(check(w, "ann@whynul.example"), "fail");
}

/* clang-format off */
static const struct { const char *sender, *text; int asked; } ends[] = {
	{ "ann@endless.example", "temperror: the check asks for too much", 50 },
	{ "ann@greedy.example",  "temperror: the check asks for too much", 50 },
	{ "ann@same.example",    "temperror: the check comes to no end",   1  },
	{ "ann@nul.example",     "temperror: the check asks for too much", 1  },
	{ "ann@dead.example",    "temperror: the evaluation failed",       1  },
};
/* clang-format on */

static void a_check_that_goes_wrong_ends_and_is_not_kept(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct spf_wait wait;
		int asked = w->rig.server.asked;

		assert_string_equal(check(w, ends[i].sender), ends[i].text);
		for (int t = 0; t < 2 * SPF_QUESTIONS_MAX; t++)
			turn(w, 0); /* what is on its way to the server */
		assert_int_equal(w->rig.server.asked - asked, ends[i].asked);
		assert_false(begin(w, ends[i].sender, true, &wait));
		spf_check_cancel(&wait);
	}
}

static void what_the_dns_cannot_say_is_kept_for_half_a_minute(void **state)
{
	struct world *w = *state;

	check(w, "ann@down.example");
	step_ms(w, SPF_TTL_ERROR_MS - 1000);
	assert_string_equal(check(w, "bob@down.example"), "temperror");
	assert_true(w->checked.cached);
	assert_int_equal(spf_check_counts(w->spf.checker)->temperrors, 2);
	step_ms(w, 2000);
	check(w, "ann@down.example");
	assert_false(w->checked.cached);
}

static void a_check_has_twenty_seconds(void **state)
{
	struct world *w = *state;
	struct spf_wait wait;
	struct error err;

	w->spf.conf.resolver.timeout_ms = 600000;
	assert_int_equal(dns_configure(w->spf.dns, &w->spf.conf, &err), 0);
	w->rig.server.mood = DNSSERVER_SILENT;
	assert_false(begin(w, "ann@plain.example", true, &wait));
	step_ms(w, SPF_CHECK_MS - 1);
	assert_int_equal(w->done, 0);
	step_ms(w, 1);
	assert_int_equal(w->done, 1);
	assert_string_equal(w->text, "temperror: the check took too long");
	assert_true(begin(w, "ann@plain.example", true, &wait));
	assert_string_equal(w->text, "temperror: the check took too long");
}

static void a_client_has_so_many_questions_a_minute(void **state)
{
	struct world *w = *state;
	char sender[64];

	check(w, "ann@short.example"); /* two */
	for (int i = 0; i < SPF_CLIENT_MAX - 2; i++) {
		snprintf(sender, sizeof(sender), "a@d%d.example", i);
		assert_string_equal(check(w, sender), "none");
	}
	assert_int_equal(w->rig.server.asked, SPF_CLIENT_MAX);
	assert_string_equal(check(w, "a@more.example"),
	    "temperror: too many questions to the DNS for one client");
	w->ours = true;
	assert_string_equal(check(w, "a@more.example"), "none");
	w->ours = false;
	/* A known answer costs none, and others have theirs. */
	assert_string_equal(check(w, "a@short.example"), "pass");
	netaddr_parse(&w->client, SLICE("192.0.2.2"), 25);
	assert_string_equal(check(w, "a@other.example"), "none");
	netaddr_parse(&w->client, SLICE("192.0.2.1"), 25);
	step_ms(w, 60000);
	assert_string_equal(check(w, "a@another.example"), "none");
}

static void without_a_helper_it_is_a_temperror_at_once(void **state)
{
	struct world *w = *state;
	struct spf_wait wait;

	spf_checker_free(w->spf.checker);
	w->spf.checker = spf_checker_new(w->rig.loop, w->spf.dns, NULL, NULL);
	assert_true(begin(w, "ann@plain.example", true, &wait));
	assert_string_equal(w->text,
	    "temperror: there is no program that evaluates");
	assert_int_equal(w->rig.server.asked, 0);
}

static void an_asker_that_went_away_is_not_told(void **state)
{
	struct world *w = *state;
	struct spf_wait wait[2];

	assert_false(begin(w, "ann@short.example", true, &wait[0]));
	assert_false(begin(w, "ann@short.example", true, &wait[1]));
	spf_check_cancel(&wait[0]);
	until(w, 1);
	assert_false(begin(w, "bob@plain.example", true, &wait[0]));
	spf_check_cancel(&wait[0]);
	for (int i = 0; i < TURNS; i++) {
		if (begin(w, "bob@plain.example", true, &wait[1]))
			break;
		spf_check_cancel(&wait[1]);
		checker_rig_turn(&w->rig);
	}
	assert_string_equal(w->text, "pass"); /* it went on */
	assert_int_equal(w->done, 1);
}

static void a_checker_ends_with_all_that_is_under_way(void **state)
{
	struct world *w = *state;
	struct spf_wait wait[3];

	assert_false(begin(w, "ann@short.example", true, &wait[0]));
	assert_false(begin(w, "ann@short.example", true, &wait[1]));
	for (int i = 0; i < TURNS && fakehelper_pending(w->spf.helper) == 0 &&
	     w->done == 0; i++)
		loop_once(w->rig.loop, 1);
	w->done = 0;
	assert_false(begin(w, "ann@zero.example", true, &wait[2]));
	spf_checker_free(w->spf.checker);
	w->spf.checker = NULL;
	assert_int_equal(fakehelper_pending(w->spf.helper), 0);
	for (int i = 0; i < 10; i++)
		turn(w, 1);
	assert_int_equal(w->done, 0);
}

static void records_beyond_a_frame_are_a_permerror(void **state)
{
	struct world *w = *state;
	struct dnsserver_row rows[] = {{"huge.example", "TXT", 0, NULL},
	    {"h1.example", "TXT", 0, NULL}, {"h2.example", "TXT", 0, NULL},
	    {0}};
	struct strbuf first, more;

	strbuf_init(&more, 1 << 20);
	strbuf_adds(&more, "@ 60 TXT ");
	for (int i = 0; i < 55000; i++)
		strbuf_addc(&more, 'x');
	strbuf_init(&first, 1 << 20);
	strbuf_adds(&first, "@ 60 TXT v=spf1 next=T:h1.example "
	    "next=T:h2.example pass\n");
	strbuf_addsl(&first, strbuf_view(&more));
	rows[0].records = strbuf_cstr(&first);
	rows[1].records = rows[2].records = strbuf_cstr(&more);
	w->rig.server.rows = rows;
	w->rig.server.mood = DNSSERVER_TRUNCATED;
	assert_string_equal(check(w, "a@huge.example"),
	    "permerror: the records are too large");
	strbuf_fini(&first);
	strbuf_fini(&more);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_verdict_is_found_and_then_known),
		T(what_the_dns_says_reaches_the_helper),
		T(nothing_is_asked_about_what_is_no_domain),
		T(equal_checks_under_way_are_one),
		T(a_verdict_lives_as_long_as_the_shortest_answer),
		T(of_a_known_answer_the_rest_of_its_time_counts),
		T(an_answer_counts_for_the_whole_check),
		T(a_local_part_that_was_looked_at_is_of_the_key),
		T(an_explanation_is_made_anew),
		T(an_explanation_is_asked_for_where_it_is_wanted),
		T(a_check_that_goes_wrong_ends_and_is_not_kept),
		T(what_the_dns_cannot_say_is_kept_for_half_a_minute),
		T(a_check_has_twenty_seconds),
		T(a_client_has_so_many_questions_a_minute),
		T(without_a_helper_it_is_a_temperror_at_once),
		T(an_asker_that_went_away_is_not_told),
		T(a_checker_ends_with_all_that_is_under_way),
		T(records_beyond_a_frame_are_a_permerror),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
