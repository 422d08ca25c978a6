/* SPDX-License-Identifier: ISC
 *
 * The values of a row in their canonical form.
 */
#include "policy/row.h"

#include <stdlib.h>

#include "relay/mail/domain.h"

enum { PARTS_MAX = 64 };

static const struct {
	const char *text;
	enum route_kind kind;
} answers[] = {
	{"defer", ROUTE_DEFER},
	{"reject", ROUTE_REJECT},
	{"gone", ROUTE_GONE},
};

void row_route(struct slice text, struct names *names, struct route *route_out)
{
	struct route r = {.kind = ROUTE_LEGS};
	struct slice part;

	*route_out = (struct route){.kind = ROUTE_NONE};
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		if (slice_eq(text, slice_str(answers[i].text))) {
			route_out->kind = answers[i].kind;
			return;
		}
	while (slice_next(&text, '+', &part)) {
		int id = names_id(names, part);

		if (id < 0 || r.legs == ROUTE_LEGS_MAX)
			return;
		r.leg[r.legs++] = (uint16_t)id;
	}
	if (r.legs > 0)
		*route_out = r;
}

static int by_text(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;
	size_t n = x->n < y->n ? x->n : y->n;
	int c = memcmp(x->p, y->p, n);

	return c != 0 ? c : x->n < y->n ? -1 : x->n > y->n;
}

static bool tag_ok(struct slice tag)
{
	for (size_t i = 0; i < tag.n; i++)
		if ((unsigned char)tag.p[i] <= ' ' || tag.p[i] == 127 ||
		    tag.p[i] == '\'' || tag.p[i] == '"' || tag.p[i] == ';')
			return false;
	return tag.n <= TAG_MAX;
}

static int not_a_tag(struct slice tag, struct error *err)
{
	char right[TAG_MAX + 1] = "";
	size_t n = 0;

	if (slice_find(tag, ';') < 0 || tag.n > TAG_MAX)
		return error_set(err, "'%.*s' is no tag (at most %d "
		    "characters, no quotes, no semicolons)", (int)tag.n,
		    tag.p, TAG_MAX);
	for (size_t i = 0; i < tag.n; i++) {
		char c = tag.p[i] == ';' ? ' ' : tag.p[i];

		if (c != ' ' || (n > 0 && right[n - 1] != ' '))
			right[n++] = c;
	}
	return error_set(err, "'%.*s' is no tag: tags are separated by a blank "
	    "or a comma, '%.*s'", (int)tag.n, tag.p,
	    (int)slice_trim(slice_of(right, n)).n, right);
}

static bool is_between(char c)
{
	return c == ' ' || c == '\t' || c == ',' || c == '\0';
}

static size_t next_tag(struct slice *in, struct slice *tag_out)
{
	size_t n = 0;

	while (in->n > 0 && is_between(in->p[0]))
		*in = slice_from(*in, 1);
	while (n < in->n && !is_between(in->p[n]))
		n++;
	*tag_out = slice_head(*in, n);
	*in = slice_from(*in, n);
	return n;
}

/* As a rule two or three, which nearly always are in order. */
static void sort_few(struct slice *tag, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k > 0 && by_text(&tag[k - 1], &tag[k]) > 0;
		     k--) {
			struct slice other = tag[k];

			tag[k] = tag[k - 1];
			tag[k - 1] = other;
		}
}

int row_tags(struct slice in, struct strbuf *out, struct error *err)
{
	struct slice tag[PARTS_MAX], more;
	size_t n = 0, start = out->n;

	while (n < PARTS_MAX && next_tag(&in, &tag[n]) > 0)
		if (!tag_ok(tag[n++]))
			return not_a_tag(tag[n - 1], err);
	if (next_tag(&in, &more) > 0)
		return error_set(err, "more than %d tags", PARTS_MAX);
	sort_few(tag, n);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && slice_eq(tag[i], tag[i - 1]))
			continue;
		strbuf_adds(out, out->n == start ? "" : " ");
		strbuf_addsl(out, tag[i]);
	}
	return strbuf_ok(out) ? 0 : error_set(err, "the tags are too long");
}

bool row_has_tag(struct slice tags, struct slice tag)
{
	struct slice t;

	while (slice_next(&tags, ' ', &t))
		if (t.n > 0 && slice_eq(t, tag))
			return true;
	return false;
}

