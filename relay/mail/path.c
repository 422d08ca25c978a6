/* SPDX-License-Identifier: ISC
 *
 * Reads the address behind "MAIL FROM:" and "RCPT TO:" as the common mail
 * servers read it: old scanners and scripts leave the brackets out, double
 * them, put blanks, comments or a semicolon around the address, and their mail
 * was taken yesterday (T4a). What comes out can be read by addr_parse(): what
 * cannot is written anew, with its local part in quotes. What a local part
 * contains is never changed.
 */
#include "relay/mail/addr.h"

#include "relay/mail/domain.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Walks over quoted strings and escapes. */
struct quoted_scan {
	struct slice in;
	size_t i;
	bool quoted;
};

/* The next character that is neither quoted nor escaped; false at the end. */
static bool scan_next(struct quoted_scan *s, size_t *at_out)
{
	while (s->i < s->in.n) {
		size_t at = s->i++;
		char c = s->in.p[at];

		if (c == '\\')
			s->i++;
		else if (c == '"')
			s->quoted = !s->quoted;
		else if (!s->quoted) {
			*at_out = at;
			return true;
		}
	}
	return false;
}

static bool scan_in_quotes(const struct quoted_scan *s)
{
	return s->quoted || s->i > s->in.n;
}

/* The last unquoted `c`, or -1. */
static long last_bare(struct slice in, char c)
{
	struct quoted_scan s = {.in = in};
	long found = -1;
	size_t at;

	while (scan_next(&s, &at))
		if (in.p[at] == c)
			found = (long)at;
	return found;
}

/* Is the blank at `at` one around an '@', and not the end of the address? */
static bool joins(struct slice in, size_t at)
{
	size_t before = at, after = at;

	while (before > 0 && is_blank(in.p[before - 1]))
		before--;
	while (after < in.n && is_blank(in.p[after]))
		after++;
	return (before > 0 && in.p[before - 1] == '@') ||
	       (after < in.n && in.p[after] == '@');
}

/* Bytes of the address at the head of `in`, brackets included; -1: a bracket
 * or a quoted string has no end. */
static long extent(struct slice in)
{
	struct quoted_scan s = {.in = in};
	int open = 0;
	size_t at;

	while (scan_next(&s, &at)) {
		char c = in.p[at];

		if (c == '<')
			open++;
		else if (c == '>' && open > 0 && --open == 0)
			return (long)at + 1;
		else if (open == 0 && is_blank(c) && !joins(in, at))
			return (long)at;
	}
	return open > 0 || scan_in_quotes(&s) ? -1 : (long)in.n;
}

/* "<<a@b>>", "<Ann <a@b>>": what is in the innermost brackets. A name before
 * them is dropped when it has no '@' in it. */
static struct slice unwrap(struct slice s)
{
	while (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		s = slice_trim(slice_head(slice_from(s, 1), s.n - 2));
	if (s.n > 0 && s.p[s.n - 1] == '>') {
		long open = last_bare(s, '<');

		if (open > 0 && is_blank(s.p[open - 1]) &&
		    slice_find(slice_head(s, (size_t)open), '@') < 0)
			s = unwrap(slice_from(s, (size_t)open));
	}
	return s;
}

/* The comment at the head of `s` (RFC 5322 3.2.2) and the blanks behind it. */
static struct slice skip_comment(struct slice s)
{
	long end = s.n > 0 && s.p[0] == '(' ? slice_find(s, ')') : -1;

	return end < 0 ? s : slice_trim(slice_from(s, (size_t)end + 1));
}

/* Comments before the address and behind the domain are no part of it;
 * parentheses in a local part are. */
static struct slice strip_comments(struct slice s)
{
	struct slice rest = skip_comment(s);
	long open;

