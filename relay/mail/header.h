/* SPDX-License-Identifier: ISC
 *
 * The header section of a message: scanned, never changed. Pure.
 */
#ifndef RELAY_MAIL_HEADER_H
#define RELAY_MAIL_HEADER_H

#include "relay/base/strbuf.h"

struct header_field {
	struct slice name;  /* without the colon */
	struct slice value; /* folded, without the last line end */
	struct slice whole; /* name to line end inclusive */
};

/* Cuts the next field off `*rest`; false at the empty line, at the end, or
 * at the first line that is no field. */
bool header_next(struct slice *rest, struct header_field *field_out);
/* First field of that name (case folded); false when none. */
bool header_find(struct slice message, const char *name,
    struct slice *value_out);
/* The header section with its last CRLF, without the empty line. */
struct slice header_section(struct slice message);
/* Unfolded and trimmed, at most `max` bytes, control replaced by '?'. */
void header_unfold(struct slice value, size_t max, struct strbuf *out);
/* The words of a folded value, one blank apart, cut off at `max` bytes: equal
 * however a server folds it. Bytes are not changed. */
void header_words(struct slice value, size_t max, struct strbuf *out);

#endif
