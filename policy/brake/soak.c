/* SPDX-License-Identifier: ISC
 *
 * The course of a soak.
 */
#include "policy/brake/soak.h"

static struct soak_due ends(enum soak_end end)
{
	return (struct soak_due){.end = end};
}

struct soak_due soak_due(const struct soak_moment *m)
{
	int64_t from_us = m->began_us < m->now_us ? m->began_us : m->now_us;
	int64_t soak_us = from_us + m->soak_us;
	int64_t last_us = from_us + SOAK_TIMES * m->soak_us;

	if (m->complaints_max > 0 && m->complaints >= m->complaints_max)
		return ends(SOAK_COMPLAINTS);
	if (m->soak_us == 0)
		return ends(SOAK_GOOD);
	if (m->mail == BRAKE_BAD)
		return ends(SOAK_BAD);
	if (m->shut || m->leg == BRAKE_BAD)
		return ends(SOAK_LEG);
	if (m->now_us < soak_us)
		return (struct soak_due){.until_us = soak_us};
	if (m->mail == BRAKE_GOOD)
		return ends(SOAK_GOOD);
	return m->now_us < last_us ? (struct soak_due){.until_us = last_us}
				   : ends(SOAK_INCONCLUSIVE);
}

static const char *const texts[SOAK_ENDS] = {
	[SOAK_OPEN] = "open",
	[SOAK_GOOD] = "good",
	[SOAK_ACCEPTED] = "accepted",
	[SOAK_BAD] = "bad",
	[SOAK_LEG] = "leg",
	[SOAK_INCONCLUSIVE] = "inconclusive",
	[SOAK_COMPLAINTS] = "complaints",
};

const char *soak_end_text(enum soak_end e)
{
	return texts[e];
}

int soak_end_named(struct slice text)
{
	for (int e = 0; e < SOAK_ENDS; e++)
		if (slice_eq(text, slice_str(texts[e])))
			return e;
	return -1;
}
