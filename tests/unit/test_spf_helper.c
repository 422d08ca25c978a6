/* SPDX-License-Identifier: ISC
 *
 * The helper's life, with processes that do as the request's HELO says: they
 * answer, die, hang or talk nonsense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/spf/spf_blame.h"
#include "relay/spf/spf_helper.h"
#include "relay/spf/spf_wire.h"

enum { TURNS = 20000, TURN_MS = 2, ASKS = 3000 };

struct asked {
	struct spf_ask *ask;
	unsigned calls;
	bool answered;
	char domain[SPF_NAME_MAX + 1]; /* that the reply is about */
};

struct box {
	struct clock_fake clock;
	struct loop *loop;
	struct spf_blame *blame;
	struct spf_starter starter;
	struct spf_helper *h;
	struct asked at[ASKS];
	unsigned n;
	int starts, stillborn; /* that many of the next die at once */
	bool refuses;	       /* the starter does */
	pid_t pid;
	int said[2]; /* a process writes here after what it said */
	unsigned blamed, absent;
	char why[400];
};

static struct box *box;

/* ---- the process ---- */

static void put(const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t done = write(0, at, n);

		if (done <= 0)
			_exit(3);
		at += done;
		n -= (size_t)done;
	}
}

static bool get(char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = read(0, p, n);

		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

/* One reply that repeats the domain. */
static void reply_pack(struct strbuf *out, const struct spf_request *r)
{
	struct spf_reply reply = {.verdict = {.result = SPF_PASS,
	    .mechanism = SLICE("all"), .domain = r->domain}};

	strbuf_init(out, SPF_FRAME_MAX);
	spf_reply_pack(out, &reply);
}

static void do_as_told(const struct spf_request *r)
{
	struct strbuf out;

	reply_pack(&out, r);
	if (slice_eq(r->helo, SLICE("die")))
		_exit(1);
	if (slice_eq(r->helo, SLICE("hang")))
		for (;;)
			pause();
	if (slice_eq(r->helo, SLICE("too-long")))
		put("\xff\xff\xff\x7f", 4);
	else if (slice_eq(r->helo, SLICE("bytes")))
		for (size_t i = 0; i < out.n; i++)
			put(out.p + i, 1);
	else
		put(out.p, out.n);
	if (slice_eq(r->helo, SLICE("twice")))
		put(out.p, out.n);
	if (slice_eq(r->helo, SLICE("answer-and-die")))
		_exit(1);
	strbuf_fini(&out);
}

static void be_process(void)
{
	char *frame = mem_new(SPF_FRAME_MAX);
	const char *why;
	struct spf_request *r = NEW(struct spf_request);
	long n;

	while (get(frame, 4)) {
		n = spf_frame_bytes(slice_of(frame, 4));
		if (n < 4 || !get(frame + 4, (size_t)n - 4) ||
		    spf_request_unpack(spf_frame_body(
			slice_of(frame, (size_t)n)), r, &why) < 0)
			_exit(2);
		do_as_told(r);
		if (write(box->said[1], "x", 1) < 0)
			_exit(4);
	}
	_exit(0);
}

static int start(const struct spf_starter *s, int channel, struct error *err)
{
	(void)s;
	if (box->refuses)
		return error_set(err, "the starter is away");
	box->starts++;
	box->pid = fork();
	if (box->pid == 0) {
		if (box->starts <= box->stillborn)
			_exit(1);
		dup2(channel, 0);
		dup2(box->said[1], 200);
		box->said[1] = 200;
		close_range(3, 199, 0);
		be_process();
	}
	return box->pid;
}

static bool gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

/* ---- the test's side ---- */

static void on_blamed(void *arg, const char *domain)
{
	(void)arg;
	assert_string_equal(domain, "bad.example");
	box->blamed++;
}

static void on_absent(void *arg, const char *why)
{
	(void)arg;
	snprintf(box->why, sizeof(box->why), "%s", why);
	box->absent++;
}

static void make(const struct spf_starter *starter)
{
	box->h = spf_helper_new(&(struct spf_helper_config){
	    .loop = box->loop, .starter = starter, .blame = box->blame,
	    .blamed = on_blamed, .absent = on_absent});
	assert_int_equal(box->starts, 0); /* it may never be wanted */
	spf_helper_begin(box->h);
}

static int setup_bare(void **state)
{
	(void)state;
	log_setup(-1, LOG_LV_ERROR, &clock_system);
	box = NEW(struct box);
	clock_fake_init(&box->clock, DAY_US);
	box->loop = loop_new(&box->clock.clock);
	box->blame = spf_blame_new(&box->clock.clock);
	box->starter = spf_starter_fork("");
	box->starter.start = start;
	return pipe(box->said);
}

static int setup(void **state)
{
	setup_bare(state);
	make(&box->starter);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	spf_helper_free(box->h);
	spf_blame_free(box->blame);
	loop_free(box->loop);
	close(box->said[0]);
	close(box->said[1]);
	mem_free(box);
	return 0;
}

static void on_answer(void *arg, const struct slice *reply)
{
	struct asked *a = arg;
	struct spf_reply *r = NEW(struct spf_reply);
	const char *why;

	a->calls++;
	a->ask = NULL;
	a->answered = reply != NULL;
	if (reply != NULL) {
		assert_int_equal(spf_reply_unpack(*reply, r, &why), 0);
		snprintf(a->domain, sizeof(a->domain), "%.*s",
		    (int)r->verdict.domain.n, r->verdict.domain.p);
	}
	mem_free(r);
}

/* A request whose records fill `fill` bytes. */
static struct asked *ask_big(const char *helo, const char *domain, size_t fill)
{
	struct asked *a = &box->at[box->n++];
	struct spf_request r = {.client = SLICE("\xc0\0\2\1"),
	    .helo = slice_str(helo), .local = SLICE("ann"),
	    .domain = slice_str(domain), .answers = fill > 0};
	struct strbuf frame, answers, records;

	assert_in_range(box->n, 1, ASKS);
	strbuf_init(&frame, SPF_FRAME_MAX);
	strbuf_init(&answers, SPF_FRAME_MAX);
	strbuf_init(&records, SPF_FRAME_MAX);
	if (fill > 0) {
		char *text = mem_new(fill);

		pack_bytes(&records, slice_of(text, fill));
		spf_answer_pack(&answers, &(struct spf_answer){
		    .type = SPF_TYPE_TXT, .name = r.domain,
		    .records = strbuf_view(&records)});
		mem_free(text);
	}
	spf_request_pack(&frame, &r, &answers);
	a->ask = spf_helper_ask(box->h, strbuf_view(&frame), domain,
	    on_answer, a);
	strbuf_fini(&frame);
	strbuf_fini(&answers);
	strbuf_fini(&records);
	return a;
}

static struct asked *ask(const char *helo, const char *domain)
{
	return ask_big(helo, domain, 0);
}

#define WAIT(cond)                                                     \
	do {                                                           \
		for (int i_ = 0; i_ < TURNS && !(cond); i_++)          \
			loop_once(box->loop, TURN_MS);                 \
		assert_true(cond);                                     \
	} while (0)

static void step_ms(int64_t ms)
{
	clock_fake_step(&box->clock, ms * 1000);
	loop_once(box->loop, 0);
}

static void assert_good(const struct asked *a, const char *domain)
{
	WAIT(a->calls > 0);
	assert_int_equal(a->calls, 1);
	assert_true(a->answered);
	assert_string_equal(a->domain, domain);
}

static void assert_none(const struct asked *a)
{
	WAIT(a->calls > 0);
	assert_int_equal(a->calls, 1);
	assert_false(a->answered);
}

#define COUNT(what) atomic_load(&spf_helper_counts(box->h)->what)

/* All processes that were started are waited for by the starter. */
static void assert_no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void each_request_gets_its_own_answer(void **state)
{
	struct asked *a[100];
	char domain[32];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i);
		a[i] = ask(i % 10 == 5 ? "bytes" : "", domain);
	}
	for (int i = 0; i < 100; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i);
		assert_good(a[i], domain);
	}
	assert_int_equal(box->starts, 1);
	assert_int_equal(COUNT(asked), 100);
	assert_int_equal(COUNT(deaths), 0);
}

