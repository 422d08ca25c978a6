/* SPDX-License-Identifier: ISC
 *
 * Checkers of SPF of a test.
 */
#include "tests/unit/checker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { TURNS = 3000, TURN_MS = 20, RESOLVER_MS = 5000 };

void checker_rig_open(struct checker_rig *r, const struct dnsserver_row *zone)
{
	clock_fake_init(&r->clock, 0);
	r->loop = loop_new(&r->clock.clock);
	dnsserver_open(&r->server, r->loop, zone);
}

void checker_rig_close(struct checker_rig *r)
{
	dnsserver_close(&r->server);
	loop_free(r->loop);
}

void checker_rig_turn(struct checker_rig *r)
{
	dnsserver_turn(r->loop, &r->clock, TURN_MS);
}

void checker_rig_until(struct checker_rig *r, const int *done, int want)
{
	for (int i = 0; i < TURNS && *done < want; i++)
		checker_rig_turn(r);
	assert_int_equal(*done, want);
}

void rig_checker_open(struct rig_checker *s, struct checker_rig *r,
    fakehelper_fn fn, void *arg, struct shared_verdicts *shared)
{
	s->dns = dnsserver_client(&r->server, &s->conf, RESOLVER_MS);
	s->helper = fakehelper_new(r->loop, fn, arg);
	s->checker = spf_checker_new(r->loop, s->dns, s->helper, shared);
}

void rig_checker_close(struct rig_checker *s)
{
	spf_checker_free(s->checker);
	spf_helper_free(s->helper);
	dns_free(s->dns);
}