	if (rest.n < s.n && rest.n > 0 && is_blank(rest.p[-1]))
		s = rest;
	while (s.n > 0 && s.p[s.n - 1] == ')') {
		open = last_bare(s, '(');
		if (open <= last_bare(s, '@'))
			break;
		s = slice_trim(slice_head(s, (size_t)open));
	}
	return s;
}

/* "@a,@b:" is dropped unread but for its form (RFC 5321 C). A literal may
 * hold colons, so each hop's end is looked for behind its bracket. */
static const char *strip_route(struct slice *path)
{
	const char *why;

	while (path->n > 0 && path->p[0] == '@') {
		struct slice hop = slice_from(*path, 1);
		bool literal = hop.n > 0 && hop.p[0] == '[';
		long bracket = literal ? slice_find(hop, ']') + 1 : 0;
		size_t n = (size_t)bracket;

		while (n < hop.n && hop.p[n] != ',' && hop.p[n] != ':')
			n++;
		if (n == hop.n)
			return "Bad source route";
		*path = slice_trim(slice_from(hop, n + 1));
		hop = slice_head(hop, n + 1);
		if (hop.p[n] == ',' && (path->n == 0 || path->p[0] != '@'))
			return "Bad source route";
		hop.n = n;
		if (literal ? domain_literal_check(hop, &why) < 0
			    : domain_check(hop, true, &why) < 0)
			return "Bad source route";
		if (hop.p[n] == ':')
			return NULL;
	}
	return NULL;
}

/* ---- local part -------------------------------------------------------- */

/* A character outside of quotes: NULL, or why there is none such. */
static const char *atom_fault(char c)
{
	if (is_blank(c))
		return "Blank in local part";
	if ((unsigned char)c < ' ' || c == 127)
		return "Control character in local part";
	return strchr("<>,;\"", c) != NULL
		   ? "Character not allowed in local part" : NULL;
}

/* Reads the quoted string at the head of `*s`, which moves behind it. */
static const char *read_quoted(struct slice *s, struct strbuf *plain)
{
	size_t i = 1;

	for (; i < s->n && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\' && i + 1 < s->n)
			i++;
		if ((unsigned char)s->p[i] < ' ' || s->p[i] == 127)
			return "Control character in local part";
		strbuf_addc(plain, s->p[i]);
	}
	if (i >= s->n)
		return "Quoted local part does not end";
	*s = slice_from(*s, i + 1);
	return s->n == 0 || s->p[0] == '.' ? NULL
					   : "Text after quoted local part";
}

/* Reads the local part without quotes and escapes: words with dots between
 * them, each an atom or a quoted string. */
static const char *read_local(struct slice s, struct strbuf *plain)
{
	bool begins = true; /* a word */
	const char *why = NULL;

	while (s.n > 0 && why == NULL) {
		char c = s.p[0];

		if (c == '"' && begins) {
			why = read_quoted(&s, plain);
			begins = false;
			continue;
		}
		begins = c == '.';
		if (c == '\\' && s.n > 1 && (unsigned char)s.p[1] >= ' ' &&
		    s.p[1] != 127)
			s = slice_from(s, 1);
		else
			why = atom_fault(c);
		strbuf_addc(plain, s.p[0]);
		s = slice_from(s, 1);
	}
	return why;
}

/* As it came where that can be read again: which of its spellings a sender
 * chose is the sender's own. */
static const char *add_local(struct slice local, struct strbuf *out)
{
	struct strbuf plain;
	const char *why;

	if (addr_local_readable(local)) {
		strbuf_addsl(out, local);
		return NULL;
	}
	strbuf_init(&plain, ADDR_LOCAL_MAX);
	why = read_local(local, &plain);
	if (why == NULL && !strbuf_ok(&plain))
		why = "Local part over 256 characters";
	if (why == NULL)
		addr_add_local(strbuf_view(&plain), out);
	strbuf_fini(&plain);
	return why;
}

/* ---- domain ------------------------------------------------------------ */

/* Quotes around it, blanks around its dots and a missing ']' are spelling. */
static void add_domain(struct slice d, struct strbuf *out)
{
	if (d.n > 2 && d.p[0] == '"' && d.p[d.n - 1] == '"')
		d = slice_head(slice_from(d, 1), d.n - 2);
	for (size_t i = 0; i < d.n; i++) {
		size_t next = i;

		while (next < d.n && is_blank(d.p[next]))
			next++;
		if (next > i && next < d.n &&
		    (d.p[next] == '.' || i == 0 || d.p[i - 1] == '.'))
			i = next;
		strbuf_addc(out, d.p[i]);
	}
	if (d.n > 1 && d.p[0] == '[' && slice_find(d, ']') < 0)
		strbuf_addc(out, ']');
}

/* ---- both -------------------------------------------------------------- */

/* No '@': a host's own user as a sender, which the caller gives a domain;
 * postmaster and abuse as recipients (RFC 5321 4.5.1). */
static const char *bare(struct slice path, enum path_kind kind,
    struct strbuf *out, struct addr *a)
{
	const char *why = add_local(path, out);