static void the_largest_request_arrives(void **state)
{
	(void)state;
	assert_good(ask_big("", "big.example", SPF_FRAME_MAX - 100),
	    "big.example");
}

static void a_death_costs_the_request_at_the_head_alone(void **state)
{
	struct asked *a, *b, *c, *d;

	(void)state;
	a = ask("", "a.example");
	b = ask("die", "b.example");
	c = ask("", "c.example");
	d = ask("", "d.example");
	assert_good(a, "a.example");
	assert_none(b);
	step_ms(100); /* by which the next process has been started */
	assert_good(c, "c.example");
	assert_good(d, "d.example");
	assert_int_equal(box->starts, 2);
	assert_int_equal(COUNT(deaths), 1);
}

/* The answer counts, not what becomes of the process afterwards. */
static void an_answer_before_a_death_is_an_answer(void **state)
{
	struct asked *a, *b;

	(void)state;
	a = ask("answer-and-die", "a.example");
	assert_good(a, "a.example");
	b = ask("", "b.example");
	WAIT(COUNT(deaths) == 1);
	step_ms(100);
	WAIT(b->calls == 1);
	if (!b->answered) /* it was given to the one that was dying */
		assert_good(ask("", "c.example"), "c.example");
}

static void a_second_of_silence_ends_the_process(void **state)
{
	struct asked *a, *b;
	pid_t pid;

	(void)state;
	assert_good(ask("", "x.example"), "x.example");
	pid = box->pid;
	a = ask("hang", "a.example");
	b = ask("", "b.example");
	step_ms(SPF_HELPER_SILENCE_MS - 1);
	assert_int_equal(a->calls, 0);
	assert_false(gone(pid));
	step_ms(1);
	assert_none(a);
	assert_true(gone(pid));
	assert_good(b, "b.example");
	assert_int_equal(COUNT(timeouts), 1);
	assert_int_equal(COUNT(deaths), 0);
}

