/* SPDX-License-Identifier: ISC
 *
 * The table as a sample file and as the parameter part of
 * posthouse.conf(5), so that neither can say what the parser does not do.
 * Pure; any thread.
 */
#include "conf/conf.h"

#include "conf/schema.h"

enum { SAMPLE_WIDTH = 76, MAN_WIDTH = 78, LINE_MAX_BYTES = 4096 };

/* Keys that an egress shares with a leg are described once. */
static const struct conf_param *next_told(enum section s,
    const struct conf_param *p)
{
	unsigned before = (1u << s) - 1;

	while ((p = param_next(s, p)) != NULL && (p->in & before) != 0)
		;
	return p;
}

/* A value as it is written in a file. */
static void add_value(const struct conf_param *p, const char *text,
    struct strbuf *out)
{
	struct slice rest = slice_str(text), token;
	const char *quote = p->type->bare ? "" : "\"";
	int n = 0;

	if (p->type->element == 0) {
		strbuf_addf(out, "%s%s%s", quote, text, quote);
		return;
	}
	strbuf_adds(out, "{ ");
	while (rest.n != 0 && slice_next(&rest, ' ', &token))
		strbuf_addf(out, "%s\"%.*s\"", n++ == 0 ? "" : ", ",
		    (int)token.n, token.p);
	strbuf_adds(out, n == 0 ? "}" : " }");
}

static void add_words(const struct conf_param *p, struct strbuf *out)
{
	if (p->type->words != NULL && p->type != &T_BOOL)
		words_list(p->type->words, out);
	else
		param_range(p, out);
}

/* ---- the sample -------------------------------------------------------- */

/* `text` as comment lines, broken between words. */
static void add_comment(const char *indent, const char *text,
    struct strbuf *out)
{
	struct slice rest = slice_str(text), word;
	size_t column = 0;

	while (rest.n != 0 && slice_next(&rest, ' ', &word)) {
		if (column == 0 || column + 1 + word.n > SAMPLE_WIDTH) {
			strbuf_addf(out, "%s%s#", column == 0 ? "" : "\n",
			    indent);
			column = strlen(indent) + 1;
		}
		strbuf_addc(out, ' ');
		strbuf_addsl(out, word);
		column += 1 + word.n;
	}
	strbuf_addc(out, '\n');
}

static void sample_param(const struct conf_param *p, const char *indent,
    struct strbuf *out)
{
	struct strbuf text;
	bool live = p->example != NULL;

	strbuf_init(&text, LINE_MAX_BYTES);
	strbuf_adds(&text, p->help);
	if (p->type->number != NULL) {
		strbuf_adds(&text, " (");
		add_words(p, &text);
		strbuf_addc(&text, ')');
	}
	add_comment(indent, strbuf_cstr(&text), out);
	strbuf_addf(out, "%s%s%s = ", indent, live ? "" : "#", p->name);
	add_value(p, live ? p->example : p->def, out);
	strbuf_addc(out, '\n');
	strbuf_fini(&text);
}

static void sample_section(enum section s, struct strbuf *out)
{
	const struct section_info *info = &section_table[s];
	const struct conf_param *p = NULL;

	strbuf_addc(out, '\n');
	add_comment("", info->help, out);
	if (s != SEC_TOP && info->title != NULL && info->title[0] != '\0')
		strbuf_addf(out, "%s \"%s\" {\n", info->name, info->title);
	else if (s != SEC_TOP)
		strbuf_addf(out, "%s {\n", info->name);
	while ((p = next_told(s, p)) != NULL)
		sample_param(p, s == SEC_TOP ? "" : "    ", out);
	if (s != SEC_TOP)
		strbuf_adds(out, "}\n");
	if (info->more != NULL)
		strbuf_adds(out, info->more);
}

void conf_print_sample(struct strbuf *out)
{
	add_comment("", "posthouse.conf: every key there is, with its default "
			"behind a #. What stands without a # is an example: "
			"put in your own. posthoused -t checks the file; see "
			"posthouse.conf(5).", out);
	for (int s = SEC_TOP; s < SECTIONS; s++)
		sample_section((enum section)s, out);
}

/* ---- the manual -------------------------------------------------------- */

static bool ends_sentence(struct slice word, struct slice rest)
{
	return word.n != 0 && word.p[word.n - 1] == '.' && rest.n != 0 &&
	       rest.p[0] >= 'A' && rest.p[0] <= 'Z';
}

/* mdoc wants each sentence on lines of its own and no macro by accident. */
static void man_text(const char *text, struct strbuf *out)
{
	struct slice rest = slice_str(text), word;
	size_t column = 0;

	while (rest.n != 0 && slice_next(&rest, ' ', &word)) {
		if (column + 1 + word.n > MAN_WIDTH) {
			strbuf_addc(out, '\n');
			column = 0;
		}
		if (column == 0 && (word.p[0] == '.' || word.p[0] == '\''))
			strbuf_adds(out, "\\&");
		if (column != 0)
			strbuf_addc(out, ' ');
		strbuf_addsl(out, word);
		column += 1 + word.n;
		if (ends_sentence(word, rest))
			column = MAN_WIDTH;
	}
	strbuf_addc(out, '\n');
}

static const char *man_effect(enum effect e)
{
	static const char *const text[] = {
		[LIVE] = "A reload changes it at once.",
		[NEW_SESSIONS] = "A reload changes it for new sessions.",
		[RESTART] = "It needs a restart.",
	};

	return text[e];
}

static void man_default(const struct conf_param *p, struct strbuf *out)
{
	struct strbuf value;

	if (p->def == NULL) {
		strbuf_adds(out, "It must be set.\n");
		return;
	}
	if (p->def[0] == '\0')
		return;
	strbuf_init(&value, LINE_MAX_BYTES);
	add_value(p, p->def, &value);
	strbuf_adds(out, "Default:\n.Li ");
	for (const char *c = strbuf_cstr(&value); *c != '\0'; c++)
		strbuf_adds(out, *c == '"' ? "\\(dq" : (char[]){*c, '\0'});
	strbuf_adds(out, " .\n");
	strbuf_fini(&value);
}

static void man_param(const struct conf_param *p, struct strbuf *out)
{
	struct strbuf words;

	strbuf_addf(out, ".It Cm %s No = ", p->name);
	strbuf_addf(out, p->type->element != 0 ? "{ Ar %s , No ... }\n" :
						 "Ar %s\n", p->type->name);
	man_text(p->help, out);
	strbuf_init(&words, LINE_MAX_BYTES);
	add_words(p, &words);
	if (words.n != 0)
		strbuf_addf(out, "It may be %s.\n", strbuf_cstr(&words));
	strbuf_fini(&words);
	man_default(p, out);
	strbuf_addf(out, "%s\n", man_effect(p->effect));
}

static void man_section(enum section s, struct strbuf *out)
{
	const struct section_info *info = &section_table[s];
	const struct conf_param *p = NULL;

	if (s == SEC_TOP)
		strbuf_adds(out, ".Ss Top level\n");
	else
		strbuf_addf(out, ".Ss Section %s%s\n", info->name,
		    section_name_optional(info) ? " with or without NAME" :
		    info->title != NULL ? " NAME" : "");
	man_text(info->help, out);
	strbuf_adds(out, ".Bl -tag -width Ds\n");
	while ((p = next_told(s, p)) != NULL)
		man_param(p, out);
	strbuf_adds(out, ".El\n");
}

void conf_print_man(struct strbuf *out)
{
	for (int s = SEC_TOP; s < SECTIONS; s++)
		man_section((enum section)s, out);
}
