/* SPDX-License-Identifier: ISC
 *
 * Reads words and strings and nothing else: braces, section names and the
 * other keys may be what is broken. No other section has a key `socket`.
 */
#include "relay/cli/common/salvage.h"

#include "conf/parse.h"

enum { FILE_BYTES_MAX = 1 << 20, DEPTH_MAX = 4 };

enum token { TOKEN_END, TOKEN_WORD, TOKEN_STRING, TOKEN_EQUALS, TOKEN_OTHER };

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static bool starts(struct slice s, const char *text)
{
	size_t n = strlen(text);

	return s.n >= n && memcmp(s.p, text, n) == 0;
}

/* Behind the comment that begins here, which may have no end. */
static struct slice skip_comment(struct slice s)
{
	const char *end = starts(s, "/*") ? "*/" : "\n";

	while (s.n > 0 && !starts(s, end))
		s = slice_from(s, 1);
	return slice_from(s, s.n < strlen(end) ? s.n : strlen(end));
}

static struct slice skip_blanks(struct slice s)
{
	for (;;) {
		if (s.n > 0 && strchr(" \t\r\n", s.p[0]) != NULL)
			s = slice_from(s, 1);
		else if (starts(s, "#") || starts(s, "//") || starts(s, "/*"))
			s = skip_comment(s);
		else
			return s;
	}
}

/* A string ends in its line; one that does not is what is broken. */
static size_t string_length(struct slice s)
{
	size_t n = 1;

	while (n < s.n && s.p[n] != s.p[0] && s.p[n] != '\n')
		n++;
	return n;
}

static enum token next(struct slice *rest, struct slice *text_out)
{
	struct slice s = skip_blanks(*rest);
	enum token kind = TOKEN_OTHER;
	size_t n = 1;

	*text_out = s;
	if (s.n == 0) {
		*rest = s;
		return TOKEN_END;
	}
	if (s.p[0] == '"' || s.p[0] == '\'') {
		n = string_length(s);
		*text_out = slice_head(slice_from(s, 1), n - 1);
		kind = TOKEN_STRING;
		n += n < s.n && s.p[n] == s.p[0];
	} else if (is_word(s.p[0])) {
		while (n < s.n && is_word(s.p[n]))
			n++;
		*text_out = slice_head(s, n);
		kind = TOKEN_WORD;
	} else if (s.p[0] == '=') {
		kind = TOKEN_EQUALS;
	}
	*rest = slice_from(s, n);
	return kind;
}

/* A file that is looked through, and how many include it one in another. */
struct salvage_file {
	const char *file;
	int depth;
};

static bool search(const char *file, int depth, struct strbuf *path_out);

/* A relative name is beside the file that includes it (conf/parse.c). */
static bool search_included(const struct salvage_file *l, struct slice name,
    struct strbuf *path_out)
{
	const char *slash = strrchr(l->file, '/');
	struct strbuf file;
	bool found;

	strbuf_init(&file, 4096);
	if (slash != NULL && !starts(name, "/"))
		strbuf_add(&file, l->file, (size_t)(slash + 1 - l->file));
	strbuf_add(&file, name.p, name.n);
	found = strbuf_ok(&file) &&
		search(strbuf_cstr(&file), l->depth + 1, path_out);
	strbuf_fini(&file);
	return found;
}

/* `key = "value"`, and `key "value"`: the sign may be what is missing. */
static bool search_text(const struct salvage_file *l, struct slice rest,
    struct strbuf *path_out)
{
	bool socket = false, include = false;
	struct slice text;
	enum token t;

	while ((t = next(&rest, &text)) != TOKEN_END) {
		if (t == TOKEN_STRING && socket) {
			strbuf_add(path_out, text.p, text.n);
			return true;
		}
		if (t == TOKEN_STRING && include &&
		    search_included(l, text, path_out))
			return true;
		if (t == TOKEN_WORD) {
			socket = slice_eq(text, SLICE("socket"));
			include = slice_eq(text, SLICE("include"));
		} else if (t == TOKEN_STRING) {
			socket = include = false;
		}
	}
	return false;
}

static bool search(const char *file, int depth, struct strbuf *path_out)
{
	const struct salvage_file l = {file, depth};
	struct strbuf text;
	struct error err;
	bool found = false;

	if (depth >= DEPTH_MAX)
		return false;
	strbuf_init(&text, FILE_BYTES_MAX);
	if (parse_file(file, &text, &err) == 0)
		found = search_text(&l, strbuf_view(&text), path_out);
	strbuf_fini(&text);
	return found;
}

void conf_salvage_socket(const char *file, struct strbuf *path_out)
{
	if (!search(file, 0, path_out))
		strbuf_adds(path_out,
		    param_find(SEC_CONTROL, "socket")->def);
}
