/* SPDX-License-Identifier: ISC
 *
 * Reads an expression: recursive descent into an array of nodes.
 *
 *   or    = and { "or" and }
 *   and   = not { "and" not }
 *   not   = "not" not | "(" or ")" | test
 *   test  = "held" | tag | name op value | name [ "not" ] "in" list
 *   op    = "=" | "!=" | "like" | "<" | ">" | "<=" | ">="
 *   list  = "(" value { "," value } ")"
 *
 * A name that is no column makes a test of the tag "name=value". A value is
 * a word or stands in quotes; what is named like a column or a word of the
 * grammar must stand in quotes: tag = 'held'.
 */
#include <stdio.h>

#include "policy/row.h"
#include "policy/where_int.h"
#include "relay/base/mem.h"

static const struct {
	const char *name;
	enum where_field field;
} fields[] = {
	{"address", WHERE_ADDRESS},
	{"domain", WHERE_DOMAIN},
	{"customer", WHERE_CUSTOMER},
	{"route", WHERE_ROUTE},
	{"leg", WHERE_LEG},
	{"tag", WHERE_TAG},
	{"mailbox", WHERE_MAILBOX},
	{"held", WHERE_HELD},
	{"change", WHERE_CHANGE},
	{"wave", WHERE_WAVE},
};

/* ---- words ------------------------------------------------------------ */

struct where_reader {
	struct slice all, rest;
	struct slice word; /* the one at hand; empty at the end */
	bool quoted;	   /* it stood in quotes */
	struct where *w;
	struct error *err;
	int depth;
};

static int fault(struct where_reader *r, const char *what)
{
	size_t at = r->all.n - r->rest.n - r->word.n;

	if (at == r->all.n)
		return error_set(r->err, "the expression is wrong at its end: "
		    "%s", what);
	return error_set(r->err, "the expression is wrong near '%.*s': %s",
	    (int)slice_head(slice_from(r->all, at), 30).n, r->all.p + at,
	    what);
}

/* All but blanks and what the grammar is made of. In a value '=' may stand
 * too: tag = client=apple-mail. */
static bool is_word(char c, bool value)
{
	return strchr(value ? " \t'\"()!<>," : " \t'\"()!<>,=", c) == NULL;
}

static int quoted_word(struct where_reader *r)
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

static int next_as(struct where_reader *r, bool value)
{
	size_t n = 0;

	r->word = slice_of("", 0);
	r->quoted = false;
	r->rest = slice_trim(r->rest);
	if (r->rest.n == 0)
		return 0;
	if (r->rest.p[0] == '\'' || r->rest.p[0] == '"')
		return quoted_word(r);
	while (n < r->rest.n && is_word(r->rest.p[n], value && n > 0))
		n++;
	if (n == 0)
		n = r->rest.n > 1 && r->rest.p[1] == '=' &&
			    strchr("!<>", r->rest.p[0]) != NULL
			? 2 : 1;
	r->word = slice_head(r->rest, n);
	r->rest = slice_from(r->rest, n);
	return 0;
}

static int next(struct where_reader *r)
{
	return next_as(r, false);
}

static bool at_word(const struct where_reader *r, const char *word)
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

	if (n.kind == N_EQUAL && n.field == WHERE_TAG && value.n == 0)
		return error_set(err, "no tag is empty; rows without a tag "
		    "are: not tag like '%%'");
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

static int read_or(struct where_reader *r);

static int negated(struct where_reader *r, int of)
{
	return of < 0 ? -1 : add_node(r->w, (struct node){.kind = N_NOT,
				  .left = of}, r->err);
}

static int join(struct where_reader *r, enum node_kind kind, int left,
    int right)
{
	if (left < 0 || right < 0)
		return -1;
	return add_node(r->w, (struct node){.kind = kind, .left = left,
				  .right = right}, r->err);
}

/* A test that is to be made: of a column, or of a tag with a key. */
struct test {
	enum where_field field;
	struct slice key; /* n 0: none */
};

static bool is_symbol(const struct where_reader *r)
{
	return !r->quoted && (r->word.n == 0 || !is_word(r->word.p[0], false));
}

static bool is_reserved(const struct where_reader *r)
{
	return at_word(r, "and") || at_word(r, "or") || at_word(r, "in") ||
	       at_word(r, "like") || at_word(r, "not");
}

static int add_number(struct where_reader *r, struct node n)
{
	if (!slice_uint(r->word, INT64_MAX, &n.number))
		return fault(r, "a change's number is expected");
	return add_node(r->w, n, r->err);
}

/* The test of one value, which is the word at hand; goes on behind it. */
static int read_value(struct where_reader *r, const struct test *t,
    enum node_kind kind)
{
	struct node n = {.kind = kind, .field = t->field};
	struct strbuf text;
	int node;

	if (is_symbol(r))
		return fault(r, "a value is expected");
	if (is_reserved(r))
		return fault(r, "such a value must stand in quotes");
	strbuf_init(&text, WHERE_MAX);
	if (t->key.n > 0) {
		strbuf_addsl(&text, t->key);
		strbuf_addc(&text, '=');
	}
	strbuf_addsl(&text, r->word);
	node = t->field == WHERE_CHANGE
		   ? add_number(r, n)
		   : add_text(r->w, n, strbuf_view(&text), r->err);
	strbuf_fini(&text);
	return node < 0 || next(r) < 0 ? -1 : node;
}

