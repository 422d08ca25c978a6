/* SPDX-License-Identifier: ISC
 *
 * The words of a reply's text that are the leg's own, and phrases in them.
 */
#include "relay/mail/reply_words.h"

#define GAP "..."
enum { GAPS_MAX = 3 /* fits() tries each length of each */ };

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* None of these may stand in a local part that is not quoted (RFC 5321 4.1.2,
 * atext), so what they part was never one word. */
static bool parts(char c)
{
	return is_space(c) || strchr("<>()[]:;,\"", c) != NULL;
}

static bool ends_sentence(char c)
{
	return c == '.' || c == '!' || c == '?' || c == ';';
}

/* Letters beyond ASCII are letters. */
static bool is_letter(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || ((unsigned char)c & 0x80);
}

/* ---- what is cut out ---------------------------------------------------- */

/* `s` begins with an opening mark. Bytes up to and with its closing one, past
 * quoted ones; 0: there is none. */
static size_t enclosed(struct slice s, char close)
{
	bool quoted = false;

	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\' && (quoted || close == '"'))
			i++;
		else if (s.p[i] == close && !quoted)
			return i + 1;
		else if (s.p[i] == '"')
			quoted = !quoted;
	}
	return 0;
}

/* 'so', but not the one in "doesn't". */
static size_t in_apostrophes(struct slice s)
{
	for (size_t i = 1; i < s.n; i++)
		if (s.p[i] == '\'' && (i + 1 == s.n || !is_letter(s.p[i + 1])))
			return i + 1;
	return 0;
}

static bool is_url(struct slice s)
{
	size_t n = 0;

	while (n < s.n && ascii_alpha(s.p[n]))
		n++;
	return n > 0 && slice_starts(slice_from(s, n), SLICE("://"));
}

static bool is_ipv4(struct slice s)
{
	struct slice part;
	uint64_t n;
	int parts_seen = 0;

	while (slice_next(&s, '.', &part)) {
		if (part.n > 3 || !slice_uint(part, 255, &n))
			return false;
		parts_seen++;
	}
	return parts_seen == 4;
}

static bool is_hex(char c)
{
	c = ascii_lower(c);
	return ascii_digit(c) || (c >= 'a' && c <= 'f');
}

/* Not a time of day. */
static bool is_ipv6(struct slice s)
{
	int colons = 0;
	bool gap = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ':') {
			gap = gap || (i > 0 && s.p[i - 1] == ':');
			colons++;
		} else if (!is_hex(s.p[i]) && s.p[i] != '.') {
			return false;
		}
	}
	return colons == 7 || (colons >= 2 && gap && s.n > 2);
}

/* A page about a block list is often asked for with the address: "?ip=". */
static bool names_ip(struct slice url)
{
	for (; url.n > 0; url = slice_from(url, 1)) {
		size_t n = 3;

		if (!slice_case_starts(url, SLICE("ip=")))
			continue;
		while (n < url.n && (ascii_digit(url.p[n]) || url.p[n] == '.'))
			n++;
		if (is_ipv4(slice_from(slice_head(url, n), 3)))
			return true;
	}
	return false;
}

static bool is_ellipsis(struct slice s)
{
	return slice_starts(s, SLICE(".."));
}

/* ---- words -------------------------------------------------------------- */

struct reading {
	struct slice rest;
	struct reply_words *out;
	size_t n;
	bool address;	/* a network address stood there */
	bool behind_at; /* what comes is the domain of a mail address */
};

static void add(struct reading *r, struct slice word)
{
	/* The last blank, and REPLY_ADDRESS with it, always have room. */
	if (r->n + word.n + sizeof(REPLY_ADDRESS) + 4 > REPLY_WORDS_MAX)
		return;
	for (size_t i = 0; i < word.n; i++)
		r->out->text[r->n++] = ascii_lower(word.p[i]);
	r->out->text[r->n++] = ' ';
}

static struct slice bare(struct slice word)
{
	while (word.n > 0 && !is_letter(word.p[0]))
		word = slice_from(word, 1);
	while (word.n > 0 && !is_letter(word.p[word.n - 1]))
		word.n--;
	return word;
}

/* A part that nothing parts: a word, or the name of something. */
static void add_part(struct reading *r, struct slice part)
{
	struct slice word = bare(part);
	bool named = slice_find(part, '@') >= 0 || slice_find(word, '.') >= 0;

	r->address |= !r->behind_at && is_ipv4(word);
	r->behind_at = part.n > 0 && part.p[part.n - 1] == '@';
	if (word.n > 0 && !named)
		add(r, word);
	if (part.n > 0 && ends_sentence(part.p[part.n - 1]))
		add(r, SLICE("."));
}

static void take_part(struct reading *r)
{
	size_t n = 0, all = 0;

	while (all < r->rest.n && !is_space(r->rest.p[all]))
		all++;
	if (is_url(r->rest)) {
		r->address |= names_ip(slice_head(r->rest, all));
		r->rest = slice_from(r->rest, all);
		return;
	}
	if (is_ipv6(bare(slice_head(r->rest, all)))) {
		r->address = true;
		r->rest = slice_from(r->rest, all);
		return;
	}
	while (n < r->rest.n && !parts(r->rest.p[n]) &&
	       (n == 0 || !is_ellipsis(slice_from(r->rest, n))))
		n++;
	while (n < r->rest.n && r->rest.p[n] == '.')
		n++;
	add_part(r, slice_head(r->rest, n));
	r->rest = slice_from(r->rest, n);
}

