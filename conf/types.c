/* SPDX-License-Identifier: ISC
 *
 * Helpers of all types of parameters: lists, words, ranges and names. And the
 * type of blackouts, whose syntax is that of relay/when.
 */
#include "conf/types.h"

#include <stdarg.h>
#include <stdio.h>

#include "relay/when/blackout.h"

/* The layout of every list in conf.h: a pointer and the count behind it. */
struct list_field {
	void *items;
	int count;
};

_Static_assert(sizeof(struct list_field) == sizeof(struct conf_nets) &&
		   sizeof(struct list_field) == sizeof(struct conf_strings),
    "lists are a pointer and a count");

int error_at(struct error *err, const char *file, int line, const char *fmt,
    ...)
{
	char text[sizeof(err->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(err, "%s:%d: %s", file, line, text);
}

void *slot_element(const struct slot *s)
{
	struct list_field *l = s->field;
	size_t size = s->param->type->element;

	if (s->index == 0) {
		l->items = arena_alloc(s->arena, size * (size_t)s->count);
		l->count = s->count;
	}
	return (char *)l->items + size * (size_t)s->index;
}

void list_show(const struct conf_param *p, const void *field,
    struct strbuf *out,
    void (*show)(const struct conf_param *p, const void *element,
	struct strbuf *out))
{
	const struct list_field *l = field;

	strbuf_adds(out, "{ ");
	for (int i = 0; i < l->count; i++) {
		strbuf_adds(out, i == 0 ? "" : ", ");
		show(p, (const char *)l->items + p->type->element * (size_t)i,
		    out);
	}
	strbuf_adds(out, l->count == 0 ? "}" : " }");
}

void string_show(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	(void)p;
	strbuf_addf(out, "\"%s\"", *(char *const *)field);
}

void words_list(const char *const *words, struct strbuf *out)
{
	for (int i = 0; words[i] != NULL; i++) {
		if (i > 0)
			strbuf_adds(out, words[i + 1] == NULL ? " or " : ", ");
		strbuf_adds(out, words[i]);
	}
}

bool param_range(const struct conf_param *p, struct strbuf *out)
{
	if (p->type->number == NULL)
		return false;
	p->type->number(p->min, out);
	strbuf_adds(out, " to ");
	p->type->number(p->max, out);
	return true;
}

bool conf_name_ok(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > NAME_BYTES || s[0] == '-' || s[0] == '_')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!ascii_digit(s[i]) && !(s[i] >= 'a' && s[i] <= 'z') &&
		    s[i] != '-' && s[i] != '_')
			return false;
	return true;
}

/* Its zone is looked up when wave.zone is known (check.c). */
static int set_blackout(const struct slot *s, const char *text,
    struct error *err)
{
	struct blackout b;
	struct slice zone;

	if (blackout_parse(slice_str(text), &b, &zone, err) != 0)
		return -1;
	*(char **)slot_element(s) = arena_strdup(s->arena, text);
	return 0;
}

static void show_blackouts(const struct conf_param *p, const void *field,
    struct strbuf *out)
{
	list_show(p, field, out, string_show);
}

const struct conf_type T_BLACKOUTS = {
    .name = "blackout",
    .set = set_blackout,
    .show = show_blackouts,
    .form = "as \"Mon-Fri 07:00-19:00 Europe/London\"",
    .element = sizeof(char *),
};
