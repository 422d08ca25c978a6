/* SPDX-License-Identifier: ISC
 *
 * Permits of attempts. Jobs of the queue bring theirs; a message that was
 * accepted a moment ago, and one whose domain the queue did not know, takes it
 * here, or goes back to wait for it in the queue.
 */
#include "relay/delivery/attempt_permit.h"

void attempt_know_domains(struct attempt *at)
{
	const struct conf_leg *leg =
	    conf_leg_by_id(at->w->snapshot->conf, at->leg);

	for (unsigned i = 0; leg != NULL && leg->direct && i < at->n; i++) {
		struct delivery_ref *r = &at->row[i].ref;

		if (r->domain == 0 && r->rcpt < at->mail->env.rcpts)
			r->domain = mail_domain(at->mail->env.rcpt[r->rcpt].to);
	}
}

bool attempt_permit(struct attempt *at)
{
	const struct shared *sh = at->w->shared;

	if (at->trial || at->permit.name != 0)
		return true;
	return permit_take(ledger_permits(sh->ledger), at->leg,
		   at->row[0].ref.domain, sh->clock->mono_us(sh->clock),
		   &at->permit).answer == PERMIT_GRANTED;
}

/* Neither a reply nor a reason that holds for good. */
static bool met_no_server(const struct result *r)
{
	return r->class == CLASS_NETWORK ||
	       (r->code == 0 && r->outcome == OUT_DEFERRED);
}

enum permit_end attempt_permit_met(const struct outcome_letter *o)
{
	enum permit_end end = PERMIT_UNUSED;

	for (unsigned i = 0; i < o->n; i++) {
		const struct result *r = &o->row[i].result;

		if (r->outcome == OUT_DELIVERED)
			return PERMIT_DELIVERED;
		if (r->outcome == OUT_UNTRIED)
			continue;
		if (!met_no_server(r))
			end = PERMIT_ANSWERED;
		else if (end == PERMIT_UNUSED)
			end = PERMIT_FAILED;
	}
	return end;
}
