/* SPDX-License-Identifier: ISC
 *
 * Files of tests/data that hold commands and all that they print.
 */
#ifndef TESTS_UNIT_TRANSCRIPT_H
#define TESTS_UNIT_TRANSCRIPT_H

#include <stdbool.h>

enum { TRANSCRIPT_MAX = 8 << 20, TRANSCRIPT_WHY = 800 };

struct transcript {
	const char *folder, *name; /* tests/data/FOLDER/NAME, borrowed */
	char *text;
	char why[TRANSCRIPT_WHY]; /* of a -1 */
};

/* Reads it; 0 or -1. */
int transcript_open(struct transcript *t);
/* Compares it with what was printed now, or writes that into the file. -1: a
 * line differs, of which the first is named. */
int transcript_close(struct transcript *t, const char *is, bool write);

#endif
