/* SPDX-License-Identifier: ISC
 *
 * Rows and values of the cutover table in one form, for people and programs.
 */
#include "relay/cli/table/cli_put.h"

#include "policy/row.h"

static void put_tags(struct jout *j, const char *tags)
{
	struct slice rest = slice_str(tags), tag;

	jout_array(j, "tags");
	while (slice_next(&rest, ' ', &tag))
		if (tag.n > 0)
			jout_slice(j, NULL, tag);
	jout_array_end(j);
}

static void put_addresses(struct jout *j, const char *addresses)
{
	struct slice rest = slice_str(addresses), leg, address;

	jout_object(j, "addresses");
	while (row_next_address(&rest, &leg, &address)) {
		char key[NAME_BYTES + 1];

		snprintf(key, sizeof(key), "%.*s", (int)leg.n, leg.p);
		jout_slice(j, key, address);
	}
	jout_object_end(j);
}

void cli_put_value(struct jout *j, const char *key,
    const struct table_value *v)
{
	if (!v->row) {
		jout_str(j, key, NULL);
		return;
	}
	jout_object(j, key);
	jout_str(j, "route", v->route);
	jout_bool(j, "held", v->held);
	jout_str(j, "mailbox", v->mailbox);
	put_tags(j, v->tags);
	put_addresses(j, v->addresses);
	jout_object_end(j);
}

void cli_put_change(struct jout *j, const struct table_change *ch)
{
	jout_int(j, "change", (int64_t)ch->change);
	jout_time(j, "time", ch->time_us);
	jout_str(j, "who", ch->who);
	jout_str(j, "host", ch->host);
	jout_str(j, "command", ch->command);
	if (ch->undid != 0)
		jout_int(j, "undid", (int64_t)ch->undid);
}

static void put_rewrites(const struct cli *c, struct jout *j,
    const struct table_row *row)
{
	jout_object(j, "addresses");
	for (unsigned i = 0; i < row->addresses; i++)
		jout_str(j, names_text(c->names, row->address[i].leg),
		    row->address[i].address);
	jout_object_end(j);
}

const struct out_column cli_row_columns[] = {
	{"address", "ADDRESS", false},
	{"route", "ROUTE", false},
	{"held", "HELD", false},
	{"mailbox", "MAILBOX", false},
	{"tags", "TAGS", false},
	{"addresses", "ADDRESSES", false},
	{"change", "CHANGE", true},
	{NULL, NULL, false},
};

void cli_put_row(struct cli *c, struct slice key,
    const struct table_row *row)
{
	struct jout *j = out_row(&c->out);

	jout_slice(j, "address", key);
	jout_str(j, "route", row->route_text);
	jout_bool(j, "held", row->held);
	jout_str(j, "mailbox", row->mailbox);
	put_tags(j, row->tags);
	put_rewrites(c, j, row);
	jout_int(j, "change", (int64_t)row->change);
	out_row_end(&c->out);
}

const struct out_column cli_pair_columns[] = {
	{"address", "ADDRESS", false},
	{"old", "OLD", false},
	{"new", "NEW", false},
	{NULL, NULL, false},
};

void cli_put_pair(struct cli *c, struct slice key,
    const struct table_value *before, const struct table_value *after)
{
	struct jout *j = out_row(&c->out);

	jout_slice(j, "address", key);
	cli_put_value(j, "old", before);
	cli_put_value(j, "new", after);
	out_row_end(&c->out);
}
