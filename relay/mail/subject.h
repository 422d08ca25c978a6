/* SPDX-License-Identifier: ISC
 *
 * The subject of a message as people read it, for a search. Pure.
 */
#ifndef RELAY_MAIL_SUBJECT_H
#define RELAY_MAIL_SUBJECT_H

#include "relay/base/strbuf.h"

enum { SUBJECT_MAX = 256 }; /* bytes that are kept */

/* Of the folded value of a Subject field: encoded words (RFC 2047) in UTF-8,
 * US-ASCII and ISO-8859-1 are decoded, others stay as they are written.
 * Appends UTF-8 without control characters, at most SUBJECT_MAX bytes. */
void subject_text(struct slice value, struct strbuf *out);

#endif
