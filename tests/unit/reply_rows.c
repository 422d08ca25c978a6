/* SPDX-License-Identifier: ISC
 *
 * Answers that a row of a profile is for.
 */
#include "tests/unit/reply_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "relay/mail/reply_words.h"

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

/* A text that has the phrase: nothing in its gaps, and no more of a word than
 * is asked for. */
static void make_text(const char *phrase, struct row_answer *out)
{
	struct slice rest = slice_str(phrase), word;
	size_t n;

	snprintf(out->text, sizeof(out->text), "Sorry:");
	while (slice_next(&rest, ' ', &word)) {
		if (slice_eq(word, SLICE("...")))
			continue;
		if (slice_eq(word, SLICE(REPLY_ADDRESS)))
			word = SLICE("192.0.2.7");
		if (word.p[word.n - 1] == '*')
			word.n--;
		n = strlen(out->text);
		snprintf(out->text + n, sizeof(out->text) - n, " %.*s",
		    (int)word.n, word.p);
	}
}

int row_answers(const struct conf_reply *row)
{
	return ROW_ANSWERS * (row->text.count > 0 ? row->text.count : 1);
}

void row_answer_make(const struct conf_reply *row, int k,
    struct row_answer *out)
{
	int phrase = k / ROW_ANSWERS;

	k %= ROW_ANSWERS;
	*out = (struct row_answer){.code = k > 0 ? row->high : row->low};
	out->stage = row->stages & ON_DATA ? STAGE_BODY :
		     row->stages & ON_RCPT ? STAGE_RCPT :
		     row->stages & ON_MAIL ? STAGE_MAIL : STAGE_GREETING;
	make_enhanced(row, k, out);
	make_text(row->text.count > 0 ? row->text.s[phrase] : "so it is", out);
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
