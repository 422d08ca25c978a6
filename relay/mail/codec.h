/* SPDX-License-Identifier: ISC
 *
 * xtext (RFC 3461 4) and its like for UTF-8 (RFC 6533 3), and text made
 * harmless. Pure.
 */
#ifndef RELAY_MAIL_CODEC_H
#define RELAY_MAIL_CODEC_H

#include "relay/base/strbuf.h"

bool xtext_valid(struct slice s);
/* False when it is not xtext or would decode to CR, LF or NUL. */
bool xtext_decode(struct slice s, struct strbuf *out);
void xtext_encode(struct slice s, struct strbuf *out);
/* utf-8-addr-xtext, "c\x{E9}@e". The backslash, '+' and '=' are written as
 * numbers too, else a local part "\x{41}" would be read as something else;
 * unless `s` was `written` that way already. Ends soon after `max` bytes. */
void utf8_xtext(struct slice s, bool written, size_t max, struct strbuf *out);

enum { ORCPT_MAX = 500 /* RFC 3461 4.2 */ };
/* "rfc822;ann+2Bx@e", "utf-8;c\x{E9}@e": the original recipient of an address
 * that is rewritten. Appended; false, and nothing to be used, when it would
 * be longer than ORCPT_MAX. */
bool orcpt_encode(struct slice address, struct strbuf *out);
/* Printable ASCII (and UTF-8 when `utf8`) stays, a TAB becomes a blank, the
 * rest becomes '?', C1 controls and U+2028/2029 included; at most `max` bytes,
 * never half a character. */
void text_clean(struct slice s, bool utf8, size_t max, struct strbuf *out);

#endif
