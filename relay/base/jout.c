/* SPDX-License-Identifier: ISC
 *
 * JSON writer (RFC 8259).
 */
#include "relay/base/jout.h"

#include <inttypes.h>

#include "relay/base/clock.h"

void jout_init(struct jout *j, struct strbuf *to)
{
	j->to = to;
	j->comma = false;
}

/* Length of the UTF-8 sequence at s (RFC 3629), 0 when it is not one. */
static size_t utf8_len(struct slice s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t len = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	unsigned char second;

	if (len == 0 || c > 0xf4 || s.n < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
	second = (unsigned char)s.p[1];
	if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) ||
	    (c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f))
		return 0;
	return len;
}

static void add_escaped(struct strbuf *to, unsigned char c)
{
	switch (c) {
	case '"':
		strbuf_adds(to, "\\\"");
		return;
	case '\\':
		strbuf_adds(to, "\\\\");
		return;
	case '\n':
		strbuf_adds(to, "\\n");
		return;
	case '\r':
		strbuf_adds(to, "\\r");
		return;
	case '\t':
		strbuf_adds(to, "\\t");
		return;
	default:
		strbuf_addf(to, "\\u%04x", c);
	}
}

static void add_string(struct strbuf *to, struct slice s)
{
	size_t plain = 0;

	strbuf_addc(to, '"');
	while (plain < s.n) {
		unsigned char c = (unsigned char)s.p[plain];
		size_t len = 1;

		if (c >= 0x80)
			len = utf8_len(slice_from(s, plain));
		else if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
			len = 0;
		if (len != 0) {
			plain += len;
			continue;
		}
		strbuf_addsl(to, slice_head(s, plain));
		add_escaped(to, c);
		s = slice_from(s, plain + 1);
		plain = 0;
	}
	strbuf_addsl(to, s);
	strbuf_addc(to, '"');
}

static void lead(struct jout *j, const char *key)
{
	if (j->comma)
		strbuf_addc(j->to, ',');
	j->comma = true;
	if (key == NULL)
		return;
	add_string(j->to, slice_str(key));
	strbuf_addc(j->to, ':');
}

void jout_object(struct jout *j, const char *key)
{
	lead(j, key);
	strbuf_addc(j->to, '{');
	j->comma = false;
}

void jout_object_end(struct jout *j)
{
	strbuf_addc(j->to, '}');
	j->comma = true;
}

void jout_array(struct jout *j, const char *key)
{
	lead(j, key);
	strbuf_addc(j->to, '[');
	j->comma = false;
}

void jout_array_end(struct jout *j)
{
	strbuf_addc(j->to, ']');
	j->comma = true;
}

void jout_slice(struct jout *j, const char *key, struct slice value)
{
	lead(j, key);
	add_string(j->to, value);
}

void jout_str(struct jout *j, const char *key, const char *value)
{
	if (value != NULL) {
		jout_slice(j, key, slice_str(value));
		return;
	}
	lead(j, key);
	strbuf_adds(j->to, "null");
}

void jout_int(struct jout *j, const char *key, int64_t value)
{
	lead(j, key);
	strbuf_addf(j->to, "%" PRId64, value);
}

void jout_bool(struct jout *j, const char *key, bool value)
{
	lead(j, key);
	strbuf_adds(j->to, value ? "true" : "false");
}

void jout_time(struct jout *j, const char *key, int64_t wall_us)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(wall_us, text);
	jout_str(j, key, text);
}
