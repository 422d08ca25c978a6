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
 * What is no address by RFC 5321 and is taken all the same is path.c's.
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

/* Atoms and dots. A dot too many is no dot-string by RFC 5321, but there are
 * mailboxes of such names. */
static bool is_dotted(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '.' && !is_atext(s.p[i]))
			return false;
	return s.n > 0;
}

static bool is_dot_string(struct slice s)
{
	struct slice atom;

	if (!is_dotted(s))
		return false;
	while (slice_next(&s, '.', &atom))
		if (atom.n == 0)
			return false;
	return true;
}

static bool is_quoted(struct slice local)
{
	return local.n >= 2 && local.p[0] == '"';
}

/* The bytes between the quotes, with their escapes. */
static struct slice inside(struct slice local)
{
	return is_quoted(local) ? slice_head(slice_from(local, 1), local.n - 2)
				: local;
}

size_t addr_local_length(struct slice local)
{
	struct slice s = inside(local);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++, n++)
		if (s.p[i] == '\\' && is_quoted(local))
			i++;
	return n;
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
	a->local = slice_head(in, n);
	a->domain = slice_from(in, n + 1);
	if (addr_local_length(a->local) > ADDR_LOCAL_MAX)
		return "Local part over 256 characters";
	if (!quoted && !is_dotted(a->local))
		return "Character not allowed in local part";
	/* The dot of an absolute name. */
	n = a->domain.n;
	if (n > 1 && a->domain.p[0] != '[' && a->domain.p[n - 1] == '.')
		a->domain.n--;
	a->text = slice_head(in, a->local.n + 1 + a->domain.n);
	return NULL;
}

bool addr_local_readable(struct slice local)
{
	return is_quoted(local) ? quoted_length(local) == local.n
				: is_dotted(local);
}

/* Every log, table and terminal that shows the address would obey it. */
static bool has_control(struct slice s)
{
	size_t plain = 0;

	/* Nearly every address is printable ASCII. */
	while (plain < s.n && s.p[plain] >= ' ' && s.p[plain] < 0x7f)
		plain++;
	s = slice_from(s, plain);
	while (s.n > 0) {
		size_t n = utf8_next(s);

		if (utf8_kind(utf8_point(slice_head(s, n))) == UTF8_CONTROL)
			return true;
		s = slice_from(s, n);
	}
	return false;
}

const char *addr_utf8_check(struct addr *a)
{
	a->utf8 = !ascii_only(a->text);
	a->utf8_local = !ascii_only(a->local);
	if (a->utf8 && !utf8_valid(a->text))
		return "Address is not UTF-8";
	return has_control(a->text) ? "Control character in address" : NULL;
}

static const char *addr_fault(struct slice in, bool utf8, struct addr *a)
{
	const char *why = split(in, a);

	if (why != NULL)
		return why;
	if (!utf8 && !ascii_only(in)) {
		a->utf8 = true;
		return "8-bit character in address";
	}
	why = addr_utf8_check(a);
	if (why != NULL)
		return why;
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

bool addr_is_role(const struct addr *a)
{
	struct slice local = inside(a->local);

	return slice_case_eq(local, SLICE("postmaster")) ||
	       slice_case_eq(local, SLICE("abuse"));
}

/* Escapes hide nothing: a backslash is none of these. Behind the first three
 * stand all characters of which NFKC makes one of them: the wide, the small,
 * the upright and the double forms. */
bool addr_leads_on(const struct addr *a)
{
	static const struct slice marks[] = {
		{"%", 1}, {"!", 1}, {"@", 1},
		{"\xef\xbc\x85", 3}, {"\xef\xbc\x81", 3}, {"\xef\xbc\xa0", 3},
		{"\xef\xb9\xaa", 3}, {"\xef\xb9\x97", 3}, {"\xef\xb9\xab", 3},
		{"\xef\xb8\x95", 3}, {"\xe2\x80\xbc", 3}, {"\xe2\x81\x88", 3},
		{"\xe2\x81\x89", 3},
	};

	for (size_t i = 0; i < a->local.n; i++) {
		struct slice rest = slice_from(a->local, i);

		for (size_t m = 0; m < ARRAY_LEN(marks); m++)
			if (rest.p[0] == marks[m].p[0] &&
			    slice_starts(rest, marks[m]))
				return true;
	}
	return false;
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

void addr_add_local(struct slice plain, struct strbuf *out)
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

bool addr_print(const struct addr *a, bool ascii, struct strbuf *out)
{
	if (is_quoted(a->local))
		strbuf_addsl(out, a->local);
	else
		addr_add_local(a->local, out);
	if (a->domain.n == 0)
		return strbuf_ok(out);
	strbuf_addc(out, '@');
	if (!ascii || ascii_only(a->domain)) {
		strbuf_addsl(out, a->domain);
		return strbuf_ok(out);
	}
	return domain_normal(a->domain, out) && strbuf_ok(out);
}

bool addr_key(const struct addr *a, char subaddress, struct strbuf *out)
{
	char plain[ADDR_LOCAL_MAX];
	struct slice detail, content = local_content(a, subaddress, &detail);
	size_t start = out->n;

	if (a->local.n == 0 || addr_local_length(a->local) > ADDR_LOCAL_MAX)
		return false;
	addr_add_local(unescape(content, is_quoted(a->local), plain), out);
	if (a->domain.n > 0) {
		strbuf_addc(out, '@');
		if (!domain_normal(a->domain, out))
			return false;
	}
	return strbuf_ok(out) && out->n - start <= ADDR_MAX;
}

void addr_with_detail(struct slice to, struct slice detail, struct strbuf *out)
{
	char joined[ADDR_LOCAL_SAFE];
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
	if (!bare && n + 2 > ADDR_LOCAL_SAFE) {
		strbuf_addsl(out, to);
		return;
	}
	strbuf_adds(out, bare ? "" : "\"");
	strbuf_add(out, joined, n);
	strbuf_adds(out, bare ? "" : "\"");
	strbuf_addsl(out, slice_from(to, local.n));
}
