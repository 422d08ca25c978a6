/* SPDX-License-Identifier: ISC
 *
 * A change of the cutover table that a command stages.
 */
#ifndef RELAY_CLI_TABLE_CLI_CHANGE_H
#define RELAY_CLI_TABLE_CLI_CHANGE_H

#include "policy/change/change.h"
#include "relay/cli/common/cli.h"

/* Opens a change as cli_table() opens the table. NULL: the reason was said. */
struct change *cli_change(struct cli *c);
/* The same for one that is read from a file, "-" for stdin; the file is opened
 * first: root becomes the table's owner, who may not be able to read it. */
struct change *cli_change_from(struct cli *c, const char *name, int *fd_out);
/* Watches the reading of the file that `ch` is staged from: bad lines are
 * named as they are met, with the file, twenty of them; a bar shows the
 * progress. */
void cli_watch_file(struct cli *c, struct change *ch, const char *name,
    int fd);
/* Says why a change was not made: `err`, or how many lines of its file are
 * wrong. CLI_NO. */
int cli_change_fail(struct cli *c, const struct change *ch,
    const struct error *err);

#endif
