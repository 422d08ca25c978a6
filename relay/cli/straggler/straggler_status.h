/* SPDX-License-Identifier: ISC
 *
 * The stragglers in posthouse status.
 */
#ifndef RELAY_CLI_STRAGGLER_STRAGGLER_STATUS_H
#define RELAY_CLI_STRAGGLER_STRAGGLER_STATUS_H

#include "relay/cli/common/cli.h"

/* One line: how many legitimate ones are not quiet, and when the last one was
 * seen; nothing where ledger.db or the table may not be read. */
void straggler_status(struct cli *c);

#endif
