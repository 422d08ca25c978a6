/* SPDX-License-Identifier: ISC
 *
 * A small expression over the columns of the table: recursive descent into
 * an array of nodes.
 *
 *   or    = and { "or" and }
 *   and   = not { "and" not }
 *   not   = "not" not | "(" or ")" | test
 *   test  = "held" | field ("=" | "!=" | "like") 'text'
 *
 * `like` knows % (any run of characters) and _ (any one), case folded.
 */
#include "policy/where.h"

#include "policy/row.h"
#include "relay/base/mem.h"

enum node_kind { N_OR, N_AND, N_NOT, N_EQUAL, N_LIKE, N_HELD };

struct node {
	enum node_kind kind;
	enum where_field field;
	int left, right; /* indices */
	char *text;
};

struct where {
	struct node node[WHERE_NODES];
	int nodes, top;
	bool domains;
};

static const struct {
	const char *name;
	enum where_field field;
} fields[] = {
	{"address", WHERE_ADDRESS},
	{"domain", WHERE_DOMAIN},
	{"route", WHERE_ROUTE},
	{"tag", WHERE_TAG},
	{"mailbox", WHERE_MAILBOX},
	{"held", WHERE_HELD},
};

/* ---- words ------------------------------------------------------------ */

struct reader {
	struct slice all, rest;
	struct slice word; /* the one at hand; empty at the end */
	bool quoted;	   /* it stood in quotes */
	struct where *w;
	struct error *err;
	int depth;
};

static int fault(struct reader *r, const char *what)
{
	size_t at = r->all.n - r->rest.n - r->word.n;

	return error_set(r->err, "the expression is wrong near '%.*s': %s",
	    (int)slice_head(slice_from(r->all, at), 30).n, r->all.p + at,
	    what);
}

static bool is_word(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || c == '_' || c == '-';
}

static int quoted_word(struct reader *r)
{
	char quote = r->rest.p[0];
	long end = slice_find(slice_from(r->rest, 1), quote);

	if (end < 0)
		return fault(r, "the quote does not end");
	r->word = slice_head(slice_from(r->rest, 1), (size_t)end);
	r->rest = slice_from(r->rest, (size_t)end + 2);
	r->quoted = true;
	return 0;
}

static int next(struct reader *r)
{
	size_t n = 0;

	r->word = slice_of("", 0);
	r->quoted = false;
	r->rest = slice_trim(r->rest);
	if (r->rest.n == 0)
		return 0;
	if (r->rest.p[0] == '\'' || r->rest.p[0] == '"')
		return quoted_word(r);
	while (n < r->rest.n && is_word(r->rest.p[n]))
		n++;
	if (n == 0)
		n = slice_starts(r->rest, SLICE("!=")) ? 2 : 1;
	r->word = slice_head(r->rest, n);
	r->rest = slice_from(r->rest, n);
	return 0;
}

static bool at_word(const struct reader *r, const char *word)
{
	return !r->quoted && slice_case_eq(r->word, slice_str(word));
}

/* ---- nodes ------------------------------------------------------------ */

static int add_node(struct where *w, struct node n, struct error *err)
{
	if (w->nodes == WHERE_NODES) {
		mem_free(n.text);
		return error_set(err, "the expression is too long");
	}
	w->node[w->nodes] = n;
	return w->nodes++;
}

/* Addresses and domains are compared in their folded form. */
static int add_text(struct where *w, struct node n, struct slice value,
    struct error *err)
{
	struct strbuf key;
	int rc = 0;

	strbuf_init(&key, ROW_TEXT_MAX);
	if (n.kind == N_EQUAL && n.field == WHERE_ADDRESS) {
		rc = row_key(value, &key, err);
	} else if (n.kind == N_EQUAL && n.field == WHERE_DOMAIN) {
		strbuf_addc(&key, '@');
		strbuf_addsl(&key, value);
		n.text = mem_strdup(strbuf_cstr(&key));
		strbuf_reset(&key);
		rc = row_key(slice_str(n.text), &key, err);
		strbuf_drop_front(&key, 1);
		mem_free(n.text);
	} else {
		strbuf_addsl(&key, value);
	}
	n.text = mem_strdup(strbuf_cstr(&key));
	strbuf_fini(&key);
	if (rc < 0) {
		mem_free(n.text);
		return -1;
	}
	return add_node(w, n, err);
}

static int read_or(struct reader *r);

static int negated(struct reader *r, int of)
{
	return of < 0 ? -1 : add_node(r->w, (struct node){N_NOT, 0, of, 0,
				  NULL}, r->err);
}

/* What stands behind the field's name. */
static int read_test(struct reader *r, enum where_field field)
{
	bool not_equal = at_word(r, "!=");
	enum node_kind kind = at_word(r, "like") ? N_LIKE : N_EQUAL;
	int node;

	if (!not_equal && kind == N_EQUAL && !at_word(r, "="))
		return fault(r, "=, != or like is expected");
	if (next(r) < 0)
		return -1;
	if (!r->quoted)
		return fault(r, "a text in quotes is expected");
	node = add_text(r->w, (struct node){kind, field, 0, 0, NULL}, r->word,
	    r->err);
	if (node < 0 || next(r) < 0)
		return -1;
	return not_equal ? negated(r, node) : node;
}

