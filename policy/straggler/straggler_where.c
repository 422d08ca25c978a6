/* SPDX-License-Identifier: ISC
 *
 * Reads and evaluates an expression about stragglers: recursive descent into
 * an array of nodes.
 *
 *   or   = and { "or" and }
 *   and  = not { "and" not }
 *   not  = "not" not | "(" or ")" | name op value
 */
#include "policy/straggler/straggler_where.h"

#include "policy/where.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"

enum term_kind { TERM_OR, TERM_AND, TERM_NOT, TERM_EQUAL, TERM_LIKE, TERM_LESS,
	TERM_MORE };

struct term {
	enum term_kind kind;
	int left, right; /* indices; of TERM_NOT only left */
	bool is_number, negated;
	int field; /* of one of the two enumerations */
	char *text;
	int64_t number;
};

struct straggler_where {
	struct term term[STRAGGLER_WHERE_NODES];
	int terms, top;
};

/* ---- words --------------------------------------------------------------- */

struct term_reader {
	struct slice all, rest;
	struct slice word; /* the one at hand; empty at the end */
	bool quoted;
	struct straggler_where *w;
	int64_t now_us;
	struct error *err;
	int depth;
};

static int fault(struct term_reader *r, const char *what)
{
	size_t at = r->all.n - r->rest.n - r->word.n;
	struct slice near = slice_head(slice_from(r->all, at), 30);

	if (at == r->all.n)
		return error_set(r->err, "the expression is wrong at its end: "
		    "%s", what);
	return error_set(r->err, "the expression is wrong near '%.*s': %s",
	    (int)near.n, near.p, what);
}

static bool is_symbol(char c)
{
	return c == '(' || c == ')' || c == '=' || c == '!' || c == '<' ||
	       c == '>' || c == '\'' || c == '"' || c == ' ' || c == '\t';
}

static int next_quoted(struct term_reader *r)
{
	long end = slice_find(slice_from(r->rest, 1), r->rest.p[0]);

	if (end < 0)
		return fault(r, "the quote does not end");
	r->word = slice_head(slice_from(r->rest, 1), (size_t)end);
	r->rest = slice_from(r->rest, (size_t)end + 2);
	r->quoted = true;
	return 0;
}

static int next(struct term_reader *r)
{
	size_t n = 0;

	r->word = slice_of("", 0);
	r->quoted = false;
	r->rest = slice_trim(r->rest);
	if (r->rest.n == 0)
		return 0;
	if (r->rest.p[0] == '\'' || r->rest.p[0] == '"')
		return next_quoted(r);
	while (n < r->rest.n && !is_symbol(r->rest.p[n]))
		n++;
	if (n == 0)
		n = r->rest.n > 1 && r->rest.p[1] == '=' &&
			    strchr("!<>", r->rest.p[0]) != NULL ? 2 : 1;
	r->word = slice_head(r->rest, n);
	r->rest = slice_from(r->rest, n);
	return 0;
}

static bool at_word(const struct term_reader *r, const char *word)
{
	return !r->quoted && slice_case_eq(r->word, slice_str(word));
}

/* ---- terms --------------------------------------------------------------- */

static int add(struct term_reader *r, struct term t)
{
	if (r->w->terms == STRAGGLER_WHERE_NODES) {
		mem_free(t.text);
		return error_set(r->err, "the expression is too long");
	}
	r->w->term[r->w->terms] = t;
	return r->w->terms++;
}

static const struct straggler_field {
	const char *name;
	bool is_number;
	int field;
} fields[] = {
	{"client", false, TEXT_CLIENT},
	{"name", false, TEXT_NAME},
	{"helo", false, TEXT_HELO},
	{"listen", false, TEXT_LISTEN},
	{"customer", false, TEXT_CUSTOMER},
	{"sender", false, TEXT_SENDER},
	{"first", true, NUMBER_FIRST},
	{"last", true, NUMBER_LAST},
	{"messages", true, NUMBER_MESSAGES},
	{"recipients", true, NUMBER_RECIPIENTS},
	{"refused", true, NUMBER_REFUSED},
	{"delivered", true, NUMBER_DELIVERED},
	{"after", true, NUMBER_AFTER},
};

static const struct straggler_op {
	const char *word;
	enum term_kind kind;
	bool negated;
} operators[] = {
	{"=", TERM_EQUAL, false}, {"!=", TERM_EQUAL, true},
	{"like", TERM_LIKE, false}, {"<", TERM_LESS, false},
	{">=", TERM_LESS, true}, {">", TERM_MORE, false},
	{"<=", TERM_MORE, true},
};

/* The value at hand, as the field wants it. */
static int read_value(struct term_reader *r, struct term *t)
{
	uint64_t n;

	if (!t->is_number) {
		t->text = mem_slicedup(r->word);
		return 0;
	}
	if (t->field == NUMBER_FIRST || t->field == NUMBER_LAST)
		return clock_parse(r->word, r->now_us, &t->number) == 0 ? 0
		    : fault(r, "a time is expected: 2026-12-01, or -30d");
	if (!slice_uint(r->word, INT64_MAX, &n))
		return fault(r, "a number is expected");
	t->number = (int64_t)n;
	return 0;
}

/* The kind of the operator at hand; -1: it is none for that field. */
static int read_operator(struct term_reader *r, struct term *t)
{
	for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
		enum term_kind kind = operators[i].kind;

		if (!at_word(r, operators[i].word))
			continue;
		if (t->is_number ? kind == TERM_LIKE
				 : kind != TERM_EQUAL && kind != TERM_LIKE)
			break;
		t->negated = operators[i].negated;
		return (int)kind;
	}
	return fault(r, t->is_number ? "= != < > <= or >= is expected"
				     : "=, != or like is expected");
}

