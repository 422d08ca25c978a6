/* SPDX-License-Identifier: ISC
 *
 * Raises alarms for conditions that need an administrator. An alarm is raised
 * once, when the condition begins; `posthouse status` shows it while it lasts.
 */
#include "relay/watch/conditions.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/audit/projector.h"
#include "relay/base/clock.h"
#include "relay/base/loop.h"
#include "relay/base/mem.h"
#include "relay/watch/alarm.h"
#include "relay/post/call.h"
#include "relay/post/queue_letters.h"

enum { LOOK_MS = 1000, TEXT_BYTES = 400 };

struct conditions {
	struct conditions_config c;
	struct timer timer;
	enum spool_health health;
	bool table, audit;
	uint64_t gap;
	int64_t wanted_us; /* wall: the last alarm about a client; 0 */
	_Atomic bool asked; /* the queue thread is to look at the legs */
	_Atomic int64_t patience_us;
	bool down[NAMES_MAX]; /* the queue thread's */
};

/* ---- the ops loop ---- */

static void look_at_spool(struct conditions *w)
{
	static const struct {
		enum alarm_kind kind;
		const char *text;
	} alarms[] = {
		[SPOOL_LOW] = {ALARM_SPOOL_LOW, "Space runs short: retained "
		    "mail is given up before its time. Raise spool.max, or "
		    "give the disk more room."},
		[SPOOL_NO_SPACE] = {ALARM_SPOOL_FULL, "There is no space: new "
		    "mail is answered 452. Give the disk more room, raise "
		    "spool.max, or settle what waits."},
		[SPOOL_SYNC_FAILED] = {ALARM_SPOOL_FAILED, "The disk failed to "
		    "keep what was written: no mail is accepted until "
		    "posthoused is started again. Look at the disk first."},
	};
	struct spool_stats *st = NEW(struct spool_stats);
	enum spool_health now;

	spool_stats(w->c.shared->spool, st);
	now = st->health;
	if (st->full && now < SPOOL_NO_SPACE)
		now = SPOOL_NO_SPACE;
	if (now > w->health)
		alarm_raise(w->c.alarms, alarms[now].kind,
		    w->c.snapshot(w->c.arg)->conf->spool.path,
		    alarms[now].text);
	w->health = now;
	mem_free(st);
}

static void look_at_table(struct conditions *w)
{
	bool bad = atomic_load(&w->c.shared->table_bad);

	if (bad && !w->table)
		alarm_raise(w->c.alarms, ALARM_TABLE, w->c.shared->table_path,
		    "The cutover "
		    "table cannot be read, or is older than what is known of "
		    "it: mail is answered 451. If a backup was put back, see "
		    "posthouse table accept.");
	w->table = bad;
}

static void look_at_audit(struct conditions *w)
{
	const struct conf *c = w->c.snapshot(w->c.arg)->conf;
	struct projector_stats st;
	char text[TEXT_BYTES];
	bool bad;

	projector_stats(w->c.projector, &st);
	bad = st.failing || st.behind_us > c->alarm.interval_ms * 1000;
	if (bad && !w->audit)
		alarm_raise(w->c.alarms, ALARM_AUDIT, c->audit.path, st.failing
			? "The audit index cannot be written, or the journal "
			  "not be read for it; the log says why. Mail goes "
			  "on, and the journal keeps what is to be told while "
			  "it has room."
			: "The audit index is behind: trace does not know the "
			  "newest mail.");
	w->audit = bad;
	if (st.gap > w->gap) {
		snprintf(text, sizeof(text), "The audit trail has a gap of "
		    "%" PRIu64 " records that did not come in. posthouse "
		    "trace and the log say where (audit.gap), and why.",
		    st.gap - w->gap);
		alarm_raise(w->c.alarms, ALARM_AUDIT_GAP, c->audit.path, text);
	}
	w->gap = st.gap;
}

/* One alarm a day, whichever clients they are: a device tries for years. */
static void look_at_clients(struct conditions *w)
{
	int64_t now_us = clock_wall_us(w->c.shared->clock);
	char client[PROJECTOR_CLIENT_TEXT], text[TEXT_BYTES];

	if (w->wanted_us != 0 && now_us - w->wanted_us < DAY_US)
		return;
	if (!projector_wants_outbound(w->c.projector, client))
		return;
	w->wanted_us = now_us;
	snprintf(text, sizeof(text), "%s, in a private network, was refused "
	    "mail to the outside, and is in no outbound.clients. posthouse "
	    "stragglers --outbound lists all such clients, as that list.",
	    client);
	alarm_raise(w->c.alarms, ALARM_WANTS_OUTBOUND, client, text);
}

/* ---- the queue thread ---- */

static void look_at_leg(struct conditions *w, int leg, int64_t now_us)
{
	struct queue *q = w->c.queue;
	int64_t since = queue_leg_down_since(q, leg);
	unsigned gates = ledger_gates(w->c.shared->ledger, leg);
	bool down = since != 0 && (gates & GATE_BREAKER) != 0 &&
		    (gates & GATE_SUSPENDED) == 0 &&
		    now_us - since > atomic_load(&w->patience_us);
	struct queue_counts n;
	char text[TEXT_BYTES];

	if (down && !w->down[leg]) {
		queue_count(q, &n);
		snprintf(text, sizeof(text), "Leg %s has not been reachable "
		    "for %" PRId64 " s; %" PRIu64 " deliveries wait for it "
		    "and are kept. posthouse queue list --leg %s says why.",
		    names_text(w->c.shared->names, leg),
		    (now_us - since) / 1000000,
		    n.leg[leg].state[D_QUEUED] + n.leg[leg].state[D_DEFERRED],
		    names_text(w->c.shared->names, leg));
		alarm_raise(w->c.alarms, ALARM_LEG_DOWN,
		    names_text(w->c.shared->names, leg), text);
	}
	w->down[leg] = down;
}

static void look_at_legs(void *arg)
{
	struct conditions *w = arg;
	int64_t now_us = clock_wall_us(w->c.shared->clock);

	for (int i = 0; i < names_count(w->c.shared->names); i++)
		look_at_leg(w, i, now_us);
	atomic_store(&w->asked, false);
}

/* ---- the timer ---- */

static void on_timer(void *arg)
{
	struct conditions *w = arg;
	const struct conf *c = w->c.snapshot(w->c.arg)->conf;

	timer_set(&w->timer, LOOK_MS);
	atomic_store(&w->patience_us, c->alarm.interval_ms * 1000);
	if (!atomic_exchange(&w->asked, true))
		call_post(w->c.shared->queue_box, S_CALL, look_at_legs, w);
	look_at_spool(w);
	look_at_table(w);
	look_at_audit(w);
	look_at_clients(w);
}

struct conditions *conditions_new(const struct conditions_config *c)
{
	struct conditions *w = NEW(struct conditions);

	w->c = *c;
	timer_init(&w->timer, c->loop, on_timer, w);
	timer_set(&w->timer, LOOK_MS);
	return w;
}

void conditions_stop(struct conditions *w)
{
	if (w != NULL)
		timer_fini(&w->timer);
}

void conditions_free(struct conditions *w)
{
	mem_free(w);
}
