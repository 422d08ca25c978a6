/* SPDX-License-Identifier: ISC
 *
 * The next step of a wave.
 */
#include "policy/wave/wave_due.h"

#define SECOND_US INT64_C(1000000)

static struct wave_due wait_until(enum wave_wait wait, int64_t until_us)
{
	return (struct wave_due){WAVE_WAIT, wait, until_us, 0};
}

static int64_t no_later(int64_t time_us, int64_t now_us)
{
	return time_us < now_us ? time_us : now_us;
}

/* When the hour has room for `want`, which is no more than the limit. */
static int64_t hour_us(const struct wave_moment *m, uint64_t want)
{
	return SECOND_US * hour_free_at(m->lately, m->lately_n,
	    m->now_us / SECOND_US, m->per_hour, want);
}

static struct wave_due due_slice(const struct wave_moment *m)
{
	uint64_t want = m->pending < m->options->slice ? m->pending
						       : m->options->slice;
	int64_t next_us = m->last_us == 0 ? m->now_us
	    : no_later(m->last_us, m->now_us) +
	      m->options->pause_s * SECOND_US;
	int64_t free_us = 0;

	if (next_us > m->now_us)
		return wait_until(WAVE_WAIT_PAUSE, next_us);
	if (m->blackout_until_us > m->now_us)
		return wait_until(WAVE_WAIT_BLACKOUT, m->blackout_until_us);
	if (m->per_hour > 0 && want > m->per_hour)
		want = m->per_hour;
	if (m->per_hour > 0)
		free_us = hour_us(m, want);
	if (free_us > m->now_us)
		return wait_until(WAVE_WAIT_HOUR, free_us);
	return (struct wave_due){WAVE_MAKE_SLICE, WAVE_WAIT_NONE, 0, want};
}

struct wave_due wave_due(const struct wave_moment *m)
{
	if (m->state == WAVE_SCHEDULED && m->now_us < m->at_us)
		return wait_until(WAVE_WAIT_TIME, m->at_us);
	if (m->state == WAVE_SCHEDULED)
		return (struct wave_due){
		    m->now_us - m->at_us > m->options->late_s * SECOND_US
			? WAVE_LATE : WAVE_BEGIN, WAVE_WAIT_NONE, 0, 0};
	if (m->state != WAVE_RUNNING)
		return (struct wave_due){WAVE_NOTHING, WAVE_WAIT_NONE, 0, 0};
	if (m->pending == 0)
		return (struct wave_due){WAVE_FINISH, WAVE_WAIT_NONE, 0, 0};
	return due_slice(m);
}

const char *wave_wait_text(enum wave_wait wait)
{
	static const char *const texts[] = {
		[WAVE_WAIT_NONE] = "",
		[WAVE_WAIT_TIME] = "its time",
		[WAVE_WAIT_PAUSE] = "the pause between slices",
		[WAVE_WAIT_BLACKOUT] = "the end of a blackout",
		[WAVE_WAIT_HOUR] = "per_hour",
	};

	return texts[wait];
}
