/* SPDX-License-Identifier: ISC
 *
 * Addresses of the envelope (RFC 5321 4.1.2, RFC 6531 3.3).
 *
 * Quoting is spelling, not meaning: "ann" and ann are one mailbox, so the
 * key is made from what the quotes contain. The detail of a subaddress is
 * found there too, hence "ann+news"@x and "ann\+news"@x are looked up as
 * ann@x. What addr_detail() gives is a piece of the text as it came, escapes
 * included; it is right between quotes and, where it has no character that
 * needs them, without; addr_with_detail() chooses.
 *
 * A path over the 256 octets of RFC 5321 4.5.3.1.3 is taken when its parts
 * are within their own limits: that figure is the least that must be taken.
 */
#include "relay/mail/addr.h"

#include "relay/base/utf8.h"
#include "relay/mail/domain.h"

static bool is_8bit(char c)
{
	return (unsigned char)c > 127;
}

static bool is_atext(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || is_8bit(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static const char *dot_string_fault(struct slice s)
{
	struct slice atom;

	while (slice_next(&s, '.', &atom)) {
		if (atom.n == 0)
			return "Dot at the edge of an atom in local part";
		for (size_t i = 0; i < atom.n; i++)
			if (!is_atext(atom.p[i]))
				return "Character not allowed in local part";
	}
	return NULL;
}

static bool is_dot_string(struct slice s)
{
	return dot_string_fault(s) == NULL;
}

static bool is_quoted(struct slice local)
{
	return local.n >= 2 && local.p[0] == '"';
}

/* What stands between the quotes, escapes and all. */
static struct slice inside(struct slice local)
{
	return is_quoted(local) ? slice_head(slice_from(local, 1), local.n - 2)
				: local;
}

/* Bytes of the quoted string at the head of `s`, or 0. */
static size_t quoted_length(struct slice s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '"')
			return i + 1;
		if (s.p[i] == '\\' && (++i == s.n || is_8bit(s.p[i])))
			return 0;
		if (s.p[i] < ' ' ? !is_8bit(s.p[i]) : s.p[i] == 127)
			return 0;
	}
	return 0;
}

/* Splits at the '@' after the local part; checks the local part. */
static const char *split(struct slice in, struct addr *a)
{
	bool quoted = in.n > 0 && in.p[0] == '"';
	size_t n = quoted ? quoted_length(in) : 0;
	const char *fault;
	long at;

	if (quoted && n == 0)
		return "Quoted local part does not end";
	at = slice_find(slice_from(in, n), '@');
	if (at < 0)
		return "No domain in address";
	if (quoted && at != 0)
		return "Text after quoted local part";
	n += (size_t)at;
	if (n == 0)
		return "Empty local part";
	if (n > ADDR_LOCAL_MAX)
		return "Local part over 64 characters";
	a->local = slice_head(in, n);
	a->domain = slice_from(in, n + 1);
	fault = quoted ? NULL : dot_string_fault(a->local);
	return fault;
}

/* Every log, table and terminal that shows the address would obey it. */
static bool has_control(struct slice s)
{
	while (s.n > 0) {
		size_t n = utf8_next(s);

		if (utf8_kind(utf8_point(slice_head(s, n))) == UTF8_CONTROL)
			return true;
		s = slice_from(s, n);
	}
	return false;
}

static const char *addr_fault(struct slice in, bool utf8, struct addr *a)
{
	const char *why = split(in, a);

	if (why != NULL)
		return why;
	a->text = in;
	a->utf8 = !ascii_only(in);
	if (a->utf8 && !utf8)
		return "8-bit character in address";
	if (a->utf8 && !utf8_valid(in))
		return "Address is not UTF-8";
	if (has_control(in))
		return "Control character in address";
	a->literal = a->domain.n > 0 && a->domain.p[0] == '[';
	if (a->literal ? domain_literal_check(a->domain, &why) < 0
		       : domain_check(a->domain, utf8, &why) < 0)
		return why;
	return NULL;
}

int addr_parse(struct slice in, bool utf8, struct addr *addr_out,
    const char **why_out)
{
	*addr_out = (struct addr){.text = slice_of("", 0)};
	*why_out = addr_fault(in, utf8, addr_out);
	return *why_out == NULL ? 0 : -1;
}

/* Where the '>' is that ends the path; quoted ones are text. */
static long path_end(struct slice in)
{
	bool quoted = false;

	for (size_t i = 1; i < in.n; i++) {
		if (quoted && in.p[i] == '\\')
			i++;
		else if (in.p[i] == '"')
			quoted = !quoted;
		else if (in.p[i] == '>' && !quoted)
			return (long)i;
	}
	return -1;
}

/* "@a,@b:" is dropped unread but for its form (RFC 5321 C). A literal may
 * hold colons, so each hop's end is looked for behind its bracket. */
static const char *strip_route(struct slice *path, bool utf8)
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
		*path = slice_from(hop, n + 1);
		hop = slice_head(hop, n + 1);
		if (hop.p[n] == ',' && (path->n == 0 || path->p[0] != '@'))
			return "Bad source route";
		hop.n = n;
		if (literal ? domain_literal_check(hop, &why) < 0
			    : domain_check(hop, utf8, &why) < 0)
			return "Bad source route";
		if (hop.p[n] == ':')
			return NULL;
	}
	return NULL;
}

