/* SPDX-License-Identifier: ISC
 *
 * Which rows: a small expression over the columns of the cutover table.
 *
 *   tag = 'wave-1' and route = 'legacy' and not held
 *   domain = 'example.com' and (address like 'a%' or mailbox != '')
 *
 * It is evaluated here, row by row, and never becomes SQL. Pure; one thread
 * an expression.
 */
#ifndef POLICY_WHERE_H
#define POLICY_WHERE_H

#include "relay/base/error.h"
#include "relay/base/slice.h"

enum where_field {
	WHERE_ADDRESS, WHERE_DOMAIN, WHERE_ROUTE, WHERE_TAG, WHERE_MAILBOX,
	WHERE_HELD,
};

struct where_row {
	struct slice address, route, mailbox, tags;
	bool held;
};

struct where;
enum { WHERE_MAX = 4096, WHERE_NODES = 256, WHERE_DEPTH = 32 };

/* NULL and one sentence that points at the fault. */
struct where *where_parse(struct slice text, struct error *err) PH_CHECK;
/* field = value. */
struct where *where_equal(enum where_field field, struct slice value,
    struct error *err) PH_CHECK;
void where_free(struct where *w);

bool where_match(const struct where *w, const struct where_row *row);
/* A tag that every match bears, so that only those need be looked at; empty
 * when there is none. */
struct slice where_tag(const struct where *w);
/* May a domain's row ("@example.com") match? Only for `domain = …` made by
 * where_equal(): --all. */
bool where_takes_domains(const struct where *w);

#endif
