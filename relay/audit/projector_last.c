/* SPDX-License-Identifier: ISC
 *
 * ledger.db beside the index: it is committed less often, so its cursor may
 * stand behind. At a start the records between are read for it alone, and
 * what it lost for good is read again from the index, newest hour first, while
 * nothing else is to be done.
 */
#include "relay/audit/projector_int.h"

#include "relay/base/log.h"
#include "relay/mail/result.h"

enum {
	REFILL_ROWS = 2000, /* a step */
	REFILL_PAUSE_MS = 20,
	QUIET_MS = 1000,
};

/* ---- opening ----------------------------------------------------------- */

static struct last_place place_of(struct projector *p, struct spool_pos pos)
{
	return (struct last_place){hourfile_state(projector_file(p))->spool,
	    pos};
}

static struct last_time now_of(const struct projector *p, int64_t mono_ms)
{
	return (struct last_time){p->clock->wall_us(p->clock), mono_ms};
}

/* Does its cursor mean a place in this journal? One that was restored together
 * with the index has the id of before until its next commit. */
static bool is_of(const struct projector *p, struct last_place last,
    struct last_place at)
{
	return last.spool == at.spool ||
	       (p->in.origin != NULL && !last_place_before(at, last) &&
		   projector_is_spool(p->in.origin, last.spool));
}

/* Its cursor means nothing in the journal of another spool; and where an era
 * begins, neither has all that was delivered before. */
void projector_last_open(struct projector *p, const struct conf *c)
{
	struct last_place at =
	    place_of(p, hourfile_state(projector_file(p))->cursor);
	struct last_time now = now_of(p, clock_mono_ms(p->clock));
	struct last_place last;

	p->index_path = mem_strdup(c->audit.path);
	p->spf = spf_counts_new(p->index_path, now.wall_us);
	p->last = last_delivery_open(p->index_path, c, at, now);
	last = last_delivery_cursor(p->last);
	if (p->owed.ledger || !is_of(p, last, at))
		last_delivery_lost(p->last, at, now.wall_us);
	if (p->owed.ledger)
		projector_last_gap(p);
	projector_read_from(p, at.pos);
}

/* ---- committing -------------------------------------------------------- */

/* Where a commit of ledger.db would stand now. */
static struct last_place stands(struct projector *p)
{
	struct spool_pos index = hourfile_state(projector_file(p))->cursor;

	return place_of(p, p->catching ? p->caught : index);
}

/* A segment is given back only behind both cursors. */
static void release(struct projector *p)
{
	struct last_place index =
	    place_of(p, hourfile_state(projector_file(p))->cursor);
	struct last_place last = last_delivery_cursor(p->last);

	p->in.done(p->in.arg, last_place_before(last, index) ? last.pos
							     : index.pos);
}

void projector_last_commit(struct projector *p, int64_t mono_ms)
{
	struct last_time now = now_of(p, mono_ms);

	last_delivery_commit(p->last, stands(p), now);
	/* Mail wins: the journal does not wait for a file of this kind. */
	if (last_delivery_waits(p->last) && p->in.low(p->in.arg)) {
		if (p->catching)
			projector_catch_up_ends(p);
		else
			last_delivery_lost(p->last, stands(p), now.wall_us);
	}
	release(p);
	projector_era_settle(p);
}

struct spf_counts *projector_spf(struct projector *p)
{
	return p->spf;
}

/* A segment waits for ledger.db alone: under load a small spool would be full
 * before its next commit is due. */
static bool holds_a_segment(struct projector *p)
{
	struct last_place to = stands(p), last = last_delivery_cursor(p->last);

	return last.spool == to.spool &&
	       last.pos.generation < to.pos.generation;
}

void projector_last_follow(struct projector *p, int64_t mono_ms)
{
	if (!p->catching)
		straggler_counts_keep(projector_stragglers(p));
	spf_counts_follow(p->spf, p->clock->wall_us(p->clock), mono_ms);
	if (last_delivery_due(p->last, stands(p), mono_ms) ||
	    holds_a_segment(p)) {
		projector_last_commit(p, mono_ms);
		return;
	}
	release(p);
	projector_era_settle(p);
}

void projector_last_gap(struct projector *p)
{
	last_delivery_gap(p->last, p->clock->wall_us(p->clock));
}

/* ---- catching up ------------------------------------------------------- */

void projector_read_from(struct projector *p, struct spool_pos pos)
{
	struct last_place last = last_delivery_cursor(p->last);

	p->next = pos;
	p->catching = last_place_before(last, place_of(p, pos));
	p->caught = last.pos;
	p->in.open(p->in.arg, p->catching ? p->caught : pos);
}

int projector_catch_up_ends(struct projector *p)
{
	p->catching = false;
	last_delivery_lost(p->last, place_of(p, p->next),
	    p->clock->wall_us(p->clock));
	p->in.open(p->in.arg, p->next);
	return 0;
}

/* The first outcome of a delivery is that of its first attempt; a sender that
 * the leg disbelieved has a reason of its own. */
static bool is_first(const struct spool_delivery *to)
{
	return to->attempts == 1 &&
	       (to->reason == WHY_ATTEMPT || to->reason == WHY_FORGED);
}

bool projector_last_wants(enum event_kind kind,
    const struct spool_delivery *to)
{
	return kind == EV_DELIVERED ||
	       (is_first(to) && (kind == EV_DEFERRED || kind == EV_BOUNCED ||
		   kind == EV_PARKED));
}

