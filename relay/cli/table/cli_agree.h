/* SPDX-License-Identifier: ISC
 *
 * Whether a staged change may be made.
 */
#ifndef RELAY_CLI_TABLE_CLI_AGREE_H
#define RELAY_CLI_TABLE_CLI_AGREE_H

#include "policy/change/change.h"
#include "relay/cli/common/cli.h"

/* CLI_DONE when the staged change may be made, after asking where that is
 * due; else what is to be returned. */
int cli_agree(struct cli *c, struct change *ch, const struct change_how *how);

#endif
