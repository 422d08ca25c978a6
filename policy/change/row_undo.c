/* SPDX-License-Identifier: ISC
 *
 * Taking a change back inside a column: of the tags those that it added or
 * took, of the addresses those of the legs that it changed. What others
 * wrote since stays.
 */
#include "policy/change/row_undo.h"

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
