/* SPDX-License-Identifier: ISC
 *
 * The logical lines of a map of Postfix (postmap(1)): one that begins with a
 * blank continues the one before it; empty lines and comments stand anywhere.
 */
#ifndef POLICY_IMPORT_MAP_LINE_H
#define POLICY_IMPORT_MAP_LINE_H

#include "policy/csv/csv.h"

enum { MAP_LINE_MAX = 1024 * 1024 };

struct map_lines {
	struct csv csv;
	uint64_t line; /* where the line at hand began, from 1 */
	struct slice key, value; /* of it, until the next one */
	struct strbuf text, next;
	uint64_t next_line; /* 0: there is none */
	bool ended;
};

void map_lines_init(struct map_lines *m, int fd);
void map_lines_fini(struct map_lines *m);
/* The next line, cut into key and value. As csv_next(): CSV_BAD with a reason,
 * and the next call goes on. */
int map_lines_next(struct map_lines *m, struct error *err) PH_CHECK;
/* -1: the line is one of a map of patterns (regexp_table(5)). */
int map_refuse_pattern(const struct map_lines *m, struct error *err) PH_CHECK;
/* Cuts the next of several targets off `rest`: blanks and commas separate them,
 * but not inside quotes. False at the end. */
bool map_next_target(struct slice *rest, struct slice *target_out);

#endif
