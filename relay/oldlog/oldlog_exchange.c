/* SPDX-License-Identifier: ISC
 *
 * Exchange's message tracking log: comma-separated, its columns in a line
 * "#Fields: …". RECEIVE by SMTP names a client, DELIVER by the store driver a
 * delivery into a mailbox.
 */
#include "relay/oldlog/oldlog.h"

#include "relay/base/clock.h"

/* The next cell, without its quotes; doubled quotes inside stay as they are,
 * none of the columns that are read has any. False: the line has ended. */
static bool next_cell(struct slice *line, bool *more, struct slice *cell_out)
{
	size_t n = 0;
	bool quoted = false;

	if (!*more)
		return false;
	while (n < line->n && (quoted || line->p[n] != ',')) {
		quoted = quoted != (line->p[n] == '"');
		n++;
	}
	*cell_out = slice_head(*line, n);
	*more = n < line->n;
	*line = slice_from(*line, *more ? n + 1 : n);
	if (cell_out->n >= 2 && cell_out->p[0] == '"' &&
	    cell_out->p[cell_out->n - 1] == '"')
		*cell_out = slice_of(cell_out->p + 1, cell_out->n - 2);
	return true;
}

static void read_columns(struct slice line, struct oldlog_columns *c)
{
	const struct {
		const char *name;
		int *at;
	} wanted[] = {
		{"date-time", &c->time}, {"client-ip", &c->client},
		{"original-client-ip", &c->original},
		{"client-hostname", &c->name}, {"source", &c->source},
		{"event-id", &c->event}, {"internal-message-id", &c->id},
		{"recipient-address", &c->to}, {"sender-address", &c->from},
		{"directionality", &c->direction},
	};
	struct slice cell;
	bool more = true;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		*wanted[i].at = -1;
	for (int at = 0; at < OLDLOG_COLUMNS &&
	     next_cell(&line, &more, &cell); at++)
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
			if (slice_case_eq(slice_trim(cell),
				slice_str(wanted[i].name)))
				*wanted[i].at = at;
	c->known = c->time >= 0 && c->event >= 0 && c->to >= 0;
}

static unsigned count(struct slice list)
{
	struct slice one;
	unsigned n = 0;

	while (slice_next(&list, ';', &one))
		n += one.n > 0;
	return n;
}

static struct slice at(const struct slice cell[OLDLOG_COLUMNS], int column)
{
	return column < 0 ? slice_of("", 0) : cell[column];
}

static void read_event(const struct slice cell[OLDLOG_COLUMNS],
    const struct oldlog_columns *c, struct oldlog_line *out)
{
	struct slice event = at(cell, c->event), source = at(cell, c->source);

	out->id = at(cell, c->id);
	out->from = at(cell, c->from);
	out->has_from = true;
	if (slice_eq(out->from, SLICE("<>")))
		out->from = slice_of("", 0);
	out->to = at(cell, c->to);
	out->recipients = count(out->to);
	if (slice_eq(event, SLICE("RECEIVE")) &&
	    slice_eq(source, SLICE("SMTP")) &&
	    !slice_eq(at(cell, c->direction), SLICE("Originating"))) {
		out->client = at(cell, c->original);
		if (out->client.n == 0)
			out->client = at(cell, c->client);
		out->name = at(cell, c->name);
		out->kind = out->client.n > 0 ? OLDLOG_CLIENT : OLDLOG_OTHER;
	} else if (slice_eq(event, SLICE("DELIVER"))) {
		out->kind = OLDLOG_DELIVERED;
		out->inside = true;
	}
}

struct oldlog_line oldlog_exchange(struct slice line,
    struct oldlog_columns *c)
{
	struct oldlog_line out = {.kind = OLDLOG_UNREAD};
	struct slice cell[OLDLOG_COLUMNS] = {{"", 0}}, one;
	bool more = true;
	int n = 0;

	if (slice_starts(line, SLICE("#"))) {
		out.kind = OLDLOG_OTHER;
		if (slice_starts(line, SLICE("#Fields:")))
			read_columns(slice_from(line, 8), c);
		return out;
	}
	while (n < OLDLOG_COLUMNS && next_cell(&line, &more, &one))
		cell[n++] = one;
	if (!c->known || n <= c->event || n <= c->to || cell[c->time].n < 20 ||
	    clock_parse(cell[c->time], 0, &out.time_us) != 0 ||
	    out.time_us <= 0)
		return out;
	out.kind = OLDLOG_OTHER;
	read_event(cell, c, &out);
	return out;
}
