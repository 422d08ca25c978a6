/* SPDX-License-Identifier: ISC
 *
 * A cutover table of a test, in a directory that goes away again; built on
 * the directory of conf_tmp.h.
 */
#ifndef TESTS_UNIT_TABLE_TMP_H
#define TESTS_UNIT_TABLE_TMP_H

#include "policy/change/change.h"
#include "policy/table.h"

/* legacy, cloud (own domain tenant.example), third; example.com with
 * both = cloud+legacy, reject.example and defer.example by policy,
 * bare.example without a route; acme.example of customer acme, with the legs
 * legacy and cloud alone, beta.example of customer beta. */
struct table_tmp {
	char path[300];
	struct names *names;
	struct conf *c;
	struct arena *a;
};

/* Values of a struct change_row in order. */
#define TABLE_TMP_ROW(r, h, m, t, a) {.route = r, .held = h, .mailbox = m, \
	.tags = t, .addresses = a}

struct table_tmp *table_tmp_new(const char *dir);
void table_tmp_free(struct table_tmp *t);

/* One change by one call; must succeed. Returns its number. */
uint64_t table_tmp_set(struct table_tmp *t, const char *address,
    const struct change_row *row);
uint64_t table_tmp_route(struct table_tmp *t, const char *address,
    const char *route);
/* Commits `ch` and closes it; must succeed. */
struct change_done table_tmp_commit(struct change *ch,
    const struct change_how *how);
struct change *table_tmp_change(struct table_tmp *t);
/* The row as it is now; found is false when there is none. */
struct table_row table_tmp_get(struct table_tmp *t, const char *key);

#endif
