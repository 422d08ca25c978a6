/* SPDX-License-Identifier: ISC
 *
 * Shared by the files behind table.h, and by those that change the table.
 */
#ifndef POLICY_TABLE_INT_H
#define POLICY_TABLE_INT_H

#include "policy/db.h"
#include "policy/table.h"

/* The columns of a row in the order that table_take_row() wants, each with `r`
 * before it: "" or the name of a table and a dot. */
#define TABLE_COLUMNS(r) r "route, " r "held, " r "mailbox, " r "tags, " \
	r "addresses, " r "change, " r "address"

struct table {
	struct db db;
	struct names *names;
	bool reading;	/* inside a read transaction, … */
	int64_t newest; /* … which has this change; -1: not asked yet */
};

void table_take_row(struct table *t, sqlite3_stmt *st, struct arena *a,
    struct table_row *row);
/* The value in columns `at` and following; texts are the statement's until its
 * next step. */
struct table_value table_value_at(sqlite3_stmt *st, int at);
/* table_tagged.c: table_rows() of a page with tags. */
int table_tagged(struct table *t, const struct table_page *page,
    struct error *err) PH_CHECK;

#endif
