/* SPDX-License-Identifier: ISC
 *
 * Decides whether it is the leg that is at fault (D4): counts the messages that
 * were refused for its set-up, asks a question of our own, and tries a leg that
 * is suspended until it takes something. Queue thread.
 *
 * What strangers write must not stop a leg. A fault at MAIL or RCPT is believed
 * when our own question meets it; when the question gets past it, it was about
 * the messages, and they wait alone. A fault behind RCPT cannot be asked about:
 * a message of a sender domain that did not meet it is tried first. A message
 * whose sender may be forged (policy/forged.h) counts for nothing: it may cause
 * a question, and no more.
 */
#include "relay/settle/leg_health_int.h"

#include <stdio.h>

#include "relay/watch/alarm.h"
#include "relay/settle/queue_thread_int.h"

enum {
	ASK_AGAIN_MS = 1000,
	GOOD_MS = DAY_MS, /* "succeeded today" */
};

/* ---- questions --------------------------------------------------------- */

static bool is_good(const struct leg_health *l, const struct leg_state *w)
{
	return w->good[0] != '\0' && leg_now_ms(l) - w->good_ms < GOOD_MS;
}

bool leg_good_recipient(const struct queue_thread *s, int leg,
    char to_out[ADDR_MAX + 1])
{
	const struct leg_state *w = &s->health->leg[leg];

	if (!is_good(s->health, w))
		return false;
	snprintf(to_out, ADDR_MAX + 1, "%s", w->good);
	return true;
}

/* At the end outcomes still come in, but no worker has a connection. */
static bool may_ask(const struct leg_health *l)
{
	return !atomic_load(&l->shared->stopping);
}

/* The workers take turns by leg: each asks over its own connections. */
static void post_question(struct leg_health *l, int leg, const char *to)
{
	struct question_letter *q = NEW(struct question_letter);
	const struct workers *w = l->shared->workers;

	q->letter.kind = W_QUESTION;
	q->leg = leg;
	q->run = l->leg[leg].run.number;
	snprintf(q->to, sizeof(q->to), "%s", to);
	mailbox_post(w->door[leg % w->n].box, &q->letter);
}

/* A stranger can choose the recipient that a fault was met with, so a question
 * about it proves less than one about a recipient that got mail today. */
static void ask(struct leg_health *l, int leg)
{
	struct leg_state *w = &l->leg[leg];

	w->asking = true;
	w->asked_ms = leg_now_ms(l);
	w->asked_good = is_good(l, w);
	post_question(l, leg, w->asked_good ? w->good : w->faulted);
}

static bool has_whom(const struct leg_health *l, const struct leg_state *w)
{
	return is_good(l, w) || w->faulted[0] != '\0';
}

/* Did the question get past the place where the fault was met? */
static bool is_past(const struct leg_state *w, const struct question_letter *a)
{
	if (w->met == MET_CONTENT)
		return false;
	if (a->taken)
		return true;
	switch (w->met) {
	case MET_SESSION:
	case MET_MAIL:
		return a->at_rcpt;
	case MET_RCPT:
		return a->at_rcpt && (a->class == CLASS_RECIPIENT ||
					 a->class == CLASS_MAILBOX);
	default:
		return false;
	}
}

static bool enough(const struct conf_leg *c, const struct run *r)
{
	return c->suspend_messages > 0 &&
	       r->messages.used >= (size_t)c->suspend_messages &&
	       r->senders.used >= (size_t)c->suspend_senders;
}

static void suspend_for_run(struct queue_thread *s, const struct conf_leg *c)
{
	const struct leg_state *w = &s->health->leg[c->id];
	char reason[FACT_REASON];

	snprintf(reason, sizeof(reason), "%zu messages of %zu sender domains "
	    "were refused: %.500s", w->run.messages.used, w->run.senders.used,
	    w->fault);
	leg_suspend(s, c->id, ALARM_LEG_SUSPENDED, CLASS_CONFIGURATION, reason);
}

static void suspend_for_question(struct queue_thread *s,
    const struct question_letter *a)
{
	char reason[FACT_REASON];

	snprintf(reason, sizeof(reason), "a question of our own was refused: "
	    "%.500s", a->said);
	leg_suspend(s, a->leg, ALARM_LEG_SUSPENDED, a->class, reason);
}

/* The leg is well, and those messages are not: an administrator may know
 * why. */
static void say_refused(struct leg_health *l, const struct conf_leg *c)
{
	struct leg_state *w = &l->leg[c->id];
	char text[HEALTH_TEXT];

	w->fault_told_ms = leg_now_ms(l);
	snprintf(text, sizeof(text), "leg \"%s\" refused %zu messages of %zu "
	    "sender domains, which wait: %.500s It took a question of our own, "
	    "so other mail goes on", c->name, w->run.messages.used,
	    w->run.senders.used, w->fault);
	alarm_raise(l->alarms, ALARM_LEG_REFUSES, c->name, text);
}

/* It waits, and the sender is not told: an administrator has to be, though the
 * leg is not stopped for it. Once in alarm.interval. */
static void say_waits(struct leg_health *l, int leg)
{
	struct leg_state *w = &l->leg[leg];
	const struct conf_leg *c = conf_leg_by_id(l->conf, leg);
	int64_t now = leg_now_ms(l);
	char text[HEALTH_TEXT];

	if (c == NULL || w->suspended != NOT ||
	    (w->fault_told_ms != 0 &&
		now - w->fault_told_ms < l->conf->alarm.interval_ms))
		return;
	w->fault_told_ms = now > 0 ? now : 1;
	snprintf(text, sizeof(text), "leg \"%s\" refused a message for its "
	    "set-up or ours, and it waits: %.500s", c->name, w->fault);
	alarm_raise(l->alarms, ALARM_CONFIGURATION, c->name, text);
}

