/* SPDX-License-Identifier: ISC
 *
 * Verdicts on slices.
 */
#include "policy/wave/file/soak_verdict.h"

#define SECOND_US INT64_C(1000000)

static struct brake_share share(uint64_t of, uint64_t rest)
{
	return (struct brake_share){of + rest, of};
}

struct brake_judged soak_mail(const struct soak *s)
{
	return brake_judge(share(s->now.failed, s->now.delivered), s->users,
	    share(s->base.failed, s->base.delivered));
}

/* The leg's own trouble, of all that was tried. */
static struct brake_judged soak_leg(const struct soak *s)
{
	return brake_judge(share(s->now.trouble,
			       s->now.delivered + s->now.failed),
	    s->now.trouble,
	    share(s->base.trouble, s->base.delivered + s->base.failed));
}

struct soak_due soak_due_of(const struct soak *s,
    const struct soak_around *around)
{
	const struct wave_options *o = around->options;
	struct soak_moment m = {
	    .now_us = around->now_us,
	    .began_us = s->began_us,
	    .soak_us = o->soak_s * SECOND_US,
	    .shut = around->shut,
	    .complaints = s->complaints,
	    .complaints_max = o->complaints,
	};

	if (!around->blind) {
		m.mail = soak_mail(s).verdict;
		m.leg = soak_leg(s).verdict;
	}
	return soak_due(&m);
}
