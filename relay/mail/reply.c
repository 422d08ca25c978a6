/* SPDX-License-Identifier: ISC
 *
 * Replies: one to send, and the hostile one that is read from a leg
 * (RFC 5321 4.2, RFC 2034, RFC 3463).
 */
#include "relay/mail/reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "relay/mail/codec.h"

enum { SENT_LINE_MAX = 510 /* RFC 5321 4.5.3.1.5, without CRLF */ };

void reply_set(struct reply *r, int code, const char *enh, const char *fmt,
    ...)
{
	va_list ap;

	r->code = code;
	slice_copy(slice_str(enh), r->enh, sizeof(r->enh));
	if (strchr(fmt, '%') == NULL) { /* most replies */
		slice_copy(slice_str(fmt), r->text, sizeof(r->text));
		return;
	}
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
}

void reply_print(const struct reply *r, struct strbuf *out)
{
	struct slice text = slice_str(r->text), line;
	size_t room = SENT_LINE_MAX - 4;

	if (r->enh[0] != '\0')
		room -= strlen(r->enh) + 1;
	while (slice_next(&text, '\n', &line)) {
		strbuf_addu(out, (uint64_t)r->code);
		strbuf_addc(out, text.p != NULL ? '-' : ' ');
		if (r->enh[0] != '\0') {
			strbuf_adds(out, r->enh);
			strbuf_addc(out, ' ');
		}
		text_clean(line, false, room, out);
		strbuf_adds(out, "\r\n");
	}
}

void reply_parser_init(struct reply_parser *p)
{
	*p = (struct reply_parser){.code = 0};
	strbuf_init(&p->text, REPLY_KEEP);
}

void reply_parser_reset(struct reply_parser *p)
{
	struct strbuf text = p->text;

	strbuf_reset(&text);
	*p = (struct reply_parser){.text = text};
}

void reply_parser_fini(struct reply_parser *p)
{
	strbuf_fini(&p->text);
}

static enum reply_state bad(struct reply_parser *p, const char *why)
{
	p->why = why;
	return REPLY_BAD;
}

static size_t digits(struct slice s)
{
	size_t n = 0;

	while (n < s.n && n < 3 && ascii_digit(s.p[n]))
		n++;
	return n;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool ends_enhanced(char c)
{
	return is_blank(c) || c == ',' || c == ':' || c == ';';
}

/* Bytes of "C.SSS.DDD" at the head of `s`, a word of its own; 0 when there is
 * none or its class is not that of the code. */
static size_t enhanced_length(struct slice s, int code)
{
	size_t n = 2, part;

	if (s.n < 5 || s.p[0] - '0' != code / 100 || s.p[1] != '.')
		return 0;
	part = digits(slice_from(s, n));
	n += part;
	if (part == 0 || n == s.n || s.p[n] != '.')
		return 0;
	n++;
	part = digits(slice_from(s, n));
	n += part;
	return part == 0 || (n < s.n && !ends_enhanced(s.p[n])) ? 0 : n;
}

/* Some say "#5.1.1", and some have a comma behind it. */
static struct slice without_enhanced(struct slice text, size_t n)
{
	text = slice_from(text, n);
	if (text.n > 0 && !is_blank(text.p[0]))
		text = slice_from(text, 1);
	return slice_trim(text);
}

/* The first that a line begins with counts: Cyrus has it in its second. */
static void keep_text(struct reply_parser *p, struct slice text)
{
	struct slice from = text;
	size_t n;

	if (from.n > 0 && from.p[0] == '#')
		from = slice_from(from, 1);
	n = enhanced_length(from, p->code);
	if (p->enh[0] == '\0' && n > 0)
		memcpy(p->enh, from.p, n);
	if (n > 0 && slice_eq(slice_head(from, n), slice_str(p->enh)))
		text = without_enhanced(from, n);
	if (p->lines > 0 && p->text.n < REPLY_KEEP)
		strbuf_addc(&p->text, '\n');
	p->cut = p->cut || text.n > REPLY_KEEP - p->text.n;
	text_clean(text, true, REPLY_KEEP - p->text.n, &p->text);
}

static int line_code(struct slice line)
{
	if (digits(line) != 3)
		return -1;
	return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + line.p[2] -
	       '0';
}

enum reply_state reply_parser_line(struct reply_parser *p, struct slice line)
{
	int code = line_code(line);

	if (p->why != NULL)
		return REPLY_BAD;
	p->bytes += line.n + 2;
	if (line.n > REPLY_LINE)
		return bad(p, "reply line too long");
	if (p->bytes > REPLY_BYTES)
		return bad(p, "reply too long");
	if (slice_find(line, '\0') >= 0)
		return bad(p, "NUL in reply");
	if (code < 0 ||
	    (line.n > 3 && line.p[3] != '-' && !is_blank(line.p[3])))
		return bad(p, "not an SMTP reply");
	if (code < 200 || code > 599)
		return bad(p, "reply code out of range");
	if (p->lines > 0 && code != p->code)
		return bad(p, "reply code changes between lines");
	p->code = code;
	keep_text(p, slice_trim(slice_from(line, 4)));
	p->lines++;
	return line.n > 3 && line.p[3] == '-' ? REPLY_MORE : REPLY_DONE;
}

enum reply_state reply_parser_close(struct reply_parser *p, struct slice rest)
{
	if (rest.n > 0 && rest.p[rest.n - 1] == '\r')
		rest.n--;
	if (rest.n > 0)
		(void)reply_parser_line(p, rest);
	if (p->lines == 0)
		(void)bad(p, "the connection was closed");
	return p->why == NULL ? REPLY_DONE : REPLY_BAD;
}
