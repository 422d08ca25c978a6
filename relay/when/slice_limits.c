/* SPDX-License-Identifier: ISC
 *
 * Both limits in turns, until neither moves the moment any more. The limit of
 * an hour moves it at most an hour past the last slice, after which it is
 * satisfied, so a few turns are enough.
 */
#include "relay/when/slice_limits.h"

enum { TURNS_MAX = 16 };

static bool later(struct slice_turn *turn, int64_t at_s, enum slice_wait wait)
{
	if (at_s <= turn->at_s)
		return false;
	turn->at_s = at_s;
	if (turn->wait == SLICE_NOW)
		turn->wait = wait;
	return true;
}

struct slice_turn slice_turn(const struct slice_limits *limits,
    const struct slice_log *log, int64_t now_s, uint64_t members)
{
	struct slice_turn turn = {now_s, SLICE_NOW, NULL};

	for (int i = 0; i < TURNS_MAX; i++) {
		int64_t at_s;
		const struct blackout *b =
		    blackouts_at(&limits->blackouts, turn.at_s, &at_s);
		bool moved = later(&turn, at_s, SLICE_BLACKOUT);

		if (turn.wait == SLICE_BLACKOUT && turn.blackout == NULL)
			turn.blackout = b;
		at_s = turn.at_s == INT64_MAX
			   ? INT64_MAX
			   : hour_free_at(log->slice, log->slices, turn.at_s,
				 limits->per_hour, members);
		moved = later(&turn, at_s, SLICE_PER_HOUR) || moved;
		if (turn.at_s == INT64_MAX)
			turn.wait = SLICE_NEVER;
		if (!moved || turn.at_s == INT64_MAX)
			break;
	}
	return turn;
}