int row_patch_tags(struct slice tags, struct slice add, struct slice drop,
    struct strbuf *out, struct error *err)
{
	struct strbuf mixed;
	struct slice tag;
	int rc;

	strbuf_init(&mixed, 3 * ROW_TEXT_MAX);
	while (slice_next(&tags, ' ', &tag))
		if (!row_has_tag(drop, tag)) {
			strbuf_addsl(&mixed, tag);
			strbuf_addc(&mixed, ' ');
		}
	strbuf_addsl(&mixed, add);
	rc = row_tags(strbuf_view(&mixed), out, err);
	strbuf_fini(&mixed);
	return rc;
}

void row_tag_parts(struct slice tag, struct slice *key_out,
    struct slice *value_out)
{
	long eq = slice_find(tag, '=');
	size_t n = eq > 0 ? (size_t)eq : 0;

	*key_out = slice_head(tag, n);
	*value_out = slice_from(tag, n == 0 ? 0 : n + 1);
}

void row_drop_keys(struct slice tags, struct slice keys, struct strbuf *out)
{
	struct slice tag, key, value;
	size_t start = out->n;

	while (slice_next(&tags, ' ', &tag)) {
		row_tag_parts(tag, &key, &value);
		if (tag.n == 0 || (key.n > 0 && row_has_tag(keys, key)))
			continue;
		strbuf_adds(out, out->n == start ? "" : " ");
		strbuf_addsl(out, tag);
	}
}

bool row_next_address(struct slice *rest, struct slice *leg_out,
    struct slice *address_out)
{
	struct slice line;
	long eq;

	while (slice_next(rest, '\n', &line)) {
		eq = slice_find(line, '=');
		if (eq <= 0)
			continue;
		*leg_out = slice_head(line, (size_t)eq);
		*address_out = slice_from(line, (size_t)eq + 1);
		return true;
	}
	return false;
}

void row_addresses(struct slice old, struct slice patch, struct strbuf *out)
{
	struct {
		struct slice leg, address;
	} part[PARTS_MAX];
	size_t n = 0, start = out->n;
	struct slice from[2] = {old, patch};

	for (int f = 0; f < 2; f++) {
		while (n < PARTS_MAX && row_next_address(&from[f],
			   &part[n].leg, &part[n].address)) {
			size_t i = 0;

			while (!slice_eq(part[i].leg, part[n].leg))
				i++;
			part[i].address = part[n].address;
			n += i == n;
		}
	}
	qsort(part, n, sizeof(part[0]), by_text);
	for (size_t i = 0; i < n; i++) {
		if (part[i].address.n == 0)
			continue;
		strbuf_adds(out, out->n == start ? "" : "\n");
		strbuf_addsl(out, part[i].leg);
		strbuf_addc(out, '=');
		strbuf_addsl(out, part[i].address);
	}
}

/* ---- addresses as they are copied ------------------------------------- */

/* Blanks that a web page or a word processor leaves at the ends of what is
 * copied; as a part of an address no mail would ever meet them. */
static size_t odd_blank(struct slice s)
{
	static const char *const blanks[] = {
	    "\xc2\xa0",	  /* no-break space */
	    "\xe2\x80\x8b", /* zero width space */
	    "\xe2\x80\x8e", /* left-to-right mark */
	    "\xe2\x80\xaa", /* left-to-right embedding */
	    "\xe2\x80\xac", /* its end */
	    "\xe2\x80\xaf", /* narrow no-break space */
	    "\xef\xbb\xbf", /* zero width no-break space */
	};

	for (size_t i = 0; i < ARRAY_LEN(blanks); i++)
		if (slice_starts(s, slice_str(blanks[i])))
			return strlen(blanks[i]);
	return 0;
}

struct slice row_trim(struct slice s)
{
	size_t n;

	s = slice_trim(s);
	/* Millions of cells are plain ASCII. */
	if (s.n == 0 || ((s.p[0] | s.p[s.n - 1]) & 0x80) == 0)
		return s;
	for (; (n = odd_blank(s)) > 0; s = slice_trim(s))
		s = slice_from(s, n);
	for (n = 3; n >= 2; n--)
		if (s.n >= n && odd_blank(slice_from(s, s.n - n)) == n) {
			s = slice_trim(slice_head(s, s.n - n));
			n = 4;
		}
	return s;
}

