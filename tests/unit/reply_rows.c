/* SPDX-License-Identifier: ISC
 *
 * Answers that a row of a profile is for.
 */
#include "tests/unit/reply_rows.h"

#include <stdio.h>
#include <stdlib.h>

static int end_of(const char *range, int k)
{
	const char *dash = strchr(range, '-');

	return (int)strtol(k > 0 && dash != NULL ? dash + 1 : range, NULL,
	    10);
}

static void make_enhanced(const struct conf_reply *row, int k,
    struct row_answer *out)
{
	char pattern[32], *part, *rest = pattern;
	int n[3] = {out->code / 100, 7, k > 0 ? 999 : 0};

	if (row->enh == NULL || strcmp(row->enh, "none") == 0)
		return;
	snprintf(pattern, sizeof(pattern), "%s", row->enh);
	for (int i = 0; (part = strsep(&rest, ".")) != NULL && i < 3; i++)
		if (strcmp(part, "*") != 0)
			n[i] = end_of(part, k);
	snprintf(out->enh, sizeof(out->enh), "%hhu.%hu.%hu",
	    (unsigned char)n[0], (unsigned short)n[1], (unsigned short)n[2]);
}

void row_answer_make(const struct conf_reply *row, int k,
    struct row_answer *out)
{
	*out = (struct row_answer){.code = k > 0 ? row->high : row->low};
	out->stage = row->stages & ON_DATA ? "body" :
		     row->stages & ON_RCPT ? "rcpt" :
		     row->stages & ON_MAIL ? "mail" : "greeting";
	make_enhanced(row, k, out);
	snprintf(out->text, sizeof(out->text), "no, %s",
	    row->text == NULL ? "not so" : row->text);
}

bool reply_row_own(const struct conf_profile *p, int i)
{
	int own = 0;

	/* generic begins anew at a lower line of its file */
	while (own + 1 < p->replies && p->reply[own + 1].line >
					   p->reply[own].line)
		own++;
	return i <= own;
}
