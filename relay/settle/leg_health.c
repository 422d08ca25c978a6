/* SPDX-License-Identifier: ISC
 *
 * The state of each leg: suspended or not, throttled, disbelieved, reachable.
 * Queue thread.
 */
#include "relay/settle/leg_health_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/audit/note_post.h"
#include "relay/watch/alarm.h"
#include "relay/settle/queue_thread_int.h"

/* Mark our own suspension in the journal, which an administrator cannot write,
 * and one that only a message can end. */
static const char fault_mark[] = "fault\t", content_mark[] = "content\t";

/* ---- small things ------------------------------------------------------ */

struct leg_health *leg_health_new(struct shared *sh, struct alarms *alarms,
    const struct conf *c)
{
	struct leg_health *l = NEW(struct leg_health);

	l->shared = sh;
	l->alarms = alarms;
	l->conf = c;
	for (int i = 0; i < NAMES_MAX; i++) {
		map_init(&l->leg[i].run.messages);
		map_init(&l->leg[i].run.senders);
		map_init(&l->leg[i].unknown);
	}
	return l;
}

/* A question that is under way was about the run before. */
static void run_reset(struct leg_state *w)
{
	struct run *r = &w->run;

	if (r->messages.used == 0 && !w->asking)
		return;
	r->number++;
	map_fini(&r->messages);
	map_fini(&r->senders);
	map_init(&r->messages);
	map_init(&r->senders);
}

void leg_run_reset(struct queue_thread *s, int leg)
{
	queue_leg_shun_none(s->queue, leg);
	run_reset(&s->health->leg[leg]);
}

void leg_health_free(struct leg_health *l)
{
	for (int i = 0; i < NAMES_MAX; i++) {
		map_fini(&l->leg[i].run.messages);
		map_fini(&l->leg[i].run.senders);
		map_fini(&l->leg[i].unknown);
	}
	mem_free(l);
}

void leg_health_configure(struct leg_health *l, const struct conf *c)
{
	l->conf = c;
}

int64_t leg_now_ms(const struct leg_health *l)
{
	return clock_mono_ms(l->shared->clock);
}

const char *leg_health_name(const struct leg_health *l, int leg)
{
	return names_text(l->shared->names, leg);
}

void leg_note(struct shared *sh, const struct leg_event *e)
{
	struct note_draft n;
	struct jout *j = note_open(&n, EVENT_LEG);

	jout_str(j, "leg", e->leg);
	jout_str(j, "state", e->state);
	jout_str(j, "class", e->class);
	jout_str(j, "reason", e->reason);
	if (e->who != NULL)
		jout_str(j, "who", e->who);
	note_post(&n, sh->spool, NOTE_LEG, clock_wall_us(sh->clock));
}

/* ---- suspended or not -------------------------------------------------- */

/* No answer is waited for: it rides in the next batch. */
static void write_fact(struct leg_health *l, int leg, struct slice value)
{
	struct spool_op *op = spool_op_new();
	char key[NAME_BYTES + 8];

	snprintf(key, sizeof(key), "leg.%s", leg_health_name(l, leg));
	spool_op_fact(op, key, value);
	spool_post(l->shared->spool, op);
}

/* From one state to another, and what was counted before is over. */
static void enter(struct queue_thread *s, int leg, enum suspended to)
{
	struct leg_health *l = s->health;
	struct leg_state *w = &l->leg[leg];

	w->suspended = to;
	w->tried_ms = leg_now_ms(l);
	run_reset(w);
	if (to != BY_FAULT)
		queue_leg_shun_none(s->queue, leg);
	memset(w->minute, 0, sizeof(w->minute));
	map_fini(&w->unknown);
	map_init(&w->unknown);
	ledger_sound(l->shared->ledger, leg);
	queue_leg_suspend(s->queue, leg, to != NOT);
}

void leg_suspend(struct queue_thread *s, int leg, enum alarm_kind kind,
    enum reply_class class, const char *reason)
{
	struct leg_health *l = s->health;
	const struct conf_leg *c = conf_leg_by_id(l->conf, leg);
	char text[HEALTH_TEXT], fact[FACT_REASON];

	if (l->leg[leg].suspended != NOT || c == NULL)
		return;
	enter(s, leg, BY_FAULT);
	snprintf(fact, sizeof(fact), "%s%s%s", fault_mark,
	    l->leg[leg].met == MET_CONTENT ? content_mark : "", reason);
	write_fact(l, leg, slice_str(fact));
	leg_note(l->shared, &(struct leg_event){.leg = c->name,
	    .state = "suspended", .class = reply_class_text(class),
	    .reason = reason});
	snprintf(text, sizeof(text), "leg \"%s\" is suspended, its mail "
	    "waits: %.700s %s", c->name, reason, c->probe_ms > 0 ?
		"(one message at a time goes out to try it)" :
		"(until `posthouse leg resume`)");
	alarm_raise(l->alarms, kind, c->name, text);
}

void leg_resume(struct queue_thread *s, int leg, const char *reason)
{
	struct leg_health *l = s->health;

	enter(s, leg, NOT);
	write_fact(l, leg, slice_of("", 0));
	leg_note(l->shared, &(struct leg_event){
	    .leg = leg_health_name(l, leg), .state = "resumed",
	    .class = "none", .reason = reason});
}

/* It is written again: a fault, or the end of one, that came after the
 * administrator's decision stands behind it. */
void leg_decided(struct queue_thread *s, int leg, struct slice fact)
{
	enter(s, leg, fact.n != 0 ? BY_ADMIN : NOT);
	write_fact(s->health, leg, fact);
}

static bool is_fault(struct slice fact)
{
	return slice_starts(fact, slice_str(fault_mark));
}

static bool is_content(struct slice fact)
{
	return is_fault(fact) &&
	       slice_starts(slice_from(fact, sizeof(fault_mark) - 1),
		   slice_str(content_mark));
}

struct slice leg_fact_reason(struct slice fact)
{
	size_t marks = !is_fault(fact) ? 0 : sizeof(fault_mark) - 1;

	if (is_content(fact))
		marks += sizeof(content_mark) - 1;
	return slice_from(fact, marks);
}

void leg_restore(struct queue_thread *s, int leg, struct slice fact)
{
	s->health->leg[leg].met = is_content(fact) ? MET_CONTENT : MET_SESSION;
	enter(s, leg, fact.n == 0 ? NOT : is_fault(fact) ? BY_FAULT : BY_ADMIN);
}

struct leg_view leg_look(const struct queue_thread *s, int leg)
{
	const struct leg_state *w = &s->health->leg[leg];

	struct leg_view v = {w->disbelieved, w->suspended == BY_FAULT, ""};

	memcpy(v.down, w->down, sizeof(v.down));
	return v;
}

unsigned leg_run(const struct queue_thread *s, int leg)
{
	return s->health->leg[leg].run.number;
}
