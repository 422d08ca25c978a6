/* SPDX-License-Identifier: ISC
 *
 * The cutover table for the commands: opened as the user that owns it, rows
 * and values shown in one form.
 */
#ifndef RELAY_CLI_TABLE_CLI_TABLE_H
#define RELAY_CLI_TABLE_CLI_TABLE_H

#include "policy/change.h"
#include "policy/table.h"
#include "relay/cli/common/cli.h"

/* NULL: the reason was said. A table that does not exist yet is made and
 * seeded first. Root becomes the user that owns the file, for good: files of
 * the command's own are opened before. */
struct table *cli_table(struct cli *c);
struct change *cli_change(struct cli *c);
/* What `ch` is staged from: bad lines are named as they are met, with the
 * file, twenty of them; a bar shows how far it is. */
void cli_watch_file(struct cli *c, struct change *ch, const char *name,
    int fd);
/* Says why a change was not made: `err`, or how many lines of its file are
 * wrong. CLI_NO. */
int cli_change_fail(struct cli *c, const struct change *ch,
    const struct error *err);
/* Opens a file to read, "-" for stdin; -1: the reason was said. */
int cli_open_input(struct cli *c, const char *name);

/* agree.c: CLI_DONE when the staged change may be made, after asking where
 * that is due; else what is to be returned. */
int cli_agree(struct cli *c, struct change *ch, const struct change_how *how);
/* Makes the staged change, once that is agreed, and says "change N: M
 * recipients". */
int cli_commit(struct cli *c, struct change *ch, const struct change_how *how,
    struct change_done *done_out);
/* The same for what was agreed already. */
int cli_make(struct cli *c, struct change *ch, const struct change_how *how,
    struct change_done *done_out);
/* cmd_route_file.c: all rows, or those of one customer, as CSV that `route
 * import` reads. CLI_DONE, or what was said. */
int cli_export_rows(struct cli *c, struct table *t, FILE *to,
    const char *customer);
/* Shows it row by row instead. */
int cli_dry_run(struct cli *c, struct change *ch,
    const struct change_how *how);
/* A customer that some domain belongs to; false: the reason was said. */
bool cli_customer(struct cli *c, const char *name);
/* A change number; false: the reason was said. */
bool cli_number(struct cli *c, const char *text, uint64_t *number_out);
int cli_key(struct cli *c, const char *text, struct strbuf *key_out);

/* A row of the table with its address, as one row of output. */
extern const struct out_column cli_row_columns[];
void cli_put_row(struct cli *c, struct slice key, const struct table_row *row);
/* "route", "held", "mailbox", "tags", "addresses" as an object; null when
 * there is no row. */
void cli_put_value(struct jout *j, const char *key,
    const struct table_value *v);
/* "undid", when the change is an undo. */
void cli_put_undid(struct jout *j, const struct table_change *ch);
/* A preview's or change's row: "address", "old", "new". */
void cli_put_pair(struct cli *c, struct slice key,
    const struct table_value *before, const struct table_value *after);
extern const struct out_column cli_pair_columns[];

#endif
