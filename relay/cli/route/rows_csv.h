/* SPDX-License-Identifier: ISC
 *
 * The rows of the cutover table as a file.
 */
#ifndef RELAY_CLI_ROUTE_ROWS_CSV_H
#define RELAY_CLI_ROUTE_ROWS_CSV_H

#include "policy/table.h"
#include "relay/cli/common/cli.h"

/* Writes all rows, or those of one customer, as CSV that `route import`
 * reads; with `json` as rows of c->out instead. CLI_DONE, or what was said. */
int rows_csv_export(struct cli *c, struct table *t, FILE *to,
    const char *customer, bool json);

#endif
