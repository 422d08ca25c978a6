/* SPDX-License-Identifier: ISC
 *
 * A first look over the text of a configuration.
 *
 * libConfuse 3.3 takes a section that the file ends in for closed, forgets
 * the line in which a section began, counts three lines for each comment and
 * drops what it does not know in an escape sequence. So comments are blanked
 * before it reads, and what concerns braces and strings is found here.
 */
#include "conf/outline.h"

#include "relay/base/mem.h"

enum token { TOKEN_NONE, TOKEN_WORD, TOKEN_EQUALS, TOKEN_OTHER };

struct scanner {
	char *p, *end;
	int line;
	enum token last;
	bool last_is_path; /* the last word has a '|' */
	char *begin;
	struct slice bare; /* the last token, if it is a word without quotes */
	int section_line, list_line; /* where the open one began, or 0 */
	struct outline *scan;
	struct error *err;
};

static int fail(struct scanner *s, int line, const char *why)
{
	s->scan->error_line = line;
	return error_set(s->err, "%s", why);
}

static bool at(const struct scanner *s, char a, char b)
{
	return s->end - s->p >= 2 && s->p[0] == a && s->p[1] == b;
}

static void blank_line(struct scanner *s)
{
	while (s->p < s->end && *s->p != '\n')
		*s->p++ = ' ';
}

static int blank_block(struct scanner *s)
{
	int began = s->line;

	while (s->p < s->end && !at(s, '*', '/')) {
		if (*s->p == '\n')
			s->line++;
		else
			*s->p = ' ';
		s->p++;
	}
	if (s->p == s->end)
		return fail(s, began, "this comment is never closed; "
				      "end it with */");
	*s->p++ = ' ';
	*s->p++ = ' ';
	return 0;
}

/* libConfuse would look for the } of "${NAME}" past the end of the string. */
static int skip_variable(struct scanner *s)
{
	while (s->p < s->end && strchr("}\"\n", *s->p) == NULL)
		s->p++;
	if (s->p < s->end && *s->p == '}')
		return 0;
	return fail(s, s->line, "there is a ${ without a } in this string; "
				"write \\$ if it is meant");
}

static int skip_string(struct scanner *s)
{
	char quote = *s->p++;

	s->bare = slice_of(s->p, 0);
	s->last = TOKEN_WORD;
	s->last_is_path = false;
	for (; s->p < s->end && *s->p != '\n'; s->p++) {
		if (*s->p == quote) {
			s->p++;
			return 0;
		}
		if (*s->p == '|')
			s->last_is_path = true;
		if (quote == '"' && at(s, '$', '{') && skip_variable(s) != 0)
			return -1;
		if (*s->p != '\\')
			continue;
		s->p++;
		if (s->p == s->end || strchr("\"'\\$", *s->p) == NULL)
			return fail(s, s->line, "there is a \\ in this string; "
						"write \\\\ if it is meant");
	}
	return fail(s, s->line, quote == '"' ?
	    "this string is not closed in its line; end it with \"" :
	    "this string is not closed in its line; end it with '");
}

/* A word that goes on over a '|' would be a path into another section. */
static int skip_word(struct scanner *s)
{
	char *from = s->p;

	s->last = TOKEN_WORD;
	s->last_is_path = false;
	while (s->p < s->end && strchr(" \t\r\n\"'=(){},+#", *s->p) == NULL &&
	       !at(s, '/', '*')) {
		if (*s->p == '|')
			s->last_is_path = true;
		s->p++;
	}
	s->bare = slice_of(from, (size_t)(s->p - from));
	if (s->p < s->end && s->p[-1] == '$' && *s->p == '{')
		return fail(s, s->line, "there is a ${ outside quotes; put the "
					"value into \"\"");
	return 0;
}

static int equals(struct scanner *s)
{
	if (s->last_is_path && s->last == TOKEN_WORD)
		return fail(s, s->line, "there is a | in this key; write the "
					"key inside its section");
	s->last = TOKEN_EQUALS;
	return 0;
}

static void note_bare(struct scanner *s)
{
	struct outline *out = s->scan;

	if (s->bare.n == 0 || s->last != TOKEN_WORD)
		return;
	out->bare = mem_resize(out->bare,
	    sizeof(*out->bare) * (size_t)(out->bares + 1));
	out->bare[out->bares++] = (struct outline_bare){
	    (size_t)(s->bare.p - s->begin), s->bare.n,
	    (size_t)(s->p - 1 - s->begin)};
}

