/* SPDX-License-Identifier: ISC
 *
 * Mail of our own, as it is written down and as the queue is told of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "relay/base/mem.h"
#include "relay/delivery/own_mail.h"

enum { NOW = 1000, LEGACY = 4, CLOUD = 7, CHANGE = 9, UNTOUCHED = 99 };

static struct decision to_both(void)
{
	struct decision d;

	memset(&d, 0, sizeof(d));
	d.route.kind = ROUTE_LEGS;
	d.route.legs = 2;
	d.route.leg[0] = LEGACY;
	d.route.leg[1] = CLOUD;
	d.change = CHANGE;
	strcpy(d.base, "ops@a.example");
	return d;
}

/* One that is held or parked has the time of its arrival, one that goes none
 * yet. */
static void its_deliveries_wait_or_go(void **state)
{
	static const struct {
		bool held;
		enum why why;
		enum dstate state;
		int64_t due_us;
	} cases[] = {
		{false, WHY_NONE, D_QUEUED, 0},
		{true, WHY_NONE, D_HELD, NOW},
		{false, WHY_NO_WAY, D_PARKED, NOW},
		{true, WHY_NO_WAY, D_PARKED, NOW},
	};
	struct spool_delivery out[ROUTE_LEGS_MAX];
	struct decision d = to_both();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		d.held = cases[i].held;
		assert_int_equal(own_mail_deliveries(&d, cases[i].why, NOW,
		    out), 2);
		for (int k = 0; k < 2; k++) {
			assert_int_equal(out[k].leg, k == 0 ? LEGACY : CLOUD);
			assert_int_equal(out[k].role,
			    k == 0 ? ROLE_PRIMARY : ROLE_COPY);
			assert_int_equal(out[k].state, cases[i].state);
			assert_int_equal(out[k].reason, cases[i].why);
			assert_int_equal(out[k].due_us, cases[i].due_us);
			assert_int_equal(out[k].created_us, NOW);
			assert_int_equal(out[k].change, CHANGE);
			assert_int_equal(out[k].hash,
			    mail_hash("ops@a.example"));
		}
	}
	d.base[0] = '\0';
	d.route.legs = 1;
	out[1].leg = UNTOUCHED;
	assert_int_equal(own_mail_deliveries(&d, WHY_NONE, NOW, out), 1);
	assert_int_equal(out[0].hash, 0);
	assert_int_equal(out[1].leg, UNTOUCHED);
}

/* By the recipient's base address; one that is on no row by its own. */
static void the_queue_is_told_of_each_delivery(void **state)
{
	struct envelope_rcpt to = {.to = "ops+1@a.example"};
	const struct envelope e = {.id = 11, .size = 222, .from = "",
	    .rcpt = &to, .rcpts = 1};
	struct spool_delivery out[ROUTE_LEGS_MAX];
	struct decision d = to_both();
	unsigned n = own_mail_deliveries(&d, WHY_NO_WAY, NOW, out);
	struct accepted_letter *l;

	(void)state;
	for (int k = 0; k < 2; k++) {
		l = own_mail_items(&e, &d, out, n);
		assert_int_equal(l->letter.kind, S_ACCEPTED);
		assert_int_equal(l->id, 11);
		assert_int_equal(l->size, 222);
		assert_int_equal(l->sender, mail_sender(""));
		assert_false(l->claimed);
		assert_int_equal(l->n, 2);
		for (unsigned i = 0; i < l->n; i++) {
			assert_int_equal(l->item[i].number, i);
			assert_int_equal(l->item[i].leg,
			    i == 0 ? LEGACY : CLOUD);
			assert_int_equal(l->item[i].state, D_PARKED);
			assert_int_equal(l->item[i].reason, WHY_NO_WAY);
			assert_int_equal(l->item[i].due_us, NOW);
			assert_int_equal(l->item[i].hash, mail_hash(k == 0
				? "ops@a.example" : "ops+1@a.example"));
		}
		mem_free(l);
		d.base[0] = '\0';
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_deliveries_wait_or_go),
		cmocka_unit_test(the_queue_is_told_of_each_delivery),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
