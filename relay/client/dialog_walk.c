/* SPDX-License-Identifier: ISC
 *
 * The walk of a dialog from stage to stage, for its first request and for
 * those that reuse the connection. One worker's loop.
 *
 * The outcome of a lost connection follows from how far it came: before MAIL
 * the next host is tried; a kept connection on which nothing was answered was
 * closed by the leg while it was idle, and a fresh one is opened; when the
 * last byte of the content had been handed to the system the outcome is not
 * known (D8); else the mail waits.
 */
#include "relay/base/assert.h"
#include "relay/client/client_int.h"

enum { FAREWELL_MS = 5000 }; /* for the answer to a last RSET or QUIT */

static bool closed_while_idle(const struct dialog *d)
{
	return d->reused && !d->answered &&
	       (d->feed.state != FEED_HANDED || d->fault.code != 0);
}

static void start_over(struct dialog *d)
{
	feed_stop(d);
	exchange_undo(d->tx);
	dialog_hang_up(d);
	dialog_begin(d);
}

void dialog_lost(struct dialog *d)
{
	if (d->tx == NULL) {
		dialog_close(d);
	} else if (d->stage < STAGE_MAIL && d->hops == NULL) {
		start_over(d); /* a kept connection, at XCLIENT */
	} else if (d->stage < STAGE_MAIL) {
		dialog_hang_up(d);
		dialog_next_host(d);
	} else if (closed_while_idle(d)) {
		start_over(d);
	} else {
		dialog_cut(d);
	}
}

static int64_t timeout_of(const struct dialog *d)
{
	if (d->tx == NULL)
		return d->stage == STAGE_IDLE ? 0 : FAREWELL_MS;
	return dialog_timeout(d, d->stage);
}

void dialog_enter(struct dialog *d, enum stage stage)
{
	PH_ASSERT(stage < STAGES && d->stream != NULL && !d->over);
	PH_ASSERT(d->tx != NULL || stage >= STAGE_RSET);
	d->stage = stage;
	if (stage_table[stage].send != NULL)
		stage_table[stage].send(d);
	stream_flush(d->stream);
	if (stage == STAGE_BODY)
		feed_drained(d);
	else
		stream_deadline(d->stream, timeout_of(d));
}

static void rest(struct dialog *d)
{
	if (!pool_takes(d)) {
		dialog_enter(d, STAGE_QUIT);
	} else if (d->needs_rset) {
		dialog_enter(d, STAGE_RSET);
	} else {
		dialog_enter(d, STAGE_IDLE);
		pool_put(d);
		client_parked(d->client, d);
	}
}

/* How long a connection may be kept is the leg's word at its last request. */
static void note_limits(struct dialog *d)
{
	const struct conf_leg *leg = dialog_leg(d);
	int64_t now = loop_now_ms(d->client->cfg.loop);

	d->idle_until_ms = now + leg->idle_ms;
	d->old_at_ms = d->opened_ms + leg->max_age_ms;
	d->messages_max = leg->max_messages;
	if (d->ehlo.limit_mail > 0 && d->ehlo.limit_mail < d->messages_max)
		d->messages_max = d->ehlo.limit_mail; /* RFC 9422 */
}

/* Leaves for a new session what this one must not be asked for. Nothing is
 * open in it, so it is left without waiting for the last reply. */
static void leave_for_another(struct dialog *d)
{
	strbuf_adds(stream_out(d->stream), "QUIT\r\n");
	stream_flush(d->stream);
	dialog_hang_up(d);
	dialog_begin(d);
}

static bool may_go_on(const struct dialog *d)
{
	if (stages_stale(d))
		return false;
	return d->messages == 0 || (!pool_spent(d) && transact_fits(d));
}

static void ready(struct dialog *d)
{
	hops_free(d->hops);
	d->hops = NULL;
	if (d->tx != NULL) {
		note_limits(d);
		if (d->tx->open > 0)
			transact_admit(d);
		if (d->tx->open > 0 && !may_go_on(d)) {
			leave_for_another(d);
			return;
		}
		if (d->tx->open > 0) {
			dialog_enter(d, d->needs_rset ? STAGE_RSET :
			    stages_introduces(d) ? STAGE_XCLIENT :
						   STAGE_MAIL);
			return;
		}
		dialog_finish(d);
	}
	rest(d);
}

/* The last reply is settled, and no further command can be sent here. A leg
 * that closes ahead of MAIL would do so again. */
static void move_closed(struct dialog *d, enum stage next)
{
	if (next != NEXT_READY || d->stage < STAGE_MAIL) {
		d->stage = next == NEXT_READY ? d->stage : next;
		result_ended(d, d->end);
		dialog_lost(d);
	} else if (d->tx->open > 0) {
		dialog_hang_up(d);
		dialog_begin(d);
	} else {
		dialog_finish(d);
		dialog_close(d);
	}
}

void dialog_move(struct dialog *d, enum stage next)
{
	if (next == NEXT_LOST)
		dialog_lost(d);
	else if (d->closed)
		move_closed(d, next);
	else if (next == NEXT_READY)
		ready(d);
	else
		dialog_enter(d, next);
}

void dialog_fall_back(struct dialog *d, const char *why)
{
	clear_go(d, why);
	dialog_hang_up(d);
	dialog_connect(d);
}

void dialog_tls_refused(struct dialog *d, const char *why)
{
	clear_remember(d);
	dialog_fall_back(d, why);
}

void dialog_quit(struct dialog *d)
{
	pool_remove(d);
	list_remove(&d->parked);
	dialog_enter(d, STAGE_QUIT);
}
