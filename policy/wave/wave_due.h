/* SPDX-License-Identifier: ISC
 *
 * Decides what a wave does next, and what it waits for. Pure: the daemon acts
 * by it, `wave show` tells it.
 */
#ifndef POLICY_WAVE_WAVE_DUE_H
#define POLICY_WAVE_WAVE_DUE_H

#include "policy/wave/wave_options.h"
#include "policy/wave/wave_state.h"
#include "relay/when/slice_limits.h"

enum wave_step {
	WAVE_NOTHING,	  /* it is not scheduled and not running */
	WAVE_WAIT,	  /* until `until_us`, for `wait` */
	WAVE_BEGIN,	  /* its time has come: it runs */
	WAVE_LATE,	  /* its time is over by more than `late`: paused */
	WAVE_MAKE_SLICE,  /* of at most `limit` members */
	WAVE_FINISH,	  /* no member is pending, none is held */
	WAVE_RELEASE,	  /* mail of flipped members */
	WAVE_SETTLE,	  /* held members of which it is known what becomes */
	WAVE_OVERDUE,	  /* a hold is past its deadline: paused */
	WAVE_SOAK,	  /* the newest slice is to be watched from now on */
	WAVE_SOAKED,	  /* it was good: written down */
	WAVE_BRAKE,	  /* it was not: paused */
	WAVE_BRAKE_TELL,  /* the alarm of a pause that is written down */
	WAVE_TAKE_BACK,	  /* a bad slice is rolled back */
};

enum wave_wait {
	WAVE_WAIT_NONE,
	WAVE_WAIT_TIME,	    /* that it is scheduled for */
	WAVE_WAIT_PAUSE,    /* between two slices */
	WAVE_WAIT_BLACKOUT,
	WAVE_WAIT_HOUR,	    /* per_hour, over all waves */
	WAVE_WAIT_EVER,	    /* blackouts leave no gap */
	WAVE_WAIT_HELD,	    /* held members, until the deadline */
	WAVE_WAIT_SOAK,	    /* the newest slice soaks */
};

/* The newest slice, of a wave that watches its slices. */
enum wave_watch {
	WATCH_OFF,    /* it is not watched, or no longer */
	WATCH_DUE,    /* it was made, and is not watched yet */
	WATCH_SOAKS,  /* until `watch_us` */
	WATCH_PASSED,
	WATCH_STOPS,
	WATCH_UNTOLD, /* it has stopped the wave; no alarm was raised yet */
	WATCH_BACK,   /* it is to be rolled back */
};

/* All times are wall clock. */
struct wave_moment {
	int64_t now_us;
	enum wave_state state;
	int64_t at_us; /* scheduled for */
	const struct wave_options *options;
	uint64_t pending, held, flipped;
	bool settle; /* of a held member it is known that its move ended */
	int64_t moved_us; /* the wave's last event */
	int64_t last_us; /* its newest slice of this run; 0: none */
	enum wave_watch watch;
	int64_t watch_us;
	const struct slice_limits *limits;
	struct slice_log log; /* of all waves, in the hour before */
};

struct wave_due {
	enum wave_step step;
	enum wave_wait wait;
	int64_t until_us; /* of a wait */
	const struct blackout *blackout; /* of WAVE_WAIT_BLACKOUT */
	uint64_t limit;
};

/* A slice of which not all fits into the hour waits until it does, so that a
 * wave goes in slices of its own size; one larger than per_hour is cut to it.
 * A slice's time that lies ahead, because the clock was set back, makes the
 * pause no longer than if it were now. The deadline of a hold counts from its
 * slice, and anew from a resume. A slice is held when no other one is. A slice
 * is watched when none of its members is held. */
struct wave_due wave_due(const struct wave_moment *m);

/* "its time", "the pause between slices", "the end of a blackout",
 * "wave.per_hour", "blackouts that leave no gap", "the moves of held members",
 * "the soak of the newest slice"; "" for none. */
const char *wave_wait_text(enum wave_wait wait);

#endif
