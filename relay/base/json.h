/* SPDX-License-Identifier: ISC
 *
 * JSON writer: appends to a strbuf, one object a line. Input that is not
 * valid UTF-8 is written byte by byte as \u00XX, so the output always is.
 */
#ifndef RELAY_BASE_JSON_H
#define RELAY_BASE_JSON_H

#include "relay/base/strbuf.h"

struct json {
	struct strbuf *to;
	bool comma; /* a value stands before */
};

void json_init(struct json *j, struct strbuf *to);
/* key NULL: an element of an array, or the top. */
void json_object(struct json *j, const char *key);
void json_object_end(struct json *j);
void json_array(struct json *j, const char *key);
void json_array_end(struct json *j);
void json_slice(struct json *j, const char *key, struct slice value);
void json_str(struct json *j, const char *key, const char *value); /* NULL: null */
void json_int(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_time(struct json *j, const char *key, int64_t wall_us);

#endif
