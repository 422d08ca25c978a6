/* SPDX-License-Identifier: ISC
 *
 * Undo, column by column: what the change altered and is still as it gave it
 * becomes what it was; what was written since stays and is named. A row that
 * the change made goes only if it is as it was made; one that it deleted
 * comes back only if there is none.
 */
#include <inttypes.h>
#include <stdio.h>

#include "policy/change/change_int.h"
#include "policy/change/row_undo.h"
#include "policy/route.h"
#include "policy/table_int.h"

/* ---- staging ---------------------------------------------------------- */

/* An old value may name a leg that the configuration has lost. */
static int check_legs(struct change *ch, struct error *err)
{
	sqlite3_stmt *st;
	struct error why;
	struct route r;
	int rc = change_ask(ch, CS_ROUTES, 0, &st, err);

	while (rc > 0) {
		if (route_parse(db_text(st, 0), ch->conf, NULL, &r, &why) < 0)
			rc = error_set(err, "it can not be undone: %s",
			    why.text);
		else
			rc = change_next(ch, st, err);
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

int change_stage_undo(struct change *ch, uint64_t undo,
    struct change_done *done, struct error *err)
{
	uint64_t known;
	int rc = change_number(ch, CS_UNDO_KNOWN, (int64_t)undo, &known, err);

	if (rc == 0)
		return error_set(err, "there is no change %" PRIu64, undo);
	if (rc < 0 || change_number(ch, CS_UNDO_COUNT, (int64_t)undo,
			  &done->left, err) < 0 ||
	    change_run(ch, CS_UNDO, (int64_t)undo, err) < 0)
		return -1;
	ch->staged = (uint64_t)sqlite3_changes64(ch->db.handle);
	return check_legs(ch, err);
}

/* ---- what stays ------------------------------------------------------- */

struct left {
	change_left_fn *fn;
	void *arg;
	struct slice key;
	const struct table_value *old, *given, *now;
};

static void name(const struct left *l, const char *column, const char *value)
{
	l->fn(l->arg, l->key, column, value, l->now);
}

static void name_text(const struct left *l, const char *column,
    const char *const value[3])
{
	bool altered = strcmp(value[0], value[1]) != 0;

	if (altered && strcmp(value[2], value[0]) != 0 &&
	    strcmp(value[2], value[1]) != 0)
		name(l, column, value[2]);
}

static void name_addresses(const struct left *l)
{
	const struct row_undo u = {slice_str(l->old->addresses),
	    slice_str(l->given->addresses), slice_str(l->now->addresses)};
	struct slice rest, leg, address;
	char column[NAME_BYTES + 16], value[ADDR_MAX + 1];
	struct strbuf lines;

	strbuf_init(&lines, 2 * ROW_TEXT_MAX);
	row_left_addresses(&u, &lines);
	rest = strbuf_view(&lines);
	while (row_next_address(&rest, &leg, &address)) {
		snprintf(column, sizeof(column), "%.*s_address", (int)leg.n,
		    leg.p);
		snprintf(value, sizeof(value), "%.*s", (int)address.n,
		    address.p);
		name(l, column, value);
	}
	strbuf_fini(&lines);
}

static void name_altered(const struct left *l)
{
	const struct table_value *o = l->old, *g = l->given, *n = l->now;

	name_text(l, "route", (const char *[]){o->route, g->route, n->route});
	name_text(l, "mailbox",
	    (const char *[]){o->mailbox, g->mailbox, n->mailbox});
	name_addresses(l);
}

/* A row that the change made, or deleted: whatever is not as it would have
 * to be keeps it. */
static void name_different(const struct left *l,
    const struct table_value *wanted)
{
	const struct table_value *n = l->now;

	if (strcmp(wanted->route, n->route) != 0)
		name(l, "route", n->route);
	if (wanted->held != n->held)
		name(l, "held", n->held ? "yes" : "no");
	if (strcmp(wanted->mailbox, n->mailbox) != 0)
		name(l, "mailbox", n->mailbox);
	if (strcmp(wanted->tags, n->tags) != 0)
		name(l, "tags", n->tags);
	if (strcmp(wanted->addresses, n->addresses) != 0)
		name(l, "addresses", n->addresses);
}

static void name_row(const struct left *l)
{
	if (!l->now->row)
		name(l, "row", "none");
	else if (!l->old->row)
		name_different(l, l->given);
	else if (!l->given->row)
		name_different(l, l->old);
	else
		name_altered(l);
}

int change_left(struct change *ch, uint64_t undo, change_left_fn *fn,
    void *arg, struct error *err)
{
	sqlite3_stmt *st;
	int rc = change_ask(ch, CS_UNDO_LEFT, (int64_t)undo, &st, err);

	while (rc > 0) {
		struct table_value old = table_value_at(st, 1);
		struct table_value given = table_value_at(st, 6);
		struct table_value now = table_value_at(st, 11);
		struct left l = {fn, arg, db_text(st, 0), &old, &given, &now};

		name_row(&l);
		rc = change_next(ch, st, err);
	}
	sqlite3_reset(st);
	return rc;
}