static void take_brackets(struct reading *r, size_t n)
{
	struct slice in = slice_head(slice_from(r->rest, 1), n - 2);

	if (slice_case_starts(in, SLICE("IPv6:")))
		in = slice_from(in, 5);
	r->address |= !r->behind_at && (is_ipv4(in) || is_ipv6(in));
	r->behind_at = false;
	r->rest = slice_from(r->rest, n);
}

/* True: something was enclosed and is cut out. */
static bool cut_enclosed(struct reading *r)
{
	char open = r->rest.p[0];
	size_t n = open == '<'	  ? enclosed(r->rest, '>')
		   : open == '"'  ? enclosed(r->rest, '"')
		   : open == '['  ? enclosed(r->rest, ']')
		   : open == '\'' ? in_apostrophes(r->rest)
				  : 0;

	if (n == 0)
		return false;
	if (open == '[')
		take_brackets(r, n);
	else
		r->rest = slice_from(r->rest, n);
	return true;
}

/* All of it in quotes is said, not quoted. */
static struct slice unquoted(struct slice text)
{
	text = slice_trim(text);
	if (text.n < 2 || text.p[0] != '"' || enclosed(text, '"') != text.n)
		return text;
	return slice_head(slice_from(text, 1), text.n - 2);
}

static void index_words(struct reply_words *w)
{
	memset(w->first, 0, sizeof(w->first));
	for (size_t i = w->n - 1; i > 0; i--) {
		uint16_t *first = &w->first[(unsigned char)w->text[i]];

		if (w->text[i - 1] != ' ')
			continue;
		w->next[i] = *first;
		*first = (uint16_t)i;
	}
}

void reply_words_read(struct slice text, struct reply_words *words_out)
{
	struct reading r = {.rest = unquoted(text), .out = words_out, .n = 1};

	words_out->text[0] = ' ';
	while (r.rest.n > 0) {
		if (cut_enclosed(&r))
			continue;
		if (!parts(r.rest.p[0])) {
			take_part(&r);
			continue;
		}
		if (r.rest.p[0] == ';')
			add(&r, SLICE("."));
		r.behind_at = false;
		r.rest = slice_from(r.rest, 1);
	}
	if (r.address) {
		memcpy(words_out->text + r.n, ". " REPLY_ADDRESS " ",
		    sizeof(REPLY_ADDRESS) + 2);
		r.n += sizeof(REPLY_ADDRESS) + 2;
	}
	words_out->text[r.n] = '\0';
	words_out->n = r.n;
	index_words(words_out);
}

/* ---- phrases ------------------------------------------------------------ */

static bool word_fits(struct slice word, struct slice pattern)
{
	if (pattern.n > 1 && pattern.p[pattern.n - 1] == '*')
		return slice_starts(word, slice_head(pattern, pattern.n - 1));
	return slice_eq(word, pattern);
}

/* Do the words at the head of `w` fit all of `phrase`? Goes down once a gap. */
static bool fits(struct slice w, struct slice phrase)
{
	struct slice word, pattern;

	while (slice_next(&phrase, ' ', &pattern)) {
		if (slice_eq(pattern, SLICE(GAP))) {
			for (int i = 0; i <= PHRASE_GAP; i++) {
				if (fits(w, phrase))
					return true;
				if (!slice_next(&w, ' ', &word) ||
				    slice_eq(word, SLICE(".")))
					return false;
			}
			return false;
		}
		if (!slice_next(&w, ' ', &word) || !word_fits(word, pattern))
			return false;
	}
	return true;
}

bool reply_words_have(const struct reply_words *w, const char *phrase)
{
	size_t at = w->first[(unsigned char)phrase[0]];

	while (at != 0) {
		if (fits(slice_of(w->text + at, w->n - at), slice_str(phrase)))
			return true;
		at = w->next[at];
	}
	return false;
}

static bool pattern_ok(struct slice word)
{
	bool stem = word.n > 1 && word.p[word.n - 1] == '*';

	if (slice_eq(word, SLICE(REPLY_ADDRESS)))
		return true;
	word.n -= stem;
	for (size_t i = 0; i < word.n; i++)
		if (parts(word.p[i]) || strchr("@.*", word.p[i]) != NULL)
			return false;
	return word.n > 0 && is_letter(word.p[0]) &&
	       (stem || is_letter(word.p[word.n - 1]));
}

bool phrase_read(struct slice text, struct strbuf *out)
{
	bool gap = true; /* one may not stand first, nor behind another */
	struct slice word;
	int gaps = 0;

	text = slice_trim(text);
	while (slice_next(&text, ' ', &word)) {
		bool is_gap = slice_eq(word, SLICE(GAP));

		if (word.n == 0)
			continue;
		gaps += is_gap;
		if (is_gap ? gap || gaps > GAPS_MAX : !pattern_ok(word))
			return false;
		if (out->n > 0)
			strbuf_addc(out, ' ');
		for (size_t i = 0; i < word.n; i++)
			strbuf_addc(out, ascii_lower(word.p[i]));
		gap = is_gap;
	}
	return !gap && strbuf_ok(out);
}
