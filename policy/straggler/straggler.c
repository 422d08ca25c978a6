/* SPDX-License-Identifier: ISC
 *
 * Judges stragglers.
 */
#include "policy/straggler/straggler.h"

#include "relay/base/clock.h"

const char *straggler_mark_text(enum straggler_mark mark)
{
	static const char *const text[STRAGGLER_MARKS] = {
		[STRAGGLER_UNMARKED] = "",
		[STRAGGLER_KEEP] = "keep",
		[STRAGGLER_IGNORE] = "ignore",
	};

	return text[mark];
}

bool straggler_legitimate(const struct straggler_facts *f)
{
	if (f->mark != STRAGGLER_UNMARKED)
		return f->mark == STRAGGLER_KEEP;
	return f->proven > 0 || (f->listed && f->delivered > 0);
}

int64_t straggler_quiet_at(const struct straggler_facts *f, int64_t quiet_us)
{
	const int64_t most = STRAGGLER_DAYS * DAY_US;
	int64_t wait = f->gap_us < most / 2 ? 2 * f->gap_us : most;

	return f->last_us + (wait > quiet_us ? wait : quiet_us);
}

bool straggler_quiet(const struct straggler_facts *f, int64_t quiet_us,
    int64_t now_us)
{
	return now_us >= straggler_quiet_at(f, quiet_us);
}

bool straggler_late(const struct straggler_facts *f, int64_t ended_us)
{
	return ended_us != 0 && f->first_us >= ended_us;
}