static int read_test(struct term_reader *r, const struct straggler_field *f)
{
	struct term t = {.is_number = f->is_number, .field = f->field};
	int kind, at;

	if (next(r) < 0)
		return -1;
	kind = read_operator(r, &t);
	if (kind < 0 || next(r) < 0)
		return -1;
	if (r->word.n == 0 && !r->quoted)
		return fault(r, "a value is expected");
	t.kind = (enum term_kind)kind;
	if (read_value(r, &t) < 0)
		return -1;
	at = add(r, t);
	return at < 0 || next(r) < 0 ? -1 : at;
}

static int read_field(struct term_reader *r)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (at_word(r, fields[i].name))
			return read_test(r, &fields[i]);
	return fault(r, "one of client, name, helo, listen, customer, sender, "
	    "first, last, messages, recipients, refused, delivered, after is "
	    "expected");
}

static int read_chain(struct term_reader *r, enum term_kind kind);

static int read_group(struct term_reader *r)
{
	int at;

	if (next(r) < 0)
		return -1;
	at = read_chain(r, TERM_OR);
	if (at < 0)
		return -1;
	if (!at_word(r, ")"))
		return fault(r, "a ) is missing");
	return next(r) < 0 ? -1 : at;
}

static int read_not(struct term_reader *r)
{
	int at;

	if (++r->depth > STRAGGLER_WHERE_DEPTH)
		return fault(r, "it is nested too deeply");
	if (at_word(r, "not")) {
		at = next(r) < 0 ? -1 : read_not(r);
		if (at >= 0)
			at = add(r, (struct term){.kind = TERM_NOT,
			    .left = at});
	} else {
		at = at_word(r, "(") ? read_group(r) : read_field(r);
	}
	r->depth--;
	return at;
}

static int read_chain(struct term_reader *r, enum term_kind kind)
{
	const char *word = kind == TERM_OR ? "or" : "and";
	int left = kind == TERM_OR ? read_chain(r, TERM_AND) : read_not(r);

	while (left >= 0 && at_word(r, word)) {
		int right = next(r) < 0 ? -1
		    : kind == TERM_OR ? read_chain(r, TERM_AND) : read_not(r);

		left = right < 0 ? -1 : add(r, (struct term){.kind = kind,
		    .left = left, .right = right});
	}
	return left;
}

struct straggler_where *straggler_where_parse(struct slice text,
    int64_t now_us, struct error *err)
{
	struct straggler_where *w = NEW(struct straggler_where);
	struct term_reader r = {.all = text, .rest = text, .w = w,
	    .now_us = now_us, .err = err};

	if (text.n > STRAGGLER_WHERE_MAX)
		w->top = error_set(err, "the expression is too long");
	else
		w->top = next(&r) < 0 ? -1 : read_chain(&r, TERM_OR);
	if (w->top >= 0 && (r.word.n > 0 || r.quoted))
		w->top = fault(&r, "the end or 'and', 'or' is expected");
	if (w->top >= 0)
		return w;
	straggler_where_free(w);
	return NULL;
}

void straggler_where_free(struct straggler_where *w)
{
	if (w == NULL)
		return;
	for (int i = 0; i < w->terms; i++)
		mem_free(w->term[i].text);
	mem_free(w);
}

/* ---- matching ------------------------------------------------------------ */

static bool text_fits(const struct term *t, struct slice value)
{
	struct slice text = slice_str(t->text);

	return t->kind == TERM_LIKE ? where_like(value, text)
				    : slice_case_eq(value, text);
}

static bool any_sender(const struct term *t, struct slice senders)
{
	struct slice domain, count;

	while (slice_next(&senders, ' ', &domain)) {
		if (domain.n > 0 && text_fits(t, domain))
			return true;
		if (!slice_next(&senders, ' ', &count))
			break;
	}
	return false;
}

static bool number_fits(const struct term *t, int64_t value)
{
	bool is = t->kind == TERM_LESS   ? value < t->number
		  : t->kind == TERM_MORE ? value > t->number
					 : value == t->number;

	return (t->field != NUMBER_AFTER || value >= 0) && is != t->negated;
}

static bool fits(const struct term *t, const struct straggler_values *v)
{
	bool is;

	if (t->is_number)
		return number_fits(t, v->number[t->field]);
	is = t->field == TEXT_SENDER ? any_sender(t, v->text[TEXT_SENDER])
				     : text_fits(t, v->text[t->field]);
	return is != t->negated;
}

static bool eval(const struct straggler_where *w, int at,
    const struct straggler_values *v)
{
	const struct term *t = &w->term[at];

	switch (t->kind) {
	case TERM_OR:
		return eval(w, t->left, v) || eval(w, t->right, v);
	case TERM_AND:
		return eval(w, t->left, v) && eval(w, t->right, v);
	case TERM_NOT:
		return !eval(w, t->left, v);
	default:
		return fits(t, v);
	}
}

bool straggler_where_match(const struct straggler_where *w,
    const struct straggler_values *v)
{
	return eval(w, w->top, v);
}

bool straggler_where_asks_after(const struct straggler_where *w)
{
	for (int i = 0; i < w->terms; i++)
		if (w->term[i].is_number && w->term[i].field == NUMBER_AFTER)
			return true;
	return false;
}
