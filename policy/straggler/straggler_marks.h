/* SPDX-License-Identifier: ISC
 *
 * Marks of stragglers: what people decided about a client, a network, or all
 * clients of a domain by name. The nearest one counts: that of the address,
 * then of the smallest network, then of the longest name. Pure; one thread a
 * set.
 */
#ifndef POLICY_STRAGGLER_STRAGGLER_MARKS_H
#define POLICY_STRAGGLER_STRAGGLER_MARKS_H

#include "policy/straggler/straggler.h"
#include "relay/base/slice.h"
#include "relay/base/strbuf.h"

enum { STRAGGLER_MARKED_MAX = 256 }; /* bytes of what a mark is about */

/* Appends the one form of "192.0.2.1", "192.0.2.0/24" or ".example.net" (every
 * name that ends so, and that name). 0, or -1 and a constant reason. */
int straggler_marked_normal(struct slice text, struct strbuf *out,
    const char **why_out);

struct straggler_marks;
struct straggler_marks *straggler_marks_new(void);
void straggler_marks_free(struct straggler_marks *m); /* NULL is fine */
/* `about` in its one form; copies both texts. -1: it has none. */
int straggler_marks_add(struct straggler_marks *m, struct slice about,
    enum straggler_mark mark, struct slice note);

/* May one that no leg took mail of be legitimate? */
bool straggler_marks_keep(const struct straggler_marks *m);

struct straggler_marked {
	enum straggler_mark mark;
	const char *note, *about; /* borrowed; "" without a mark */
};
/* `name`: what the client is called; "": nothing. */
struct straggler_marked straggler_marks_find(const struct straggler_marks *m,
    const char *client, const char *name);

#endif
