/* SPDX-License-Identifier: ISC
 *
 * UTF-8, and which characters may be shown. The table follows Unicode's
 * Default_Ignorable_Code_Point and Bidi_Control: a reader does not see such a
 * character, but a terminal, a browser or a search does.
 */
#include "relay/base/utf8.h"

#include "relay/base/mem.h"

/* The second byte's range depends on the first: that is what keeps overlong
 * forms, surrogates and values over U+10FFFF out (RFC 3629 4). */
static size_t sequence(struct slice s)
{
	unsigned char c = (unsigned char)s.p[0], second;
	unsigned char low = 0x80, high = 0xbf;
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (n == 1)
		return 1;
	if (c < 0xc2 || c > 0xf4 || s.n < n)
		return 0;
	if (c == 0xe0)
		low = 0xa0;
	else if (c == 0xed)
		high = 0x9f;
	else if (c == 0xf0)
		low = 0x90;
	else if (c == 0xf4)
		high = 0x8f;
	second = (unsigned char)s.p[1];
	if (second < low || second > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

size_t utf8_next(struct slice s)
{
	return s.n == 0 ? 0 : sequence(s);
}

/* Does it begin with eight ASCII characters, as nearly all text does? */
static bool eight_ascii(struct slice s)
{
	uint64_t eight;

	if (s.n < sizeof(eight))
		return false;
	memcpy(&eight, s.p, sizeof(eight));
	return (eight & UINT64_C(0x8080808080808080)) == 0;
}

bool utf8_valid(struct slice s)
{
	while (s.n > 0) {
		size_t n = eight_ascii(s) ? 8 : sequence(s);

		if (n == 0)
			return false;
		s = slice_from(s, n);
	}
	return true;
}

uint32_t utf8_point(struct slice character)
{
	uint32_t point = (unsigned char)character.p[0];

	if (character.n == 1)
		return point;
	point &= 0xffu >> (character.n + 1);
	for (size_t i = 1; i < character.n; i++)
		point = point << 6 | ((unsigned char)character.p[i] & 0x3f);
	return point;
}

/* clang-format off */
static const struct {
	uint32_t from, to;
	enum utf8_kind kind;
} kinds[] = {
	{ 0x0000,  0x001f,  UTF8_CONTROL }, /* C0                            */
	{ 0x007f,  0x009f,  UTF8_CONTROL }, /* DEL, C1; U+0085 is NEL        */
	{ 0x00ad,  0x00ad,  UTF8_HIDDEN  }, /* soft hyphen                   */
	{ 0x034f,  0x034f,  UTF8_HIDDEN  }, /* combining grapheme joiner     */
	{ 0x061c,  0x061c,  UTF8_CONTROL }, /* arabic letter mark            */
	{ 0x115f,  0x1160,  UTF8_HIDDEN  }, /* hangul fillers                */
	{ 0x17b4,  0x17b5,  UTF8_HIDDEN  }, /* khmer inherent vowels         */
	{ 0x180b,  0x180f,  UTF8_HIDDEN  }, /* mongolian selectors           */
	{ 0x200b,  0x200d,  UTF8_HIDDEN  }, /* zero width space, joiners     */
	{ 0x200e,  0x200f,  UTF8_CONTROL }, /* direction marks               */
	{ 0x2028,  0x202e,  UTF8_CONTROL }, /* separators, embeddings        */
	{ 0x2060,  0x2065,  UTF8_HIDDEN  }, /* word joiner, invisible signs  */
	{ 0x2066,  0x2069,  UTF8_CONTROL }, /* isolates                      */
	{ 0x206a,  0x206f,  UTF8_HIDDEN  }, /* deprecated formats            */
	{ 0x3164,  0x3164,  UTF8_HIDDEN  }, /* hangul filler                 */
	{ 0xfe00,  0xfe0f,  UTF8_HIDDEN  }, /* variation selectors           */
	{ 0xfeff,  0xfeff,  UTF8_HIDDEN  }, /* byte order mark               */
	{ 0xffa0,  0xffa0,  UTF8_HIDDEN  }, /* halfwidth hangul filler       */
	{ 0xfff0,  0xfffb,  UTF8_HIDDEN  }, /* specials, annotations         */
	{ 0x1bca0, 0x1bca3, UTF8_HIDDEN  }, /* shorthand formats             */
	{ 0x1d173, 0x1d17a, UTF8_HIDDEN  }, /* musical formats               */
	{ 0xe0000, 0xe0fff, UTF8_HIDDEN  }, /* tags, more selectors          */
};
/* clang-format on */

enum utf8_kind utf8_kind(uint32_t point)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds) && point >= kinds[i].from; i++)
		if (point <= kinds[i].to)
			return kinds[i].kind;
	return UTF8_SHOWN;
}

size_t utf8_shown(struct slice s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n;

	if (c < 0x7f) /* nearly all text */
		return c >= 0x20;
	n = sequence(s);
	return n != 0 && utf8_kind(utf8_point(slice_head(s, n))) == UTF8_SHOWN
		   ? n : 0;
}

/* An escaped character's later bytes are not UTF-8 by themselves, so each
 * byte of it is escaped. */
void utf8_show(struct slice s, struct strbuf *out)
{
	while (s.n > 0) {
		size_t n = utf8_shown(s);

		if (n > 0)
			strbuf_add(out, s.p, n);
		else
			strbuf_addf(out, "\\x%02x", (unsigned char)s.p[0]);
		s = slice_from(s, n > 0 ? n : 1);
	}
}
