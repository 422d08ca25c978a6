/* SPDX-License-Identifier: ISC
 *
 * Taking a change back inside a column: of the tags those that it added or
 * took, of the addresses those of the legs that it changed. What others
 * wrote since stays.
 */
#include "policy/change/row_undo.h"

#include <stdio.h>

#include "relay/mail/addr.h"

static bool has_address(struct slice lines, struct slice leg,
    struct slice *address_out)
{
	struct slice l;

	while (row_next_address(&lines, &l, address_out))
		if (slice_eq(l, leg))
			return true;
	*address_out = slice_of("", 0);
	return false;
}

int row_undo_tags(const struct row_undo *u, struct strbuf *out,
    struct error *err)
{
	struct slice now = u->now, old = u->old, tag;
	struct strbuf mixed;
	int rc;

	strbuf_init(&mixed, 2 * ROW_TEXT_MAX);
	while (slice_next(&now, ' ', &tag))
		if (row_has_tag(u->old, tag) || !row_has_tag(u->given, tag)) {
			strbuf_addsl(&mixed, tag);
			strbuf_addc(&mixed, ' ');
		}
	while (slice_next(&old, ' ', &tag))
		if (!row_has_tag(u->given, tag)) {
			strbuf_addsl(&mixed, tag);
			strbuf_addc(&mixed, ' ');
		}
	rc = row_tags(strbuf_view(&mixed), out, err);
	strbuf_fini(&mixed);
	return rc;
}

/* The legs whose address the change gave, took or altered, with their line
 * of `lines`; what was added since is beside them in `now`. */
static void undo_lines(const struct row_undo *u, struct slice lines,
    struct strbuf *patch)
{
	struct slice leg, address, old, given, now;

	while (row_next_address(&lines, &leg, &address)) {
		has_address(u->old, leg, &old);
		has_address(u->given, leg, &given);
		has_address(u->now, leg, &now);
		if (slice_eq(old, given) || !slice_eq(now, given))
			continue;
		strbuf_addf(patch, "%s%.*s=", patch->n == 0 ? "" : "\n",
		    (int)leg.n, leg.p);
		strbuf_addsl(patch, old);
	}
}

void row_undo_addresses(const struct row_undo *u, struct strbuf *out)
{
	struct strbuf patch;

	strbuf_init(&patch, 4 * ROW_TEXT_MAX);
	undo_lines(u, u->old, &patch);
	undo_lines(u, u->given, &patch);
	row_addresses(u->now, strbuf_view(&patch), out);
	strbuf_fini(&patch);
}

static bool is_left(const struct row_undo *u, struct slice leg)
{
	struct slice old, given, now;

	has_address(u->old, leg, &old);
	has_address(u->given, leg, &given);
	has_address(u->now, leg, &now);
	return !slice_eq(old, given) && !slice_eq(now, given) &&
	       !slice_eq(now, old);
}

void row_left_addresses(const struct row_undo *u, struct strbuf *out)
{
	struct slice lines[2] = {u->old, u->given}, leg, address, now;

	for (int i = 0; i < 2; i++)
		while (row_next_address(&lines[i], &leg, &address)) {
			/* In both: it was met among the old ones. */
			if ((i == 1 && has_address(u->old, leg, &now)) ||
			    !is_left(u, leg))
				continue;
			has_address(u->now, leg, &now);
			strbuf_addf(out, "%s%.*s=", out->n == 0 ? "" : "\n",
			    (int)leg.n, leg.p);
			strbuf_addsl(out, now);
		}
}

/* ---- what stays ------------------------------------------------------- */

static void name(const struct row_left *l, const char *column,
    const char *value)
{
	l->fn(l->arg, l->key, column, value, l->now);
}

static void name_text(const struct row_left *l, const char *column,
    const char *const value[3])
{
	bool altered = strcmp(value[0], value[1]) != 0;

	if (altered && strcmp(value[2], value[0]) != 0 &&
	    strcmp(value[2], value[1]) != 0)
		name(l, column, value[2]);
}

static void name_addresses(const struct row_left *l)
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

static void name_altered(const struct row_left *l)
{
	const struct table_value *o = l->old, *g = l->given, *n = l->now;

	name_text(l, "route", (const char *[]){o->route, g->route, n->route});
	name_text(l, "mailbox",
	    (const char *[]){o->mailbox, g->mailbox, n->mailbox});
	name_addresses(l);
}

/* A row that the change made, or deleted: whatever is not as it would have
 * to be keeps it. */
static void name_different(const struct row_left *l,
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

void row_name_left(const struct row_left *l)
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
