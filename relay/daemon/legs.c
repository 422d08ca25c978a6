/* SPDX-License-Identifier: ISC
 *
 * The legs as such: counts of what attempts say, and what follows. Queue
 * thread.
 */
#include "relay/daemon/legs.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/audit/note.h"
#include "relay/base/map.h"
#include "relay/daemon/alarm.h"
#include "relay/daemon/settle_int.h"
#include "relay/mail/addr.h"

enum {
	ASK_AGAIN_MS = 1000,
	GOOD_MS = 24 * 3600 * 1000, /* "succeeded today" */
	MINUTES = 10, MINUTE_MS = 60000, /* of the window of unknown ones */
	UNKNOWN_MIN = 5, UNKNOWN_PART = 5, /* a fifth, and five at least */
	UNKNOWN_MAX = 4096, /* recipients that are told apart */
	TEXT_BYTES = 900, FACT_REASON = 700,
};

/* What tells our own suspension in the journal from an administrator's, who
 * cannot write it. */
static const char fault_mark[] = "fault\t";

enum suspended { NOT, BY_FAULT, BY_ADMIN };

/* Messages and sender domains that met a fault of the set-up since the last
 * delivery. */
struct run {
	unsigned number; /* a delivery begins the next */
	struct map messages, senders;
};

struct minute {
	int64_t at; /* minutes of the clock */
	unsigned unknown, delivered;
};

struct watch {
	enum suspended suspended;
	struct run run;
	int64_t tried_ms; /* or suspended; by fault: a trial follows */
	bool in_content; /* the fault was met behind RCPT: asking is no proof */
	bool asking;
	int64_t asked_ms;
	char good[ADDR_MAX + 1]; /* got mail there, and when */
	int64_t good_ms;
	struct minute minute[MINUTES];
	struct map unknown; /* recipients in them, by hash */
	uint64_t disbelieved;
	unsigned disbelieved_run; /* with no delivery between */
	char down[200]; /* the last fault on the way to it; "" when none */
	int stale; /* attempts that began before the last throttle */
};

struct legs {
	struct app *app;
	struct conf *conf;
	struct watch watch[NAMES_MAX];
};

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

static int64_t now_ms(const struct legs *l)
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
	w->tried_ms = now_ms(l);
	run_reset(&w->run);
	memset(w->minute, 0, sizeof(w->minute));
	map_fini(&w->unknown);
	map_init(&w->unknown);
	ledger_sound(l->app->ledger, leg);
	queue_leg_suspend(s->queue, leg, to != NOT);
}

static void suspend(struct settle *s, int leg, const char *kind,
    enum reply_class class, const char *reason)
{
	struct legs *l = s->legs;
	const struct conf_leg *c = conf_leg_by_id(l->conf, leg);
	char text[TEXT_BYTES], fact[FACT_REASON];

	if (l->watch[leg].suspended != NOT || c == NULL)
		return;
	enter(s, leg, BY_FAULT);
	snprintf(fact, sizeof(fact), "%s%s", fault_mark, reason);
	write_fact(l, leg, slice_str(fact));
	leg_note(l->app, c->name, "suspended", reply_class_text(class),
	    reason, "");
	snprintf(text, sizeof(text), "leg \"%s\" is suspended, its mail "
	    "waits: %.700s %s", c->name, reason, c->probe_ms > 0 ?
		"(one message at a time goes out to try it)" :
		"(until `posthouse leg resume`)");
	alarm_raise(l->app, kind, c->name, text);
}

static void resume(struct settle *s, int leg, const char *reason)
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

struct slice legs_reason(struct slice fact)
{
	return is_fault(fact) ? slice_from(fact, sizeof(fault_mark) - 1) :
				fact;
}

