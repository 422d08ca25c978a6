/* SPDX-License-Identifier: ISC
 *
 * The next step of a wave.
 */
#include "policy/wave/wave_due.h"

#define SECOND_US INT64_C(1000000)

static struct wave_due wait_until(enum wave_wait wait, int64_t until_us)
{
	return (struct wave_due){.step = WAVE_WAIT, .wait = wait,
	    .until_us = until_us};
}

static struct wave_due act(enum wave_step step)
{
	return (struct wave_due){.step = step};
}

static int64_t next_us(const struct wave_moment *m)
{
	int64_t last_us = m->last_us < m->now_us ? m->last_us : m->now_us;

	return m->last_us == 0 ? m->now_us
			       : last_us + m->options->pause_s * SECOND_US;
}

static uint64_t slice_size(const struct wave_moment *m)
{
	uint64_t want = m->pending < m->options->slice ? m->pending
						       : m->options->slice;
	uint64_t most = m->limits->per_hour;

	return most > 0 && want > most ? most : want;
}

static struct wave_due due_slice(const struct wave_moment *m)
{
	static const enum wave_wait waits[] = {
		[SLICE_NOW] = WAVE_WAIT_NONE,
		[SLICE_BLACKOUT] = WAVE_WAIT_BLACKOUT,
		[SLICE_PER_HOUR] = WAVE_WAIT_HOUR,
		[SLICE_NEVER] = WAVE_WAIT_EVER,
	};
	uint64_t want = slice_size(m);
	struct slice_turn turn;
	struct wave_due due;

	if (next_us(m) > m->now_us)
		return wait_until(WAVE_WAIT_PAUSE, next_us(m));
	turn = slice_turn(m->limits, &m->log, m->now_us / SECOND_US, want);
	if (turn.wait == SLICE_NOW) {
		due = act(WAVE_MAKE_SLICE);
		due.limit = want;
		return due;
	}
	due = wait_until(waits[turn.wait], turn.wait == SLICE_NEVER
	    ? INT64_MAX : turn.at_s * SECOND_US);
	due.blackout = turn.blackout;
	return due;
}

static struct wave_due due_held(const struct wave_moment *m)
{
	int64_t from_us = m->moved_us > m->last_us ? m->moved_us : m->last_us;
	int64_t until_us = m->options->deadline_s == 0 ? INT64_MAX
	    : from_us + m->options->deadline_s * SECOND_US;

	if (m->settle)
		return act(WAVE_SETTLE);
	return m->now_us < until_us ? wait_until(WAVE_WAIT_HELD, until_us)
				    : act(WAVE_OVERDUE);
}

/* WAVE_NOTHING: it goes on. */
static struct wave_due due_watch(const struct wave_moment *m)
{
	static const enum wave_step steps[] = {
		[WATCH_OFF] = WAVE_NOTHING,
		[WATCH_DUE] = WAVE_SOAK,
		[WATCH_SOAKS] = WAVE_WAIT,
		[WATCH_PASSED] = WAVE_SOAKED,
		[WATCH_STOPS] = WAVE_BRAKE,
		[WATCH_UNTOLD] = WAVE_BRAKE_TELL,
		[WATCH_BACK] = WAVE_TAKE_BACK,
	};

	return m->watch == WATCH_SOAKS
		   ? wait_until(WAVE_WAIT_SOAK, m->watch_us)
		   : act(steps[m->watch]);
}

/* A slice that stops the wave does so whatever is held. */
static struct wave_due due_running(const struct wave_moment *m)
{
	struct wave_due watch = due_watch(m);

	if (m->watch == WATCH_STOPS)
		return watch;
	if (m->held > 0)
		return due_held(m);
	if (watch.step != WAVE_NOTHING)
		return watch;
	return m->pending == 0 ? act(WAVE_FINISH) : due_slice(m);
}

struct wave_due wave_due(const struct wave_moment *m)
{
	if (m->flipped > 0)
		return act(WAVE_RELEASE);
	if (m->state == WAVE_SCHEDULED && m->now_us < m->at_us)
		return wait_until(WAVE_WAIT_TIME, m->at_us);
	if (m->state == WAVE_SCHEDULED)
		return act(m->now_us - m->at_us >
			m->options->late_s * SECOND_US
		    ? WAVE_LATE : WAVE_BEGIN);
	if (m->state == WAVE_PAUSED &&
	    (m->watch == WATCH_UNTOLD || m->watch == WATCH_BACK))
		return due_watch(m);
	return m->state == WAVE_RUNNING ? due_running(m)
					: act(WAVE_NOTHING);
}

const char *wave_wait_text(enum wave_wait wait)
{
	static const char *const texts[] = {
		[WAVE_WAIT_NONE] = "",
		[WAVE_WAIT_TIME] = "its time",
		[WAVE_WAIT_PAUSE] = "the pause between slices",
		[WAVE_WAIT_BLACKOUT] = "the end of a blackout",
		[WAVE_WAIT_HOUR] = "wave.per_hour",
		[WAVE_WAIT_EVER] = "blackouts that leave no gap",
		[WAVE_WAIT_HELD] = "the moves of held members",
		[WAVE_WAIT_SOAK] = "the soak of the newest slice",
	};

	return texts[wait];
}
