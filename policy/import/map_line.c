/* SPDX-License-Identifier: ISC
 *
 * Joins physical lines. A line is complete when the one behind it does not
 * continue it, so one is read ahead.
 */
#include "policy/import/map_line.h"

void map_lines_init(struct map_lines *m, int fd)
{
	*m = (struct map_lines){.ended = false};
	csv_init(&m->csv, fd);
	strbuf_init(&m->text, MAP_LINE_MAX);
	strbuf_init(&m->next, MAP_LINE_MAX);
}

void map_lines_fini(struct map_lines *m)
{
	csv_fini(&m->csv);
	strbuf_fini(&m->text);
	strbuf_fini(&m->next);
}

/* Bytes up to the first separator that stands in no quotes. */
static size_t token_size(struct slice s, const char *separators)
{
	bool quoted = false;
	size_t n = 0;

	for (; n < s.n; n++) {
		if (s.p[n] == '\\' && n + 1 < s.n)
			n++;
		else if (s.p[n] == '"')
			quoted = !quoted;
		else if (!quoted && s.p[n] != '\0' &&
			 strchr(separators, s.p[n]) != NULL)
			break;
	}
	return n;
}

bool map_next_target(struct slice *rest, struct slice *target_out)
{
	size_t n = 0;

	while (rest->n > 0 && (ascii_blank(rest->p[0]) || rest->p[0] == ','))
		*rest = slice_from(*rest, 1);
	n = token_size(*rest, ", \t\r\n");
	*target_out = slice_head(*rest, n);
	*rest = slice_from(*rest, n);
	return n > 0;
}

static bool is_pattern(struct slice text)
{
	return slice_starts(text, SLICE("/")) ||
	       slice_starts(text, SLICE("!/"));
}

int map_refuse_pattern(const struct map_lines *m, struct error *err)
{
	if (!is_pattern(m->key) &&
	    !(slice_eq(m->key, SLICE("if")) && is_pattern(m->value)))
		return 0;
	return error_set(err, "it is a line of a map of patterns (regexp, "
	    "pcre), which names no addresses");
}

/* Takes the line that was read ahead as the one at hand. */
static void step(struct map_lines *m)
{
	strbuf_reset(&m->text);
	strbuf_addsl(&m->text, strbuf_view(&m->next));
	strbuf_reset(&m->next);
	m->line = m->next_line;
	m->next_line = 0;
}

static int cut(struct map_lines *m, struct error *err)
{
	struct slice s = strbuf_view(&m->text);
	size_t n;

	if (!strbuf_ok(&m->text))
		return error_set(err, "it is longer than %d bytes",
		    MAP_LINE_MAX);
	n = token_size(s, " \t");
	m->key = slice_head(s, n);
	m->value = slice_trim(slice_from(s, n));
	if (m->value.n > 0)
		return CSV_RECORD_READ;
	return error_set(err, "'%.*s' stands alone: a line is a key, a blank "
	    "and what it leads to", (int)slice_head(m->key, 100).n, m->key.p);
}

/* Reads until the line at hand is complete. CSV_BAD: a physical line, which is
 * then named by csv.line. */
static int fill(struct map_lines *m, struct error *err)
{
	int rc;

	while ((rc = csv_line(&m->csv, err)) == CSV_RECORD_READ) {
		struct slice s = m->csv.field[0], text = slice_trim(s);

		if (text.n == 0 || text.p[0] == '#')
			continue;
		if (s.p[0] != ' ' && s.p[0] != '\t') {
			strbuf_addsl(&m->next, s);
			m->next_line = m->csv.line;
			return rc;
		}
		if (m->line == 0) {
			error_set(err, "it begins with a blank and continues "
			    "no line");
			return CSV_BAD;
		}
		strbuf_addsl(&m->text, s);
	}
	m->ended = rc == CSV_END || rc == CSV_FAILED;
	return rc;
}

int map_lines_next(struct map_lines *m, struct error *err)
{
	int rc;

	while (!m->ended || m->next_line > 0) {
		step(m);
		rc = m->ended ? CSV_END : fill(m, err);
		if (rc == CSV_BAD || rc == CSV_FAILED) {
			m->line = m->csv.line;
			strbuf_reset(&m->text);
			return rc;
		}
		if (m->line > 0)
			return cut(m, err);
	}
	return CSV_END;
}
