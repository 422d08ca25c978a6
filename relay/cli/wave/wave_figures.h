/* SPDX-License-Identifier: ISC
 *
 * How a wave gets on: its counts, its slices, how fast it goes, what it waits
 * for.
 */
#ifndef RELAY_CLI_WAVE_WAVE_FIGURES_H
#define RELAY_CLI_WAVE_WAVE_FIGURES_H

#include "conf/conf.h"
#include "policy/wave/file/soak_file.h"
#include "policy/wave/wave_due.h"

struct wave_figures {
	struct wave_counts counts; /* by the table as it is */
	uint64_t left;		   /* pending, or moved on since */
	uint64_t slices, moved;	   /* of this run; members in them */
	int64_t first_us, last_us; /* of this run; 0: no slice yet */
	uint64_t per_hour;	   /* measured over this run; 0: not yet */
	int64_t end_us;		   /* when all is done by that; 0: unknown */
	struct soak soak; /* of the newest slice; slice 0: it has none */
	struct wave_due due;
};
/* By the blackouts and per_hour of `c`. */
int wave_figures(struct wave_file *f, const struct wave *w,
    const struct conf *c, struct wave_figures *figures_out,
    struct error *err) PH_CHECK;

#endif
