/* SPDX-License-Identifier: ISC
 *
 * Shows rows and values of the cutover table.
 */
#ifndef RELAY_CLI_TABLE_CLI_PUT_H
#define RELAY_CLI_TABLE_CLI_PUT_H

#include "policy/table.h"
#include "relay/cli/common/cli.h"

/* A row of the table with its address, as one row of output. */
extern const struct out_column cli_row_columns[];
void cli_put_row(struct cli *c, struct slice key, const struct table_row *row);
/* "route", "held", "mailbox", "tags", "addresses" as an object; null when
 * there is no row. */
void cli_put_value(struct jout *j, const char *key,
    const struct table_value *v);
/* "change", "time", "who", "host", "command"; "undid" when it is an undo. */
void cli_put_change(struct jout *j, const struct table_change *ch);
/* A preview's or change's row: "address", "old", "new". */
extern const struct out_column cli_pair_columns[];
void cli_put_pair(struct cli *c, struct slice key,
    const struct table_value *before, const struct table_value *after);

#endif
