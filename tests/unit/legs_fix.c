/* SPDX-License-Identifier: ISC
 *
 * Reports of attempts about a leg, for tests of the legs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/legs_fix.h"

uint64_t legf_mail_to(struct drig *r, unsigned user)
{
	struct spool_delivery d =
	    drig_delivery(r, user, r->legacy, ROLE_PRIMARY, D_QUEUED);

	return drig_accept(r, "a@b.test", user + 1, &d, 1);
}

uint64_t legf_mail(struct drig *r)
{
	return legf_mail_to(r, 0);
}

struct result legf_said(enum reply_class class, enum outcome outcome)
{
	struct result res = drig_result(outcome, 550, "no");

	res.class = class;
	snprintf(res.enh, sizeof(res.enh), "5.7.1");
	return res;
}

/* The next job's answer. */
void legf_answer(struct drig *r, enum reply_class class,
    enum outcome outcome)
{
	struct result res = legf_said(class, outcome);

	assert_true(r->jobs > 0);
	drig_report(r, drig_job(r), WHY_ATTEMPT, &res, 1);
	drig_pump(r);
}

void legf_fault_at(struct drig *r, uint64_t sender, enum stage stage)
{
	struct result res = legf_said(CLASS_CONFIGURATION, OUT_DEFERRED);

	res.stage = stage;
	r->sender = sender;
	legf_mail(r);
	assert_true(r->jobs > 0);
	drig_report(r, drig_job(r), WHY_ATTEMPT, &res, 1);
	drig_pump(r);
}

void legf_fault(struct drig *r, uint64_t sender)
{
	legf_fault_at(r, sender, STAGE_RCPT);
}

void legf_deliver(struct drig *r)
{
	legf_mail(r);
	legf_answer(r, CLASS_NONE, OUT_DELIVERED);
}

bool legf_suspended(const struct drig *r)
{
	return (ledger_gates(r->shared.ledger,
	    r->legacy) & GATE_SUSPENDED) != 0;
}

void legf_fact(struct drig *r, struct strbuf *out)
{
	strbuf_reset(out);
	if (!spool_fact(r->shared.spool, "leg.legacy", out))
		strbuf_reset(out);
}
