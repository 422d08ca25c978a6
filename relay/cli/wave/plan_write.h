/* SPDX-License-Identifier: ISC
 *
 * Writes a plan down: all of its waves, their members and its decisions in one
 * transaction.
 */
#ifndef RELAY_CLI_WAVE_PLAN_WRITE_H
#define RELAY_CLI_WAVE_PLAN_WRITE_H

#include "policy/wave/wave_options.h"
#include "relay/cli/wave/plan_members.h"

/* A wave of a plan. */
struct plan_wave {
	char name[WAVE_NAME_MAX + 1];
	int64_t at_s; /* UTC */
	uint32_t size, members;
};

struct plan_writing {
	struct plan_members *members; /* split */
	const struct plan_wave *wave; /* by the split's numbers */
	int waves;
	const char *route;
	const struct wave_options *options;
	const struct change_by *by;
	const char *detail; /* of the decision of each wave */
	bool schedule;	    /* … right away */
};
/* Waves without members are left out. -1: nothing was written. */
int plan_write(struct wave_file *f, const struct plan_writing *p,
    struct error *err) PH_CHECK;

#endif
