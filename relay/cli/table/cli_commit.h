/* SPDX-License-Identifier: ISC
 *
 * Makes a staged change.
 */
#ifndef RELAY_CLI_TABLE_CLI_COMMIT_H
#define RELAY_CLI_TABLE_CLI_COMMIT_H

#include "policy/change/change.h"
#include "relay/cli/common/cli.h"

/* Makes the staged change, once that is agreed, and says "change N: M
 * recipients". */
int cli_commit(struct cli *c, struct change *ch, const struct change_how *how,
    struct change_done *done_out);
/* The same for what was agreed already. */
int cli_make(struct cli *c, struct change *ch, const struct change_how *how,
    struct change_done *done_out);
/* Shows it row by row instead. */
int cli_dry_run(struct cli *c, struct change *ch,
    const struct change_how *how);

#endif