static const char *path_fault(struct slice path, enum path_kind kind, bool utf8,
    struct addr *a)
{
	const char *why;

	if (path.n == 0)
		return kind == PATH_REVERSE ? NULL : "Empty address";
	if (kind == PATH_FORWARD && slice_case_eq(path, SLICE("postmaster"))) {
		a->text = a->local = path;
		a->domain = slice_of("", 0);
		return NULL;
	}
	why = strip_route(&path, utf8);
	return why != NULL ? why : addr_fault(path, utf8, a);
}

long addr_path_parse(struct slice in, enum path_kind kind, bool utf8,
    struct addr *addr_out, const char **why_out)
{
	long end;

	*addr_out = (struct addr){.text = slice_of("", 0)};
	if (in.n == 0 || in.p[0] != '<') {
		*why_out = "Address must stand in < and >";
		return -1;
	}
	end = path_end(in);
	if (end < 0) {
		*why_out = "No > after the address";
		return -1;
	}
	*why_out = path_fault(slice_head(slice_from(in, 1), (size_t)end - 1),
	    kind, utf8, addr_out);
	return *why_out == NULL ? end + 1 : -1;
}

/* Where the detail begins inside the quotes, its escape included; the first
 * character of a local part never separates. */
static size_t detail_at(struct slice content, bool quoted, char subaddress)
{
	size_t i = 0;

	while (i < content.n) {
		size_t escape = quoted && content.p[i] == '\\' ? 1 : 0;

		if (i > 0 && content.p[i + escape] == subaddress)
			return i;
		i += escape + 1;
	}
	return content.n;
}

static struct slice local_content(const struct addr *a, char subaddress,
    struct slice *detail_out)
{
	struct slice content = inside(a->local);
	size_t at = content.n;

	if (subaddress != '\0')
		at = detail_at(content, is_quoted(a->local), subaddress);
	*detail_out = slice_from(content, at);
	return slice_head(content, at);
}

struct slice addr_detail(const struct addr *a, char subaddress)
{
	struct slice detail;

	local_content(a, subaddress, &detail);
	return detail;
}

/* Escapes hide nothing: a backslash is none of these. */
bool addr_leads_on(const struct addr *a)
{
	return slice_find(a->local, '%') >= 0 ||
	       slice_find(a->local, '!') >= 0 || slice_find(a->local, '@') >= 0;
}

/* Into `plain`, which has room for ADDR_LOCAL_MAX. */
static struct slice unescape(struct slice content, bool quoted, char *plain)
{
	size_t n = 0;

	for (size_t i = 0; i < content.n; i++) {
		if (quoted && content.p[i] == '\\' && i + 1 < content.n)
			i++;
		plain[n++] = ascii_lower(content.p[i]);
	}
	return slice_of(plain, n);
}

static void add_local(struct slice plain, struct strbuf *out)
{
	if (is_dot_string(plain)) {
		strbuf_addsl(out, plain);
		return;
	}
	strbuf_addc(out, '"');
	for (size_t i = 0; i < plain.n; i++) {
		if (plain.p[i] == '"' || plain.p[i] == '\\')
			strbuf_addc(out, '\\');
		strbuf_addc(out, plain.p[i]);
	}
	strbuf_addc(out, '"');
}

bool addr_key(const struct addr *a, char subaddress, struct strbuf *out)
{
	char plain[ADDR_LOCAL_MAX];
	struct slice detail, content = local_content(a, subaddress, &detail);
	size_t start = out->n;

	if (a->local.n == 0 || a->local.n > ADDR_LOCAL_MAX)
		return false;
	add_local(unescape(content, is_quoted(a->local), plain), out);
	if (a->domain.n > 0) {
		strbuf_addc(out, '@');
		if (!domain_normal(a->domain, out))
			return false;
	}
	return strbuf_ok(out) && out->n - start <= ADDR_MAX;
}

void addr_with_detail(struct slice to, struct slice detail, struct strbuf *out)
{
	char joined[ADDR_LOCAL_MAX];
	long at = slice_rfind(to, '@');
	struct slice local = slice_head(to, at < 0 ? to.n : (size_t)at);
	struct slice content = inside(local);
	size_t n = content.n + detail.n;
	bool bare;

	if (detail.n == 0 || n > sizeof(joined)) {
		strbuf_addsl(out, to);
		return;
	}
	memcpy(joined, content.p, content.n);
	memcpy(joined + content.n, detail.p, detail.n);
	bare = is_dot_string(slice_of(joined, n));
	if (!bare && n + 2 > ADDR_LOCAL_MAX) {
		strbuf_addsl(out, to);
		return;
	}
	strbuf_adds(out, bare ? "" : "\"");
	strbuf_add(out, joined, n);
	strbuf_adds(out, bare ? "" : "\"");
	strbuf_addsl(out, slice_from(to, local.n));
}
