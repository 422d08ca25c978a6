/* SPDX-License-Identifier: ISC
 *
 * Removes forged Authentication-Results fields (RFC 8601 2.2, 5), byte by byte
 * in the header and not at all in the body.
 *
 * The header ends at the first empty line and nowhere else: what one program
 * takes for a line that is no field, another skips. An LF alone ends a line
 * here too, as it does for many that read the message after us. The same goes
 * for the authserv-id: what is only nearly well formed is read as ours.
 */
#include "relay/mail/auth_results.h"

#include "relay/mail/domain.h"

static const char name[] = "Authentication-Results";

enum { NAME_LENGTH = sizeof(name) - 1, ID_MAX = 1024 };

void auth_results_init(struct auth_results *f, const char *id)
{
	*f = (struct auth_results){.id = slice_str(id), .at = AR_LINE};
	strbuf_init(&f->held, AUTH_RESULTS_HELD);
	strbuf_init(&f->seen, ID_MAX);
}

void auth_results_fini(struct auth_results *f)
{
	strbuf_fini(&f->held);
	strbuf_fini(&f->seen);
}

/* ---- the authserv-id --------------------------------------------------- */

/* Appends its A-labels in lower case where it is a domain. */
static void add_normal(struct slice id, struct strbuf *out)
{
	while (id.n > 1 && id.p[id.n - 1] == '.')
		id.n--;
	if (!domain_normal(id, out)) {
		strbuf_reset(out);
		strbuf_addsl(out, id);
	}
}

static bool is_ours(const struct auth_results *f)
{
	struct strbuf ours, theirs;
	bool same;

	if (f->seen.n == 0)
		return false;
	strbuf_init(&ours, ID_MAX);
	strbuf_init(&theirs, ID_MAX);
	add_normal(f->id, &ours);
	add_normal(strbuf_view(&f->seen), &theirs);
	same = slice_case_eq(strbuf_view(&ours), strbuf_view(&theirs));
	strbuf_fini(&ours);
	strbuf_fini(&theirs);
	return same;
}

/* Of a domain, as which an authserv-id is chosen. */
static bool in_id(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || (unsigned char)c > 127 ||
	       c == '.' || c == '-' || c == '_';
}

static bool is_control(char c)
{
	return (unsigned char)c <= ' ' || c == 127;
}

/* ---- one byte ----------------------------------------------------------
 *
 * Each function takes a byte and says where the filter stands behind it;
 * AR_REST: the field stays, AR_FORGED: it goes. */

static enum auth_results_at decide(const struct auth_results *f)
{
	return is_ours(f) ? AR_FORGED : AR_REST;
}

static enum auth_results_at in_name(struct auth_results *f, char c)
{
	if (f->matched < NAME_LENGTH)
		return ascii_lower(c) == ascii_lower(name[f->matched++])
			   ? AR_NAME : AR_REST;
	if (c == ':')
		return AR_BLANK;
	return ascii_blank(c) ? AR_COLON : AR_REST;
}

static enum auth_results_at before_id(struct auth_results *f, char c)
{
	if (c == '(') {
		f->depth = 1;
		return AR_COMMENT;
	}
	if (c == '"')
		return AR_QUOTED;
	if (is_control(c))
		return AR_BLANK;
	if (!in_id(c))
		return AR_REST; /* no id at all */
	strbuf_addc(&f->seen, c);
	return AR_TOKEN;
}

static enum auth_results_at in_comment(struct auth_results *f, char c)
{
	bool escaped = f->escaped;

	f->escaped = !escaped && c == '\\';
	if (!escaped && c == '(')
		f->depth++;
	if (!escaped && c == ')')
		f->depth--;
	return f->depth == 0 ? AR_BLANK : AR_COMMENT;
}

static enum auth_results_at in_token(struct auth_results *f, char c)
{
	if (!in_id(c))
		return decide(f);
	strbuf_addc(&f->seen, c);
	return AR_TOKEN;
}

static enum auth_results_at in_quoted(struct auth_results *f, char c)
{
	bool escaped = f->escaped;

	f->escaped = !escaped && c == '\\';
	if (!escaped && c == '"')
		return decide(f);
	if (!f->escaped && !is_control(c))
		strbuf_addc(&f->seen, c);
	return AR_QUOTED;
}

static enum auth_results_at step(struct auth_results *f, char c)
{
	switch (f->at) {
	case AR_LINE:
		if (c == '\r')
			return AR_CR;
		f->matched = 0;
		return c == '\n' ? AR_BODY : in_name(f, c);
	case AR_CR:
		return c == '\n' ? AR_BODY : AR_REST;
	case AR_NAME:
	case AR_COLON:
		return in_name(f, c);
	case AR_BLANK:
		return before_id(f, c);
	case AR_COMMENT:
		return in_comment(f, c);
	case AR_TOKEN:
		return in_token(f, c);
	case AR_QUOTED:
		return in_quoted(f, c);
	case AR_REST:
	case AR_FORGED:
	case AR_BODY:
		break;
	}
	return f->at;
}

