/* SPDX-License-Identifier: ISC
 *
 * Log lines of the old server: the first byte says which format. What is read
 * lies inside the line, and a line with a time has a kind.
 */
#include "relay/base/clock.h"
#include "relay/oldlog/oldlog.h"
#include "tests/fuzz/fuzz.h"

static void must_be_inside(struct slice part, struct slice line)
{
	must(part.n == 0 ||
	     (part.p >= line.p && part.p + part.n <= line.p + line.n));
}

static void look(struct slice line, const struct oldlog_line *l)
{
	must_be_inside(l->id, line);
	must_be_inside(l->client, line);
	must_be_inside(l->name, line);
	must_be_inside(l->helo, line);
	must_be_inside(l->from, line);
	must_be_inside(l->to, line);
	must_be_inside(l->orig_to, line);
	must(l->kind != OLDLOG_UNREAD || l->id.n == 0);
	must(l->kind != OLDLOG_CLIENT || l->client.n > 0);
	must(l->kind != OLDLOG_REFUSED || l->client.n > 0);
	must(l->kind <= OLDLOG_OTHER || l->time_us > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oldlog_clock c = {.zone = &zone_utc, .now_us = 20000 * DAY_US};
	struct oldlog_columns columns = {.known = false};
	struct slice rest = slice_of(data, size), line;
	unsigned format = size > 0 ? data[0] % 3 : 0;

	if (size == 0)
		return 0;
	rest = slice_from(rest, 1);
	while (slice_next(&rest, '\n', &line)) {
		struct oldlog_line l = format == 0 ? oldlog_postfix(line, &c)
		    : format == 1 ? oldlog_exim(line, &c)
				  : oldlog_exchange(line, &columns);

		look(line, &l);
	}
	return 0;
}
