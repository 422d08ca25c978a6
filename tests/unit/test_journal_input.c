/* SPDX-License-Identifier: ISC
 *
 * The projector and a spool without space: can mail wait for the index?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/audit/projector_int.h"
#include "tests/unit/auditfixture.h"
#include "tests/unit/spool_rig.h"

enum { SEGMENTS = 12, MESSAGES_MAX = 500, BODY = 4000, SEGMENT = 65536 };
enum { SPARES = 6 }; /* more than the reserve: it is low before it is full */

static void open_on(struct fixture *f, struct rig *r)
{
	struct error err = {.text = ""};

	r->c.spares = SPARES;
	assert_true(rig_open(r));
	f->p = projector_open(
	    &f->conf, r->spool, r->names, &r->clock.clock, &err);
	assert_non_null(f->p);
}

static bool low(struct fixture *f)
{
	return f->p->in.low(f->p->in.arg);
}

static void close_both(struct fixture *f, struct rig *r)
{
	close_projector(f);
	rig_free(r);
}

/* Accepts until the spool says `wanted`. */
static void fill_until(struct rig *r, enum spool_health wanted)
{
	struct spool_stats st;

	for (unsigned i = 0; i < MESSAGES_MAX; i++) {
		spool_stats(r->spool, &st);
		if (st.health == wanted)
			return;
		rig_accept(r, BODY);
		rig_pump(r);
	}
	fail_msg("it never came to %d", (int)wanted);
}

static void a_spool_that_lacks_spares_is_low(void **state)
{
	struct rig *r = rig_new(SEGMENTS);

	open_on(*state, r);
	assert_false(low(*state));
	fill_until(r, SPOOL_LOW);
	assert_true(low(*state));
	close_both(*state, r);
}

static void a_spool_on_a_full_disk_is_low(void **state)
{
	struct rig *r = rig_new(SEGMENTS * 6);

	r->disk->space = 2 * SPARES * SEGMENT + SEGMENT / 2;
	open_on(*state, r);
	assert_false(low(*state));
	fill_until(r, SPOOL_NO_SPACE);
	assert_true(low(*state));
	close_both(*state, r);
}

/* A disk that cannot sync is not helped by discarding records. */
static void a_sync_that_fails_is_another_matter(void **state)
{
	struct rig *r = rig_new(SEGMENTS);

	open_on(*state, r);
	atomic_store(&r->spool->sync_failed, true);
	assert_false(low(*state));
	atomic_store(&r->spool->sync_failed, false);
	close_both(*state, r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_spool_that_lacks_spares_is_low, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_spool_on_a_full_disk_is_low, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_sync_that_fails_is_another_matter, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
