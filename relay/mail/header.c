/* SPDX-License-Identifier: ISC
 *
 * The header section of a message: scanned, never changed (RFC 5322 2.2). An
 * LF alone ends a line here too: content that came by BDAT may have them, and
 * a field that other programs would see must not hide from us.
 */
#include "relay/mail/header.h"

#include "relay/mail/codec.h"

/* Where the line ends that has the byte `at`, which is one of `s`. */
static size_t line_end(struct slice s, size_t at)
{
	const char *lf = memchr(s.p + at, '\n', s.n - at);

	return lf == NULL ? s.n : (size_t)(lf - s.p) + 1;
}

static struct slice without_end(struct slice line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\n') {
		line.n--;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
	}
	return line;
}

static bool blank_at(struct slice s, size_t at)
{
	return at < s.n && (s.p[at] == ' ' || s.p[at] == '\t');
}

/* Where the colon of the field is that `s` begins with; 0: there is no field.
 * "Name:" or, as RFC 5322 4.5 has it of old, "Name :". */
static size_t name_of(struct slice s, struct slice *name_out)
{
	size_t n = 0;

	while (n < s.n && s.p[n] > ' ' && s.p[n] < 127 && s.p[n] != ':')
		n++;
	*name_out = slice_head(s, n);
	if (n == 0)
		return 0;
	while (blank_at(s, n))
		n++;
	return n < s.n && s.p[n] == ':' ? n : 0;
}

/* Most of what is accepted is seen here several times, so each byte is examined
 * only once. */
bool header_next(struct slice *rest, struct header_field *field_out)
{
	size_t colon = name_of(*rest, &field_out->name), n = colon;

	if (colon == 0)
		return false;
	do
		n = line_end(*rest, n);
	while (blank_at(*rest, n));
	field_out->whole = slice_head(*rest, n);
	field_out->value = without_end(slice_from(field_out->whole,
	    colon + 1));
	*rest = slice_from(*rest, n);
	return true;
}

bool header_find(struct slice message, const char *name,
    struct slice *value_out)
{
	struct header_field field;

	while (header_next(&message, &field)) {
		if (slice_case_eq(field.name, slice_str(name))) {
			*value_out = field.value;
			return true;
		}
	}
	return false;
}

struct slice header_section(struct slice message)
{
	struct slice rest = message;
	struct header_field field;

	while (header_next(&rest, &field))
		;
	return slice_head(message, message.n - rest.n);
}

/* Unfolding takes the line ends away and leaves the blanks (RFC 5322 2.2.3);
 * blanks at the edges would count against `max` for nothing. */
void header_unfold(struct slice value, size_t max, struct strbuf *out)
{
	size_t start = out->n;
	struct slice line;

	while (slice_next(&value, '\n', &line)) {
		if (value.p != NULL && line.n > 0 &&
		    line.p[line.n - 1] == '\r')
			line.n--;
		if (out->n == start)
			line = slice_trim(line);
		text_clean(line, true, max - (out->n - start), out);
		if (!strbuf_ok(out))
			return;
	}
	while (out->n > start && out->p[out->n - 1] == ' ')
		out->n--;
}

void header_words(struct slice value, size_t max, struct strbuf *out)
{
	size_t start = out->n;
	bool between = false;

	for (size_t i = 0; i < value.n && out->n - start < max; i++) {
		if (ascii_blank(value.p[i])) {
			between = out->n != start;
			continue;
		}
		if (between && out->n - start + 1 < max)
			strbuf_addc(out, ' ');
		between = false;
		strbuf_addc(out, value.p[i]);
	}
}
