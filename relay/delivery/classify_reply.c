/* SPDX-License-Identifier: ISC
 *
 * Classifies a leg's reply (D4, D5): which reply class it is, and whether the
 * delivery ends. A worker's loop.
 */
#include "relay/delivery/classify_reply.h"

#include <stdio.h>

#include "policy/forged.h"
#include "policy/reply_class.h"
#include "relay/watch/alarm.h"
#include "relay/mail/addr.h"
#include "relay/client/client.h"

static const struct conf_leg *leg_of(const struct attempt *at)
{
	return conf_leg_by_id(at->snapshot->conf, at->leg);
}

/* Did the leg as such answer? What our own side found wrong with a message
 * says nothing of it; who is turned away before MAIL has not been served.
 * Behind a direct egress are all servers of the world: one of them says
 * nothing of the others. */
static void judge_leg(const struct conf_leg *leg, struct outcome_letter *o,
    const struct result *r)
{
	bool fault = r->class == CLASS_NETWORK ||
		     r->class == CLASS_CONFIGURATION;

	if (r->outcome == OUT_UNTRIED || (r->code == 0 && !fault) ||
	    (leg != NULL && leg->direct))
		return;
	o->tried = true;
	o->reached |= r->code != 0 && stage_transacts(r->stage);
}

/* Mail that the leg disbelieves need not be forged: it came through us. Only
 * where the leg was not told to trust us is its reply passed on to the
 * sender. */
static void judge_outcome(const struct conf *c, const struct conf_leg *leg,
    struct result *r)
{
	if (r->class == CLASS_AUTHENTICATION && leg != NULL &&
	    leg->trust == TRUST_NONE && r->outcome == OUT_PARKED)
		r->outcome = r->code >= 500 ? OUT_FAILED : OUT_DEFERRED;
	if ((r->outcome == OUT_FAILED || r->outcome == OUT_PARKED) &&
	    (c->soft_bounce || (leg != NULL && leg->soft_bounce)))
		r->outcome = OUT_DEFERRED;
}

/* The leg found out what SPF says of the sender: there is none to tell, and
 * nothing to correct. */
static bool park_forged(const struct envelope *e, struct result *r)
{
	if (r->class != CLASS_AUTHENTICATION || !sender_is_forged(e->spf) ||
	    (r->outcome != OUT_FAILED && r->outcome != OUT_PARKED))
		return false;
	r->outcome = OUT_PARKED;
	return true;
}

static void say_loop(const struct attempt *at, unsigned i,
    const struct result *r, const char *help)
{
	const char *to = at->mail->env.rcpt[at->row[i].ref.rcpt].to;
	char text[600];

	snprintf(text, sizeof(text), "mail to %.200s goes in circles behind "
	    "leg \"%s\", which said %d %s; it %s. %s", to,
	    names_text(at->w->shared->names, at->leg), r->code, r->enh,
	    r->outcome == OUT_PARKED ? "is parked" : "waits", help);
	alarm_raise(at->w->alarms, ALARM_LOOP, to, text);
}

void classify_result(const struct attempt *at, struct outcome_letter *o,
    unsigned i)
{
	const struct conf_leg *leg = leg_of(at);
	struct result *r = &o->row[i].result;
	const struct conf_reply *row =
	    reply_classify(leg != NULL ? leg->replies : NULL, r);
	const char *help = row != NULL ? row->help : "";

	judge_outcome(at->snapshot->conf, leg, r);
	o->row[i].forged = park_forged(&at->mail->env, r);
	judge_leg(leg, o, r);
	o->slows |= row != NULL && row->slows_sender &&
		    r->outcome != OUT_FAILED && at->mail->env.from[0] != '\0';
	if (r->class == CLASS_LOOP)
		say_loop(at, i, r, help);
	if (r->class == CLASS_CONFIGURATION && o->help == NULL) {
		o->help = arena_strdup(at->arena, help);
		o->faulted = at->req.rcpt[i].address;
	}
	if (r->outcome == OUT_DELIVERED)
		o->good = at->req.rcpt[i].address;
}

void classify_attempt(const struct attempt *at, struct outcome_letter *o)
{
	const struct conf_leg *leg = leg_of(at);

	o->sender = mail_sender(at->mail->env.from);
	o->maybe_forged = sender_may_be_forged(at->mail->env.spf);
	if (leg == NULL || leg->direct)
		return;
	if (o->good != NULL)
		ledger_sound(at->w->shared->ledger, at->leg);
	else if (o->help != NULL && !o->maybe_forged)
		ledger_fault(at->w->shared->ledger, at->leg);
}
