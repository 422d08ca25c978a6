/* SPDX-License-Identifier: ISC
 *
 * UTF-8 (RFC 3629), and which characters may be shown. Text from outside
 * reaches terminals, the log, events.jsonl and --json; this is the one list
 * of what is escaped there. Pure; any thread.
 */
#ifndef RELAY_BASE_UTF8_H
#define RELAY_BASE_UTF8_H

#include "relay/base/strbuf.h"

bool utf8_valid(struct slice s);
/* Bytes of the character at the head of `s`; 0: it is empty, or not UTF-8. */
size_t utf8_next(struct slice s);
/* The code point of one whole valid character. */
uint32_t utf8_point(struct slice character);

enum utf8_kind {
	UTF8_SHOWN,   /* seen as it is                                      */
	UTF8_HIDDEN,  /* takes no room: joiners, soft hyphen, tags, fillers */
	UTF8_CONTROL, /* C0, DEL, C1, line and paragraph separator, and what
		       * turns the direction of a line */
};
enum utf8_kind utf8_kind(uint32_t point);

/* Bytes at the head of `s`, not empty, that may be shown as they are; 0: the
 * character there has to be escaped. */
size_t utf8_shown(struct slice s);
/* Appends `s` for a terminal or the log: a byte of a character that must not
 * be shown, or that is not UTF-8, as \xNN. Newline and tab are escaped too. */
void utf8_show(struct slice s, struct strbuf *out);

#endif
