/* SPDX-License-Identifier: ISC
 *
 * Decisions about stragglers in the file of the cutover table: that a client, a
 * network or a name is to be kept, or ignored. The table `straggler_mark`, a
 * row each, the latest decision. It is no part of the table's format: a program
 * that does not know it leaves it alone.
 *
 * Calls block, up to ten seconds for another writer. One thread.
 */
#ifndef POLICY_MARK_STRAGGLER_FILE_H
#define POLICY_MARK_STRAGGLER_FILE_H

#include <stddef.h>

#include "policy/straggler/straggler_marks.h"
#include "relay/base/error.h"

/* One decision about `n` of them. */
struct straggler_decision {
	const char *const *about; /* each in its one form */
	size_t n;
	enum straggler_mark mark; /* STRAGGLER_UNMARKED takes a mark back */
	int64_t time_us;	  /* wall clock */
	const char *who, *host, *command, *note;
	const char *words; /* what was asked for: a client, an expression */
};
/* All in one transaction, synced when 0 is returned, with a row in the chain of
 * decisions. -1 and `err`. */
int straggler_marks_put(const char *path, const struct straggler_decision *d,
    struct error *err) PH_CHECK;
/* All that there are, to be freed; NULL and `err`. A file without the table has
 * none. */
struct straggler_marks *straggler_marks_load(const char *path,
    struct error *err) PH_CHECK;

#endif