static void an_answer_that_waits_to_be_read_is_no_silence(void **state)
{
	struct asked *a;
	char c;

	(void)state;
	assert_good(ask("", "x.example"), "x.example");
	for (int i = 0; i < 2; i++) /* and the first answer of all */
		assert_int_equal(read(box->said[0], &c, 1), 1);
	a = ask("", "a.example");
	assert_int_equal(read(box->said[0], &c, 1), 1);
	step_ms(2 * SPF_HELPER_SILENCE_MS);
	assert_good(a, "a.example");
	assert_int_equal(COUNT(timeouts), 0);
	assert_int_equal(box->starts, 1);
}

static void nonsense_ends_the_process(void **state)
{
	(void)state;
	assert_none(ask("too-long", "a.example"));
	step_ms(100);
	assert_good(ask("", "b.example"), "b.example");
	assert_int_equal(box->starts, 2);
	/* With its answer or behind it, it costs no other request's answer. */
	ask("twice", "c.example");
	WAIT(COUNT(deaths) == 2);
	step_ms(100);
	assert_good(ask("", "d.example"), "d.example");
	assert_int_equal(box->starts, 3);
}

static void a_cancelled_request_is_not_called_back(void **state)
{
	struct asked *head, *waits, *last;

	(void)state;
	assert_good(ask("", "x.example"), "x.example");
	head = ask("", "head.example");
	waits = ask("", "waits.example");
	last = ask("", "last.example");
	spf_helper_cancel(&head->ask);
	spf_helper_cancel(&waits->ask);
	assert_null(head->ask);
	spf_helper_cancel(&waits->ask); /* twice is fine */
	assert_good(last, "last.example");
	assert_int_equal(head->calls + waits->calls, 0);
	assert_int_equal(COUNT(asked), 3);
}

