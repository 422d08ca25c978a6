/* SPDX-License-Identifier: ISC
 *
 * Classes of replies: the rows of a profile, the first that fits wins.
 */
#include "policy/reply_class.h"

static unsigned stage_bit(const char *stage)
{
	static const struct {
		const char *name;
		unsigned bit;
	} known[] = {
	    {"mail", ON_MAIL}, {"rcpt", ON_RCPT}, {"data", ON_DATA},
	    {"body", ON_DATA},
	};

	for (size_t i = 0; stage != NULL && i < ARRAY_LEN(known); i++)
		if (strcmp(stage, known[i].name) == 0)
			return known[i].bit;
	return ON_HELLO;
}

static bool text_has(const char *text, const char *part)
{
	struct slice rest = slice_str(text);

	for (; rest.n > 0; rest = slice_from(rest, 1))
		if (slice_case_starts(rest, slice_str(part)))
			return true;
	return false;
}

static bool fits(const struct conf_reply *row, const struct result *r)
{
	if (r->code < row->low || r->code > row->high)
		return false;
	if ((row->stages & stage_bit(r->stage)) == 0)
		return false;
	if (row->enh != NULL && !conf_enhanced_fits(row->enh, r->enh))
		return false;
	return row->text == NULL || (r->text != NULL &&
	    text_has(r->text, row->text));
}

static const struct conf_reply *find(const struct conf_profile *p,
    const struct result *r)
{
	for (int i = 0; p != NULL && i < p->replies; i++)
		if (fits(&p->reply[i], r))
			return &p->reply[i];
	return NULL;
}

/* What is neither 2yz nor a refusal is no SMTP; and who does not talk to us
 * has not refused the message. */
static void by_digits(struct result *r)
{
	r->class = CLASS_NETWORK;
	r->outcome = OUT_DEFERRED;
	if (stage_bit(r->stage) == ON_HELLO)
		return;
	if (r->code >= 200 && r->code <= 299) {
		r->class = CLASS_NONE;
		r->outcome = OUT_DELIVERED;
	} else if (r->code >= 400 && r->code <= 599) {
		r->class = r->code < 500 ? CLASS_NONE : CLASS_MESSAGE;
		r->outcome = r->code < 500 ? OUT_DEFERRED : OUT_FAILED;
	}
}

const struct conf_reply *reply_classify(const struct conf_profile *p,
    struct result *r)
{
	const struct conf_reply *row;

	if (r->outcome == OUT_UNTRIED ||
	    (r->code == 0 && r->class != CLASS_NONE))
		return NULL;
	row = find(p, r);
	if (row == NULL) {
		by_digits(r);
		return NULL;
	}
	r->class = row->class;
	r->outcome = row->outcome;
	return row;
}
