/* SPDX-License-Identifier: ISC
 *
 * xtext (RFC 3461 4) and its like for UTF-8 (RFC 6533 3), and text made
 * harmless.
 */
#include "relay/mail/codec.h"

#include "relay/base/utf8.h"
#include "relay/mail/domain.h"

static const char hex_digits[] = "0123456789ABCDEF";

static bool is_xchar(char c)
{
	return c > ' ' && c < 127 && c != '+' && c != '=';
}

/* RFC 3461 4 writes upper case; -1 when it is none. */
static int hex_value(char c)
{
	char upper = c >= 'a' && c <= 'f' ? (char)(c - 'a' + 'A') : c;
	const char *at = c == '\0' ? NULL : strchr(hex_digits, upper);

	return at == NULL ? -1 : (int)(at - hex_digits);
}

/* The byte at the head of `*s`, which is moved on; -1 at what is not xtext. */
static int xtext_byte(struct slice *s)
{
	char c = s->p[0];
	int high, low;

	if (is_xchar(c)) {
		*s = slice_from(*s, 1);
		return c;
	}
	if (c != '+' || s->n < 3)
		return -1;
	high = hex_value(s->p[1]);
	low = hex_value(s->p[2]);
	*s = slice_from(*s, 3);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool xtext_valid(struct slice s)
{
	while (s.n > 0)
		if (xtext_byte(&s) < 0)
			return false;
	return true;
}

bool xtext_decode(struct slice s, struct strbuf *out)
{
	while (s.n > 0) {
		int c = xtext_byte(&s);

		if (c <= 0 || c == '\r' || c == '\n')
			return false;
		strbuf_addc(out, (char)c);
	}
	return strbuf_ok(out);
}

void xtext_encode(struct slice s, struct strbuf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_xchar(s.p[i])) {
			strbuf_addc(out, s.p[i]);
			continue;
		}
		strbuf_addc(out, '+');
		strbuf_addc(out, hex_digits[c >> 4]);
		strbuf_addc(out, hex_digits[c & 15]);
	}
}

static void add_embedded(struct slice c, struct strbuf *out)
{
	strbuf_addf(out, "\\x{%X}", (unsigned)utf8_point(c));
}

void utf8_xtext(struct slice s, bool written, size_t max, struct strbuf *out)
{
	size_t end = out->n + max;

	while (s.n > 0 && out->n < end) {
		size_t n = utf8_next(s);
		struct slice c = slice_head(s, n == 0 ? 1 : n);

		if (n > 1)
			add_embedded(c, out);
		else if (n == 1 && c.p[0] > ' ' && c.p[0] < 127 &&
			 (written || strchr("\\+=", c.p[0]) == NULL))
			strbuf_addsl(out, c);
		else if (n == 1)
			strbuf_addf(out, "\\x{%02X}", (unsigned char)c.p[0]);
		else
			strbuf_addc(out, '?');
		s = slice_from(s, c.n);
	}
}

bool orcpt_encode(struct slice address, struct strbuf *out)
{
	size_t before = out->n;

	if (ascii_only(address)) {
		strbuf_adds(out, "rfc822;");
		xtext_encode(address, out);
	} else {
		strbuf_adds(out, "utf-8;");
		utf8_xtext(address, false, ORCPT_MAX, out);
	}
	return strbuf_ok(out) && out->n - before <= ORCPT_MAX;
}

/* A stand-in for a character that is not printable ASCII. */
static struct slice harmless(struct slice c, bool utf8)
{
	if (c.n == 1 && c.p[0] == '\t')
		return SLICE(" ");
	return c.n > 1 && utf8 && utf8_kind(utf8_point(c)) != UTF8_CONTROL
		   ? c : SLICE("?");
}

static size_t printable_n(struct slice s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= ' ' && s.p[n] < 127)
		n++;
	return n;
}

/* Printable ASCII is copied in runs. */
void text_clean(struct slice s, bool utf8, size_t max, struct strbuf *out)
{
	while (s.n > 0 && max > 0) {
		size_t n = printable_n(s);
		struct slice c = slice_head(s, n < max ? n : max);

		if (n == 0) {
			n = utf8 ? utf8_next(s) : 1;
			n = n == 0 ? 1 : n;
			c = harmless(slice_head(s, n), utf8);
			if (c.n > max)
				return;
		}
		strbuf_addsl(out, c);
		max -= c.n;
		s = slice_from(s, n);
	}
}
