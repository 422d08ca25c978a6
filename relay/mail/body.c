/* SPDX-License-Identifier: ISC
 *
 * The content of DATA, in and out (RFC 5321 4.5.2).
 *
 * One scan does it all: it looks at eight bytes at a time for a byte below 14,
 * which finds NUL, LF and CR (and TAB, rarely), and gathers the high bits on
 * the way. Everything between two stops is passed on uncopied, many lines at
 * a time. The scan never looks twice at a byte, so no mixture of line ends
 * makes it slow.
 *
 * A dot is stuffing only after CRLF. Where a bare CR or LF was made a line
 * end by `normalize`, the sender did not mean one, so a dot after it is text.
 */
#include "relay/mail/body.h"

enum { LINE_START, INSIDE, AFTER_CR, DOT, DOT_CR };

enum { BELOW_STOP = 14 /* CR + 1 */ };

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define HIGH_BITS (EACH_BYTE * 0x80)

/* Bytes before the first one below BELOW_STOP; true in `*high` when one of
 * them is over 127, else it is left alone. */
static size_t span(struct slice s, bool *high)
{
	uint64_t seen = 0, word;
	size_t i = 0;

	for (; i + sizeof(word) <= s.n; i += sizeof(word)) {
		memcpy(&word, s.p + i, sizeof(word));
		if (((word - EACH_BYTE * BELOW_STOP) & ~word & HIGH_BITS) != 0)
			break;
		seen |= word;
	}
	for (; i < s.n && (unsigned char)s.p[i] >= BELOW_STOP; i++)
		seen |= (unsigned char)s.p[i];
	if ((seen & HIGH_BITS) != 0)
		*high = true;
	return i;
}

void data_reader_init(struct data_reader *r, bool normalize)
{
	*r = (struct data_reader){.state = LINE_START, .normalize = normalize};
}

/* A bare CR or LF was met. True when the run must end for its repair. */
static bool found_bare(struct data_reader *r)
{
	if (!r->normalize)
		r->bare = true;
	else
		r->repaired = true;
	return r->normalize;
}

/* Bytes of content at the head of `s`, read in state INSIDE: up to a dot at
 * the start of a line, to a bare line end that must be repaired, or to the
 * end. Sets the state that what follows is to be read in. */
static size_t content_run(struct data_reader *r, struct slice s)
{
	size_t i = 0;

	r->state = INSIDE;
	for (;;) {
		i += span(slice_from(s, i), &r->eight_bit);
		if (i == s.n)
			return i;
		if (s.p[i] == '\n' && found_bare(r))
			return i;
		if (s.p[i] == '\0')
			r->bare = true;
		if (s.p[i++] != '\r')
			continue;
		if (i == s.n || s.p[i] != '\n') {
			if (i < s.n && !found_bare(r))
				continue;
			r->state = AFTER_CR;
			return i;
		}
		i++;
		if (i == s.n || s.p[i] == '.') {
			r->state = LINE_START;
			return i;
		}
	}
}

/* The CR before was passed on; `c` says whether it was the end of a line. */
static size_t after_cr(struct data_reader *r, char c, struct slice *out)
{
	if (c == '\n') {
		r->state = LINE_START;
		*out = SLICE("\n");
		return 1;
	}
	r->state = INSIDE;
	if (found_bare(r))
		*out = SLICE("\n");
	return 0;
}

/* A line of a dot and a CR, held back; now it is known not to be the end. The
 * dot was stuffing. */
static void lone_cr(struct data_reader *r, struct slice *out)
{
	r->state = INSIDE;
	*out = found_bare(r) ? SLICE("\r\n") : SLICE("\r");
}

static void inside(struct data_reader *r, struct slice *in, struct slice *out)
{
	size_t n = content_run(r, *in);

	*out = slice_head(*in, n);
	if (n == 0) { /* a bare LF that is to be repaired */
		*out = SLICE("\r\n");
		n = 1;
	}
	*in = slice_from(*in, n);
}