	if (why != NULL)
		return why;
	a->text = a->local = strbuf_view(out);
	a->domain = slice_of("", 0);
	if (addr_local_length(a->local) > ADDR_LOCAL_MAX)
		return "Local part over 256 characters";
	why = addr_utf8_check(a);
	if (why != NULL)
		return why;
	return kind == PATH_REVERSE || addr_is_role(a)
		   ? NULL : "No domain in address";
}

static const char *mailbox(struct slice path, enum path_kind kind,
    struct strbuf *out, struct addr *a)
{
	long at = last_bare(path, '@');
	struct slice local = slice_trim(slice_head(path, (size_t)at));
	struct slice domain = skip_comment(
	    slice_trim(slice_from(path, (size_t)at + 1)));
	const char *why;

	if (at < 0)
		return bare(path, kind, out, a);
	if (domain.n == 0)
		return "Empty domain";
	why = add_local(local, out);
	if (why != NULL)
		return why;
	strbuf_addc(out, '@');
	add_domain(domain, out);
	if (!strbuf_ok(out))
		return "Address is too long";
	return addr_parse(strbuf_view(out), true, a, &why) < 0 ? why : NULL;
}

/* `"ann@corp.example"`, the whole of it in quotes. */
static struct slice unquote_whole(struct slice path)
{
	struct slice in = slice_head(slice_from(path, 1),
	    path.n < 2 ? 0 : path.n - 2);

	if (path.n > 2 && path.p[0] == '"' && path.p[path.n - 1] == '"' &&
	    slice_find(in, '@') > 0 && slice_find(in, '"') < 0 &&
	    slice_find(in, '\\') < 0)
		return slice_trim(in);
	return path;
}

/* "@a:b@c", and not "@[IPv6:::1]" without a local part. */
static bool has_route(struct slice path)
{
	return slice_find(slice_from(path, (size_t)slice_rfind(path, ']') + 1),
		   ':') >= 0;
}

static const char *path_fault(struct slice path, enum path_kind kind,
    struct strbuf *out, struct addr *a)
{
	const char *why = NULL;

	if (addr_parse(path, true, a, &why) == 0)
		return NULL; /* as nearly always: nothing is copied */
	*a = (struct addr){.text = slice_of("", 0)};
	if (path.n == 0)
		return kind == PATH_REVERSE ? NULL : "Empty address";
	path = unquote_whole(strip_comments(path));
	if (path.n > 0 && path.p[0] == '@' && has_route(path)) {
		why = strip_route(&path);
		if (why != NULL)
			return why;
	}
	return path.n == 0 ? "Empty address" : mailbox(path, kind, out, a);
}

/* The slices of `a` that point into `from` point into `room` then. */
static void move(struct addr *a, struct slice from, char *room)
{
	memcpy(room, from.p, from.n);
	if (a->domain.n > 0)
		a->domain.p = room + (a->domain.p - from.p);
	a->text.p = room;
	a->local.p = room;
}

/* Junk that devices put behind an address. */
static bool is_junk(char c)
{
	return c == '>' || c == ';' || c == ',';
}

/* Cuts the path out of `in`; returns where what follows it begins. */
static long cut(struct slice in, long end, struct slice *path_out)
{
	struct slice path = slice_head(in, end < 0 ? in.n : (size_t)end);

	while (end > 0 && (size_t)end < in.n && is_junk(in.p[end]))
		end++;
	while (path.n > 1 && path.p[0] != '<' && is_junk(path.p[path.n - 1]))
		path.n--;
	*path_out = unwrap(path);
	return end;
}

long addr_path_parse(struct slice in, enum path_kind kind,
    char room[ADDR_MAX], struct addr *addr_out, const char **why_out)
{
	struct slice path;
	struct strbuf text;
	const char *why = NULL;
	long end = cut(in, in.n == 0 ? 0 : extent(in), &path);

	*addr_out = (struct addr){.text = slice_of("", 0)};
	strbuf_init(&text, ADDR_MAX);
	if (end == 0)
		why = "No address";
	else if (end < 0)
		why = "The address has no end: > or a quote is missing";
	else
		why = path_fault(path, kind, &text, addr_out);
	if (why != NULL)
		*addr_out = (struct addr){.text = path};
	else if (text.n > 0)
		move(addr_out, strbuf_view(&text), room);
	strbuf_fini(&text);
	*why_out = why;
	return why == NULL ? end : -1;
}
