/* SPDX-License-Identifier: ISC
 *
 * The options of a start, as `wave start`, `schedule` and `plan` take them and
 * as the table keeps them: lines "key=value". Pure.
 */
#ifndef POLICY_WAVE_WAVE_OPTIONS_H
#define POLICY_WAVE_WAVE_OPTIONS_H

#include "relay/base/slice.h"
#include "relay/base/strbuf.h"

enum {
	WAVE_SLICE_DEFAULT = 1000,
	WAVE_LATE_DEFAULT_S = 15 * 60,
	WAVE_OPTIONS_TEXT = 4096,
	WAVE_ZONE_TEXT = 64,
};

struct wave_options {
	uint64_t slice;	    /* members, at least 1 */
	int64_t pause_s;    /* between two slices; 0: none */
	int64_t late_s;	    /* overdue by more: paused instead */
	bool hold;	    /* hold, wait, flip, release */
	int64_t deadline_s; /* of a hold; 0: none */
	int64_t soak_s;	    /* a slice is watched so long; 0: not at all */
	bool take_back;	    /* a slice that is bad is rolled back as well */
	uint64_t complaints; /* so many stop the wave; 0: none do */
	uint64_t rollback;  /* one is under way, in slices of so many; 0 */
	bool force;	    /* also members that were moved, or have no row */
	char zone[WAVE_ZONE_TEXT]; /* in which --at was said; "": UTC */
};

struct wave_options wave_options_default(void);
void wave_options_print(const struct wave_options *o, struct strbuf *out);
/* Over the defaults. A key that this program does not know is passed over (a
 * later version's), a value that is none of its key's leaves the default. */
void wave_options_parse(struct slice text, struct wave_options *options_out);

#endif
