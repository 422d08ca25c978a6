/* SPDX-License-Identifier: ISC
 *
 * A first look over the text of a configuration, for what libConfuse cannot
 * say or gets wrong: where a section or a string was left open, and in which
 * line anything stands. Pure; any thread.
 */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H

#include "relay/base/error.h"
#include "relay/base/strbuf.h"

/* The lines in which the sections of a file begin, in order. */
struct scan {
	int *line;
	int lines;
	int error_line;
};

/* Overwrites the comments of `text` with blanks and fills `scan_out`. -1 and
 * err->text without "FILE:LINE:", which is error_line. */
int scan_text(char *text, size_t n, struct scan *scan_out, struct error *err);
void scan_fini(struct scan *s);

#endif
