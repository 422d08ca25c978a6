/* SPDX-License-Identifier: ISC
 *
 * Commands of waves that the daemon carries out: asking it.
 */
#ifndef RELAY_CLI_WAVE_WAVE_ASK_H
#define RELAY_CLI_WAVE_WAVE_ASK_H

#include "relay/cli/common/cli.h"

struct wave_answer {
	struct cli *c;
	char state[40];
	int64_t change, recipients;
	uint64_t kept;
	bool no_preflight; /* it is started without one */
};

/* The arguments of wave.order for the wave that is named first, with the note;
 * more may be set. */
json_t *wave_order_args(const struct cli *c, const char *event);
/* Asks, and takes `args`. Members that keep what they have are shown. The exit
 * code; what is wrong was said. */
int wave_ask(struct cli *c, json_t *args, struct wave_answer *a);
/* And says the state. `args` NULL: the reason was said, a usage. */
int wave_ask_move(struct cli *c, json_t *args, struct wave_answer *a);

#endif
