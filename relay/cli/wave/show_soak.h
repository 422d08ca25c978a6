/* SPDX-License-Identifier: ISC
 *
 * The soak of a wave's newest slice, as wave show prints it.
 */
#ifndef RELAY_CLI_WAVE_SHOW_SOAK_H
#define RELAY_CLI_WAVE_SHOW_SOAK_H

#include "policy/wave/file/soak_file.h"
#include "relay/cli/common/cli.h"

/* A line or two; nothing where there is none (slice 0). */
void show_soak(struct cli *c, const struct soak *s);
/* The object "soak". */
void show_soak_json(struct jout *j, const struct soak *s);

#endif
