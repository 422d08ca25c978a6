/* SPDX-License-Identifier: ISC
 *
 * Reads a change's recipients from the log, a slice a call.
 */
#include "relay/cutover/change_people.h"

#include <stdio.h>

#include "relay/post/mail.h"

enum { SLICE_ROWS = 1000 };

struct people_slice {
	struct change_people *p;
	bool over; /* rows of a later change */
};

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
		queue_people_add_all(&p->people);
	if (!p->people.all)
		queue_people_add(&p->people,
		    mail_key_hash(p->snapshot->conf, key));
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

	if (n < 0)
		queue_people_add_all(&p->people);
	return !p->people.all && !r.over && n == SLICE_ROWS;
}

static void on_slice(void *arg)
{
	struct change_people *p = arg;

	if (read_slice(p)) {
		table_follow_ask(p->follow, on_slice, p);
		return;
	}
	p->done(p->arg);
}

void change_people_read(struct change_people *p)
{
	table_follow_ask(p->follow, on_slice, p);
}