/* One step; true at the end of the data. */
static bool step(struct data_reader *r, struct slice *in, struct slice *out)
{
	char c = in->p[0];
	size_t used = 0;

	switch (r->state) {
	case LINE_START:
		r->state = c == '.' ? DOT : INSIDE;
		used = c == '.';
		break;
	case DOT:
		r->state = c == '\r' ? DOT_CR : INSIDE;
		used = c == '\r';
		break;
	case DOT_CR:
		if (c == '\n') {
			r->state = LINE_START;
			*in = slice_from(*in, 1);
			return true;
		}
		lone_cr(r, out);
		break;
	case AFTER_CR:
		used = after_cr(r, c, out);
		break;
	default:
		inside(r, in, out);
	}
	*in = slice_from(*in, used);
	return false;
}

bool data_reader_next(struct data_reader *r, struct slice *in,
    struct slice *out)
{
	*out = slice_of("", 0);
	while (in->n > 0 && out->n == 0)
		if (step(r, in, out))
			return true;
	return false;
}

void content_watch_add(struct content_watch *w, struct slice chunk)
{
	size_t i = 0;

	if (chunk.n == 0)
		return;
	if (w->last_cr && chunk.p[0] != '\n')
		w->bare = true;
	if (w->last_cr && chunk.p[0] == '\n')
		i = 1;
	w->last_cr = false;
	for (;;) {
		i += span(slice_from(chunk, i), &w->eight_bit);
		if (i == chunk.n)
			return;
		if (chunk.p[i] == '\n' || chunk.p[i] == '\0')
			w->bare = true;
		if (chunk.p[i++] != '\r')
			continue;
		w->last_cr = i == chunk.n;
		if (i < chunk.n && chunk.p[i] == '\n')
			i++;
		else if (i < chunk.n)
			w->bare = true;
	}
}

void content_watch_end(struct content_watch *w)
{
	if (w->last_cr)
		w->bare = true;
	w->last_cr = false;
}

void data_writer_init(struct data_writer *w)
{
	w->state = LINE_START;
}

static bool ends_line(const struct data_writer *w, struct slice s, size_t lf)
{
	return lf > 0 ? s.p[lf - 1] == '\r' : w->state == AFTER_CR;
}

/* Bytes of `s` that go out as they are: up to a dot that starts a line. */
static size_t plain_run(const struct data_writer *w, struct slice s)
{
	size_t i = 0;

	for (;;) {
		long lf = slice_find(slice_from(s, i), '\n');

		if (lf < 0)
			return s.n;
		i += (size_t)lf;
		if (ends_line(w, s, i) && i + 1 < s.n && s.p[i + 1] == '.')
			return i + 1;
		i++;
	}
}

static int state_after(const struct data_writer *w, struct slice run)
{
	char last = run.p[run.n - 1];

	if (last == '\r')
		return AFTER_CR;
	if (last == '\n' && ends_line(w, run, run.n - 1))
		return LINE_START;
	return INSIDE;
}

void data_writer_add(struct data_writer *w, struct slice *in, size_t room,
    struct strbuf *out)
{
	while (in->n > 0 && room > 0) {
		struct slice run;

		if (w->state == LINE_START && in->p[0] == '.') {
			strbuf_addc(out, '.');
			w->state = INSIDE; /* its dot is text now */
			room--;
			continue;
		}
		run = slice_head(*in, plain_run(w, slice_head(*in, room)));
		strbuf_addsl(out, run);
		w->state = state_after(w, run);
		room -= run.n;
		*in = slice_from(*in, run.n);
	}
}

void data_writer_end(struct data_writer *w, struct strbuf *out)
{
	if (w->state == INSIDE)
		strbuf_adds(out, "\r\n");
	else if (w->state == AFTER_CR)
		strbuf_adds(out, "\n");
	strbuf_adds(out, ".\r\n");
	w->state = LINE_START;
}
