/* SPDX-License-Identifier: ISC
 *
 * The replay that goes with the rollback of a wave.
 */
#ifndef RELAY_CLI_REPLAY_REPLAY_WAVE_H
#define RELAY_CLI_REPLAY_REPLAY_WAVE_H

#include "relay/cli/replay/replay_back.h"

/* Of the members that have the wave's route, to the legs that they had; said
 * and asked about as by replay_back_preview(). *back_out is the caller's. */
int replay_wave_preview(struct cli *c, const char *wave,
    struct replay_back **back_out);
/* After the rollback: of the rows of its change; 0: it goes on in slices, and
 * all that was asked about counts. */
int replay_wave_start(struct cli *c, struct replay_back *back,
    const char *wave, uint64_t change);

#endif
