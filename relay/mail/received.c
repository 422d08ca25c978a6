/* SPDX-License-Identifier: ISC
 *
 * The trace field that we prepend (RFC 5321 4.4; "with" words of RFC 3848 and
 * RFC 6531). There is no "for": it would show a blind copy to the others.
 *
 * All words but the date come from somewhere else. Each is cut to a length
 * and loses what could end the field or its comments; a word that would pass
 * column 78 begins a line of its own.
 */
#include "relay/mail/received.h"

#include "relay/base/clock.h"
#include "relay/mail/codec.h"
#include "relay/mail/header.h"

enum { LINE_WIDTH = 78, WORD_MAX = 255, ITEM_MAX = 700 };

static const char token_start[] = "(t=";

struct trace {
	struct strbuf *out;
	struct strbuf item; /* words that stay on one line */
	size_t column;
};

/* A word from outside, without blanks or what RFC 5322 gives a meaning. */
static void add_word(struct trace *t, const char *word)
{
	size_t start = t->item.n;

	text_clean(slice_str(word), false, WORD_MAX, &t->item);
	for (size_t i = start; i < t->item.n; i++)
		if (strchr(" ()<>@,;\\\"", t->item.p[i]) != NULL)
			t->item.p[i] = '?';
}

/* The item that was gathered, after a blank or on a new line. */
static void flush(struct trace *t)
{
	if (t->column + 1 + t->item.n > LINE_WIDTH) {
		strbuf_adds(t->out, "\r\n\t");
		t->column = 1;
	} else {
		strbuf_addc(t->out, ' ');
		t->column++;
	}
	strbuf_addsl(t->out, strbuf_view(&t->item));
	t->column += t->item.n;
	strbuf_reset(&t->item);
}

static void add_client(struct trace *t, const struct envelope *e)
{
	bool ipv6 = strchr(e->client, ':') != NULL;

	strbuf_adds(&t->item, "from ");
	add_word(t, e->helo[0] != '\0' ? e->helo : "unknown");
	flush(t);
	strbuf_addc(&t->item, '(');
	if (e->client_name[0] != '\0') {
		add_word(t, e->client_name);
		strbuf_addc(&t->item, ' ');
	}
	strbuf_adds(&t->item, ipv6 ? "[IPv6:" : "[");
	add_word(t, e->client);
	strbuf_adds(&t->item, "])");
	flush(t);
}

static const char *protocol(const struct envelope *e)
{
	bool tls = e->tls[0] != '\0';

	if (!e->esmtp)
		return "SMTP";
	if (e->utf8)
		return tls ? "UTF8SMTPS" : "UTF8SMTP";
	return tls ? "ESMTPS" : "ESMTP";
}

/* "TLSv1.3 TLS_AES_256_GCM_SHA384": words, each harmless by itself. */
static void add_tls(struct trace *t, const char *tls)
{
	struct slice words = slice_str(tls), word;

	strbuf_addc(&t->item, '(');
	while (slice_next(&words, ' ', &word)) {
		char text[64] = "";

		memcpy(text, word.p, slice_head(word, sizeof(text) - 1).n);
		add_word(t, text);
		if (words.p != NULL)
			strbuf_addc(&t->item, ' ');
	}
	strbuf_addc(&t->item, ')');
	flush(t);
}

void received_print(const struct envelope *e, const char *hostname,
    const char *id, const char *token, struct strbuf *out)
{
	char date[CLOCK_RFC5322_MAX];
	struct trace t = {.out = out, .column = sizeof("Received:") - 1};

	strbuf_init(&t.item, ITEM_MAX);
	strbuf_adds(out, "Received:");
	if (e->client[0] != '\0') {
		add_client(&t, e);
		t.column = LINE_WIDTH; /* "by" begins a line */
	}
	strbuf_adds(&t.item, "by ");
	add_word(&t, hostname);
	flush(&t);
	if (e->client[0] != '\0') {
		strbuf_addf(&t.item, "with %s", protocol(e));
		flush(&t);
	}
	if (e->tls[0] != '\0')
		add_tls(&t, e->tls);
	strbuf_adds(&t.item, "id ");
	add_word(&t, id);
	if (token[0] != '\0') {
		flush(&t);
		strbuf_adds(&t.item, token_start);
		add_word(&t, token);
		strbuf_addc(&t.item, ')');
	}
	strbuf_addc(&t.item, ';');
	flush(&t);
	clock_rfc5322(e->accepted_us, date);
	strbuf_addf(out, "\r\n\t%s\r\n", date);
	strbuf_fini(&t.item);
}

/* ---- read again ---- */

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