static int read_field(struct reader *r)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (!at_word(r, fields[i].name))
			continue;
		if (next(r) < 0)
			return -1;
		if (fields[i].field == WHERE_HELD)
			return add_node(r->w,
			    (struct node){N_HELD, WHERE_HELD, 0, 0, NULL},
			    r->err);
		return read_test(r, fields[i].field);
	}
	return fault(r, "address, domain, route, tag, mailbox or held is "
			"expected");
}

static int read_group(struct reader *r)
{
	int node;

	if (next(r) < 0)
		return -1;
	node = read_or(r);
	if (node < 0)
		return -1;
	if (!at_word(r, ")"))
		return fault(r, "a ) is missing");
	return next(r) < 0 ? -1 : node;
}

static int read_not(struct reader *r)
{
	int node;

	if (++r->depth > WHERE_DEPTH)
		return fault(r, "it is nested too deeply");
	if (at_word(r, "not"))
		node = next(r) < 0 ? -1 : negated(r, read_not(r));
	else if (at_word(r, "("))
		node = read_group(r);
	else
		node = read_field(r);
	r->depth--;
	return node;
}

static int read_chain(struct reader *r, enum node_kind kind)
{
	const char *word = kind == N_OR ? "or" : "and";
	int left = kind == N_OR ? read_chain(r, N_AND) : read_not(r);

	while (left >= 0 && at_word(r, word)) {
		int right;

		if (next(r) < 0)
			return -1;
		right = kind == N_OR ? read_chain(r, N_AND) : read_not(r);
		if (right < 0)
			return -1;
		left = add_node(r->w, (struct node){kind, 0, left, right,
					  NULL}, r->err);
	}
	return left;
}

static int read_or(struct reader *r)
{
	return read_chain(r, N_OR);
}

struct where *where_parse(struct slice text, struct error *err)
{
	struct where *w = NEW(struct where);
	struct reader r = {.all = text, .rest = text, .w = w, .err = err};

	if (text.n > WHERE_MAX) {
		error_set(err, "the expression is too long");
		where_free(w);
		return NULL;
	}
	w->top = next(&r) < 0 ? -1 : read_or(&r);
	if (w->top >= 0 && (r.word.n > 0 || r.quoted))
		w->top = fault(&r, "the end or 'and', 'or' is expected");
	if (w->top < 0) {
		where_free(w);
		return NULL;
	}
	return w;
}

struct where *where_equal(enum where_field field, struct slice value,
    struct error *err)
{
	struct where *w = NEW(struct where);

	w->domains = field == WHERE_DOMAIN;
	w->top = add_text(w, (struct node){N_EQUAL, field, 0, 0, NULL}, value,
	    err);
	if (w->top < 0) {
		where_free(w);
		return NULL;
	}
	return w;
}

void where_free(struct where *w)
{
	if (w == NULL)
		return;
	for (int i = 0; i < w->nodes; i++)
		mem_free(w->node[i].text);
	mem_free(w);
}

/* ---- matching --------------------------------------------------------- */

static bool one_like(char pattern, char c)
{
	return pattern == '_' || ascii_lower(pattern) == ascii_lower(c);
}

/* Greedy with one point to go back to, so the time is bounded. */
static bool like(struct slice text, struct slice pattern)
{
	size_t t = 0, p = 0, star = SIZE_MAX, back = 0;

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '%') {
			star = p++;
			back = t;
		} else if (p < pattern.n && one_like(pattern.p[p], text.p[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++back;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '%')
		p++;
	return p == pattern.n;
}

static bool compare(const struct node *n, struct slice value)
{
	struct slice text = slice_str(n->text);

	return n->kind == N_LIKE ? like(value, text) : slice_eq(value, text);
}

static bool any_tag(const struct node *n, struct slice tags)
{
	struct slice tag;

	while (slice_next(&tags, ' ', &tag))
		if (compare(n, tag))
			return true;
	return false;
}

static bool test(const struct node *n, const struct where_row *row)
{
	switch (n->field) {
	case WHERE_ADDRESS:
		return compare(n, row->address);
	case WHERE_DOMAIN:
		return compare(n, row_domain(row->address));
	case WHERE_ROUTE:
		return compare(n, row->route);
	case WHERE_TAG:
		return any_tag(n, row->tags);
	case WHERE_MAILBOX:
		return compare(n, row->mailbox);
	case WHERE_HELD:
		return row->held;
	}
	return false;
}

static bool eval(const struct where *w, int at, const struct where_row *row)
{
	const struct node *n = &w->node[at];

	switch (n->kind) {
	case N_OR:
		return eval(w, n->left, row) || eval(w, n->right, row);
	case N_AND:
		return eval(w, n->left, row) && eval(w, n->right, row);
	case N_NOT:
		return !eval(w, n->left, row);
	default:
		return test(n, row);
	}
}

bool where_match(const struct where *w, const struct where_row *row)
{
	return eval(w, w->top, row);
}

static struct slice needed_tag(const struct where *w, int at)
{
	const struct node *n = &w->node[at];
	struct slice tag;

	if (n->kind == N_EQUAL && n->field == WHERE_TAG)
		return slice_str(n->text);
	if (n->kind != N_AND)
		return slice_of("", 0);
	tag = needed_tag(w, n->left);
	return tag.n > 0 ? tag : needed_tag(w, n->right);
}

struct slice where_tag(const struct where *w)
{
	return needed_tag(w, w->top);
}

bool where_takes_domains(const struct where *w)
{
	return w->domains;
}
