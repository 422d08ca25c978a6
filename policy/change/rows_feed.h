/* SPDX-License-Identifier: ISC
 *
 * Rows of ours as a table `feed` that one statement reads, with the columns
 * c0 … c9: an INSERT … SELECT from it costs half of one INSERT a row.
 */
#ifndef POLICY_CHANGE_ROWS_FEED_H
#define POLICY_CHANGE_ROWS_FEED_H

#include <sqlite3.h>
#include <stdbool.h>

struct rows_feed {
	/* Steps to the next row, the first one too; false: there is none. */
	bool (*next)(void *arg);
	/* Sets the value of a column of the row as the result of `ctx`; the
	 * text lives until the next step. */
	void (*column)(void *arg, sqlite3_context *ctx, int column);
	void *arg;
};

/* Makes the table known to the handle. It reads *feed as that is when a
 * statement begins; NULL: there are no rows. */
int feed_register(sqlite3 *handle, struct rows_feed *const *feed);

#endif
