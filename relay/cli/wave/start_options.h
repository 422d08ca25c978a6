/* SPDX-License-Identifier: ISC
 *
 * The options of a start, as `wave start`, `schedule` and `plan` take them.
 */
#ifndef RELAY_CLI_WAVE_START_OPTIONS_H
#define RELAY_CLI_WAVE_START_OPTIONS_H

#include "policy/wave/wave_options.h"
#include "relay/cli/common/cli.h"

/* Rows for a command's table of options. */
#define START_OPTIONS                                                        \
	{"slice", "N", "Members that are flipped at a time (1,000)."},       \
	{"pause", "T", "Between two slices (none)."},                        \
	{"hold", NULL, "Holds their mail, waits for hook.on_held or "        \
	    "`watermark synced`, flips, releases."},                         \
	{"deadline", "T", "Of a hold; past it the wave is paused, and an "   \
	    "alarm raised."},                                                \
	{"soak", "T", "A slice is watched so long before the next one "      \
	    "(none): more of its mail must not fail than before."},          \
	{"on-bad", "WHAT", "Of a slice of which more fails: pause (the "     \
	    "default), or rollback, which takes the slice back too."},       \
	{"complaints", "N", "Pauses when so many members complained (see "   \
	    "complaints add)."},                                             \
	{"force", NULL, "Also members that another change moved since the "  \
	    "wave was created, or that have no row."}

/* Over the values that `options` has. CLI_DONE, or what was said. */
int start_options_read(struct cli *c, struct wave_options *options);
/* --slice alone, if it is given. CLI_DONE, or what was said. */
int start_option_slice(struct cli *c, uint64_t *slice);

#endif
