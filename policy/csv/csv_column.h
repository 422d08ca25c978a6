/* SPDX-License-Identifier: ISC
 *
 * Which column of the cutover table a heading of a CSV file stands for: our
 * own names, and what the exports of directories call the same things. Pure.
 */
#ifndef POLICY_CSV_CSV_COLUMN_H
#define POLICY_CSV_CSV_COLUMN_H

#include "conf/conf.h"
#include "relay/base/error.h"

enum csv_what {
	CSV_ADDRESS,
	CSV_ROUTE,
	CSV_MAILBOX,
	CSV_TAGS,
	CSV_LEG,    /* LEG_address; `leg` says which */
	CSV_UNUSED, /* known, and nothing of ours: display names and such */
	CSV_UNNAMED /* no heading: its cells must be empty */
};

enum { CSV_HEADING = 64 };
/* A heading as it is compared: in lower case, without blanks, '-', '_', '.' and
 * what stands in brackets behind it. The slice lies in `out`. */
struct slice csv_heading(struct slice heading, char out[CSV_HEADING]);

struct csv_column {
	enum csv_what what;
	struct slice leg;
};

/* -1 and a sentence that says what would be right. */
int csv_column_named(struct slice heading, const struct conf *c,
    struct csv_column *column_out, struct error *err) PH_CHECK;

#endif
