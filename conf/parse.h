/* SPDX-License-Identifier: ISC
 *
 * From files to a flat list of what they say, each value with its file and
 * line. Nothing is judged here but form, names and doubles.
 *
 * One call at a time in a process: libConfuse keeps its scanner's state in
 * globals.
 */
#ifndef CONF_PARSE_H
#define CONF_PARSE_H

#include "conf/schema.h"

enum { DOC_END = -1 };

struct doc_value {
	const struct conf_param *param;
	const char *text;
	const char *file;
	int line;
	int next; /* of the same section, or DOC_END */
};

struct doc_section {
	enum section kind;
	const char *title; /* "" : it has none */
	const char *file;
	int line;
	int first, last; /* its values */
};

/* Sections in the order of the files; the first is SEC_TOP. */
struct doc {
	const char **file; /* in the order in which they were read */
	int files;
	struct doc_section *section;
	int sections;
	struct doc_value *value;
	int values;
};

/* Reads `file` and what it includes. Texts live in `arena`. -1 and err->text
 * "FILE:LINE: …"; the doc is to be freed either way. */
int doc_read(const char *file, struct arena *arena, struct doc *doc_out,
    struct error *err) PH_CHECK;
/* The same, with its files elsewhere; `where` NULL: at their names. */
int doc_read_from(const struct conf_source *from, struct arena *arena,
    struct doc *doc_out, struct error *err) PH_CHECK;
void doc_fini(struct doc *d);
/* The text of a file, at most what `text_out` takes. errno, and err->text
 * "FILE:1: …". */
int parse_file(const char *path, struct strbuf *text_out, struct error *err);
/* Says what would be right where libConfuse complains about a name in this
 * way; NULL: no remedy is known. */
const char *parse_saying(const char *fmt);
/* The line of a key in a section of which there is one, else that of the
 * section, else the first of the first file. */
struct doc_place {
	const char *file;
	int line;
};
struct doc_place doc_place(const struct doc *d, enum section kind,
    const char *key);

#endif
