/* SPDX-License-Identifier: ISC
 *
 * verdict --relay: may Posthouse itself go?
 */
#ifndef RELAY_CLI_VERDICT_VERDICT_RELAY_H
#define RELAY_CLI_VERDICT_VERDICT_RELAY_H

#include "relay/cli/common/cli.h"

int verdict_relay_run(struct cli *c);

#endif