void legs_restore(struct settle *s, int leg, struct slice fact)
{
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

/* ---- questions and trials ---------------------------------------------- */

static bool is_good(const struct legs *l, const struct watch *w)
{
	return w->good[0] != '\0' && now_ms(l) - w->good_ms < GOOD_MS;
}

/* At the end outcomes still come in, but no worker has a connection. */
static bool may_ask(const struct legs *l, const struct watch *w)
{
	return !atomic_load(&l->app->stopping) && !w->asking && is_good(l, w);
}

bool legs_good_recipient(const struct settle *s, int leg,
    char to_out[ADDR_MAX + 1])
{
	const struct watch *w = &s->legs->watch[leg];

	if (!is_good(s->legs, w))
		return false;
	snprintf(to_out, ADDR_MAX + 1, "%s", w->good);
	return true;
}

static void ask(struct legs *l, int leg)
{
	struct watch *w = &l->watch[leg];

	w->asking = true;
	w->asked_ms = now_ms(l);
	legask_send(l->app, leg, w->run.number, w->good);
}

/* While it was under way a delivery may have shown that the leg is well: one
 * who forges mail of ours to be refused must not stop the rest. */
static void answered_in_doubt(struct settle *s, const struct leg_answer *a)
{
	const struct watch *w = &s->legs->watch[a->leg];
	char reason[FACT_REASON];

	if (a->class != CLASS_CONFIGURATION || a->run != w->run.number ||
	    w->run.messages.used == 0)
		return;
	snprintf(reason, sizeof(reason), "a question of our own was refused: "
	    "%.500s", a->said);
	suspend(s, a->leg, "leg-suspended", a->class, reason);
}

/* Whom we asked about may be gone, or full: that says nothing of the leg, and
 * a message has to. */
void legs_answered(struct settle *s, const struct leg_answer *a)
{
	struct legs *l = s->legs;
	struct watch *w = &l->watch[a->leg];

	w->asking = false;
	if (w->suspended == NOT)
		answered_in_doubt(s, a);
	if (w->suspended != BY_FAULT || a->class == CLASS_CONFIGURATION ||
	    a->class == CLASS_NETWORK)
		return;
	if (a->taken && !w->in_content &&
	    ledger_ready(l->app->ledger, a->leg) == 0)
		resume(s, a->leg, "a question of our own was taken");
	else
		queue_leg_trial(s->queue, a->leg);
}

/* Asking costs nobody's mail a try, so it comes first. */
static void try_leg(struct settle *s, int leg)
{
	struct legs *l = s->legs;

	l->watch[leg].tried_ms = now_ms(l);
	if (may_ask(l, &l->watch[leg]))
		ask(l, leg);
	else
		queue_leg_trial(s->queue, leg);
}

int legs_step(struct settle *s)
{
	struct legs *l = s->legs;
	int64_t now = now_ms(l), wait = 1000;

	for (int i = 0; i < l->conf->legs; i++) {
		const struct conf_leg *c = &l->conf->leg[i];
		const struct watch *w = &l->watch[c->id];

		if (w->suspended != BY_FAULT || c->probe_ms == 0)
			continue;
		if (now >= w->tried_ms + c->probe_ms)
			try_leg(s, c->id);
		if (w->tried_ms + c->probe_ms - now < wait)
			wait = w->tried_ms + c->probe_ms - now;
	}
	return (int)wait;
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

/* Recipients that the leg had lately and does not know now; one that is tried
 * again and again is one. */
static unsigned new_unknown(struct settle *s, const struct outcome_letter *o,
    int64_t minute)
{
	struct map *m = &s->legs->watch[o->leg].unknown;
	struct queue_item item;
	unsigned n = 0;

	if (m->used >= UNKNOWN_MAX) {
		map_fini(m);
		map_init(m);
	}
	for (unsigned i = 0; i < o->n; i++) {
		if (!o->row[i].known ||
		    o->row[i].result.class != CLASS_RECIPIENT ||
		    !queue_get(s->queue, o->id, o->row[i].delivery.number,
			&item) ||
		    (intptr_t)map_get(m, item.hash) > minute - MINUTES)
			continue;
		map_put(m, item.hash, (void *)(intptr_t)minute);
		n++;
	}
	return n;
}

/* A fifth of the recipients that the leg had lately, and it says that it has
 * never heard of them: its directory is gone, not they. */
static void count_unknown(struct settle *s, const struct conf_leg *c,
    const struct outcome_letter *o, const struct said *said)
{
	struct watch *w = &s->legs->watch[c->id];
	int64_t at = now_ms(s->legs) / MINUTE_MS + MINUTES; /* never 0 */
	unsigned fresh = new_unknown(s, o, at), unknown = 0, delivered = 0;
	struct minute *m = &w->minute[at % MINUTES];
	char reason[FACT_REASON];

	if (m->at != at)
		*m = (struct minute){.at = at};
	m->unknown += fresh;
	m->delivered += said->delivered;
	if (fresh == 0)
		return;
	for (int i = 0; i < MINUTES; i++) {
		if (w->minute[i].at <= at - MINUTES)
			continue;
		unknown += w->minute[i].unknown;
		delivered += w->minute[i].delivered;
	}
	if (unknown < UNKNOWN_MIN ||
	    unknown * UNKNOWN_PART < unknown + delivered)
		return;
	snprintf(reason, sizeof(reason), "it does not know %u recipients any "
	    "more that it took lately, and took %u others; look at its "
	    "directory", unknown, delivered);
	w->in_content = false;
	suspend(s, c->id, "unknown-recipients", CLASS_RECIPIENT, reason);
}

static void remember(struct map *m, uint64_t key, size_t most)
{
	static char there;

	if (m->used < most)
		map_put(m, key, &there);
}

static bool enough(const struct conf_leg *c, const struct run *r)
{
	return c->suspend_messages > 0 &&
	       r->messages.used >= (size_t)c->suspend_messages &&
	       r->senders.used >= (size_t)c->suspend_senders;
}

static void count_fault(struct settle *s, const struct conf_leg *c,
    const struct outcome_letter *o, const struct result *r)
{
	struct legs *l = s->legs;
	struct watch *w = &l->watch[c->id];
	size_t most = (size_t)(c->suspend_messages > c->suspend_senders
				   ? c->suspend_messages : c->suspend_senders);
	char reason[FACT_REASON];

	if (w->suspended != NOT)
		return;
	remember(&w->run.messages, o->id, most);
	remember(&w->run.senders, o->sender, most);
	w->in_content = strcmp(r->stage, "body") == 0 ||
			strcmp(r->stage, "data") == 0;
	if (enough(c, &w->run)) {
		snprintf(reason, sizeof(reason), "%zu messages of %zu sender "
		    "domains were refused: %d %s %.150s. %.300s",
		    w->run.messages.used, w->run.senders.used, r->code,
		    r->enh, r->text, o->help != NULL ? o->help : "");
		suspend(s, c->id, "leg-suspended", r->class, reason);
		return;
	}
	if (may_ask(l, w) && now_ms(l) - w->asked_ms >= ASK_AGAIN_MS)
		ask(l, c->id);
	/* In doubt: the next one, alone. */
	queue_leg_trial(s->queue, c->id);
}

static void count_delivery(struct legs *l, int leg,
    const struct outcome_letter *o)
{
	struct watch *w = &l->watch[leg];

	run_reset(&w->run);
	if (o->good == NULL)
		return;
	snprintf(w->good, sizeof(w->good), "%s", o->good);
	w->good_ms = now_ms(l);
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
	count_disbelief(s->legs, c, &said);
	count_unknown(s, c, o, &said);
	if (said.delivered > 0) {
		count_delivery(s->legs, o->leg, o);
		if (trial && s->legs->watch[o->leg].suspended == BY_FAULT)
			resume(s, o->leg, "a message was taken");
	} else if (said.fault != NULL) {
		count_fault(s, c, o, said.fault);
	} else {
		ledger_sound(s->app->ledger, o->leg);
	}
}
