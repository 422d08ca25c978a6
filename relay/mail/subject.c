/* SPDX-License-Identifier: ISC
 *
 * Encoded words (RFC 2047) to UTF-8.
 */
#include "relay/mail/subject.h"

#include "relay/mail/codec.h"
#include "relay/mail/header.h"

enum { VALUE_MAX = 4 * SUBJECT_MAX, WORD_MAX = 998 };

enum charset { CHARSET_UTF8, CHARSET_LATIN1, CHARSET_OTHER };

static enum charset charset_of(struct slice name)
{
	long star = slice_find(name, '*'); /* a language: RFC 2231 5 */

	if (star >= 0)
		name = slice_head(name, (size_t)star);
	if (slice_case_eq(name, SLICE("utf-8")) ||
	    slice_case_eq(name, SLICE("us-ascii")))
		return CHARSET_UTF8;
	return slice_case_eq(name, SLICE("iso-8859-1")) ? CHARSET_LATIN1
							: CHARSET_OTHER;
}

static void add_byte(enum charset set, unsigned char c, struct strbuf *out)
{
	if (set == CHARSET_LATIN1 && c >= 0x80) {
		strbuf_addc(out, (char)(0xc0 | c >> 6));
		c = (unsigned char)(0x80 | (c & 0x3f));
	}
	strbuf_addc(out, (char)c);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode_q(enum charset set, struct slice s, struct strbuf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		int high, low;

		if (s.p[i] != '=') {
			add_byte(set, s.p[i] == '_' ? ' ' :
			    (unsigned char)s.p[i], out);
			continue;
		}
		if (s.n - i < 3)
			return false;
		high = hex(s.p[i + 1]);
		low = hex(s.p[i + 2]);
		if (high < 0 || low < 0)
			return false;
		add_byte(set, (unsigned char)(high << 4 | low), out);
		i += 2;
	}
	return true;
}

static int value_of_b(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

static bool decode_b(enum charset set, struct slice s, struct strbuf *out)
{
	unsigned bits = 0, have = 0;

	for (size_t i = 0; i < s.n && s.p[i] != '='; i++) {
		int v = value_of_b(s.p[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (unsigned)v;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		add_byte(set, (unsigned char)(bits >> have), out);
		bits &= (1u << have) - 1;
	}
	return true;
}

/* "charset?q?text", without "=?" and "?=". */
static bool decode(struct slice word, struct strbuf *out)
{
	struct slice charset, how;
	enum charset set;

	if (!slice_next(&word, '?', &charset) || !slice_next(&word, '?', &how))
		return false;
	set = charset_of(charset);
	if (set == CHARSET_OTHER || how.n != 1)
		return false;
	if (how.p[0] == 'q' || how.p[0] == 'Q')
		return decode_q(set, word, out);
	return (how.p[0] == 'b' || how.p[0] == 'B') && decode_b(set, word, out);
}

/* The length of the encoded word at the start of `s`, 0 when there is none;
 * what it says is appended. */
static size_t take_word(struct slice s, struct strbuf *out)
{
	size_t marks = 0, n = 2, before = out->n;

	if (s.n < 8 || s.p[0] != '=' || s.p[1] != '?')
		return 0;
	for (; n + 1 < s.n && n < WORD_MAX && s.p[n] != ' '; n++) {
		if (s.p[n] != '?')
			continue;
		if (marks == 2 && s.p[n + 1] == '=')
			break;
		marks++;
	}
	if (marks != 2 || n + 1 >= s.n || s.p[n] != '?' || s.p[n + 1] != '=')
		return 0;
	if (decode(slice_head(slice_from(s, 2), n - 2), out))
		return n + 2;
	out->n = before;
	return 0;
}

/* Blanks between two encoded words are not shown (RFC 2047 6.2). */
static void decode_all(struct slice s, struct strbuf *out)
{
	bool after_word = false;

	while (s.n > 0) {
		struct slice ahead = s;
		size_t before = out->n, n;

		while (after_word && ahead.n > 0 && ahead.p[0] == ' ')
			ahead = slice_from(ahead, 1);
		n = take_word(ahead, out);
		if (n > 0) {
			s = slice_from(ahead, n);
			after_word = true;
			continue;
		}
		out->n = before;
		strbuf_addc(out, s.p[0]);
		s = slice_from(s, 1);
		after_word = false;
	}
}

void subject_text(struct slice value, struct strbuf *out)
{
	struct strbuf line, text;

	strbuf_init(&line, VALUE_MAX);
	strbuf_init(&text, 2 * VALUE_MAX);
	header_words(value, VALUE_MAX, &line);
	decode_all(strbuf_view(&line), &text);
	text_clean(strbuf_view(&text), true, SUBJECT_MAX, out);
	strbuf_fini(&line);
	strbuf_fini(&text);
}
