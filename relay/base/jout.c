/* SPDX-License-Identifier: ISC
 *
 * JSON writer (RFC 8259).
 */
#include "relay/base/jout.h"

#include "relay/base/clock.h"
#include "relay/base/utf8.h"

void jout_init(struct jout *j, struct strbuf *to)
{
	j->to = to;
	j->comma = false;
}

static void add_escaped(struct strbuf *to, uint32_t point)
{
	switch (point) {
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
		break;
	}
	if (point > 0xffff) { /* a surrogate pair */
		strbuf_addf(to, "\\u%04x",
		    (unsigned)(0xd800 + ((point - 0x10000) >> 10)));
		point = 0xdc00 + (point & 0x3ff);
	}
	strbuf_addf(to, "\\u%04x", (unsigned)point);
}

/* Bytes at the head that stand for themselves: mostly all of them. */
static size_t plain_n(struct slice s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= ' ' && s.p[n] < 127 && s.p[n] != '"' &&
	       s.p[n] != '\\')
		n++;
	return n;
}

/* A character that may not stand for itself; its bytes. */
static size_t add_special(struct strbuf *to, struct slice s)
{
	size_t n = utf8_shown(s);

	if (n > 0) {
		if (s.p[0] == '"' || s.p[0] == '\\')
			strbuf_addc(to, '\\');
		strbuf_add(to, s.p, n);
		return n;
	}
	n = utf8_next(s);
	n = n == 0 ? 1 : n;
	add_escaped(to, utf8_point(slice_head(s, n)));
	return n;
}

static void add_string(struct strbuf *to, struct slice s)
{
	strbuf_addc(to, '"');
	while (s.n > 0) {
		size_t plain = plain_n(s);

		strbuf_add(to, s.p, plain);
		s = slice_from(s, plain);
		if (s.n > 0)
			s = slice_from(s, add_special(to, s));
	}
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
	if (value < 0)
		strbuf_addc(j->to, '-');
	strbuf_addu(j->to, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void jout_real(struct jout *j, const char *key, double value)
{
	lead(j, key);
	strbuf_addf(j->to, "%.15g", value);
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
