/* SPDX-License-Identifier: ISC
 *
 * The projector and the spool together, with their threads: what went through
 * the journal is in the index, once, and the two balances agree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/base/log.h"
#include "tests/unit/audit_spool.h"

static void assert_balance(struct audit_spool *r, const struct spool_stats *st)
{
	struct conserve c;
	char lost[64];

	verify(r->f, &c, lost);
	for (int t = 0; t < TOTALS; t++) {
		print_message("%s\n", total_text((enum total)t));
		assert_int_equal(c.leg[r->f->cloud].total[t],
		    st->leg[r->f->cloud].total[t]);
	}
	assert_int_equal(c.leg[r->f->cloud].gap, 0);
	assert_int_equal(c.lost, 0);
	assert_int_equal(c.skipped, 0);
}

static void assert_trace(struct audit_spool *r)
{
	const char *text = trace(r->f, (struct search){.id = r->id[1]});

	assert_int_equal(r->f->founds, 4);
	assert_int_equal(count(text, "\"event\":\"bounced\""), 1);
	assert_int_equal(count(text, "\"event\":\"dsn\""), 1);
	trace(r->f, (struct search){.id = r->id[0]});
	assert_int_equal(r->f->founds, 2);
	trace(r->f, (struct search){.client = "192.0.2.66"});
	assert_int_equal(r->f->founds, 1);
}

static void journal_and_index_agree_over_a_restart(void **state)
{
	struct fixture *f = *state;
	struct audit_spool r;
	struct spool_stats *st = NEW(struct spool_stats);
	unsigned lines;

	audit_spool_init(&r, f);
	audit_spool_start(&r);
	audit_spool_mail(&r);
	spool_stats(r.spool, st);
	audit_spool_stop(&r);
	assert_balance(&r, st);
	assert_trace(&r);
	lines = count_events(f, "\n");
	/* accepted, first attempts, two more, the notification's own two */
	assert_int_equal(lines, 2 * SPOOL_MESSAGES + 2 + 2 + 1);
	audit_spool_start(&r);
	audit_spool_stop(&r);
	assert_balance(&r, st);
	assert_trace(&r);
	assert_int_equal(count_events(f, "\n"), lines);
	audit_spool_fini(&r);
	mem_free(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    journal_and_index_agree_over_a_restart, setup, teardown),
	};

	log_setup(-1, LOG_LV_ERROR, &clock_system);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
