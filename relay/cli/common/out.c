/* SPDX-License-Identifier: ISC
 *
 * Aligned columns or JSON lines. Widths are measured over a block of rows,
 * so a listing of millions is neither held in memory nor waited for.
 */
#include "relay/cli/common/out.h"

#include <stdarg.h>

#include "relay/base/mem.h"

void out_init(struct out *o, FILE *to, bool json)
{
	*o = (struct out){.to = to, .json = json};
	strbuf_init(&o->text, OUT_ROW_MAX);
}

void out_fini(struct out *o)
{
	out_end(o);
	strbuf_fini(&o->text);
}

void out_table(struct out *o, const struct out_column *columns)
{
	out_end(o);
	o->column = columns;
	o->total = 0;
	for (o->columns = 0; columns[o->columns].key != NULL; o->columns++)
		o->width[o->columns] =
		    (int)strlen(columns[o->columns].title);
}

/* Columns taken on a terminal: code points, which is right for what stands
 * in addresses and host names. What takes no room was escaped before. */
static int text_width(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void put_cell(struct out *o, int i, const char *text)
{
	int pad = o->width[i] - text_width(text);
	bool last = i == o->columns - 1;

	if (pad < 0)
		pad = 0;
	if (o->column[i].right)
		fprintf(o->to, "%*s%s", pad, "", text);
	else
		fprintf(o->to, "%s%*s", text, last ? 0 : pad, "");
	fputs(last ? "\n" : "  ", o->to);
}

static void print_block(struct out *o)
{
	if (!o->titled && o->rows > 0) {
		for (int i = 0; i < o->columns; i++)
			put_cell(o, i, o->column[i].title);
		o->titled = true;
	}
	for (int i = 0; i < o->rows * o->columns; i++) {
		put_cell(o, i % o->columns, o->cell[i]);
		mem_free(o->cell[i]);
	}
	o->rows = 0;
}

void out_end(struct out *o)
{
	if (o->columns > 0 && !o->json)
		print_block(o);
	mem_free(o->cell);
	o->cell = NULL;
	o->columns = 0;
	o->titled = false;
	fflush(o->to);
}

struct jout *out_row(struct out *o)
{
	strbuf_reset(&o->text);
	jout_init(&o->jout, &o->text);
	jout_object(&o->jout, NULL);
	return &o->jout;
}

void out_row_end(struct out *o)
{
	json_t *row;

	jout_object_end(&o->jout);
	o->total++;
	if (o->json) {
		fprintf(o->to, "%s\n", strbuf_cstr(&o->text));
		return;
	}
	o->total--;
	row = json_loadb(o->text.p, o->text.n, 0, NULL);
	out_row_json(o, row);
	json_decref(row);
}

static void add_value(const json_t *v, struct strbuf *to);

static bool is_empty(const json_t *v)
{
	return json_is_null(v) || json_is_false(v) ||
	       (json_is_string(v) && json_string_length(v) == 0) ||
	       (json_is_array(v) && json_array_size(v) == 0) ||
	       (json_is_object(v) && json_object_size(v) == 0);
}

/* "route=legacy tags=a": what is empty says nothing. */
static void add_object(const json_t *v, struct strbuf *to)
{
	const char *key, *space = "";
	json_t *part;

	json_object_foreach((json_t *)v, key, part) {
		if (is_empty(part))
			continue;
		strbuf_adds(to, space);
		utf8_show(slice_str(key), to);
		strbuf_addc(to, '=');
		add_value(part, to);
		space = " ";
	}
}

/* A value as a person reads it; lists joined by blanks. */
static void add_value(const json_t *v, struct strbuf *to)
{
	json_t *part;
	size_t i;

	switch (json_typeof(v)) {
	case JSON_STRING:
		utf8_show(slice_of(json_string_value(v),
			      json_string_length(v)), to);
		break;
	case JSON_INTEGER:
		strbuf_addf(to, "%" JSON_INTEGER_FORMAT,
		    json_integer_value(v));
		break;
	case JSON_REAL:
		strbuf_addf(to, "%.15g", json_real_value(v));
		break;
	case JSON_TRUE:
		strbuf_adds(to, "yes");
		break;
	case JSON_ARRAY:
		json_array_foreach(v, i, part) {
			strbuf_adds(to, i == 0 ? "" : " ");
			add_value(part, to);
		}
		break;
	case JSON_OBJECT:
		add_object(v, to);
		break;
	default: /* false, null */
		break;
	}
}

static const json_t *reach(const json_t *row, const char *path)
{
	const json_t *v = row;
	struct slice rest = slice_str(path), part;

	while (v != NULL && slice_next(&rest, '.', &part)) {
		char key[64];

		snprintf(key, sizeof(key), "%.*s", (int)part.n, part.p);
		v = json_object_get(v, key);
	}
	return v;
}

static char *cell_text(const json_t *row, const char *path)
{
	const json_t *v = reach(row, path);
	struct strbuf b;
	char *text;

	strbuf_init(&b, OUT_ROW_MAX);
	if (v != NULL)
		add_value(v, &b);
	text = mem_strdup(b.n == 0 ? "-" : strbuf_cstr(&b));
	strbuf_fini(&b);
	return text;
}

static void write_value(struct jout *j, const char *key, const json_t *v);

static void write_parts(struct jout *j, const json_t *v)
{
	const char *key;
	json_t *part;
	size_t i;

	json_object_foreach((json_t *)v, key, part)
		write_value(j, key, part);
	json_array_foreach(v, i, part)
		write_value(j, NULL, part);
}

/* Jansson would write U+2028 and its like as they are. */
static void write_value(struct jout *j, const char *key, const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_STRING:
		jout_slice(j, key, slice_of(json_string_value(v),
				       json_string_length(v)));
		break;
	case JSON_INTEGER:
		jout_int(j, key, json_integer_value(v));
		break;
	case JSON_REAL:
		jout_real(j, key, json_real_value(v));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		jout_bool(j, key, json_is_true(v));
		break;
	case JSON_ARRAY:
		jout_array(j, key);
		write_parts(j, v);
		jout_array_end(j);
		break;
	case JSON_OBJECT:
		jout_object(j, key);
		write_parts(j, v);
		jout_object_end(j);
		break;
	case JSON_NULL:
		jout_str(j, key, NULL);
		break;
	}
}

