/* SPDX-License-Identifier: ISC
 *
 * Evaluates an expression for a row. `like` knows % (any run of characters)
 * and _ (any one), case folded.
 */
#include "policy/where_int.h"

#include "policy/row.h"

/* ---- matching --------------------------------------------------------- */

static bool one_like(char pattern, char c)
{
	return pattern == '_' || ascii_lower(pattern) == ascii_lower(c);
}

/* Greedy with one point to go back to, so the time is bounded. */
bool where_like(struct slice text, struct slice pattern)
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

	return n->kind == N_LIKE ? where_like(value, text)
				 : slice_eq(value, text);
}

/* Of a row without tags there is none, not an empty one. */
static bool any_word(const struct node *n, struct slice words)
{
	struct slice word;

	while (slice_next(&words, ' ', &word))
		if (word.n > 0 && compare(n, word))
			return true;
	return false;
}

static bool any_leg(const struct node *n, struct slice route)
{
	struct slice leg;

	while (slice_next(&route, '+', &leg))
		if (compare(n, leg))
			return true;
	return false;
}

static bool compare_number(const struct node *n, uint64_t value)
{
	return n->kind == N_LESS   ? value < n->number
	       : n->kind == N_MORE ? value > n->number
				   : value == n->number;
}

static bool test(const struct node *n, const struct where_row *row)
{
	switch (n->field) {
	case WHERE_ADDRESS:
		return compare(n, row->address);
	case WHERE_DOMAIN:
		return compare(n, row_domain(row->address));
	case WHERE_CUSTOMER:
		return compare(n, row->customer);
	case WHERE_ROUTE:
		return compare(n, row->route);
	case WHERE_LEG:
		return any_leg(n, row->route);
	case WHERE_TAG:
		return any_word(n, row->tags);
	case WHERE_MAILBOX:
		return compare(n, row->mailbox);
	case WHERE_HELD:
		return row->held;
	case WHERE_CHANGE:
		return compare_number(n, row->change);
	case WHERE_WAVE:
		return any_word(n, row->waves);
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
	return w->top < 0 || eval(w, w->top, row);
}

/* ---- by what rows are found -------------------------------------------- */

static bool is_key(const struct node *n)
{
	return n->kind == N_EQUAL &&
	       (n->field == WHERE_TAG || n->field == WHERE_WAVE ||
		   n->field == WHERE_ADDRESS);
}

/* Both sides of an `or` are needed, one side of an `and` is enough. */
static unsigned needed_keys(const struct where *w, int at,
    struct where_key *out)
{
	const struct node *n = &w->node[at];
	unsigned left, right;

	if (is_key(n)) {
		*out = (struct where_key){n->field, slice_str(n->text)};
		return 1;
	}
	if (n->kind != N_AND && n->kind != N_OR)
		return 0;
	left = needed_keys(w, n->left, out);
	if (n->kind == N_AND && left > 0)
		return left;
	if (n->kind == N_OR && left == 0)
		return 0;
	right = needed_keys(w, n->right, out + left);
	return right == 0 ? 0 : left + right;
}

unsigned where_keys(const struct where *w,
    struct where_key key_out[WHERE_NODES])
{
	return w->top < 0 ? 0 : needed_keys(w, w->top, key_out);
}

unsigned where_tags(const struct where *w, struct slice tag_out[WHERE_NODES])
{
	struct where_key key[WHERE_NODES];
	unsigned n = where_keys(w, key);

	for (unsigned i = 0; i < n; i++) {
		if (key[i].field != WHERE_TAG)
			return 0;
		tag_out[i] = key[i].text;
	}
	return n;
}

unsigned where_named(const struct where *w, enum where_field field,
    struct slice text_out[WHERE_NODES])
{
	unsigned n = 0;

	for (int i = 0; i < w->nodes; i++)
		if (w->node[i].kind == N_EQUAL && w->node[i].field == field)
			text_out[n++] = slice_str(w->node[i].text);
	return n;
}

bool where_asks(const struct where *w, enum where_field field)
{
	for (int i = 0; i < w->nodes; i++)
		if (w->node[i].kind >= N_EQUAL && w->node[i].field == field)
			return true;
	return false;
}

void where_take_domains(struct where *w)
{
	w->domains = true;
}

bool where_takes_domains(const struct where *w)
{
	return w->domains;
}
