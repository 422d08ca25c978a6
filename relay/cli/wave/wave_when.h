/* SPDX-License-Identifier: ISC
 *
 * Times of waves on the command line.
 */
#ifndef RELAY_CLI_WAVE_WAVE_WHEN_H
#define RELAY_CLI_WAVE_WAVE_WHEN_H

#include "relay/cli/common/cli.h"
#include "relay/when/zone.h"

/* The zone of --zone, else of the configuration; *zone_out NULL: there is none.
 * CLI_DONE, or what was said. */
int wave_zone(struct cli *c, const struct zone **zone_out);
/* The time of --at, if it is given; else *at_us stays. CLI_DONE, or what was
 * said, also of one that is over. */
int wave_at_option(struct cli *c, const struct zone *zone, int64_t *at_us);
/* "2026-12-01 20:00 GMT (UTC 2026-12-01T20:00:00Z)"; `zone` NULL: UTC alone. */
void wave_time_text(const struct zone *zone, int64_t us, struct strbuf *out);

#endif
