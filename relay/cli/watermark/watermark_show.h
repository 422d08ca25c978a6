/* SPDX-License-Identifier: ISC
 *
 * Shows watermarks as rows.
 */
#ifndef RELAY_CLI_WATERMARK_WATERMARK_SHOW_H
#define RELAY_CLI_WATERMARK_WATERMARK_SHOW_H

#include "relay/audit/delivered/watermark_reader.h"
#include "relay/cli/common/cli.h"

extern const struct out_column watermark_columns[];

/* A row of the table that has these columns; `since_us`: deliveries from then
 * on are known. */
void watermark_show(struct cli *c, const struct watermark *w,
    int64_t since_us);
/* Behind a table of them, for people: what a watermark does not speak of. */
void watermark_show_end(struct cli *c);
/* The watermarks of these addresses (lookup form) as a table of their own, or
 * nothing where there are none: for route get and wave show. A ledger.db that
 * cannot be read has none. */
void watermark_show_of(struct cli *c, const struct slice *address, size_t n);

#endif
