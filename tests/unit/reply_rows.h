/* SPDX-License-Identifier: ISC
 *
 * Answers that a row of a profile is for.
 */
#ifndef TESTS_UNIT_REPLY_ROWS_H
#define TESTS_UNIT_REPLY_ROWS_H

#include "conf/profile.h"

/* The lower and the upper end of the row's ranges; each phrase of the row has
 * two. */
enum { ROW_ANSWERS = 2 };
int row_answers(const struct conf_reply *row);

struct row_answer {
	int code;
	char enh[16]; /* "" : none */
	enum stage stage; /* the last that fits */
	char text[200];
};

void row_answer_make(const struct conf_reply *row, int k,
    struct row_answer *out);
/* Is row `i` the profile's own, not one of generic behind it? */
bool reply_row_own(const struct conf_profile *p, int i);

#endif
