/* SPDX-License-Identifier: ISC
 *
 * The words of a reply's text that are the leg's own, and phrases that are
 * looked for in them. Pure.
 *
 * Much of a reply may be another's: it quotes addresses, names of hosts and
 * subjects, which a sender chooses. So all of "<ann@example.com>",
 * ann@example.com, mx.example.com, 192.0.2.7, [192.0.2.7],
 * https://example.com/a and "in quotes" is cut out before anything is looked
 * for, and what joins parts of a word (relay-team, a/b) is a part of it.
 */
#ifndef RELAY_MAIL_REPLY_WORDS_H
#define RELAY_MAIL_REPLY_WORDS_H

#include "relay/base/strbuf.h"

enum { REPLY_WORDS_MAX = 1536 };

/* Lower case, a blank between and at both ends; "." is the end of a sentence.
 * When a network address stood in the text (outside of <>, "" and mail
 * addresses) or in a URL (ip=192.0.2.7), REPLY_ADDRESS is the last word. */
struct reply_words {
	char text[REPLY_WORDS_MAX];
	size_t n; /* bytes of it */
	/* A profile has some 1,500 phrases: a word is found by its first byte.
	 * Places in `text`, 0: there is none, or no further one. */
	uint16_t first[256], next[REPLY_WORDS_MAX];
};
#define REPLY_ADDRESS "[ip]"

/* Text beyond the room that there is is left out. */
void reply_words_read(struct slice text, struct reply_words *words_out);

/* Do these words stand there in a row, within one sentence? A phrase is as
 * phrase_read() leaves it: "block*" is any word that begins so, "..." are up
 * to PHRASE_GAP words. */
enum { PHRASE_GAP = 6 };
bool reply_words_have(const struct reply_words *w, const char *phrase) PH_CHECK;

/* Appends the phrase in normal form. False: it has a part that no text can
 * match, it is empty, it begins or ends with a gap, or has more than three. */
bool phrase_read(struct slice text, struct strbuf *out) PH_CHECK;

#endif
