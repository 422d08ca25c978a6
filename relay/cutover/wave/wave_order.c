/* SPDX-License-Identifier: ISC
 *
 * Commands that need the daemon: checked, and made one event of the wave.
 */
#include "relay/cutover/wave/wave_run_int.h"

#include <stdio.h>

#include "policy/route.h"
#include "policy/where.h"

static int check_route(const struct conf *c, const char *text,
    struct error *err)
{
	struct route r;

	/* Which legs it stands for depends on each member's domain. */
	if (text == NULL || strcmp(text, "both") == 0)
		return 0;
	return route_parse(slice_str(text), c, NULL, &r, err);
}

static void take_options(const struct wave_order *o, struct wave_options *to)
{
	if (o->slice > 0)
		to->slice = (uint64_t)o->slice;
	if (o->pause_s >= 0)
		to->pause_s = o->pause_s;
	if (o->late_s >= 0)
		to->late_s = o->late_s;
	if (o->deadline_s > 0)
		to->deadline_s = o->deadline_s;
	if (o->soak_s > 0)
		to->soak_s = o->soak_s;
	if (o->complaints > 0)
		to->complaints = (uint64_t)o->complaints;
	if (o->take_back >= 0)
		to->take_back = o->take_back != 0;
	if (o->hold)
		to->hold = true;
	if (o->force)
		to->force = true;
	if (o->zone != NULL)
		snprintf(to->zone, sizeof(to->zone), "%s", o->zone);
	to->rollback = 0;
}

static bool begins(enum wave_event e)
{
	return e == WAVE_START || e == WAVE_SCHEDULE;
}

/* A time inside a blackout is a mistake; the start would wait for its end. */
static int check_time(const struct conf *c, const struct wave_order *o,
    struct error *err)
{
	const struct blackout *b;
	int64_t free_s;

	if (o->event != WAVE_SCHEDULE)
		return 0;
	b = blackouts_at(&c->wave.limits.blackouts, o->at_us / 1000000,
	    &free_s);
	if (b == NULL)
		return 0;
	return error_set(err, "that time is inside the blackout \"%s\"; choose "
	    "one outside", b->text);
}

static int order_move(const struct wave_now *n, const struct wave_order *o,
    struct error *err)
{
	struct wave_options options = n->wave->options;
	const struct wave_said said = {
	    .event = o->event,
	    .by = &o->by,
	    .route = o->route,
	    .options = begins(o->event) || options.rollback > 0 ? &options
								: NULL,
	    .at_us = o->at_us,
	    .accept = o->accept,
	    .now_us = n->now_us,
	};

	if (check_route(n->conf, o->route, err) < 0 ||
	    check_time(n->conf, o, err) < 0)
		return -1;
	take_options(o, &options);
	if (run_move(n, &said, err) < 0)
		return -1;
	run_tell(n, o->event, NULL, &o->by);
	return 0;
}

/* ---- what is held ------------------------------------------------------- */

static int order_held(const struct wave_now *n, const struct wave_order *o,
    struct wave_ordered *out, struct error *err)
{
	struct slice_made made;

	if (hold_order(n, o, &made, err) < 0 ||
	    wave_need(n->run->read, n->wave->name, n->wave, err) < 0)
		return -1;
	out->change = made.change;
	out->recipients = made.members;
	run_tell(n, o->event, &made, &o->by);
	return 0;
}

/* Flipped members are done, and no longer held, before they are taken back. */
static int release_first(const struct wave_now *n, struct error *err)
{
	struct wave_counts counts;
	struct slice_made made;

	if (wave_count(n->run->read, n->wave->id, &counts, err) < 0)
		return -1;
	if (counts.state[MEMBER_FLIPPED] == 0)
		return 0;
	if (hold_release(n, &made, err) < 0)
		return -1;
	run_tell(n, WAVE_SLICE_DONE, &made, NULL);
	return 0;
}

/* ---- rollback --------------------------------------------------------- */

/* The first step of one in slices: that it is meant is written down. */
static int begin_back(const struct wave_now *n, const struct wave_order *o,
    struct error *err)
{
	struct wave_options options = n->wave->options;
	const struct wave_said said = {
	    .event = WAVE_ROLLBACK,
	    .by = &o->by,
	    .options = &options,
	    .part = true,
	    .now_us = n->now_us,
	};

	options.rollback = (uint64_t)o->slice;
	if (run_move(n, &said, err) < 0)
		return -1;
	run_tell(n, WAVE_ROLLBACK, NULL, &o->by);
	return 0;
}

static int back_at_once(const struct wave_now *n, const struct wave_order *o,
    struct wave_ordered *out, struct error *err)
{
	struct back_order order = {.by = &o->by, .kept = o->kept,
	    .arg = o->arg};
	struct slice_made told = {0};
	struct where *where = NULL;
	struct back_made made;
	int rc;

	if (o->where != NULL) {
		where = where_parse(slice_str(o->where), err);
		if (where == NULL)
			return -1;
		order.where = where;
	}
	rc = back_make(n, &order, &made, err);
	where_free(where);
	if (rc < 0 ||
	    wave_need(n->run->read, n->wave->name, n->wave, err) < 0)
		return -1;
	told.change = out->change = made.change;
	told.members = out->recipients = made.recipients;
	run_tell(n, WAVE_ROLLBACK, &told, &o->by);
	return 0;
}

static int order_back(const struct wave_now *n, const struct wave_order *o,
    struct wave_ordered *out, struct error *err)
{
	const struct wave_facts facts = {.name = n->wave->name,
	    .state = n->wave->state, .begun = n->wave->begun,
	    .again = n->wave->run > 0 && !n->wave->begun,
	    .part = o->where != NULL || o->slice > 0};
	int next;

	if (o->where != NULL && o->slice > 0)
		return error_set(err, "a rollback of some members (--where) "
		    "is one step: leave --slice out");
	/* Before anything is compared. */
	if (wave_next(&facts, WAVE_ROLLBACK, &next, err) < 0 ||
	    release_first(n, err) < 0)
		return -1;
	return o->slice > 0 ? begin_back(n, o, err)
			    : back_at_once(n, o, out, err);
}

int wave_run_order(struct wave_run *r, const struct conf *c,
    const struct wave_order *order, struct wave_ordered *out,
    struct error *err)
{
	struct wave_now n = {r, c, &out->wave, order->now_us};

	*out = (struct wave_ordered){.change = 0};
	wave_file_close(r->read);
	r->read = wave_file_open(r->path, false, err);
	if (r->read == NULL ||
	    wave_need(r->read, order->name, &out->wave, err) < 0)
		return -1;
	if (order->event == WAVE_ROLLBACK)
		return order_back(&n, order, out, err);
	return order->event == WAVE_FLIP || order->release
		   ? order_held(&n, order, out, err)
		   : order_move(&n, order, err);
}

int wave_run_look(struct wave_run *r, const char *name,
    struct wave_seen *out, struct error *err)
{
	struct wave_counts counts;
	struct wave w;

	wave_file_close(r->read);
	r->read = wave_file_open(r->path, false, err);
	if (r->read == NULL || wave_need(r->read, name, &w, err) < 0 ||
	    wave_count(r->read, w.id, &counts, err) < 0)
		return -1;
	*out = (struct wave_seen){
	    .state = w.state,
	    .done = counts.state[MEMBER_DONE],
	    .pending = counts.state[MEMBER_PENDING] +
		       counts.state[MEMBER_HELD],
	};
	snprintf(out->reason, sizeof(out->reason), "%s", w.reason);
	return 0;
}
