/* SPDX-License-Identifier: ISC
 *
 * verdict waive.
 */
#ifndef RELAY_CLI_VERDICT_VERDICT_WAIVE_H
#define RELAY_CLI_VERDICT_VERDICT_WAIVE_H

#include "relay/cli/common/cli.h"

int verdict_waive_run(struct cli *c);

#endif
