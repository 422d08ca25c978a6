/* SPDX-License-Identifier: ISC
 *
 * Watermarks change, in the transaction that writes the deliveries. A delivery
 * is written before the events that were posted by then: one that came about
 * before its watermark was reached is its last one, and one that comes with a
 * later commit withdraws it.
 */
#include "relay/audit/delivered/last_file_int.h"
#include "relay/audit/delivered/watermark_row.h"
#include "relay/base/assert.h"

struct mark_now {
	enum watermark_state state;
	uint64_t change;
	int64_t time_us; /* of the last delivery */
	int64_t at_us;	 /* of the state */
};

static sqlite3_stmt *of(struct last_file *f, enum last_sql which,
    int64_t recipient, int leg)
{
	sqlite3_stmt *s = f->stmt[which];

	sqlite3_bind_int64(s, 1, recipient);
	sqlite3_bind_int(s, 2, leg);
	return s;
}

static int run(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	sqlite3_reset(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A state that the file may not hold is none: it is begun again. */
static int get(struct last_file *f, int64_t recipient, int leg,
    struct mark_now *out)
{
	sqlite3_stmt *s = of(f, LAST_MARK_GET, recipient, leg);
	int rc = sqlite3_step(s), state;

	*out = (struct mark_now){.state = WATERMARK_NONE};
	if (rc == SQLITE_ROW) {
		state = sqlite3_column_int(s, 0);
		out->state = state > 0 && state < WATERMARK_STATES
				 ? (enum watermark_state)state
				 : WATERMARK_PENDING;
		out->change = (uint64_t)sqlite3_column_int64(s, 1);
		out->time_us = sqlite3_column_int64(s, 2);
		out->at_us = sqlite3_column_int64(s, 3);
		rc = SQLITE_DONE;
	}
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int set_state(struct last_file *f, const struct watermark_op *op,
    int state)
{
	sqlite3_stmt *s = of(f, LAST_MARK_STATE, op->recipient,
	    op->leg_number);

	sqlite3_bind_int(s, 3, state);
	sqlite3_bind_int64(s, 4, op->at_us);
	return run(s);
}

static int set_last(struct last_file *f, const struct last_row *r)
{
	sqlite3_stmt *s = of(f, LAST_MARK_LAST, r->to.base, r->leg);

	sqlite3_bind_int64(s, 3, r->time_us);
	sqlite3_bind_int64(s, 4, (int64_t)r->id);
	return run(s);
}

/* One that was read again from the index is what the watermark lacked. */
int watermark_delivered(struct last_file *f, const struct last_row *r)
{
	struct watermark_op op = {.recipient = r->to.base,
	    .leg_number = r->leg, .at_us = r->time_us};
	struct mark_now now;
	int rc = get(f, r->to.base, r->leg, &now), to;

	if (rc != SQLITE_OK || now.state == WATERMARK_NONE ||
	    r->time_us <= now.time_us)
		return rc;
	to = watermark_next(now.state, WATERMARK_DELIVERED);
	rc = set_last(f, r);
	if (rc == SQLITE_OK && !r->again && to != (int)now.state)
		rc = set_state(f, &op, to);
	return rc;
}

static int begin(struct last_file *f, const struct watermark_op *op)
{
	sqlite3_stmt *s = of(f, LAST_MARK_PUT, op->recipient, op->leg_number);

	f->marks = true;
	sqlite3_bind_text(s, 3, op->address.p, (int)op->address.n,
	    SQLITE_STATIC);
	sqlite3_bind_int64(s, 4, (int64_t)op->change);
	sqlite3_bind_int(s, 5, WATERMARK_PENDING);
	sqlite3_bind_int64(s, 6, op->at_us);
	return run(s);
}

/* The newest delivery of the base address or one of its subaddresses. */
static int take_last(struct last_file *f, const struct watermark_op *op)
{
	sqlite3_stmt *s = of(f, LAST_MARK_NEWEST, op->recipient,
	    op->leg_number);
	struct last_row last = {.to.base = op->recipient,
	    .leg = op->leg_number};
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW) {
		last.time_us = sqlite3_column_int64(s, 0);
		last.id = (uint64_t)sqlite3_column_int64(s, 1);
	}
	sqlite3_reset(s);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	return set_last(f, &last);
}

/* An event of an older change than the watermark's is old news, and so is a
 * synchronization of before its last delivery. */
static bool is_late(const struct watermark_op *op, const struct mark_now *now)
{
	if (now->state == WATERMARK_NONE)
		return false;
	if (op->event == WATERMARK_NAMED)
		return op->change != 0 && op->change < now->change;
	if (op->event == WATERMARK_SYNC)
		return op->at_us < now->time_us;
	return false;
}

/* A mailbox that was synchronized once more is so since the later run. */
static bool is_news(const struct watermark_op *op,
    const struct mark_now *now, int to)
{
	return to >= 0 && (to != (int)now->state ||
	    (op->event == WATERMARK_SYNC && op->at_us > now->at_us));
}

static int apply_event(struct last_file *f, const struct watermark_op *op)
{
	struct mark_now now;
	int rc = get(f, op->recipient, op->leg_number, &now), to;

	if (rc != SQLITE_OK || is_late(op, &now))
		return rc;
	to = watermark_next(now.state, op->event);
	if (!is_news(op, &now, to))
		return SQLITE_OK;
	if (now.state == WATERMARK_NONE)
		return begin(f, op);
	if (to == WATERMARK_NONE)
		return run(of(f, LAST_MARK_END, op->recipient,
		    op->leg_number));
	rc = set_state(f, op, to);
	return rc == SQLITE_OK && to == WATERMARK_REACHED ? take_last(f, op)
							  : rc;
}

static int apply_one(struct last_file *f, const struct watermark_op *op)
{
	static const enum last_sql sql_of[] = {
	    [DO_OPEN] = LAST_MARK_OPEN, [DO_TOLD] = LAST_MARK_TOLD,
	    [DO_HOOK] = LAST_MARK_HOOK, [DO_WAIVE] = LAST_MARK_WAIVE};
	sqlite3_stmt *s;

	if (op->what == DO_MARKED)
		return SQLITE_OK; /* it is in the header */
	if (op->what == DO_EVENT)
		return apply_event(f, op);
	s = of(f, sql_of[op->what], op->recipient, op->leg_number);
	if (op->what == DO_OPEN || op->what == DO_TOLD)
		sqlite3_bind_int64(s, 3, op->number);
	if (op->what == DO_TOLD)
		sqlite3_bind_int(s, 4, (int)op->hook);
	if (op->what == DO_HOOK) {
		sqlite3_bind_int(s, 3, (int)op->hook);
		sqlite3_bind_text(s, 4, op->note == NULL ? "" : op->note, -1,
		    SQLITE_STATIC);
		sqlite3_bind_int64(s, 5, op->at_us);
	}
	return run(s);
}

int watermark_apply(struct last_file *f, const struct last_batch *b)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < b->ops && rc == SQLITE_OK; i++)
		rc = apply_one(f, &b->op[i]);
	return rc;
}
