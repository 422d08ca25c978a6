/* SPDX-License-Identifier: ISC
 *
 * The state machine of a watermark: of one recipient on one leg that its route
 * has left or that is held (R5). doc/watermark.md has a cell for each state and
 * event, and a test runs them. Pure.
 *
 * A watermark speaks only of mail that passed here.
 */
#ifndef RELAY_AUDIT_DELIVERED_WATERMARK_STATE_H
#define RELAY_AUDIT_DELIVERED_WATERMARK_STATE_H

#include "relay/base/slice.h"

/* Numbers are on disk, in ledger.db. */
enum watermark_state {
	WATERMARK_NONE = 0,
	WATERMARK_PENDING = 1,	 /* something may be open for that leg       */
	WATERMARK_REACHED = 2,	 /* nothing is open, all results are synced  */
	WATERMARK_WITHDRAWN = 3, /* the leg got mail after it was reached    */
	WATERMARK_SYNCED = 4,	 /* … and the mailbox was synchronized since */
	WATERMARK_STATES
};

enum watermark_event {
	WATERMARK_LEFT,	     /* the route names that leg no more, or is held */
	WATERMARK_NAMED,     /* the route names it, and is not held          */
	WATERMARK_CLEAR,     /* nothing is open, and all results are synced  */
	WATERMARK_DELIVERED, /* the leg took mail                            */
	WATERMARK_SYNC,	     /* a program or a person: it is synchronized    */
	WATERMARK_EVENTS
};

/* The state that follows; -1: the event is refused, and the state stays. */
int watermark_next(enum watermark_state state, enum watermark_event event);

/* "none" and so on, as users see them; "unknown" for any other number. */
const char *watermark_state_text(int state);
const char *watermark_event_text(int event);
/* -1: there is no such state. */
int watermark_state_parse(struct slice text);

#endif
