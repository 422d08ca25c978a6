/* SPDX-License-Identifier: ISC
 *
 * The rows of an asking while they are looked for: shared by those of waves and
 * those of comparisons.
 */
#ifndef RELAY_CUTOVER_PREFLIGHT_PREFLIGHT_ROWS_H
#define RELAY_CUTOVER_PREFLIGHT_PREFLIGHT_ROWS_H

#include "policy/route.h"
#include "relay/cutover/preflight/preflights_int.h"

struct preflight_rows {
	struct preflights *p; /* its file is in a transaction that writes */
	struct error *err;
	struct table *table; /* in a transaction that reads */
	struct wave_file *waves;
	struct arena *texts; /* of the row in hand */
	int64_t number;
	const char *route;
	bool old[NAMES_MAX]; /* legs that members have */
	bool failed;	     /* and `err` says why */
	const char *last_leg; /* of the last random name, … */
	char last[ADDR_MAX + 1]; /* … at that "@domain" */
	struct asking_writer *writer;
};

/* A recipient as the table has it. */
struct preflight_who {
	const char *key;
	enum asked_kind kind;
	const char *tag;
	const struct addr *addr;
	const struct decision *decision;
};

/* Adds the asking; its rows follow. */
bool preflight_begin(struct preflight_rows *r, const struct asking *a);
/* Frees the texts of the rows before, when they have become many. */
void preflight_next_row(struct preflight_rows *r);
/* False: it is passed over, or r->failed. `addr` borrows from `key`. */
bool preflight_decide(struct preflight_rows *r, struct slice key,
    struct addr *addr, struct decision *d);
/* A row of that leg, and one of a random name at its domain. */
void preflight_put(struct preflight_rows *r, const struct preflight_who *w,
    int leg);
bool preflight_names(const struct route *route, int leg);

/* preflight_compare.c */
int compare_rows(struct preflight_rows *r, const struct preflight_order *o);

#endif
