/* SPDX-License-Identifier: ISC
 *
 * The table of the state machine of a watermark.
 */
#include "relay/audit/delivered/watermark_state.h"

enum { REFUSED = -1 };

/* A watermark that was told is never taken back in silence: only a route that
 * names the leg again ends it. */
static const signed char next[WATERMARK_STATES][WATERMARK_EVENTS] = {
	[WATERMARK_NONE] = {
		[WATERMARK_LEFT] = WATERMARK_PENDING,
		[WATERMARK_NAMED] = WATERMARK_NONE,
		[WATERMARK_CLEAR] = WATERMARK_NONE,
		[WATERMARK_DELIVERED] = WATERMARK_NONE,
		[WATERMARK_SYNC] = REFUSED,
	},
	[WATERMARK_PENDING] = {
		[WATERMARK_LEFT] = WATERMARK_PENDING,
		[WATERMARK_NAMED] = WATERMARK_NONE,
		[WATERMARK_CLEAR] = WATERMARK_REACHED,
		[WATERMARK_DELIVERED] = WATERMARK_PENDING,
		[WATERMARK_SYNC] = REFUSED,
	},
	[WATERMARK_REACHED] = {
		[WATERMARK_LEFT] = WATERMARK_REACHED,
		[WATERMARK_NAMED] = WATERMARK_NONE,
		[WATERMARK_CLEAR] = WATERMARK_REACHED,
		[WATERMARK_DELIVERED] = WATERMARK_WITHDRAWN,
		[WATERMARK_SYNC] = WATERMARK_SYNCED,
	},
	[WATERMARK_WITHDRAWN] = {
		[WATERMARK_LEFT] = WATERMARK_WITHDRAWN,
		[WATERMARK_NAMED] = WATERMARK_NONE,
		[WATERMARK_CLEAR] = WATERMARK_REACHED,
		[WATERMARK_DELIVERED] = WATERMARK_WITHDRAWN,
		[WATERMARK_SYNC] = REFUSED,
	},
	[WATERMARK_SYNCED] = {
		[WATERMARK_LEFT] = WATERMARK_SYNCED,
		[WATERMARK_NAMED] = WATERMARK_NONE,
		[WATERMARK_CLEAR] = WATERMARK_SYNCED,
		[WATERMARK_DELIVERED] = WATERMARK_WITHDRAWN,
		[WATERMARK_SYNC] = WATERMARK_SYNCED,
	},
};

static const char *const states[WATERMARK_STATES] = {
	"none", "pending", "reached", "withdrawn", "synced"};
static const char *const events[WATERMARK_EVENTS] = {
	"left", "named", "clear", "delivered", "sync"};

int watermark_next(enum watermark_state state, enum watermark_event event)
{
	if ((unsigned)state >= WATERMARK_STATES ||
	    (unsigned)event >= WATERMARK_EVENTS)
		return REFUSED;
	return next[state][event];
}

const char *watermark_state_text(int state)
{
	return state < 0 || state >= WATERMARK_STATES ? "unknown"
						      : states[state];
}

const char *watermark_event_text(int event)
{
	return event < 0 || event >= WATERMARK_EVENTS ? "unknown"
						      : events[event];
}

int watermark_state_parse(struct slice text)
{
	for (int i = 0; i < WATERMARK_STATES; i++)
		if (slice_eq(text, slice_str(states[i])))
			return i;
	return -1;
}
