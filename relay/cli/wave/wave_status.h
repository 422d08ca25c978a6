/* SPDX-License-Identifier: ISC
 *
 * The waves in posthouse status.
 */
#ifndef RELAY_CLI_WAVE_WAVE_STATUS_H
#define RELAY_CLI_WAVE_WAVE_STATUS_H

#include "relay/cli/common/cli.h"

/* A row for each wave that is scheduled, running or paused (--json: for each
 * wave, of the section `wave`), and a line that counts the others. Nothing
 * where there is no wave, and for a user that may not read the table. */
void wave_status(struct cli *c);

#endif
