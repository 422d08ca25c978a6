/* SPDX-License-Identifier: ISC
 *
 * Whether mail for the domains of a replay also came in by an MX that points
 * elsewhere, which no replay covers: by the daemon's last looks at their name
 * servers (`posthouse propagation`).
 */
#ifndef RELAY_CLI_REPLAY_REPLAY_MX_H
#define RELAY_CLI_REPLAY_REPLAY_MX_H

#include "relay/cli/common/cli.h"

struct arena;

enum {
	REPLAY_MX_BYTES = 512,
	REPLAY_MX_DOMAINS = 20, /* that are looked at; others are counted */
};

/* The state of the MX of a domain, a constant: clean, waits, unknown, old;
 * `why_out` (REPLAY_MX_BYTES) has what is known of it. */
const char *replay_mx(const struct conf *conf, const char *domain,
    struct arena *a, char *why_out);

/* A line for each domain of these keys of rows. */
void replay_mx_say(struct cli *c, const json_t *addresses);
/* The same of the `n`-th row of replay.show about a domain, from 0; with --json
 * it gains `mx` and `mx_why`. */
void replay_mx_row(struct cli *c, json_t *row, size_t n);
/* Says that of so many domains not all were looked at, if it is so. */
void replay_mx_more(struct cli *c, size_t domains);

#endif