/* "Ann Lee <ann@example.com>": what stands in the brackets. */
static struct slice inside_brackets(struct slice s)
{
	long open = slice_rfind(s, '<');

	if (open < 0 || s.p[s.n - 1] != '>')
		return s;
	s = slice_from(s, (size_t)open + 1);
	return row_trim(slice_head(s, s.n - 1));
}

/* "SMTP:" as directories write it, "mailto:" as links do. A local part with
 * a colon must be quoted, so nothing that is an address is lost. */
static int without_prefix(struct slice *s, struct error *err)
{
	static const char *const ours[] = {"smtp:", "mailto:"};
	static const char *const foreign[] = {"x500:", "x400:", "sip:", "spo:",
	    "eum:", "notes:", "ex:"};

	if (slice_find(*s, ':') < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		if (slice_case_starts(*s, slice_str(foreign[i])))
			return error_set(err, "'%.*s' is no mail address; "
			    "leave it out", (int)slice_head(*s, 100).n, s->p);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (slice_case_starts(*s, slice_str(ours[i])))
			*s = row_trim(slice_from(*s, strlen(ours[i])));
	return 0;
}

int row_address(struct slice text, struct slice *address_out,
    struct error *err)
{
	struct slice s = row_trim(text);

	*address_out = s;
	if (s.n == 0)
		return 0;
	s = inside_brackets(s);
	if (without_prefix(&s, err) < 0)
		return -1;
	*address_out = s;
	return 0;
}

/* ---- keys ------------------------------------------------------------- */

static int domain_key(struct slice text, struct strbuf *key_out,
    struct error *err)
{
	strbuf_addc(key_out, '@');
	if (!domain_normal(slice_from(text, 1), key_out))
		return error_set(err, "'%.*s' is no domain", (int)text.n,
		    text.p);
	return 0;
}

static int no_address(struct slice text, const char *why, struct error *err)
{
	bool domain = slice_find(text, '@') < 0 && slice_find(text, '.') > 0;

	return error_set(err, "'%.*s' is no address: %s%s",
	    (int)slice_head(text, 100).n, text.p, why,
	    domain ? " (the row of a domain is @DOMAIN)" : "");
}

int row_key(struct slice text, struct strbuf *key_out, struct error *err)
{
	struct addr a;
	const char *why;

	if (row_address(text, &text, err) < 0)
		return -1;
	if (text.n > 0 && text.p[0] == '@')
		return domain_key(text, key_out, err);
	/* It would be a mailbox of that name, which no mail ever meets. */
	if (slice_starts(text, SLICE("*@")))
		return error_set(err, "'%.*s' is no address: the row of a "
		    "domain is written %.*s", (int)slice_head(text, 100).n,
		    text.p, (int)slice_head(slice_from(text, 1), 99).n,
		    text.p + 1);
	if (addr_parse(text, true, &a, &why) < 0)
		return no_address(text, why, err);
	/* The detail stays: a row for ann+news is one of its own (T7). */
	if (!addr_key(&a, '\0', key_out))
		return error_set(err, "'%.*s' is too long for an address",
		    (int)slice_head(text, 100).n, text.p);
	return 0;
}

int row_key_text(struct slice text, char key_out[ADDR_MAX], struct error *err)
{
	struct strbuf key;
	int rc;

	strbuf_init(&key, ADDR_MAX - 1);
	rc = row_key(text, &key, err);
	if (rc == 0 && !strbuf_ok(&key))
		rc = error_set(err, "an address is too long");
	if (rc == 0)
		memcpy(key_out, strbuf_cstr(&key), key.n + 1);
	strbuf_fini(&key);
	return rc;
}

struct slice row_domain(struct slice key)
{
	long at = slice_rfind(key, '@');

	return slice_from(key, (size_t)(at + 1));
}

int row_mailbox(struct slice in, struct error *err)
{
	for (size_t i = 0; i < in.n; i++)
		if ((unsigned char)in.p[i] < ' ' || in.p[i] == 127)
			return error_set(err, "control character in mailbox");
	if (in.n > MAILBOX_MAX || slice_trim(in).n != in.n)
		return error_set(err, "'%.*s' is no mailbox name",
		    (int)slice_head(in, 100).n, in.p);
	return 0;
}
