/* SPDX-License-Identifier: ISC
 *
 * First outcomes by the projector: which moves count, and as what; killed
 * anywhere, each counts once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "relay/audit/delivered/outcome_reader.h"
#include "relay/base/clock.h"
#include "relay/mail/result.h"
#include "tests/unit/auditfixture.h"

enum { APART = 25, MOST_STEPS = 400 };

static int64_t time_of(unsigned i)
{
	return T0 + i * APART * MINUTE;
}

static void die_at(void *arg, size_t at)
{
	if (at == *(size_t *)arg)
		_exit(0);
}

/* Records become visible one by one: the index commits at each, ledger.db at
 * every third. */
static void live_and_die(struct fixture *f)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		open_projector(f);
		for (size_t v = 0; v <= f->j.n; v++) {
			f->j.visible = v;
			clock_fake_step(&f->clock, 700000);
			projector_step(
			    f->p, clock_mono_ms(&f->clock.clock));
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	f->j.visible = f->j.n;
}

static void attempted(struct fixture *f, unsigned i, enum dstate old,
    struct spool_delivery to, enum reply_class class)
{
	const struct result res = {.outcome = OUT_DEFERRED, .class = class,
	    .code = 451, .enh = "4.3.2", .stage = STAGE_RCPT, .remote = "mx1",
	    .text = "no", .tls = "", .address = ""};
	struct spool_update u = {.to = to};
	struct strbuf detail;

	strbuf_init(&detail, 4096);
	result_pack(&res, &detail);
	u.detail = strbuf_view(&detail);
	if (u.to.reason == 0)
		u.to.reason = WHY_ATTEMPT;
	fake_update(&f->j, fake_id(time_of(i), i), time_of(i) + 500000, old,
	    &u);
	strbuf_fini(&detail);
}

static unsigned accepted(struct fixture *f, unsigned i)
{
	fake_accepted(&f->j, fake_id(time_of(i), i), time_of(i),
	    "bob@example.org", ann, f->cloud);
	return i;
}

/* A message of each class, deferred for it, then for another, and delivered;
 * one that is delivered at once, one that is refused, one that is disbelieved
 * and one that an administrator ends. */
static void mail_of_each_class(struct fixture *f)
{
	struct spool_delivery d;
	unsigned i;

	for (i = 0; i < CLASSES; i++) {
		accepted(f, i);
		attempted(f, i, D_QUEUED, now(f, D_DEFERRED, 1),
		    (enum reply_class)i);
		attempted(f, i, D_DEFERRED, now(f, D_DEFERRED, 2),
		    CLASS_RECIPIENT);
		sent(f, fake_id(time_of(i), i), time_of(i) + 1500000,
		    D_DEFERRED, D_DELIVERED, 3);
	}
	accepted(f, i);
	sent(f, fake_id(time_of(i), i), time_of(i), D_QUEUED, D_DELIVERED, 1);
	attempted(f, accepted(f, i + 1), D_QUEUED, now(f, D_BOUNCED, 1),
	    CLASS_RECIPIENT);
	d = now(f, D_PARKED, 1);
	d.reason = WHY_FORGED;
	attempted(f, accepted(f, i + 2), D_QUEUED, d, CLASS_MESSAGE);
	attempted(f, accepted(f, i + 3), D_QUEUED, now(f, D_DEFERRED, 1),
	    CLASS_MAILBOX);
	d = now(f, D_BOUNCED, 1);
	d.reason = WHY_ADMIN;
	attempted(f, i + 3, D_DEFERRED, d, CLASS_MAILBOX);
}

static void assert_outcomes(struct fixture *f)
{
	struct outcome_of of = {.to = INT64_MAX};
	struct outcome_sum leg = {0}, one = {0};
	struct outcome_reader *r;
	struct error err;

	f->conf.audit.path = f->index;
	r = outcome_reader_open(&f->conf, &err);
	assert_non_null(r);
	of.leg = outcome_reader_leg(r, "cloud");
	of.recipient = outcome_reader_key(r, SLICE("ann@example.com"));
	assert_int_equal(outcome_reader_add_leg(r, &of, &leg, &err), 0);
	assert_int_equal(outcome_reader_add(r, &of, &one, &err), 0);
	outcome_reader_close(r);
	/* Message, recipient, mailbox; and the last three. */
	assert_int_equal(leg.failed, 6);
	assert_int_equal(one.failed, 6);
	/* Throttle, configuration, network, authentication. */
	assert_int_equal(leg.trouble, 4);
	assert_int_equal(one.trouble, 4);
	assert_int_equal(leg.delivered, 1);
	assert_int_equal(one.delivered, 1);
}

static void killed_anywhere_each_first_outcome_counts_once(void **state)
{
	struct fixture *f = *state;

	mail_of_each_class(f);
	for (size_t at = 0; at <= f->j.n; at++) {
		f->j.at_next = die_at;
		f->j.arg = &at;
		live_and_die(f);
		f->j.at_next = NULL;
		open_projector(f);
		for (int step = 0; step < MOST_STEPS; step++)
			steps(f, 1);
		close_projector(f);
		assert_outcomes(f);
		remove_dir(f->index);
		unlink(f->events);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		killed_anywhere_each_first_outcome_counts_once, setup,
		teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
