/* SPDX-License-Identifier: ISC
 *
 * Checks and expands the macros of SPF (RFC 7208 7). Pure; any thread.
 */
#include "relay/spf/macro.h"

#include "relay/base/assert.h"

enum {
	DIGITS_MAX = 3,	    /* of a transformer: 128 labels are the most */
	VALUE_MAX = 1024,   /* of one macro: a local part, a HELO name   */
	EXPANDED_MAX = 64 * 1024,
	LABEL_MAX = 63,
};

/* One macro as it stands in the text. */
struct macro {
	char letter; /* '%', '_', '-', or what stands in braces */
	unsigned labels; /* 0: all */
	bool reverse;
	struct slice delimiters;
	size_t bytes; /* of the text */
};

static bool letter_known(char c, enum macro_kind kind)
{
	return c != '\0' && strchr(kind == MACRO_EXPLAIN ? "slodipvhcrt" :
	    "slodipvh", ascii_lower(c)) != NULL;
}

/* `in` is behind "%{". */
static const char *read_braces(struct slice in, enum macro_kind kind,
    struct macro *m)
{
	size_t i = 1, digits;

	if (in.n == 0 || !letter_known(in.p[0], kind))
		return "a macro has an unknown letter";
	m->letter = in.p[0];
	for (; i < in.n && ascii_digit(in.p[i]); i++)
		if (i <= DIGITS_MAX)
			m->labels = m->labels * 10 +
				    (unsigned)(in.p[i] - '0');
	digits = i - 1;
	if (digits > DIGITS_MAX)
		return "a macro has a number of more than 3 digits";
	if (digits > 0 && m->labels == 0)
		return "a macro keeps 0 labels";
	m->reverse = i < in.n && ascii_lower(in.p[i]) == 'r';
	if (m->reverse)
		i++;
	m->delimiters = slice_from(in, i);
	while (i < in.n && in.p[i] != '\0' &&
	       strchr(".-+,/_=", in.p[i]) != NULL)
		i++;
	m->delimiters.n -= in.n - i;
	if (i >= in.n || in.p[i] != '}')
		return "a macro does not end with }";
	m->bytes += i + 1;
	return NULL;
}

/* `in` begins with "%". */
static const char *read_macro(struct slice in, enum macro_kind kind,
    struct macro *m)
{
	*m = (struct macro){.bytes = 2};
	if (in.n < 2)
		return "a % stands alone";
	m->letter = in.p[1];
	if (m->letter == '%' || m->letter == '_' || m->letter == '-')
		return NULL;
	if (m->letter != '{')
		return "a % begins no macro";
	return read_braces(slice_from(in, 2), kind, m);
}

/* RFC 7208 7.1: toplabel. */
static bool is_toplabel(struct slice s)
{
	bool alpha = false, dash = false;

	for (size_t i = 0; i < s.n; i++) {
		alpha = alpha || ascii_alpha(s.p[i]);
		dash = dash || s.p[i] == '-';
		if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) &&
		    s.p[i] != '-')
			return false;
	}
	return s.n > 0 && s.p[0] != '-' && s.p[s.n - 1] != '-' &&
	       (alpha || dash);
}

/* The literal text behind the last macro: "." toplabel [ "." ], or nothing
 * when there is a macro. */
static const char *check_end(struct slice tail, bool macro)
{
	long dot;

	if (tail.n == 0)
		return macro ? NULL : "a domain is missing";
	if (tail.p[tail.n - 1] == '.')
		tail.n--;
	dot = slice_rfind(tail, '.');
	if (dot < 0 || !is_toplabel(slice_from(tail, (size_t)dot + 1)))
		return "a domain does not end with a top-level label";
	return NULL;
}

static bool literal_fits(char c, enum macro_kind kind)
{
	return (c >= '!' && c <= '~') || (c == ' ' && kind == MACRO_EXPLAIN);
}

int macro_check(enum macro_kind kind, struct slice text, unsigned *letters_out,
    const char **why_out)
{
	size_t tail = 0;
	unsigned letters = 0;
	int macros = 0;

	*why_out = NULL;
	for (size_t i = 0; i < text.n && *why_out == NULL;) {
		struct macro m;

		if (text.p[i] != '%') {
			if (!literal_fits(text.p[i++], kind))
				*why_out = "a byte is no printable ASCII";
			continue;
		}
		*why_out = read_macro(slice_from(text, i), kind, &m);
		if (++macros > MACRO_TERM_MAX && kind != MACRO_EXPLAIN)
			*why_out = "there are more than 20 macros";
		if (ascii_alpha(m.letter))
			letters |= macro_bit(m.letter);
		tail = i += m.bytes;
	}
	if (*why_out == NULL && kind == MACRO_DOMAIN)
		*why_out = check_end(slice_from(text, tail), macros > 0);
	*letters_out = letters;
	return *why_out == NULL ? 0 : -1;
}

