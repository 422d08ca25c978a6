/* SPDX-License-Identifier: ISC
 *
 * Classes of replies: the rows of a profile, the first that fits wins.
 */
#include "policy/reply_class.h"

#include "relay/mail/reply_words.h"

static unsigned stage_bit(enum stage stage)
{
	if (!stage_transacts(stage))
		return ON_HELLO;
	return stage == STAGE_MAIL ? ON_MAIL :
	       stage == STAGE_RCPT ? ON_RCPT : ON_DATA;
}

static bool text_fits(const struct conf_strings *phrases,
    const struct reply_words *words)
{
	for (int i = 0; i < phrases->count; i++)
		if (reply_words_have(words, phrases->s[i]))
			return true;
	return phrases->count == 0;
}

static bool fits(const struct conf_reply *row, const struct result *r,
    const struct reply_words *words)
{
	if (r->code < row->low || r->code > row->high)
		return false;
	if ((row->stages & stage_bit(r->stage)) == 0)
		return false;
	if (row->enh != NULL && !conf_enhanced_fits(row->enh, r->enh))
		return false;
	return text_fits(&row->text, words);
}

static const struct conf_reply *find(const struct conf_profile *p,
    const struct result *r)
{
	struct reply_words words;

	if (p == NULL || r->code < 400)
		return NULL;
	reply_words_read(slice_str(r->text == NULL ? "" : r->text), &words);
	for (int i = 0; i < p->replies; i++)
		if (fits(&p->reply[i], r, &words))
			return &p->reply[i];
	return NULL;
}

/* An answer that is neither 2yz nor a refusal is not SMTP, and a leg that does
 * not talk to us has not refused the message. */
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
	/* A 4yz is never the end, whatever it is about (RFC 5321 4.2.1). */
	if (r->code < 500 && r->outcome == OUT_FAILED)
		r->outcome = OUT_DEFERRED;
	return row;
}
