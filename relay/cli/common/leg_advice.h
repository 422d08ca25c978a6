/* SPDX-License-Identifier: ISC
 *
 * Advises an administrator about a leg that takes no mail.
 */
#ifndef RELAY_CLI_COMMON_LEG_ADVICE_H
#define RELAY_CLI_COMMON_LEG_ADVICE_H

#include "relay/cli/common/cli.h"

/* Says it for people. `row`: the leg, as the daemon's leg.list gives it. */
void leg_advice(struct cli *c, const json_t *row);
/* The same below a list of the queue, with the reason why each leg is not up.
 * `legs`: their names as keys. Asks the daemon. */
void leg_advice_waiting(struct cli *c, const json_t *legs);

#endif
