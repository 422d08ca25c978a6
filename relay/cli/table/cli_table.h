/* SPDX-License-Identifier: ISC
 *
 * The cutover table for the commands: opened as the user that owns it.
 */
#ifndef RELAY_CLI_TABLE_CLI_TABLE_H
#define RELAY_CLI_TABLE_CLI_TABLE_H

#include "policy/table.h"
#include "relay/cli/common/cli.h"

enum { TABLE_PAGE = 1000 }; /* rows that are read in one transaction */

/* NULL: the reason was said. A table that does not exist yet is made and
 * seeded first. Root becomes the user that owns the file, for good: files of
 * the command's own are opened before. */
struct table *cli_table(struct cli *c);
/* The table's file, after root became its owner; NULL: the reason was said. */
const char *cli_table_path(struct cli *c);
/* Opens a file to read, "-" for stdin; -1: the reason was said. */
int cli_open_input(struct cli *c, const char *name);

/* A customer that some domain belongs to; false: the reason was said. */
bool cli_customer(struct cli *c, const char *name);
/* A change number; false: the reason was said. */
bool cli_number(struct cli *c, const char *text, uint64_t *number_out);
/* The key of the row of an address; CLI_DONE, or what was said. */
int cli_key(struct cli *c, const char *text, struct strbuf *key_out);

#endif