/* Behind "in". */
static int read_list(struct where_reader *r, const struct test *t)
{
	int node = -1, one;

	if (!at_word(r, "("))
		return fault(r, "a list in ( ) is expected");
	do {
		if (next_as(r, true) < 0)
			return -1;
		one = read_value(r, t, N_EQUAL);
		node = node < 0 ? one : join(r, N_OR, node, one);
		if (node < 0)
			return -1;
	} while (at_word(r, ","));
	if (!at_word(r, ")"))
		return fault(r, "a , or ) is missing");
	return next(r) < 0 ? -1 : node;
}

static int read_in(struct where_reader *r, const struct test *t)
{
	bool not = at_word(r, "not");
	int node;

	if (not && (next(r) < 0 || !at_word(r, "in")))
		return fault(r, "'in' is expected");
	if (next(r) < 0)
		return -1;
	node = read_list(r, t);
	return not ? negated(r, node) : node;
}

static const struct operator {
	const char *word;
	enum node_kind kind;
	bool negated, numbers; /* numbers: of changes alone */
} operators[] = {
	{"=", N_EQUAL, false, false},
	{"!=", N_EQUAL, true, false},
	{"like", N_LIKE, false, false},
	{"<", N_LESS, false, true},
	{">=", N_LESS, true, true},
	{">", N_MORE, false, true},
	{"<=", N_MORE, true, true},
};

static const struct operator *operator_at(const struct where_reader *r)
{
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (at_word(r, operators[i].word))
			return &operators[i];
	return NULL;
}

/* The operator and value after the name of a column or the key of a tag. */
static int read_test(struct where_reader *r, const struct test *t)
{
	const struct operator *op = operator_at(r);
	bool number = t->field == WHERE_CHANGE;
	int node;

	if (at_word(r, "in") || at_word(r, "not"))
		return read_in(r, t);
	if (op == NULL)
		return fault(r, "=, !=, like or in is expected");
	if (op->numbers && !number)
		return fault(r, "only changes are compared so");
	if (op->kind == N_LIKE && number)
		return fault(r, "changes are numbers: = != < > <= >= in");
	if (next_as(r, true) < 0)
		return -1;
	node = read_value(r, t, op->kind);
	return op->negated ? negated(r, node) : node;
}

/* "held", or "held = yes". */
static int read_held(struct where_reader *r)
{
	bool no;
	int node = add_node(r->w, (struct node){.kind = N_HELD,
				      .field = WHERE_HELD}, r->err);

	if (node < 0 || (!at_word(r, "=") && !at_word(r, "!=")))
		return node;
	no = at_word(r, "!=");
	if (next_as(r, true) < 0)
		return -1;
	if (slice_case_eq(r->word, SLICE("no")) ||
	    slice_case_eq(r->word, SLICE("false")))
		no = !no;
	else if (!slice_case_eq(r->word, SLICE("yes")) &&
		 !slice_case_eq(r->word, SLICE("true")))
		return fault(r, "yes or no is expected");
	if (next(r) < 0)
		return -1;
	return no ? negated(r, node) : node;
}

/* A word that is no column: a tag, or the key of one. */
static int read_tag(struct where_reader *r)
{
	struct test t = {WHERE_TAG, r->word};
	struct slice word = r->word;

	if (is_symbol(r) || r->quoted || is_reserved(r))
		return fault(r, "a tag or one of address, domain, customer, "
		    "route, leg, held, mailbox, tag, wave, change is expected");
	if (next(r) < 0)
		return -1;
	if (operator_at(r) != NULL || at_word(r, "in") || at_word(r, "not"))
		return read_test(r, &t);
	return add_text(r->w, (struct node){.kind = N_EQUAL,
				  .field = WHERE_TAG}, word, r->err);
}

static int read_field(struct where_reader *r)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct test t = {.field = fields[i].field};

		if (!at_word(r, fields[i].name))
			continue;
		if (next(r) < 0)
			return -1;
		return t.field == WHERE_HELD ? read_held(r)
					     : read_test(r, &t);
	}
	return read_tag(r);
}

static int read_group(struct where_reader *r)
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

static int read_not(struct where_reader *r)
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

static int read_chain(struct where_reader *r, enum node_kind kind)
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
		left = join(r, kind, left, right);
	}
	return left;
}

static int read_or(struct where_reader *r)
{
	return read_chain(r, N_OR);
}

struct where *where_parse(struct slice text, struct error *err)
{
	struct where *w = NEW(struct where);
	struct where_reader r = {.all = text, .rest = text, .w = w, .err = err};

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
	w->top = add_text(w, (struct node){.kind = N_EQUAL, .field = field},
	    value, err);
	if (w->top < 0) {
		where_free(w);
		return NULL;
	}
	return w;
}

struct where *where_all(void)
{
	struct where *w = NEW(struct where);

	w->top = -1;
	return w;
}

int where_narrow(struct where *w, enum where_field field, struct slice value,
    struct error *err)
{
	struct node n = {.kind = N_EQUAL, .field = field};
	int node;

	if (field == WHERE_HELD) {
		n.kind = N_HELD;
		node = add_node(w, n, err);
	} else {
		node = add_text(w, n, value, err);
	}
	if (node >= 0 && w->top >= 0)
		node = add_node(w, (struct node){.kind = N_AND,
				       .left = w->top, .right = node}, err);
	if (node < 0)
		return -1;
	w->top = node;
	return 0;
}

void where_free(struct where *w)
{
	if (w == NULL)
		return;
	for (int i = 0; i < w->nodes; i++)
		mem_free(w->node[i].text);
	mem_free(w);
}