/* While it was under way a delivery may have shown that the leg is well. */
static void answered_in_doubt(struct queue_thread *s, const struct conf_leg *c,
    const struct question_letter *a)
{
	struct leg_state *w = &s->health->leg[a->leg];
	bool many = enough(c, &w->run);

	if (a->run != w->run.number)
		return;
	if (is_past(w, a)) {
		if (many)
			say_refused(s->health, c);
		leg_run_reset(s, a->leg);
		ledger_sound(s->shared->ledger, a->leg);
	} else if (a->class == CLASS_CONFIGURATION && w->asked_good) {
		suspend_for_question(s, a);
	} else if (many) {
		suspend_for_run(s, c);
	}
}

/* The recipient of the question may be gone, or full: that does not end a
 * suspension, and a message has to try. */
void leg_answered(struct queue_thread *s, const struct question_letter *a)
{
	struct leg_state *w = &s->health->leg[a->leg];
	const struct conf_leg *c = conf_leg_by_id(s->health->conf, a->leg);

	w->asking = false;
	if (w->suspended == NOT && c != NULL) {
		bool counted = w->run.messages.used > 0;

		answered_in_doubt(s, c, a);
		if (counted)
			say_waits(s->health, a->leg);
	}
	if (w->suspended != BY_FAULT)
		return;
	if (is_past(w, a) && (a->taken || w->met != MET_RCPT))
		leg_resume(s, a->leg, "a question of our own was taken");
	else if (a->class != CLASS_CONFIGURATION && a->class != CLASS_NETWORK)
		queue_leg_trial(s->queue, a->leg);
}

/* ---- trials ------------------------------------------------------------ */

/* Asking costs no mail a try, so it comes first. */
static void try_leg(struct queue_thread *s, int leg)
{
	struct leg_health *l = s->health;
	struct leg_state *w = &l->leg[leg];

	w->tried_ms = leg_now_ms(l);
	if (w->asking)
		return;
	if (may_ask(l) && has_whom(l, w))
		ask(l, leg);
	else
		queue_leg_trial(s->queue, leg);
}

int leg_step(struct queue_thread *s)
{
	struct leg_health *l = s->health;
	int64_t now = leg_now_ms(l), wait = 1000;

	for (int i = 0; i < l->conf->legs; i++) {
		const struct conf_leg *c = &l->conf->leg[i];
		const struct leg_state *w = &l->leg[c->id];

		if (w->suspended != BY_FAULT || c->probe_ms == 0)
			continue;
		if (now >= w->tried_ms + c->probe_ms)
			try_leg(s, c->id);
		if (w->tried_ms + c->probe_ms - now < wait)
			wait = w->tried_ms + c->probe_ms - now;
	}
	return (int)wait;
}

/* ---- counting ---------------------------------------------------------- */

static enum met met_at(enum stage stage)
{
	if (!stage_transacts(stage))
		return MET_SESSION;
	return stage == STAGE_MAIL ? MET_MAIL :
	       stage == STAGE_RCPT ? MET_RCPT : MET_CONTENT;
}

static void remember(struct map *m, uint64_t key, size_t most)
{
	static char there;

	if (m->used < most)
		map_put(m, key, &there);
}

static void remember_fault(struct leg_state *w, const struct conf_leg *c,
    const struct outcome_letter *o, const struct result *r)
{
	size_t most = (size_t)(c->suspend_messages > c->suspend_senders
				   ? c->suspend_messages : c->suspend_senders);

	remember(&w->run.messages, o->id, most);
	remember(&w->run.senders, o->sender & QUEUE_SENDER_MASK, most);
	w->met = met_at(r->stage);
	snprintf(w->faulted, sizeof(w->faulted), "%s",
	    o->faulted != NULL ? o->faulted : "");
	snprintf(w->fault, sizeof(w->fault), "%d %s %.150s. %.300s", r->code,
	    r->enh, r->text, o->help != NULL ? o->help : "");
}

/* Asks at once where the answer proves something. */
static void ask_early(struct leg_health *l, int leg)
{
	struct leg_state *w = &l->leg[leg];

	if (w->met != MET_CONTENT && may_ask(l) && is_good(l, w) &&
	    !w->asking && leg_now_ms(l) - w->asked_ms >= ASK_AGAIN_MS)
		ask(l, leg);
}

/* It is not counted, and where a fault was met that does count, or is asked
 * about, that is not changed. */
static void see_doubtful_fault(struct leg_health *l, int leg,
    const struct result *r)
{
	struct leg_state *w = &l->leg[leg];

	if (w->suspended != NOT || w->run.messages.used > 0 || w->asking)
		return;
	w->met = met_at(r->stage);
	ask_early(l, leg);
}

void leg_count_fault(struct queue_thread *s, const struct conf_leg *c,
    const struct outcome_letter *o, const struct result *r)
{
	struct leg_health *l = s->health;
	struct leg_state *w = &l->leg[c->id];
	bool askable;

	queue_leg_shun(s->queue, c->id, o->sender);
	if (o->maybe_forged) {
		see_doubtful_fault(l, c->id, r);
		return;
	}
	if (w->suspended != NOT)
		return;
	remember_fault(w, c, o, r);
	askable = w->met != MET_CONTENT && may_ask(l) && has_whom(l, w);
	if (enough(c, &w->run) && !askable) {
		suspend_for_run(s, c);
		return;
	}
	if (askable && !w->asking && enough(c, &w->run))
		ask(l, c->id);
	else
		ask_early(l, c->id);
	if (!w->asking)
		say_waits(l, c->id);
	/* In doubt: the next one, alone. */
	queue_leg_trial(s->queue, c->id);
}
