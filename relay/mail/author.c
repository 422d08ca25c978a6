/* SPDX-License-Identifier: ISC
 *
 * From and DKIM-Signature, read for a domain each. What is unclear to us may
 * be clear to a receiver that guesses: it is no domain then.
 */
#include "relay/mail/author.h"

#include "relay/base/mem.h"
#include "relay/mail/addr.h"
#include "relay/mail/domain.h"
#include "relay/mail/header.h"

/* ---- From ---------------------------------------------------------------- */

/* A mailbox that is being read; a comment is a blank. */
struct mailbox_text {
	struct strbuf plain; /* what stands outside of angle brackets */
	struct strbuf angle; /* inside of them */
	bool opened, closed;
};

/* The end of the comment that `s` begins with; 0: it has none. */
static size_t comment_end(struct slice s)
{
	int depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return 0;
}

static size_t quoted_end(struct slice s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return 0;
}

/* A character that stands for itself. False: it makes the field unclear. */
static bool take_char(struct mailbox_text *m, char c)
{
	switch (c) {
	case '<':
		if (m->opened)
			return false;
		m->opened = true;
		return true;
	case '>':
		if (!m->opened || m->closed)
			return false;
		m->closed = true;
		return true;
	case ',': /* a second address */
	case ';': /* a group, or a source route */
	case ':':
	case ')':
	case '\0':
		return false;
	default:
		/* Nothing stands behind the brackets. */
		if (m->closed)
			return false;
		strbuf_addc(m->opened ? &m->angle : &m->plain, c);
		return true;
	}
}

/* Characters at the head of `s` that never mean anything but themselves: most
 * of a field, taken in runs. */
static size_t plain_run(struct slice s)
{
	size_t n = 0;

	while (n < s.n && (ascii_alpha(s.p[n]) || ascii_digit(s.p[n]) ||
			      s.p[n] == '.' || s.p[n] == '-' ||
			      s.p[n] == '@'))
		n++;
	return n;
}

/* The bytes of `s` that belong together at its head; 0: it is unclear. */
static size_t take_token(struct mailbox_text *m, struct slice s)
{
	struct strbuf *to = m->opened ? &m->angle : &m->plain;
	size_t n = m->closed ? 0 : plain_run(s);

	if (n > 0) {
		strbuf_addsl(to, slice_head(s, n));
		return n;
	}
	if (ascii_blank(s.p[0]) || s.p[0] == '(') {
		if (!m->closed)
			strbuf_addc(to, ' ');
		return s.p[0] == '(' ? comment_end(s) : 1;
	}
	if (s.p[0] != '"')
		return take_char(m, s.p[0]) ? 1 : 0;
	n = m->closed ? 0 : quoted_end(s);
	strbuf_addsl(to, slice_head(s, n));
	return n;
}

static bool domain_of_mailbox(struct mailbox_text *m, struct strbuf *out)
{
	struct strbuf *text = m->opened ? &m->angle : &m->plain;
	struct strbuf domain;
	struct addr a;
	const char *why;
	bool ok;

	if (m->opened != m->closed || !strbuf_ok(text) ||
	    addr_parse(slice_trim(strbuf_view(text)), true, &a, &why) < 0 ||
	    a.literal)
		return false;
	strbuf_init(&domain, AUTHOR_DOMAIN_MAX);
	ok = domain_normal(a.domain, &domain) && domain.n > 0;
	if (ok)
		strbuf_addsl(out, strbuf_view(&domain));
	strbuf_fini(&domain);
	return ok;
}

static bool domain_of_field(struct slice value, struct strbuf *out)
{
	struct mailbox_text m = {.opened = false};
	bool ok = value.n <= AUTHOR_FIELD_MAX;

	strbuf_init(&m.plain, AUTHOR_FIELD_MAX);
	strbuf_init(&m.angle, AUTHOR_FIELD_MAX);
	while (ok && value.n > 0) {
		size_t n = take_token(&m, value);

		ok = n > 0;
		value = slice_from(value, n);
	}
	ok = ok && domain_of_mailbox(&m, out);
	strbuf_fini(&m.plain);
	strbuf_fini(&m.angle);
	return ok;
}

bool author_domain(const struct author_fields *f, struct strbuf *out)
{
	return f->froms == 1 && domain_of_field(f->from, out);
}

/* ---- DKIM-Signature ------------------------------------------------------ */

