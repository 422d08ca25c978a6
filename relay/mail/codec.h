/* SPDX-License-Identifier: ISC
 *
 * xtext (RFC 3461 4), and text made harmless. Pure.
 */
#ifndef RELAY_MAIL_CODEC_H
#define RELAY_MAIL_CODEC_H

#include "relay/base/strbuf.h"

bool xtext_valid(struct slice s);
/* False when it is not xtext or would decode to CR, LF or NUL. */
bool xtext_decode(struct slice s, struct strbuf *out);
void xtext_encode(struct slice s, struct strbuf *out);
/* Printable ASCII (and UTF-8 when `utf8`) stays, a TAB becomes a blank, the
 * rest becomes '?', C1 controls and U+2028/2029 included; at most `max` bytes,
 * never half a character. */
void text_clean(struct slice s, bool utf8, size_t max, struct strbuf *out);

#endif
