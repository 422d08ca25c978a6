/* SPDX-License-Identifier: ISC
 *
 * Which rows: a small expression over the columns of the cutover table and
 * its tags.
 *
 *   client=apple-mail and not vip
 *   leg = legacy and (domain in (example.com, example.org) or held)
 *   address like 'a%' and change > 41
 *
 * A word, or key=value, that is no column is a tag. It is evaluated here,
 * row by row, and never becomes SQL. Pure; one thread an expression.
 */
#ifndef POLICY_WHERE_H
#define POLICY_WHERE_H

#include "relay/base/error.h"
#include "relay/base/slice.h"

enum where_field {
	WHERE_ADDRESS, WHERE_DOMAIN, WHERE_CUSTOMER, WHERE_ROUTE, WHERE_LEG,
	WHERE_TAG, WHERE_MAILBOX, WHERE_HELD, WHERE_CHANGE,
};

struct where_row {
	struct slice address, route, mailbox, tags;
	struct slice customer; /* of its domain, by the configuration */
	uint64_t change;
	bool held;
};

struct where;
enum { WHERE_MAX = 4096, WHERE_NODES = 256, WHERE_DEPTH = 32 };

/* NULL and one sentence that points at the fault. */
struct where *where_parse(struct slice text, struct error *err) PH_CHECK;
/* field = value. */
struct where *where_equal(enum where_field field, struct slice value,
    struct error *err) PH_CHECK;
/* Every row; where_narrow() makes it less. */
struct where *where_all(void);
/* Only rows that also have that value; WHERE_HELD takes none, those are
 * held. -1: the value is no such one, or the expression too long. */
int where_narrow(struct where *w, enum where_field field, struct slice value,
    struct error *err) PH_CHECK;
void where_free(struct where *w);

bool where_match(const struct where *w, const struct where_row *row);
/* Tags of which every match bears at least one, so that only their rows need
 * be looked at: how many, 0 when there are none such. Some may be equal. */
unsigned where_tags(const struct where *w, struct slice tag_out[WHERE_NODES]);
/* Every tag that the expression names as a whole: how many. */
unsigned where_named(const struct where *w, struct slice tag_out[WHERE_NODES]);
/* Does it ask for this column? */
bool where_asks(const struct where *w, enum where_field field);
/* May a domain's row ("@example.com") match? Only for `domain = …` made by
 * where_equal(), which is --all, and after where_take_domains(). */
void where_take_domains(struct where *w);
bool where_takes_domains(const struct where *w);

#endif
