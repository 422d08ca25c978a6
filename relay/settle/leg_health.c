/* SPDX-License-Identifier: ISC
 *
 * The state of each leg: suspended or not, throttled, disbelieved, reachable.
 * Queue thread.
 */
#include "relay/settle/leg_health_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/audit/note.h"
#include "relay/watch/alarm.h"
#include "relay/settle/queue_thread_int.h"

enum { TEXT_BYTES = 900 };

/* What tells our own suspension in the journal from an administrator's, who
 * cannot write it, and one that only a message can end. */
static const char fault_mark[] = "fault\t", content_mark[] = "content\t";

/* ---- small things ------------------------------------------------------ */

struct legs *legs_new(struct app *a)
{
	struct legs *l = NEW(struct legs);

	l->app = a;
	l->conf = conf_ref(a->live->conf);
	for (int i = 0; i < NAMES_MAX; i++) {
		map_init(&l->watch[i].run.messages);
		map_init(&l->watch[i].run.senders);
		map_init(&l->watch[i].unknown);
	}
	return l;
}

static void run_reset(struct run *r)
{
	if (r->messages.used == 0)
		return;
	r->number++;
	map_fini(&r->messages);
	map_fini(&r->senders);
	map_init(&r->messages);
	map_init(&r->senders);
}

void legs_run_reset(struct settle *s, int leg)
{
	queue_leg_shun_none(s->queue, leg);
	run_reset(&s->legs->watch[leg].run);
}

void legs_free(struct legs *l)
{
	for (int i = 0; i < NAMES_MAX; i++) {
		map_fini(&l->watch[i].run.messages);
		map_fini(&l->watch[i].run.senders);
		map_fini(&l->watch[i].unknown);
	}
	conf_unref(l->conf);
	mem_free(l);
}

void legs_configure(struct legs *l, struct conf *c)
{
	conf_unref(l->conf);
	l->conf = conf_ref(c);
}

int64_t legs_now_ms(const struct legs *l)
{
	return clock_mono_ms(l->app->clock);
}

static const char *name_of(const struct legs *l, int leg)
{
	return names_text(l->app->names, leg);
}

void leg_note(struct app *a, const char *leg, const char *state,
    const char *class, const char *reason, const char *who)
{
	struct spool_op *op = spool_op_new();
	struct note_writer w;
	struct strbuf note;
	struct jout *j;

	strbuf_init(&note, 4096);
	j = note_begin(&w, &note, "leg");
	jout_str(j, "leg", leg);
	jout_str(j, "state", state);
	jout_str(j, "class", class);
	jout_str(j, "reason", reason);
	if (who[0] != '\0')
		jout_str(j, "who", who);
	note_end(&w);
	spool_op_note(op, NOTE_LEG, clock_wall_us(a->clock),
	    strbuf_view(&note));
	strbuf_fini(&note);
	spool_post(a->spool, op);
}

/* ---- suspended or not -------------------------------------------------- */

/* Nobody waits for it: it rides in the next batch. */
static void write_fact(struct legs *l, int leg, struct slice value)
{
	struct spool_op *op = spool_op_new();
	char key[NAME_BYTES + 8];

	snprintf(key, sizeof(key), "leg.%s", name_of(l, leg));
	spool_op_fact(op, key, value);
	spool_post(l->app->spool, op);
}

/* From one state to another, and what was counted before is over. */
static void enter(struct settle *s, int leg, enum suspended to)
{
	struct legs *l = s->legs;
	struct watch *w = &l->watch[leg];

	w->suspended = to;
	w->tried_ms = legs_now_ms(l);
	run_reset(&w->run);
	if (to != BY_FAULT)
		queue_leg_shun_none(s->queue, leg);
	memset(w->minute, 0, sizeof(w->minute));
	map_fini(&w->unknown);
	map_init(&w->unknown);
	ledger_sound(l->app->ledger, leg);
	queue_leg_suspend(s->queue, leg, to != NOT);
}

void legs_suspend(struct settle *s, int leg, const char *kind,
    enum reply_class class, const char *reason)
{
	struct legs *l = s->legs;
	const struct conf_leg *c = conf_leg_by_id(l->conf, leg);
	char text[TEXT_BYTES], fact[FACT_REASON];

	if (l->watch[leg].suspended != NOT || c == NULL)
		return;
	enter(s, leg, BY_FAULT);
	snprintf(fact, sizeof(fact), "%s%s%s", fault_mark,
	    l->watch[leg].met == MET_CONTENT ? content_mark : "", reason);
	write_fact(l, leg, slice_str(fact));
	leg_note(l->app, c->name, "suspended", reply_class_text(class),
	    reason, "");
	snprintf(text, sizeof(text), "leg \"%s\" is suspended, its mail "
	    "waits: %.700s %s", c->name, reason, c->probe_ms > 0 ?
		"(one message at a time goes out to try it)" :
		"(until `posthouse leg resume`)");
	alarm_raise(l->app, kind, c->name, text);
}

