/* SPDX-License-Identifier: ISC
 *
 * A change of a domain's row: the watermarks of its recipients that are named
 * again end, and those of recipients without a row of their own begin where
 * they had mail. A page of ledger.db a step.
 */
#include "relay/cutover/watermark/watermarks_int.h"

#include <stdio.h>

#include "relay/base/mem.h"
#include "relay/post/call.h"
#include "relay/post/queue_letters.h"
#include "relay/settle/queue_thread.h"

enum { WALK_ROWS = 1000 };

void marks_walk_begin(struct watermarks *w, struct slice key,
    const struct mark_legs *legs, uint64_t change)
{
	struct domain_walk *k = &w->log.walk;

	marks_walk_end(w);
	*k = (struct domain_walk){.on = true, .change = change,
	    .legs = *legs, .after = INT64_MIN,
	    .page = {.which = WATERMARKS_ALL, .recipient = INT64_MIN,
		.leg = -1, .limit = WALK_ROWS}};
	snprintf(k->domain, sizeof(k->domain), "%.*s",
	    (int)(key.n > 0 ? key.n - 1 : 0), key.p + 1);
}

void marks_walk_end(struct watermarks *w)
{
	watermark_reader_close(w->log.walk.reader);
	w->log.walk.reader = NULL;
	w->log.walk.on = false;
}

static void on_watermark(void *arg, const struct watermark *row)
{
	struct watermarks *w = arg;
	struct slice address = slice_str(row->address);
	long at = slice_rfind(address, '@');
	struct decision d;

	if (w->log.walk.domain[0] != '\0' &&
	    (at < 0 || !slice_eq(slice_from(address, (size_t)at + 1),
			   slice_str(w->log.walk.domain))))
		return;
	if (marks_route(w, address, &d) && marks_named(&d.route, d.held,
		names_id(w->shared->names, slice_str(row->leg))))
		marks_event(w, WATERMARK_NAMED,
		    &(struct watermark_op){.address = address,
			.leg = row->leg, .change = w->log.walk.change});
}

static void on_address(void *arg, struct slice address)
{
	struct watermarks *w = arg;
	struct domain_walk *k = &w->log.walk;
	int leg = k->legs.leg[k->leg - 1];
	struct decision d;

	if (marks_route(w, address, &d) && d.rule == RULE_DOMAIN &&
	    !marks_named(&d.route, d.held, leg))
		marks_event(w, WATERMARK_LEFT,
		    &(struct watermark_op){.address = address,
			.leg = names_text(w->shared->names, leg),
			.change = k->change});
}

/* Returns how many rows were looked at, or -1. */
static int walk_leg(struct watermarks *w, struct error *err)
{
	struct domain_walk *k = &w->log.walk;
	struct watermark_domain d = {.domain = slice_str(k->domain),
	    .leg = names_text(w->shared->names, k->legs.leg[k->leg - 1]),
	    .after = k->after, .limit = WALK_ROWS, .fn = on_address,
	    .arg = w};
	int n = watermark_reader_domain(k->reader, &d, err);

	k->after = d.after;
	return n;
}

/* -1: it failed, and the same page is to be read again. */
static int walk_page(struct watermarks *w, struct error *err)
{
	struct domain_walk *k = &w->log.walk;
	const struct watermark_page page = k->page;
	int64_t after = k->after;
	int n;

	if (table_begin(w->table, err) < 0)
		return -1;
	k->page.fn = on_watermark;
	k->page.arg = w;
	n = k->leg > 0 ? walk_leg(w, err)
		       : watermark_reader_page(k->reader, &k->page, err);
	table_end(w->table);
	if (!marks_unread(w))
		return n;
	k->page = page;
	k->after = after;
	return error_set(err, "the route of a recipient cannot be read");
}

/* ---- before it ---------------------------------------------------------- */

static void on_older(void *arg)
{
	struct watermarks *w = arg;

	w->walk_ask.asked = false;
}

/* On the queue's thread. */
static void look_older(void *arg)
{
	struct watermarks *w = arg;

	w->walk_ask.older = queue_older_attempts(
	    queue_thread_queue(w->cfg.queue_thread), 0, w->walk_ask.change);
	call_post(&w->box, M_CALL, on_older, w);
}

/* Not before the queue was told of the change. */
static enum walk_phase ask_older(struct watermarks *w)
{
	struct walk_ask *a = &w->walk_ask;

	if (a->asked || a->flush.state == FLUSH_ASKED ||
	    atomic_load(&w->shared->change_told) < w->log.walk.change)
		return WALK_OLDER;
	a->flush.state = FLUSH_NONE;
	a->asked = true;
	a->change = w->log.walk.change;
	call_post(w->shared->queue_box, S_CALL, look_older, w);
	return WALK_ASKED;
}

static enum walk_phase have_older(struct watermarks *w)
{
	struct walk_ask *a = &w->walk_ask;

	if (a->asked)
		return WALK_ASKED;
	if (a->older > 0)
		return WALK_OLDER;
	marks_flush(w, &a->flush);
	return WALK_SYNC;
}

/* A commit of ledger.db is forced by an event that changes nothing. */
static enum walk_phase have_synced(struct watermarks *w)
{
	if (w->walk_ask.flush.state == FLUSH_FAILED)
		return WALK_OLDER;
	if (!marks_took(w, &w->walk_ask.flush))
		return WALK_SYNC;
	watermark_post(w->last, &(struct watermark_op){.what = DO_MARKED,
	    .change = w->log.told});
	return WALK_COMMIT;
}

/* Are its recipients to be looked for? */
static bool is_ready(struct watermarks *w)
{
	struct domain_walk *k = &w->log.walk;

	if (k->phase == WALK_OLDER)
		k->phase = ask_older(w);
	else if (k->phase == WALK_ASKED)
		k->phase = have_older(w);
	else if (k->phase == WALK_SYNC)
		k->phase = have_synced(w);
	else if (k->phase == WALK_COMMIT && marks_settled(w))
		k->phase = WALK_READ;
	return k->phase == WALK_READ;
}

/* ---- a step -------------------------------------------------------------- */

bool marks_walk(struct watermarks *w)
{
	struct domain_walk *k = &w->log.walk;
	struct error err;
	int n;

	if (!is_ready(w))
		return false;
	if (k->reader == NULL && (k->reader = marks_reader(w)) == NULL)
		return false;
	n = walk_page(w, &err);
	if (n < 0) {
		marks_trouble(w, &err);
		watermark_reader_close(k->reader);
		k->reader = NULL;
		return false;
	}
	if (n > 0)
		return true;
	k->after = INT64_MIN;
	if (++k->leg > k->legs.n || k->domain[0] == '\0')
		marks_walk_end(w);
	return true;
}