static int open_brace(struct scanner *s)
{
	struct outline *out = s->scan;

	if (s->list_line != 0)
		return fail(s, s->list_line, "the list that begins here is not "
					     "closed; end it with }");
	if (s->last == TOKEN_EQUALS) {
		s->list_line = s->line;
		return 0;
	}
	if (s->section_line != 0)
		return fail(s, s->section_line, "the section that begins here "
		    "is not closed before the next one; end it with }");
	s->section_line = s->line;
	out->line = mem_resize(out->line,
	    sizeof(int) * (size_t)(out->lines + 1));
	out->line[out->lines++] = s->line;
	note_bare(s);
	return 0;
}

static int close_brace(struct scanner *s)
{
	if (s->list_line != 0)
		s->list_line = 0;
	else if (s->section_line != 0)
		s->section_line = 0;
	else
		return fail(s, s->line, "this } closes nothing; remove it");
	return 0;
}

static void skip_blanks(struct scanner *s)
{
	for (; s->p < s->end && strchr(" \t\r\n", *s->p) != NULL; s->p++)
		s->line += *s->p == '\n';
}

/* One string up to the ')'. libConfuse loses the memory of any other call. */
static int argument(struct scanner *s)
{
	skip_blanks(s);
	if (s->p < s->end && (*s->p == '"' || *s->p == '\'')) {
		if (skip_string(s) != 0)
			return -1;
		skip_blanks(s);
		if (s->p < s->end && *s->p == ')') {
			s->p++;
			return 0;
		}
	}
	return fail(s, s->line, "include takes one file; write "
				"include(\"FILE\")");
}

static int punctuation(struct scanner *s)
{
	enum token before = s->last;
	char c = *s->p++;

	if (c == '+' && (s->p == s->end || *s->p != '='))
		return fail(s, s->line, "there is a + outside quotes; put the "
					"value into \"\"");
	if (c == '+')
		s->p++;
	if (c == '+' || c == '=')
		return equals(s);
	s->last = before;
	if (c == '{' && open_brace(s) != 0)
		return -1;
	if (c == '}' && close_brace(s) != 0)
		return -1;
	if (c == '(' && argument(s) != 0)
		return -1;
	s->last = TOKEN_OTHER;
	return 0;
}

static int next_token(struct scanner *s)
{
	char c = *s->p;

	if (c == '\n') {
		s->line++;
		s->p++;
		return 0;
	}
	if (strchr(" \t\r", c) != NULL) {
		*s->p++ = ' ';
		return 0;
	}
	if (c == '#' || at(s, '/', '/')) {
		blank_line(s);
		return 0;
	}
	if (at(s, '/', '*'))
		return blank_block(s);
	if (c == '"' || c == '\'')
		return skip_string(s);
	if (strchr("=(){},+", c) != NULL)
		return punctuation(s);
	return skip_word(s);
}

int outline_text(char *text, size_t n, struct outline *outline_out,
    struct error *err)
{
	struct scanner s = {.begin = text, .p = text, .end = text + n,
	    .line = 1, .scan = outline_out, .err = err};

	*outline_out = (struct outline){.error_line = 1};
	if (memchr(text, '\0', n) != NULL)
		return error_set(err, "there is a NUL in it; this is not a "
		    "text file, or not UTF-8: save it as UTF-8");
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		memset(text, ' ', 3); /* a byte order mark of an editor */
	while (s.p < s.end)
		if (next_token(&s) != 0)
			return -1;
	if (s.list_line != 0)
		return fail(&s, s.list_line, "the list that begins here is not "
					     "closed; end it with }");
	if (s.section_line != 0)
		return fail(&s, s.section_line, "the section that begins here "
						"is not closed; end it with }");
	return 0;
}

void outline_named(const struct outline *o, struct slice text,
    bool (*optional)(struct slice kind), struct strbuf *out)
{
	size_t done = 0;

	for (int i = 0; i < o->bares; i++) {
		const struct outline_bare *b = &o->bare[i];

		if (!optional(slice_of(text.p + b->word, b->word_n)))
			continue;
		strbuf_add(out, text.p + done, b->brace - done);
		strbuf_adds(out, "\"\" ");
		done = b->brace;
	}
	strbuf_addsl(out, slice_from(text, done));
}

void outline_fini(struct outline *s)
{
	mem_free(s->bare);
	mem_free(s->line);
	*s = (struct outline){0};
}
