/* SPDX-License-Identifier: ISC
 *
 * A first look over the text of a configuration, for what libConfuse cannot
 * say or gets wrong: where a section or a string was left open, and in which
 * line anything stands. Pure; any thread.
 */
#ifndef CONF_OUTLINE_H
#define CONF_OUTLINE_H

#include "relay/base/error.h"
#include "relay/base/strbuf.h"

/* A section whose brace follows its kind, without a name: places in the
 * text. */
struct outline_bare {
	size_t word, word_n, brace;
};

/* The lines in which the sections of a file begin, in order. */
struct outline {
	int *line;
	int lines;
	struct outline_bare *bare;
	int bares;
	int error_line;
};

/* Overwrites the comments of `text` with blanks and fills `outline_out`. -1 and
 * err->text without "FILE:LINE:", which is error_line. */
int outline_text(char *text, size_t n, struct outline *outline_out,
    struct error *err);
/* The text that was looked through, with an empty name for each section that
 * has none and of which `optional` says that it may have one: libConfuse takes
 * a name always or never. Lines stay as they are. */
void outline_named(const struct outline *o, struct slice text,
    bool (*optional)(struct slice kind), struct strbuf *out);
void outline_fini(struct outline *s);

#endif