/* ---- runs of bytes ----------------------------------------------------- */

/* Must the bytes of the field wait until it shows its id? */
static bool is_undecided(enum auth_results_at at)
{
	return at >= AR_NAME && at <= AR_QUOTED;
}

/* The bytes of one call. */
struct walk {
	struct slice in;
	struct strbuf *out;
	size_t i;
	size_t run;   /* from here on bytes go on that are not in `out` yet */
	size_t field; /* where the undecided field begins, or 0: before */
};

static void put(struct walk *w, size_t until)
{
	strbuf_addsl(w->out,
	    slice_of(w->in.p + w->run, until - w->run));
	w->run = until;
}

/* The field that was undecided stays, or goes. */
static void settle(struct auth_results *f, struct walk *w, bool stays)
{
	if (stays && f->held.n > 0)
		strbuf_addsl(w->out, strbuf_view(&f->held));
	if (!stays) {
		put(w, w->field);
		w->run = w->i;
		f->stripped++;
	}
	strbuf_reset(&f->held);
	strbuf_reset(&f->seen);
	f->escaped = false;
}

/* A field is over and has shown no id that is well formed: one that has ours
 * in it somewhere was meant to be read as ours. */
static bool is_meant(const struct auth_results *f, const struct walk *w)
{
	struct strbuf whole;
	bool has;

	if (f->at == AR_TOKEN)
		return is_ours(f);
	if (f->at != AR_COMMENT && f->at != AR_QUOTED)
		return false;
	strbuf_init(&whole, 2 * AUTH_RESULTS_HELD);
	strbuf_addsl(&whole, strbuf_view(&f->held));
	strbuf_addsl(&whole,
	    slice_of(w->in.p + w->field, w->i - w->field));
	has = slice_case_has(strbuf_view(&whole), f->id);
	strbuf_fini(&whole);
	return has;
}

/* The byte is the first of a line that does not go on with the one before. */
static void new_line(struct auth_results *f, struct walk *w)
{
	if (is_undecided(f->at))
		settle(f, w, !is_meant(f, w));
	if (f->at == AR_FORGED)
		w->run = w->i;
	f->at = AR_LINE;
}

static void take_byte(struct auth_results *f, struct walk *w)
{
	char c = w->in.p[w->i];
	enum auth_results_at before;

	if (f->ended && c != ' ' && c != '\t')
		new_line(f, w);
	before = f->at;
	if (before == AR_LINE)
		w->field = w->i;
	f->at = step(f, c);
	if (is_undecided(f->at) &&
	    f->held.n + (w->i + 1 - w->field) > AUTH_RESULTS_HELD)
		f->at = AR_FORGED;
	if (is_undecided(before) && !is_undecided(f->at))
		settle(f, w, f->at == AR_REST);
	f->ended = c == '\n';
	w->i++;
}

/* Nothing in the rest of this line matters. */
static void skip_line(struct auth_results *f, struct walk *w)
{
	long lf = slice_find(slice_from(w->in, w->i), '\n');

	w->i = lf < 0 ? w->in.n : w->i + (size_t)lf + 1;
	f->ended = lf >= 0;
}

/* At the end of a call: the rest of a field that goes is dropped, the beginning
 * of one that is undecided waits for the next call. */
static void keep_back(struct auth_results *f, struct walk *w)
{
	if (f->at == AR_FORGED) {
		w->run = w->in.n;
	} else if (is_undecided(f->at)) {
		put(w, w->field);
		strbuf_addsl(&f->held, slice_from(w->in, w->field));
		w->run = w->in.n;
	}
}

struct slice auth_results_next(struct auth_results *f, struct slice in,
    struct strbuf *out)
{
	struct walk w = {.in = in, .out = out};
	size_t start = out->n;

	while (w.i < in.n && f->at != AR_BODY)
		if ((f->at == AR_REST || f->at == AR_FORGED) && !f->ended)
			skip_line(f, &w);
		else
			take_byte(f, &w);
	keep_back(f, &w);
	if (out->n == start && w.run == 0)
		return in;
	put(&w, in.n);
	return slice_from(strbuf_view(out), start);
}

struct slice auth_results_end(struct auth_results *f, struct strbuf *out)
{
	struct walk w = {.in = slice_of("", 0), .out = out};
	size_t start = out->n;

	if (is_undecided(f->at))
		settle(f, &w, !is_meant(f, &w));
	f->at = AR_BODY;
	return slice_from(strbuf_view(out), start);
}
