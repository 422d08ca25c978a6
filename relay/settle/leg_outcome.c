/* SPDX-License-Identifier: ISC
 *
 * Takes what an attempt says of its leg: whether it is reachable, throttles,
 * slows a sender's domain, or disbelieves our senders. Queue thread.
 */
#include "relay/settle/leg_health_int.h"

#include <stdio.h>

#include "relay/settle/queue_thread_int.h"
#include "relay/watch/alarm.h"

/* ---- what an attempt says ---------------------------------------------- */

/* Of its rows. */
struct said {
	unsigned delivered, disbelieved;
	bool throttled;
	const struct result *fault, *any; /* NULL: none */
};

static struct said read_rows(const struct outcome_letter *o)
{
	struct said said = {0};

	for (unsigned i = 0; i < o->n; i++) {
		const struct result *r = &o->row[i].result;

		if (r->outcome == OUT_UNTRIED)
			continue;
		said.any = r;
		said.delivered += r->outcome == OUT_DELIVERED;
		said.disbelieved += r->class == CLASS_AUTHENTICATION &&
				    !o->maybe_forged;
		said.throttled |= r->class == CLASS_THROTTLE;
		if (r->class == CLASS_CONFIGURATION)
			said.fault = r;
	}
	return said;
}

/* Attempts that were under way when the limit was halved say nothing of the
 * new one. */
static void count_throttle(struct leg_health *l, int leg,
    const struct said *said)
{
	struct leg_state *w = &l->leg[leg];
	struct ledger *ledger = l->shared->ledger;

	if (w->stale > 0) {
		w->stale--;
	} else if (said->throttled) {
		ledger_throttle(ledger, leg);
		w->stale = ledger_used(ledger, leg) - 1;
	}
	if (said->delivered > 0 && !said->throttled)
		ledger_delivered(ledger, leg, said->delivered);
}

/* The domain waits, the leg is as fast as before. */
static void count_slow(struct queue_thread *s, const struct outcome_letter *o,
    unsigned delivered)
{
	if (delivered > 0)
		queue_leg_slow_end(s->queue, o->leg, o->sender);
	else if (o->slows)
		queue_leg_slow(s->queue, o->leg, o->sender);
}

static void count_disbelief(struct leg_health *l, const struct conf_leg *c,
    const struct said *said)
{
	struct leg_state *w = &l->leg[c->id];
	char text[HEALTH_TEXT];

	if (said->delivered > 0)
		w->disbelieved_run = 0;
	if (said->disbelieved == 0)
		return;
	w->disbelieved++;
	w->disbelieved_run++;
	if (c->suspend_messages == 0 ||
	    w->disbelieved_run % (unsigned)c->suspend_messages != 0)
		return;
	snprintf(text, sizeof(text), "leg \"%s\" disbelieved the senders of %u "
	    "messages in a row; declare our address to it as one that "
	    "forwards, then `posthouse queue retry --leg %s --state parked`",
	    c->name, w->disbelieved_run, c->name);
	alarm_raise(l->alarms, ALARM_AUTHENTICATION, c->name, text);
}

static void count_delivery(struct queue_thread *s, int leg,
    const struct outcome_letter *o)
{
	struct leg_state *w = &s->health->leg[leg];

	/* While it is suspended only its trial says that it is well. */
	if (w->suspended != BY_FAULT)
		leg_run_reset(s, leg);
	if (o->good == NULL)
		return;
	slice_copy(slice_str(o->good), w->good, sizeof(w->good));
	w->good_ms = leg_now_ms(s->health);
}

static bool was_trial(struct queue_thread *s, const struct outcome_letter *o)
{
	for (unsigned i = 0; i < o->n; i++)
		if (queue_leg_tried(s->queue, o->leg, o->id,
			o->row[i].delivery.number))
			return true;
	return false;
}

/* ---- the breaker ------------------------------------------------------- */

/* "mx [192.0.2.7]:25: connect: refused", "… said 535 5.7.8 no". */
static void why_down(const struct result *r, char *out, size_t size)
{
	if (r->code != 0)
		snprintf(out, size, "%.100s said %d %s %.500s", r->remote,
		    r->code, r->enh, r->text);
	else
		snprintf(out, size, "%.100s: %.500s", r->remote, r->text);
}

static void note_breaker(struct queue_thread *s, const struct outcome_letter *o,
    const struct said *said)
{
	enum breaker before = queue_leg_breaker(s->queue, o->leg), after;
	const struct result *r = said->any;
	const char *name = leg_health_name(s->health, o->leg);
	char reason[FACT_REASON], *down = s->health->leg[o->leg].down;

	queue_leg_result(s->queue, o->leg, o->reached);
	after = queue_leg_breaker(s->queue, o->leg);
	if (after == BREAKER_CLOSED)
		down[0] = '\0';
	else if (r != NULL)
		why_down(r, down, sizeof(s->health->leg->down));
	if (before == BREAKER_CLOSED && after == BREAKER_OPEN && r != NULL) {
		why_down(r, reason, sizeof(reason));
		leg_note(s->shared, &(struct leg_event){.leg = name,
		    .state = "down", .class = reply_class_text(r->class),
		    .reason = reason});
	} else if (before != BREAKER_CLOSED && after == BREAKER_CLOSED) {
		leg_note(s->shared, &(struct leg_event){.leg = name,
		    .state = "up", .class = "none",
		    .reason = "it answers again"});
	}
}

void leg_outcome(struct queue_thread *s, const struct outcome_letter *o)
{
	const struct conf_leg *c = conf_leg_by_id(s->health->conf, o->leg);
	struct said said = read_rows(o);
	bool trial;

	if (o->why != WHY_ATTEMPT || !o->tried)
		return;
	note_breaker(s, o, &said);
	trial = was_trial(s, o);
	if (c == NULL || c->direct)
		return;
	count_throttle(s->health, o->leg, &said);
	count_slow(s, o, said.delivered);
	count_disbelief(s->health, c, &said);
	leg_count_unknown(s, c, o, said.delivered);
	if (said.delivered > 0) {
		count_delivery(s, o->leg, o);
		if (trial && s->health->leg[o->leg].suspended == BY_FAULT)
			leg_resume(s, o->leg, "a message was taken");
	} else if (said.fault != NULL) {
		leg_count_fault(s, c, o, said.fault);
		/* It proved nothing: another message tries the leg. */
		if (trial && o->maybe_forged)
			queue_leg_trial(s->queue, o->leg);
	} else {
		ledger_sound(s->shared->ledger, o->leg);
	}
}