static void add_escaped(struct strbuf *to, char c)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char u = (unsigned char)c;

	if (ascii_alpha(c) || ascii_digit(c) ||
	    (c != '\0' && strchr("-._~", c) != NULL)) {
		strbuf_addc(to, c);
		return;
	}
	strbuf_addc(to, '%');
	strbuf_addc(to, hex[u >> 4]);
	strbuf_addc(to, hex[u & 15]);
}

static bool delimits(const struct macro *m, char c)
{
	return m->delimiters.n == 0 ? c == '.' :
				      slice_find(m->delimiters, c) >= 0;
}

/* A part from `from` up to the next delimiter. */
static struct slice part_at(const struct macro *m, struct slice value,
    size_t from)
{
	size_t end = from;

	while (end < value.n && !delimits(m, value.p[end]))
		end++;
	return slice_of(value.p + from, end - from);
}

/* The parts of a value, as many as are kept, in the order asked for. */
static void add_parts(const struct macro *m, struct slice value,
    struct strbuf *to)
{
	struct slice parts[VALUE_MAX + 1];
	size_t n = 0, first, at = 0;

	do {
		parts[n] = part_at(m, value, at);
		at += parts[n++].n + 1;
	} while (at <= value.n && n <= VALUE_MAX);
	/* RFC 7208 7.3: reversed first, then the labels on the right. */
	first = m->labels > 0 && m->labels < n ? n - m->labels : 0;
	for (size_t i = first; i < n; i++) {
		struct slice p = parts[m->reverse ? n - 1 - i : i];

		if (i > first)
			strbuf_addc(to, '.');
		for (size_t j = 0; j < p.n; j++)
			if (ascii_alpha(m->letter) && m->letter <= 'Z')
				add_escaped(to, p.p[j]);
			else
				strbuf_addc(to, p.p[j]);
	}
}

static bool add_macro(const struct macro *m, macro_value_fn value, void *arg,
    struct strbuf *to)
{
	struct strbuf v;
	bool known;

	if (!ascii_alpha(m->letter)) {
		strbuf_adds(to, m->letter == '%' ? "%" :
				m->letter == '_' ? " " : "%20");
		return true;
	}
	strbuf_init(&v, VALUE_MAX);
	known = value(arg, ascii_lower(m->letter), &v);
	if (known)
		add_parts(m, strbuf_view(&v), to);
	strbuf_fini(&v);
	return known;
}

bool macro_expand(struct slice text, macro_value_fn value, void *arg,
    struct strbuf *to)
{
	for (size_t i = 0; i < text.n;) {
		struct macro m;

		if (text.p[i] != '%') {
			strbuf_addc(to, text.p[i++]);
			continue;
		}
		if (read_macro(slice_from(text, i), MACRO_EXPLAIN, &m) != NULL)
			PH_ASSERT(!"a macro that macro_check() took");
		if (!add_macro(&m, value, arg, to))
			return false;
		i += m.bytes;
	}
	return true;
}

bool macro_expand_name(struct slice text, macro_value_fn value, void *arg,
    struct strbuf *to)
{
	struct strbuf all;
	struct slice name;
	bool known;

	strbuf_init(&all, EXPANDED_MAX);
	known = macro_expand(text, value, arg, &all);
	name = strbuf_view(&all);
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	while (name.n > MACRO_NAME_MAX) {
		long dot = slice_find(name, '.');

		name = dot < 0 ? slice_of(name.p, 0) :
				 slice_from(name, (size_t)dot + 1);
	}
	for (size_t i = 0; known && i < name.n; i++)
		strbuf_addc(to, ascii_lower(name.p[i]));
	strbuf_fini(&all);
	return known;
}

bool macro_name_valid(struct slice name)
{
	struct slice rest = name, label;

	if (name.n == 0 || name.n > MACRO_NAME_MAX ||
	    name.p[name.n - 1] == '.' || slice_find(name, '\0') >= 0)
		return false;
	while (slice_next(&rest, '.', &label))
		if (label.n == 0 || label.n > LABEL_MAX)
			return false;
	return true;
}