bool domain_below(struct slice d, struct slice above)
{
	if (d.n <= above.n)
		return slice_eq(d, above);
	return above.n > 0 && d.p[d.n - above.n - 1] == '.' &&
	       slice_eq(slice_from(d, d.n - above.n), above);
}

/* Its last two labels; all of it, when it has no more. */
static struct slice last_two(struct slice d)
{
	long at = slice_rfind(d, '.');

	if (at > 0)
		at = slice_rfind(slice_head(d, (size_t)at), '.');
	return slice_from(d, at < 0 ? 0 : (size_t)at + 1);
}

bool domain_may_be_aligned(struct slice d, struct slice from)
{
	return domain_below(d, from) || domain_below(from, d) ||
	       slice_eq(last_two(d), last_two(from));
}

static struct slice without_blanks(struct slice s)
{
	while (s.n > 0 && ascii_blank(s.p[0]))
		s = slice_from(s, 1);
	while (s.n > 0 && ascii_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* The value of the tag d, without blanks around it. False: none, or two. */
static bool tag_d(struct slice value, struct slice *d_out)
{
	struct slice part;
	int found = 0;

	while (slice_next(&value, ';', &part)) {
		part = without_blanks(part);
		if (part.n == 0 || part.p[0] != 'd')
			continue;
		part = without_blanks(slice_from(part, 1));
		if (part.n == 0 || part.p[0] != '=')
			continue;
		found++;
		*d_out = without_blanks(slice_from(part, 1));
	}
	return found == 1;
}

/* The domain of a signature, its blanks dropped. Mostly it is From's as it
 * stands. */
static bool signer_of(struct slice value, struct slice from,
    struct strbuf *out)
{
	struct strbuf text;
	struct slice d;
	bool ok;

	if (!tag_d(value, &d))
		return false;
	if (slice_eq(d, from)) {
		strbuf_addsl(out, d);
		return true;
	}
	strbuf_init(&text, 2 * AUTHOR_DOMAIN_MAX);
	for (size_t i = 0; i < d.n; i++)
		if (!ascii_blank(d.p[i]))
			strbuf_addc(&text, d.p[i]);
	/* An A-label, or a name of RFC 8616; never a literal. */
	ok = strbuf_ok(&text) && text.n > 0 && text.p[0] != '[' &&
	     domain_normal(strbuf_view(&text), out);
	strbuf_fini(&text);
	return ok;
}

static bool listed(struct slice list, struct slice d)
{
	struct slice one;

	while (slice_next(&list, ' ', &one))
		if (slice_eq(one, d))
			return true;
	return false;
}

/* Adds what is new to the list behind `start`, while there is room. */
static void keep_signer(struct slice d, size_t start, struct strbuf *out)
{
	struct slice list = slice_from(strbuf_view(out), start);
	int kept = 0;

	if (listed(list, d))
		return;
	for (size_t i = 0; i < list.n; i++)
		kept += list.p[i] == ' ';
	if (list.n > 0 && kept + 1 >= AUTHOR_SIGNERS)
		return;
	if (list.n > 0)
		strbuf_addc(out, ' ');
	strbuf_addsl(out, d);
}

void author_signers(const struct author_fields *f, struct slice from,
    struct strbuf *out)
{
	size_t start = out->n;
	struct strbuf d;

	strbuf_init(&d, AUTHOR_DOMAIN_MAX);
	for (int i = 0; i < f->signatures; i++) {
		struct slice value = f->signature[i];

		strbuf_reset(&d);
		if (value.n > AUTHOR_FIELD_MAX || !signer_of(value, from, &d) ||
		    !domain_may_be_aligned(strbuf_view(&d), from))
			continue;
		if (slice_eq(strbuf_view(&d), from)) {
			out->n = start;
			strbuf_addsl(out, from);
			break;
		}
		keep_signer(strbuf_view(&d), start, out);
	}
	strbuf_fini(&d);
}

/* ---- the header ---------------------------------------------------------- */

void author_read(struct slice message, struct author_fields *out)
{
	struct header_field f;

	out->hops = out->froms = out->signatures = 0;
	while (header_next(&message, &f)) {
		if (slice_case_eq(f.name, SLICE("Received"))) {
			out->hops++;
		} else if (slice_case_eq(f.name, SLICE("From"))) {
			out->from = f.value;
			out->froms++;
		} else if (out->signatures < AUTHOR_FIELDS &&
			   slice_case_eq(f.name, SLICE("DKIM-Signature"))) {
			out->signature[out->signatures++] = f.value;
		}
	}
	out->rest = message;
}
