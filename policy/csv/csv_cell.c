/* SPDX-License-Identifier: ISC
 *
 * Cells of separated values.
 */
#include "policy/csv/csv_cell.h"

#include "relay/base/mem.h"

void csv_cell(struct strbuf *line, const char *text)
{
	struct slice rest = slice_str(text), part;
	bool first = true;

	if (line->n > 0)
		strbuf_addc(line, ',');
	if (strpbrk(text, ",\"\r\n") == NULL) {
		strbuf_adds(line, text);
		return;
	}
	strbuf_addc(line, '"');
	while (slice_next(&rest, '"', &part)) {
		strbuf_adds(line, first ? "" : "\"\"");
		strbuf_addsl(line, part);
		first = false;
	}
	strbuf_addc(line, '"');
}

void csv_cell_foreign(struct strbuf *line, const char *text)
{
	bool formula = text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL;
	size_t n = strlen(text);
	char *clean = mem_new(n + 2), *to = clean;

	if (formula)
		*to++ = '\'';
	for (size_t i = 0; i < n; i++)
		*to++ = (unsigned char)text[i] < ' ' || text[i] == 0x7f
			    ? ' ' : text[i];
	csv_cell(line, clean);
	mem_free(clean);
}
