/* SPDX-License-Identifier: ISC
 *
 * The domains that permits are for, and the end of a permit by the results of
 * an attempt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "relay/base/mem.h"
#include "relay/delivery/attempt_permit.h"

enum { RESULTS = 3 };

#define DELIVERED {.outcome = OUT_DELIVERED, .code = 250}
#define LATER {.outcome = OUT_DEFERRED, .code = 451}
#define REFUSED {.outcome = OUT_FAILED, .code = 550}
#define NO_DOMAIN {.outcome = OUT_FAILED}
#define CUT {.outcome = OUT_DEFERRED, .code = 421, .class = CLASS_NETWORK}
#define DOWN {.outcome = OUT_DEFERRED}
#define UNTRIED {.outcome = OUT_UNTRIED}

static void a_permit_ends_by_the_best_of_the_results(void **state)
{
	static const struct {
		enum permit_end want;
		unsigned n;
		struct result result[RESULTS];
	} cases[] = {
	    {PERMIT_UNUSED, 0, {UNTRIED}},
	    {PERMIT_UNUSED, 2, {UNTRIED, UNTRIED}},
	    {PERMIT_FAILED, 1, {DOWN}},
	    {PERMIT_FAILED, 3, {UNTRIED, CUT, DOWN}},
	    {PERMIT_ANSWERED, 1, {LATER}},
	    {PERMIT_ANSWERED, 1, {REFUSED}},
	    {PERMIT_ANSWERED, 1, {NO_DOMAIN}},
	    {PERMIT_ANSWERED, 3, {LATER, DOWN, UNTRIED}},
	    {PERMIT_ANSWERED, 3, {DOWN, LATER, CUT}},
	    {PERMIT_DELIVERED, 1, {DELIVERED}},
	    {PERMIT_DELIVERED, 3, {REFUSED, DOWN, DELIVERED}},
	    {PERMIT_DELIVERED, 3, {UNTRIED, DELIVERED, CUT}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct outcome_letter *o = mem_new(
		    sizeof(*o) + RESULTS * sizeof(o->row[0]));
		enum permit_end end;

		o->n = cases[i].n;
		for (unsigned k = 0; k < o->n; k++)
			o->row[k].result = cases[i].result[k];
		end = attempt_permit_met(o);
		if (end != cases[i].want)
			fail_msg("case %zu: %d", i, (int)end);
		mem_free(o);
	}
}

/* Of a direct egress alone: what the queue knows already stays, and what a
 * row says of a recipient that the message has not is left alone. */
static void domains_are_those_of_the_recipients(void **state)
{
	enum { DIRECT = 3, HOSTS = 4, NO_LEG = 5, ROWS = 4, KNOWN = 77 };
	static const uint32_t rcpt[ROWS] = {1, 0, 2, 1};
	struct conf_leg direct = {.direct = true}, hosts = {.hosts = 1};
	struct conf *c = NEW(struct conf);
	struct conf_snapshot snapshot = {.conf = c};
	struct worker w = {.snapshot = &snapshot};
	struct envelope_rcpt to[] = {{.to = "ann@one.example"},
	    {.to = "bob@two.example"}};
	struct mail mail = {.env = {.rcpt = to, .rcpts = ARRAY_LEN(to)}};
	static const int legs[] = {DIRECT, HOSTS, NO_LEG};
	struct job_row row[ROWS];

	(void)state;
	c->leg_of_id[DIRECT] = &direct;
	c->leg_of_id[HOSTS] = &hosts;
	for (size_t k = 0; k < ARRAY_LEN(legs); k++) {
		struct attempt at = {.w = &w, .mail = &mail, .leg = legs[k],
		    .row = row, .n = ROWS};
		bool known = legs[k] == DIRECT;

		memset(row, 0, sizeof(row));
		for (int i = 0; i < ROWS; i++)
			row[i].ref.rcpt = rcpt[i];
		row[3].ref.domain = KNOWN;
		attempt_know_domains(&at);
		assert_int_equal(row[0].ref.domain,
		    known ? mail_domain("x@two.example") : 0);
		assert_int_equal(row[1].ref.domain,
		    known ? mail_domain("x@one.example") : 0);
		assert_int_equal(row[2].ref.domain, 0);
		assert_int_equal(row[3].ref.domain, KNOWN);
	}
	mem_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains_are_those_of_the_recipients),
		cmocka_unit_test(a_permit_ends_by_the_best_of_the_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
