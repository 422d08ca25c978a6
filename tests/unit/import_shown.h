/* SPDX-License-Identifier: ISC
 *
 * The rows that an import gives, as text: a line a row with what is said of it,
 * and how much was left out.
 */
#ifndef TESTS_UNIT_IMPORT_SHOWN_H
#define TESTS_UNIT_IMPORT_SHOWN_H

#include "policy/import/import.h"
#include "relay/base/strbuf.h"

/* CMocka group fixtures, with the configuration of import_conf.h; names without
 * a domain are at example.com. */
int import_shown_setup(void **state);
int import_shown_teardown(void **state);

/* The file must give these rows and "left FOREIGN NAMELESS PASSED". */
void import_shown_is(void *state, enum import_format format,
    struct slice text, const char *want);
/* The first fault, as "LINE: why", must begin with, or have in it, `why`. */
void import_fault_is(void *state, enum import_format format,
    struct slice text, const char *why);
/* The first `n` bytes must give the same rows of the lines that are complete in
 * them, but in a virtual map, and no address that the whole file does not give.
 */
void import_cut_is_well(void *state, enum import_format format,
    struct slice text, size_t n);
/* ASCII in form 0 to 4: UTF-8 with a mark; UTF-16 little endian with a mark and
 * without; big endian likewise. */
void import_recode(const char *text, int form, struct strbuf *out);

#endif