/* Of what was not delivered; FIRST_OUTCOMES: it says nothing of either. */
static enum first_outcome missed_by(struct slice detail)
{
	switch (result_class(detail)) {
	case CLASS_MESSAGE:
	case CLASS_RECIPIENT:
	case CLASS_MAILBOX:
		return FIRST_FAILED;
	case CLASS_THROTTLE:
	case CLASS_CONFIGURATION:
	case CLASS_NETWORK:
	case CLASS_AUTHENTICATION:
		return FIRST_TROUBLE;
	default:
		return FIRST_OUTCOMES;
	}
}

void projector_last_take(struct projector *p, const struct delivery_event *m)
{
	const struct last_delivered d = {.time_us = m->time_us, .id = m->id,
	    .uncertain = m->uncertain,
	    .first = m->attempt == 1 && m->why == WHY_ATTEMPT};
	enum first_outcome how;

	if (m->kind == EV_DELIVERED) {
		last_delivery_add(p->last, m->leg, m->to, &d);
		return;
	}
	how = missed_by(m->detail);
	if (how != FIRST_OUTCOMES)
		last_delivery_missed(p->last, m->leg, m->to, m->time_us, how);
}

/* 0, or -1: the index cannot be read. */
static int catch_up_update(struct projector *p, const struct spool_record *rec)
{
	struct open_message *e = NULL;

	for (unsigned i = 0; i < rec->updates; i++) {
		const struct spool_delivery *to = &rec->update[i].to;
		struct delivery_event m = {
		    .kind = event_kind_of((enum dstate)rec->old_state[i], to),
		    .time_us = rec->time_us,
		    .id = rec->id,
		    .uncertain = to->uncertain,
		    .why = to->reason,
		    .attempt = to->attempts,
		    .detail = rec->update[i].detail};
		int rc = 1;

		if (!projector_last_wants(m.kind, to))
			continue;
		if (e == NULL)
			rc = open_messages_get(&p->open, p->hours, rec->id, &e);
		if (rc <= 0)
			return rc;
		m.leg = names_text(p->names, to->leg);
		m.to = open_message_to(e, to->rcpt);
		projector_last_take(p, &m);
		if (m.kind == EV_DELIVERED)
			straggler_counts_delivered(projector_stragglers(p),
			    &e->from, m.to);
	}
	return 0;
}

bool projector_catches_up(struct projector *p, const struct spool_record *rec,
    int64_t mono_ms)
{
	if (!p->catching)
		return false;
	if (!last_place_before(place_of(p, rec->pos), place_of(p, p->next))) {
		p->catching = false;
		return false;
	}
	project_straggler(p, rec);
	if (rec->type == REC_UPDATE && catch_up_update(p, rec) != 0) {
		projector_catch_up_ends(p);
		return true;
	}
	if ((rec->next.offset & 1) == 0) { /* between parts of a group: no */
		p->caught = rec->next;
		straggler_counts_keep(projector_stragglers(p));
	}
	projector_last_follow(p, mono_ms);
	open_messages_trim(&p->open);
	return true;
}

/* ---- from the index ---------------------------------------------------- */

static void add_again(void *arg, const struct delivery_event *m)
{
	struct projector *p = arg;
	struct last_delivered d = {.time_us = m->time_us, .id = m->id,
	    .uncertain = m->uncertain, .again = true};

	last_delivery_add(p->last, m->leg, m->to, &d);
}

void projector_refill_rests(struct projector *p)
{
	hourfile_close(p->refill.f);
	p->refill.f = NULL;
}

static void give_up_hour(struct projector *p)
{
	projector_refill_rests(p);
	p->refill.on = false;
}

static void end_hour(struct projector *p, bool hole)
{
	give_up_hour(p);
	last_delivery_refilled(p->last, p->refill.hour, hole);
}

/* The newest hour before the one that was added last. False: there is none. */
static bool next_hour(struct projector *p)
{
	int64_t below = last_delivery_refill(p->last), *hours;
	struct error err;
	size_t n;

	if (hour_list(p->index_path, &hours, &n, &err) != 0)
		return false;
	while (n > 0 && hours[n - 1] >= below)
		n--;
	p->refill.below = below;
	p->refill.hour = n > 0 ? hours[n - 1] : LAST_REFILLED;
	p->refill.at = (struct hour_seek){INT64_MIN, INT64_MIN};
	mem_free(hours);
	if (p->refill.hour == LAST_REFILLED) {
		last_delivery_refilled(p->last, LAST_REFILLED, false);
		log_info("ledger.refilled");
		return false;
	}
	p->refill.on = true;
	return true;
}

/* False: it cannot be read. */
static bool open_hour(struct projector *p)
{
	struct error err;

	if (p->refill.f == NULL)
		p->refill.f = hourfile_open(p->index_path, p->refill.hour,
		    HOUR_READ, &err);
	if (p->refill.f != NULL)
		return true;
	log_warn("ledger.refill", kv_err(&err));
	end_hour(p, true);
	return false;
}

int projector_refill(struct projector *p)
{
	int n;

	if (last_delivery_refill(p->last) == LAST_REFILLED) {
		give_up_hour(p);
		return QUIET_MS;
	}
	if (last_delivery_refill(p->last) != p->refill.below)
		give_up_hour(p); /* it began anew */
	if ((!p->refill.on && !next_hour(p)) || !open_hour(p))
		return REFILL_PAUSE_MS;
	n = hourfile_delivered(p->refill.f, &p->refill.at, REFILL_ROWS,
	    add_again, p);
	if (n < REFILL_ROWS)
		end_hour(p, n < 0 || hourfile_has_gap(p->refill.f));
	return REFILL_PAUSE_MS;
}

void projector_last_close(struct projector *p)
{
	projector_refill_rests(p);
	if (p->spf != NULL)
		spf_counts_write(p->spf, p->clock->wall_us(p->clock));
	spf_counts_free(p->spf);
	last_delivery_close(p->last);
}
