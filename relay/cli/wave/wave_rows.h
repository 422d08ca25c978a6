/* SPDX-License-Identifier: ISC
 *
 * Tables behind a wave: members, slices, decisions, watermarks.
 */
#ifndef RELAY_CLI_WAVE_WAVE_ROWS_H
#define RELAY_CLI_WAVE_WAVE_ROWS_H

#include "policy/wave/file/wave_file.h"
#include "relay/cli/common/cli.h"

struct wave_of {
	const struct wave *wave;
	int state; /* of its members; -1: any */
};
/* All decisions about waves and rules, oldest first. */
int wave_decisions(struct cli *c, struct wave_file *f, struct error *err)
    PH_CHECK;
/* Those that --slices, --decisions, --members (or a state) and --watermarks
 * ask for. */
int wave_rows(struct cli *c, struct wave_file *f, const struct wave_of *of,
    struct error *err) PH_CHECK;

#endif
