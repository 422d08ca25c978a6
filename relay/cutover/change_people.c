/* SPDX-License-Identifier: ISC
 *
 * Reads a change's recipients from the log, a slice a call.
 */
#include "relay/cutover/change_people.h"

#include <stdio.h>
#include <stdlib.h>

#include "relay/post/mail.h"

enum { SLICE_ROWS = 1000 };

struct people_slice {
	struct change_people *p;
	bool over; /* rows of a later change */
};

static void grow(struct change_people *p)
{
	size_t room = p->room == 0 ? SLICE_ROWS : 2 * p->room;
	uint64_t *more = NEW_ARRAY(uint64_t, room);

	if (p->n > 0)
		memcpy(more, p->hash, p->n * sizeof(*more));
	mem_free(p->hash);
	p->hash = more;
	p->room = room;
}

static void on_row(void *arg, uint64_t change, struct slice key)
{
	struct people_slice *r = arg;
	struct change_people *p = r->p;

	if (change != p->change) {
		r->over = true;
		return;
	}
	snprintf(p->after, sizeof(p->after), "%.*s", (int)key.n, key.p);
	if (key.n > 0 && key.p[0] == '@')
		p->all = true;
	if (p->n >= CHANGE_PEOPLE_MAX)
		p->all = true;
	if (p->all)
		return;
	if (p->n == p->room)
		grow(p);
	p->hash[p->n++] = mail_key_hash(p->snapshot->conf, key);
}

static int by_hash(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* True: there may be more. The first slice begins behind the last row of the
 * change before. */
static bool read_slice(struct change_people *p)
{
	struct table *t = table_follow_table(p->follow);
	struct people_slice r = {.p = p};
	bool first = p->after[0] == '\0';
	const struct table_log_page page = {
	    .after = first ? p->change - 1 : p->change,
	    .after_key = first ? NULL : p->after,
	    .limit = SLICE_ROWS, .fn = on_row, .arg = &r};
	struct error err;
	int n = t == NULL ? -1 : table_log(t, &page, &err);

	p->all = p->all || n < 0;
	return !p->all && !r.over && n == SLICE_ROWS;
}

static void on_slice(void *arg)
{
	struct change_people *p = arg;

	if (read_slice(p)) {
		table_follow_ask(p->follow, on_slice, p);
		return;
	}
	if (p->n > 0)
		qsort(p->hash, p->n, sizeof(*p->hash), by_hash);
	p->done(p->arg);
}

void change_people_read(struct change_people *p)
{
	table_follow_ask(p->follow, on_slice, p);
}
