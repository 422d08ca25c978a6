/* SPDX-License-Identifier: ISC
 *
 * The members of a plan, read from the cutover table: which rows they are, and
 * what the split asks of each. Rows are read three times rather than kept: for
 * the mailboxes that are chosen, for the split, and to write them down. One
 * thread.
 */
#ifndef RELAY_CLI_WAVE_PLAN_MEMBERS_H
#define RELAY_CLI_WAVE_PLAN_MEMBERS_H

#include "policy/table.h"
#include "policy/wave/file/wave_file.h"
#include "policy/wave/split.h"
#include "policy/where.h"
#include "relay/base/map.h"
#include "relay/cli/wave/plan_keys.h"
#include "relay/mail/addr.h"

/* Which rows, and how they go. */
struct plan_choice {
	const struct conf *conf;
	const struct where *where;
	const struct where *first, *last; /* NULL: none does */
	const char *spread;		  /* key of a tag, or NULL */
	const char *to; /* rows that have it already stay out */
};

struct plan_members {
	const struct plan_choice *choice;
	struct table *table;
	struct plan_keys mailboxes; /* that are chosen */
	struct plan_keys busy;	    /* addresses in active waves */
	struct split *split;
	struct map values; /* key of a value to its number + 1 */
	unsigned value_count;
	uint32_t members;
	uint64_t there;	    /* chosen, but they have the route already */
	uint64_t elsewhere; /* chosen, but in an active wave */
	char elsewhere_first[ADDR_MAX];
	int64_t change; /* newest change of the table when it was read */
};

/* Reads them from `table`, and from `waves` (NULL: there are none) those that
 * are in active ones. 0, or -1 and err->text. plan_members_fini() in either
 * case. */
int plan_members_read(struct plan_members *m, const struct plan_choice *choice,
    struct table *table, struct wave_file *waves, struct error *err) PH_CHECK;
void plan_members_fini(struct plan_members *m);

/* Calls `fn` for each member again, in order of addresses, with its number in
 * the split. -1 and err->text also when the table was changed since. */
struct plan_each {
	int (*fn)(void *arg, uint32_t member, struct slice address,
	    const char *route, struct error *err);
	void *arg;
};
int plan_members_each(struct plan_members *m, const struct plan_each *each,
    struct error *err) PH_CHECK;

#endif