static void print_object(struct out *o, const json_t *row)
{
	strbuf_reset(&o->text);
	jout_init(&o->jout, &o->text);
	write_value(&o->jout, NULL, row);
	fprintf(o->to, "%s\n", strbuf_cstr(&o->text));
}

void out_row_json(struct out *o, const json_t *row)
{
	o->total++;
	if (o->json) {
		print_object(o, row);
		return;
	}
	if (o->cell == NULL)
		o->cell = NEW_ARRAY(char *, OUT_BLOCK * OUT_COLUMNS);
	for (int i = 0; i < o->columns; i++) {
		char *text = cell_text(row, o->column[i].key);
		int w = text_width(text);

		o->cell[o->rows * o->columns + i] = text;
		if (w > o->width[i])
			o->width[i] = w;
	}
	if (++o->rows == OUT_BLOCK)
		print_block(o);
}

void out_say(struct out *o, const char *fmt, ...)
{
	struct strbuf line;
	va_list ap;

	if (o->json)
		return;
	strbuf_reset(&o->text);
	va_start(ap, fmt);
	strbuf_addv(&o->text, fmt, ap);
	va_end(ap);
	strbuf_init(&line, OUT_ROW_MAX);
	utf8_show(strbuf_view(&o->text), &line);
	fprintf(o->to, "%s\n", strbuf_cstr(&line));
	strbuf_fini(&line);
}
