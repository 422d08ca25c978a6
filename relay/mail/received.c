/* SPDX-License-Identifier: ISC
 *
 * Reads our Received field again: when mail comes back, and when its header is
 * shown to a stranger.
 */
#include "relay/mail/received.h"

#include "relay/mail/header.h"

static const char token_start[] = RECEIVED_TOKEN_START;

/* The last word of `s`, which is cut before it. */
static struct slice last_word(struct slice *s)
{
	size_t end = s->n, at;

	while (end > 0 && ascii_blank(s->p[end - 1]))
		end--;
	for (at = end; at > 0 && !ascii_blank(s->p[at - 1]); at--)
		;
	s->n = at;
	return slice_of(s->p + at, end - at);
}

/* "(t=MARK)" at the head of `after`, "… id ID" before it. Only so much of it
 * is looked at that a field full of marks costs no more than its length. */
static bool token_at(struct slice before, struct slice after,
    struct received_token *out)
{
	enum { LOOK_BACK = 128 };
	struct slice mark = slice_from(after, sizeof(token_start) - 1);
	long end = slice_find(slice_head(mark, RECEIVED_TOKEN + 1), ')');

	if (end <= 0)
		return false;
	if (before.n > LOOK_BACK)
		before = slice_from(before, before.n - LOOK_BACK);
	out->mark = slice_head(mark, (size_t)end);
	out->id = last_word(&before);
	return out->id.n > 0 && slice_case_eq(last_word(&before), SLICE("id"));
}

/* Cuts the next word off `*s`; empty at the end. */
static struct slice first_word(struct slice *s)
{
	struct slice word;
	size_t n = 0;

	while (s->n > 0 && ascii_blank(s->p[0]))
		*s = slice_from(*s, 1);
	while (n < s->n && !ascii_blank(s->p[n]))
		n++;
	word = slice_head(*s, n);
	*s = slice_from(*s, n);
	return word;
}

/* The word behind the last "by": a client may have said "by" itself. */
static struct slice host_of(struct slice before)
{
	struct slice by = slice_of("", 0), word;

	while ((word = first_word(&before)).n != 0)
		if (slice_case_eq(word, SLICE("by")))
			by = first_word(&before);
	return by;
}

static bool token_of(struct slice value, struct received_token *out)
{
	struct slice start = SLICE(token_start), before, after;
	long date = slice_rfind(value, ';');

	for (size_t i = 0; i + start.n <= value.n; i++) {
		before = slice_head(value, i);
		after = slice_from(value, i);
		if (!slice_starts(after, start) ||
		    !token_at(before, after, out))
			continue;
		out->by = host_of(before);
		out->date = date < (long)i ? slice_of("", 0)
				    : slice_from(value, (size_t)date + 1);
		return true;
	}
	return false;
}

bool received_token_next(struct slice *rest,
    struct received_token *token_out)
{
	struct header_field field;

	while (header_next(rest, &field))
		if (slice_case_eq(field.name, SLICE("Received")) &&
		    token_of(field.value, token_out))
			return true;
	return false;
}

/* ---- the way that it came ---- */

bool received_from_next(struct slice *rest, struct slice *from_out)
{
	struct header_field field;
	struct slice left, word;

	while (header_next(rest, &field)) {
		left = field.value;
		if (!slice_case_eq(field.name, SLICE("Received")) ||
		    !slice_case_eq(first_word(&left), SLICE("from")))
			continue;
		/* The name that a client gives itself, "by" or an address. */
		*from_out = left;
		word = first_word(&left);
		if (word.n > 0 && word.p[0] != '[')
			*from_out = left;
		while ((word = first_word(&left)).n != 0 &&
		       !slice_case_eq(word, SLICE("by")))
			;
		from_out->n = (size_t)(word.p - from_out->p);
		return true;
	}
	return false;
}

static bool of_address(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F') || c == '.' || c == ':';
}

static size_t count_of(struct slice s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == c;
	return n;
}

/* Does it look like one? A time has two colons, and no more digits than fit
 * between them. */
static bool is_address(struct slice run)
{
	if (count_of(run, ':') == 0)
		return count_of(run, '.') == 3;
	return count_of(run, ':') >= 2 && run.n > 1;
}

bool received_from_address(struct slice *from, struct slice *address_out)
{
	while (from->n > 0) {
		size_t n = 0;

		if (slice_case_eq(slice_head(*from, 5), SLICE("IPv6:")))
			*from = slice_from(*from, 5);
		while (n < from->n && of_address(from->p[n]))
			n++;
		*address_out = slice_head(*from, n);
		*from = slice_from(*from, n > 0 ? n : 1);
		if (is_address(*address_out))
			return true;
	}
	return false;
}

/* ---- shown to strangers ---- */

/* How long "(t=MARK)" at the head of `s` is; 0: it is none. */
static size_t mark_length(struct slice s)
{
	struct slice start = SLICE(token_start);
	long end;

	if (!slice_starts(s, start))
		return 0;
	end = slice_find(slice_head(slice_from(s, start.n),
	    RECEIVED_TOKEN + 1), ')');
	return end < 0 ? 0 : start.n + (size_t)end + 1;
}

/* The blanks before a mark go with it. */
static void unmark_field(struct slice field, struct strbuf *out)
{
	size_t start = out->n, n;

	while (field.n > 0) {
		n = mark_length(field);
		while (n != 0 && out->n > start &&
		    ascii_blank(out->p[out->n - 1]))
			out->n--;
		if (n == 0)
			strbuf_addc(out, field.p[0]);
		field = slice_from(field, n == 0 ? 1 : n);
	}
}

void received_unmark(struct slice message, struct strbuf *out)
{
	struct header_field field;

	while (header_next(&message, &field))
		if (slice_case_eq(field.name, SLICE("Received")))
			unmark_field(field.whole, out);
		else
			strbuf_addsl(out, field.whole);
	strbuf_addsl(out, message);
}