void legs_resume(struct settle *s, int leg, const char *reason)
{
	struct legs *l = s->legs;

	enter(s, leg, NOT);
	write_fact(l, leg, slice_of("", 0));
	leg_note(l->app, name_of(l, leg), "resumed", "none", reason, "");
}

/* It is written again: a fault, or the end of one, that came between his word
 * and now stands behind it. */
void legs_decided(struct settle *s, int leg, struct slice fact)
{
	enter(s, leg, fact.n != 0 ? BY_ADMIN : NOT);
	write_fact(s->legs, leg, fact);
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

struct slice legs_reason(struct slice fact)
{
	size_t marks = !is_fault(fact) ? 0 : sizeof(fault_mark) - 1;

	if (is_content(fact))
		marks += sizeof(content_mark) - 1;
	return slice_from(fact, marks);
}

void legs_restore(struct settle *s, int leg, struct slice fact)
{
	s->legs->watch[leg].met = is_content(fact) ? MET_CONTENT : MET_SESSION;
	enter(s, leg, fact.n == 0 ? NOT : is_fault(fact) ? BY_FAULT : BY_ADMIN);
}

struct leg_view legs_view(const struct settle *s, int leg)
{
	const struct watch *w = &s->legs->watch[leg];

	struct leg_view v = {w->disbelieved, w->suspended == BY_FAULT, ""};

	memcpy(v.down, w->down, sizeof(v.down));
	return v;
}

unsigned legs_run(const struct settle *s, int leg)
{
	return s->legs->watch[leg].run.number;
}

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
		said.disbelieved += r->class == CLASS_AUTHENTICATION;
		said.throttled |= r->class == CLASS_THROTTLE;
		if (r->class == CLASS_CONFIGURATION)
			said.fault = r;
	}
	return said;
}

/* Attempts that were under way when the limit was halved say nothing of the
 * new one. */
static void count_throttle(struct legs *l, int leg, const struct said *said)
{
	struct watch *w = &l->watch[leg];
	struct ledger *ledger = l->app->ledger;

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
static void count_slow(struct settle *s, const struct outcome_letter *o,
    unsigned delivered)
{
	if (delivered > 0)
		queue_leg_slow_end(s->queue, o->leg, o->sender);
	else if (o->slows)
		queue_leg_slow(s->queue, o->leg, o->sender);
}

static void count_disbelief(struct legs *l, const struct conf_leg *c,
    const struct said *said)
{
	struct watch *w = &l->watch[c->id];
	char text[TEXT_BYTES];

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
	alarm_raise(l->app, "authentication", c->name, text);
}

static void count_delivery(struct settle *s, int leg,
    const struct outcome_letter *o)
{
	struct watch *w = &s->legs->watch[leg];

	/* While it is suspended only its trial says that it is well. */
	if (w->suspended != BY_FAULT)
		legs_run_reset(s, leg);
	if (o->good == NULL)
		return;
	snprintf(w->good, sizeof(w->good), "%s", o->good);
	w->good_ms = legs_now_ms(s->legs);
}

static bool was_trial(struct settle *s, const struct outcome_letter *o)
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

static void note_breaker(struct settle *s, const struct outcome_letter *o,
    const struct said *said)
{
	enum breaker before = queue_leg_breaker(s->queue, o->leg), after;
	const struct result *r = said->any;
	const char *name = name_of(s->legs, o->leg);
	char reason[FACT_REASON], *down = s->legs->watch[o->leg].down;

	queue_leg_result(s->queue, o->leg, o->reached);
	after = queue_leg_breaker(s->queue, o->leg);
	if (after == BREAKER_CLOSED)
		down[0] = '\0';
	else if (r != NULL)
		why_down(r, down, sizeof(s->legs->watch->down));
	if (before == BREAKER_CLOSED && after == BREAKER_OPEN && r != NULL) {
		why_down(r, reason, sizeof(reason));
		leg_note(s->app, name, "down", reply_class_text(r->class),
		    reason, "");
	} else if (before != BREAKER_CLOSED && after == BREAKER_CLOSED) {
		leg_note(s->app, name, "up", "none", "it answers again", "");
	}
}

void legs_outcome(struct settle *s, const struct outcome_letter *o)
{
	const struct conf_leg *c = conf_leg_by_id(s->legs->conf, o->leg);
	struct said said = read_rows(o);
	bool trial;

	if (o->why != WHY_ATTEMPT || !o->tried)
		return;
	note_breaker(s, o, &said);
	trial = was_trial(s, o);
	if (c == NULL || c->direct)
		return;
	count_throttle(s->legs, o->leg, &said);
	count_slow(s, o, said.delivered);
	count_disbelief(s->legs, c, &said);
	legs_count_unknown(s, c, o, said.delivered);
	if (said.delivered > 0) {
		count_delivery(s, o->leg, o);
		if (trial && s->legs->watch[o->leg].suspended == BY_FAULT)
			legs_resume(s, o->leg, "a message was taken");
	} else if (said.fault != NULL) {
		legs_count_fault(s, c, o, said.fault);
	} else {
		ledger_sound(s->app->ledger, o->leg);
	}
}
