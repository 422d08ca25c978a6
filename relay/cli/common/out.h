/* SPDX-License-Identifier: ISC
 *
 * The output of a command: aligned columns for people, one JSON object a line
 * for programs. A row is always written as a JSON object; for people its
 * columns are taken out of it, so the two can not differ.
 */
#ifndef RELAY_CLI_COMMON_OUT_H
#define RELAY_CLI_COMMON_OUT_H

#include <jansson.h>
#include <stdio.h>

#include "relay/base/jout.h"
#include "relay/base/utf8.h"

enum {
	OUT_COLUMNS = 16,
	OUT_BLOCK = 200, /* rows whose widths are measured together */
	OUT_ROW_MAX = 1 << 20,
	OUT_LINE_MAX = 1 << 16, /* a line made for people */
};

struct out_column {
	const char *key;   /* of the JSON object; "a.b" reaches inside */
	const char *title; /* heading for people */
	bool right;	   /* numbers */
};

struct out {
	FILE *to;
	bool json;
	const struct out_column *column;
	int columns;
	int width[OUT_COLUMNS];
	char **cell; /* columns * rows, of the block at hand */
	int rows;
	bool titled;
	uint64_t total; /* rows shown since out_table() */
	struct strbuf text;
	struct jout jout;
};

void out_init(struct out *o, FILE *to, bool json);
void out_fini(struct out *o); /* prints what is left */

/* Begins a table; `columns` ends with key NULL and outlives the table. */
void out_table(struct out *o, const struct out_column *columns);
/* A row: the object is begun in the writer that is returned. */
struct jout *out_row(struct out *o);
void out_row_end(struct out *o);
void out_row_json(struct out *o, const json_t *row);
/* Ends the table: prints the rows that wait to be aligned. */
void out_end(struct out *o);

/* One line for people, nothing with --json. What a terminal would obey or
 * hide is escaped, whatever was put in. */
void out_say(struct out *o, const char *fmt, ...) PH_PRINTF(2, 3);

#endif
