/* SPDX-License-Identifier: ISC
 *
 * Replies without the inside of the house. What is hidden is found by what we
 * know of the leg, not by guessing: an address of the final one's text
 * anywhere, and words that are an address, a host or a domain of the leg's.
 */
#include "relay/mail/scrub.h"

#include <string.h>

static const char HIDDEN[] = "internal";

void scrub_domain(struct scrub *s, const char *name)
{
	if (name[0] != '\0' && s->domains < SCRUB_DOMAINS)
		s->domain[s->domains++] = name;
}

/* The characters of an address, a host name or a host number. */
static bool in_word(char c)
{
	return (unsigned char)c > ' ' && c != 127 &&
	       strchr("()<>[]{},;\"'=|", c) == NULL;
}

static bool is_inside(const struct scrub *s, struct slice name)
{
	for (unsigned i = 0; i < s->domains; i++) {
		struct slice d = slice_str(s->domain[i]), tail;

		if (name.n < d.n)
			continue;
		tail = slice_from(name, name.n - d.n);
		if (slice_case_eq(tail, d) &&
		    (name.n == d.n || name.p[name.n - d.n - 1] == '.'))
			return true;
	}
	return false;
}

/* Is the word one of those in "mx1.example.net [192.0.2.7]:25"? */
static bool is_remote(const struct scrub *s, struct slice word)
{
	struct slice rest = slice_str(s->remote);

	while (rest.n > 0) {
		size_t n = 0;

		while (n < rest.n && in_word(rest.p[n]))
			n++;
		if (n > 0 && rest.p[0] != ':' &&
		    slice_case_eq(slice_head(rest, n), word))
			return true;
		rest = slice_from(rest, n + 1);
	}
	return false;
}

static bool is_host(const struct scrub *s, struct slice word)
{
	long colon = slice_find(word, ':');

	return is_inside(s, word) || is_remote(s, word) ||
	       (colon > 0 && is_host(s, slice_head(word, (size_t)colon)));
}

/* The text that replaces the word; NULL: it stays. */
static const char *instead(const struct scrub *s, struct slice word)
{
	size_t at = word.n;

	while (at > 0 && word.p[at - 1] != '@')
		at--;
	if (at > 0)
		return is_inside(s, slice_from(word, at)) ? s->shown : NULL;
	return is_host(s, word) ? HIDDEN : NULL;
}

/* A full stop, a colon or the like after the word is the sentence's; no
 * domain has a colon in it. */
static struct slice cut_word(struct slice text)
{
	bool domain = false;
	size_t n = 0;

	while (n < text.n && in_word(text.p[n]) &&
	       !(domain && text.p[n] == ':'))
		domain |= text.p[n++] == '@';
	while (n > 0 && strchr(".:!?", text.p[n - 1]) != NULL)
		n--;
	return slice_head(text, n);
}

void scrub_text(const struct scrub *s, struct slice text, struct strbuf *out)
{
	struct slice inner = slice_str(s->inner), word;
	bool begins = true; /* a word, here */

	while (text.n > 0) {
		const char *other = NULL;

		word = slice_head(text, 1);
		if (inner.n > 0 && slice_case_starts(text, inner)) {
			word = inner;
			other = s->shown;
		} else if (begins && in_word(text.p[0])) {
			struct slice whole = cut_word(text);

			other = whole.n > 0 ? instead(s, whole) : NULL;
			word = other != NULL ? whole : word;
		}
		if (other != NULL)
			strbuf_adds(out, other);
		else
			strbuf_addsl(out, word);
		begins = !in_word(text.p[word.n - 1]);
		text = slice_from(text, word.n);
	}
}
