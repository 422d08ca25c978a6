/* SPDX-License-Identifier: ISC
 *
 * JSON writer: appends to a strbuf, one object a line. Input that is not
 * valid UTF-8 is written byte by byte as \u00XX, so the output always is; so
 * are characters that must not reach a terminal (utf8.h), as \uXXXX.
 */
#ifndef RELAY_BASE_JOUT_H
#define RELAY_BASE_JOUT_H

#include "relay/base/strbuf.h"

struct jout {
	struct strbuf *to;
	bool comma; /* a value stands before */
};

void jout_init(struct jout *j, struct strbuf *to);
/* key NULL: an element of an array, or the top. */
void jout_object(struct jout *j, const char *key);
void jout_object_end(struct jout *j);
void jout_array(struct jout *j, const char *key);
void jout_array_end(struct jout *j);
void jout_slice(struct jout *j, const char *key, struct slice value);
/* NULL is written as null. */
void jout_str(struct jout *j, const char *key, const char *value);
void jout_int(struct jout *j, const char *key, int64_t value);
/* With 15 digits, so that 27.9 is "27.9". */
void jout_real(struct jout *j, const char *key, double value);
void jout_bool(struct jout *j, const char *key, bool value);
void jout_time(struct jout *j, const char *key, int64_t wall_us);

#endif
