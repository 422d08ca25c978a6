/* SPDX-License-Identifier: ISC
 *
 * Writes cells of separated values (RFC 4180). Pure.
 */
#ifndef POLICY_CSV_CSV_CELL_H
#define POLICY_CSV_CSV_CELL_H

#include "relay/base/strbuf.h"

/* Adds a cell, with a comma before it unless the line is empty, and in quotes
 * where it needs them. */
void csv_cell(struct strbuf *line, const char *text);
/* The same of a stranger's text: one that a spreadsheet would take for a
 * formula gets an apostrophe before it, and controls become blanks. */
void csv_cell_foreign(struct strbuf *line, const char *text);

#endif