static void a_cancelled_request_is_still_blamed(void **state)
{
	(void)state;
	for (int i = 0; i < SPF_BLAME_DEATHS; i++) {
		struct asked *a;

		assert_good(ask("", "x.example"), "x.example");
		a = ask("die", "bad.example");
		spf_helper_cancel(&a->ask);
		WAIT(COUNT(deaths) == (unsigned)i + 1);
		step_ms(100);
	}
	assert_int_equal(box->blamed, 1);
}

static void a_domain_that_killed_three_is_not_asked_about(void **state)
{
	struct asked *a;

	(void)state;
	for (int i = 0; i < SPF_BLAME_DEATHS; i++) {
		assert_int_equal(box->blamed, 0);
		assert_none(ask(i == 1 ? "too-long" : "die", "bad.example"));
		step_ms(100);
	}
	assert_int_equal(box->blamed, 1);
	assert_good(ask("", "good.example"), "good.example");
	assert_none(ask("", "bad.example"));
	assert_int_equal(box->starts, SPF_BLAME_DEATHS + 1);
	step_ms(SPF_BLAME_MS);
	assert_good(ask("", "bad.example"), "bad.example");
	/* Also what waited already when the third died. */
	assert_none(ask("die", "bad.example"));
	assert_none(ask("die", "bad.example"));
	step_ms(100);
	a = ask("die", "bad.example");
	ask("die", "bad.example");
	assert_none(a);
	step_ms(100);
	assert_none(&box->at[box->n - 1]);
	assert_good(ask("", "good.example"), "good.example");
	assert_int_equal(COUNT(deaths), 6);
}

static void of_too_many_that_wait_the_last_get_nothing(void **state)
{
	struct asked *hang, *over, *last;

	(void)state;
	assert_good(ask("", "x.example"), "x.example");
	hang = ask("hang", "hang.example");
	for (int i = 0; i < SPF_HELPER_WAITING_MAX; i++)
		last = ask("", "d.example");
	over = ask("", "over.example");
	assert_none(over);
	assert_int_equal(hang->calls, 0);
	step_ms(SPF_HELPER_SILENCE_MS);
	assert_good(last, "d.example");
}

static void what_waits_has_a_ceiling_of_bytes(void **state)
{
	struct asked *a;
	int taken = 0;

	(void)state;
	assert_good(ask("", "x.example"), "x.example");
	ask("hang", "hang.example");
	do {
		a = ask_big("", "d.example", 100000);
		loop_once(box->loop, 0);
	} while (a->calls == 0 && ++taken < 1000);
	assert_none(a);
	assert_in_range(taken, SPF_HELPER_WAITING_BYTES / 100200,
	    SPF_HELPER_WAITING_BYTES / 100000);
}

static void without_a_process_requests_get_nothing_at_once(void **state)
{
	struct asked *waits;

	(void)state;
	box->stillborn = 5;
	make(&box->starter);
	waits = ask("", "waits.example");
	for (int i = 0; i < 3; i++) {
		WAIT(COUNT(deaths) == (unsigned)i + 1);
		assert_int_equal(box->absent, i == 2);
		if (i < 2)
			step_ms(100);
	}
	assert_none(waits);
	assert_non_null(strstr(box->why, "died before it was ready"));
	assert_none(ask("", "a.example"));
	assert_int_equal(COUNT(up), 0);
	/* Later and later. */
	step_ms(SPF_HELPER_BACK_OFF_MS);
	WAIT(COUNT(deaths) == 4);
	step_ms(SPF_HELPER_BACK_OFF_MS);
	assert_int_equal(box->starts, 4);
	step_ms(SPF_HELPER_BACK_OFF_MS);
	WAIT(COUNT(deaths) == 5);
	step_ms(4 * SPF_HELPER_BACK_OFF_MS);
	WAIT(COUNT(up) == 1);
	assert_good(ask("", "b.example"), "b.example");
	assert_int_equal(box->absent, 1);
	assert_int_equal(box->blamed, 0);
}

