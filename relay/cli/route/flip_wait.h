/* SPDX-License-Identifier: ISC
 *
 * Waits until nothing of before a change is under way.
 */
#ifndef RELAY_CLI_ROUTE_FLIP_WAIT_H
#define RELAY_CLI_ROUTE_FLIP_WAIT_H

#include "relay/cli/common/cli.h"

/* Waits until no attempt that was begun before the change is under way for
 * its recipients; `change` 0, when nothing was changed: for any recipient.
 * CLI_DONE, or what was said. */
int flip_wait(struct cli *c, uint64_t change);
/* Waiting needs the daemon: this finds out before anything is changed, not
 * after. Waiting for change 0 is over at once. */
int flip_can_wait(struct cli *c);

#endif