static void a_starter_that_refuses_is_asked_again(void **state)
{
	(void)state;
	box->refuses = true;
	make(&box->starter);
	for (int i = 0; i < 3; i++)
		step_ms(100);
	assert_string_equal(box->why, "the starter is away");
	box->refuses = false;
	step_ms(SPF_HELPER_BACK_OFF_MS);
	WAIT(COUNT(up) == 1);
	assert_good(ask("", "a.example"), "a.example");
}

static void without_a_program_requests_get_nothing(void **state)
{
	struct asked *a;

	(void)state;
	make(NULL);
	a = ask("", "a.example");
	assert_int_equal(box->absent, 0); /* not from inside the call */
	assert_none(a);
	step_ms(1);
	assert_int_equal(box->absent, 1);
	assert_non_null(strstr(box->why, "posthouse-spf"));
	a = ask("", "b.example");
	spf_helper_cancel(&a->ask);
	step_ms(1);
	assert_int_equal(a->calls, 0);
}

static void one_that_dies_idle_is_replaced_without_a_storm(void **state)
{
	(void)state;
	assert_good(ask("", "a.example"), "a.example");
	assert_int_equal(kill(box->pid, SIGKILL), 0);
	WAIT(COUNT(deaths) == 1);
	assert_int_equal(box->starts, 1); /* the clock stands */
	step_ms(100);
	assert_int_equal(box->starts, 2);
	assert_good(ask("", "b.example"), "b.example");
	assert_int_equal(box->blamed, 0);
}

static void free_leaves_no_process_and_no_callback(void **state)
{
	struct asked *a, *b;

	(void)state;
	assert_good(ask("", "x.example"), "x.example");
	a = ask("hang", "a.example");
	b = ask("", "b.example");
	spf_helper_free(box->h);
	box->h = NULL;
	loop_once(box->loop, 0);
	assert_int_equal(a->calls + b->calls, 0);
	assert_no_child();
}

static void a_program_that_does_not_exist_is_absent(void **state)
{
	struct spf_starter s = spf_starter_fork("/nonexistent/posthouse-spf");

	(void)state;
	make(&s);
	for (int i = 0; i < 3; i++) {
		WAIT(COUNT(deaths) == (unsigned)i + 1);
		step_ms(100);
	}
	assert_int_equal(box->absent, 1);
	spf_helper_free(box->h);
	box->h = NULL;
	assert_no_child();
}

#define S(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define B(f) cmocka_unit_test_setup_teardown(f, setup_bare, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		S(each_request_gets_its_own_answer),
		S(the_largest_request_arrives),
		S(a_death_costs_the_request_at_the_head_alone),
		S(an_answer_before_a_death_is_an_answer),
		S(a_second_of_silence_ends_the_process),
		S(an_answer_that_waits_to_be_read_is_no_silence),
		S(nonsense_ends_the_process),
		S(a_cancelled_request_is_not_called_back),
		S(a_cancelled_request_is_still_blamed),
		S(a_domain_that_killed_three_is_not_asked_about),
		S(of_too_many_that_wait_the_last_get_nothing),
		S(what_waits_has_a_ceiling_of_bytes),
		B(without_a_process_requests_get_nothing_at_once),
		B(a_starter_that_refuses_is_asked_again),
		B(without_a_program_requests_get_nothing),
		S(one_that_dies_idle_is_replaced_without_a_storm),
		S(free_leaves_no_process_and_no_callback),
		B(a_program_that_does_not_exist_is_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
