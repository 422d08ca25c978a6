/* SPDX-License-Identifier: ISC
 *
 * The rows of messages that may fit, oldest file first, until nothing of them
 * is open any more; and the events that are of no message.
 */
#include "relay/audit/search/search_int.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "relay/audit/leg_states.h"

/* ---- files and items --------------------------------------------------- */

int search_open(struct search_work *r, int64_t hour, struct error *err)
{
	const _Atomic bool *stop = r->q->stop;

	if (stop != NULL && atomic_load(stop))
		return error_set(err, "the search was stopped");
	r->file = hourfile_open(r->dir, hour, HOUR_READ, err);
	if (r->file == NULL)
		return err->no == ENOENT ? 0 : -1;
	hourfile_stop_when(r->file, stop);
	return 1;
}

int search_close(struct search_work *r, int rc, struct error *err)
{
	if (rc < 0)
		error_set(err, "%s: %s", r->dir, hourfile_error(r->file));
	hourfile_close(r->file);
	r->file = NULL;
	return rc < 0 ? -1 : 0;
}

void items_add(struct items *to, int64_t time_us, size_t at,
    const struct candidate *of)
{
	if (to->n == to->cap) {
		to->cap = to->cap == 0 ? 64 : to->cap * 2;
		to->item = mem_resize(to->item, to->cap * sizeof(*to->item));
	}
	to->item[to->n] = (struct item){.time_us = time_us, .at = at,
	    .n = to->text.n - at, .order = to->n, .of = of};
	to->n++;
}

/* ---- rows of messages -------------------------------------------------- */

static struct event_place place(const struct search_work *r)
{
	return (struct event_place){.node = hourfile_state(r->file)->node};
}

static void add(struct search_work *r, int64_t time_us, size_t at)
{
	items_add(&r->batch->items, time_us, at, r->now);
	if (time_us >= r->since_us && time_us <= r->until_us)
		r->now->in_time = true;
}

static void see_leg(struct search_work *r, struct candidate *c,
    const struct recipient_leg *l)
{
	struct seen_leg *grown;

	for (unsigned i = 0; i < c->legs; i++)
		if (c->leg[i].number == l->number) {
			c->leg[i].state = l->state;
			return;
		}
	grown = arena_alloc(r->batch->a, (c->legs + 1) * sizeof(*grown));
	if (c->legs > 0)
		memcpy(grown, c->leg, c->legs * sizeof(*grown));
	grown[c->legs++] = (struct seen_leg){l->number, l->state};
	c->leg = grown;
}

static void see_address(struct search_work *r, struct candidate *c,
    const struct hour_recipient *row)
{
	enum { RCPTS_MAX = 1 << 20 };
	const char **grown;

	if (row->rcpt >= RCPTS_MAX)
		return;
	if (row->rcpt >= c->rcpts) {
		unsigned n = row->rcpt + 1;

		n = n < c->env.rcpts && c->env.rcpts < RCPTS_MAX ? c->env.rcpts
								 : n;
		grown = arena_alloc(r->batch->a, n * sizeof(*grown));
		if (c->rcpts > 0)
			memcpy(grown, c->to, c->rcpts * sizeof(*grown));
		c->to = grown;
		c->rcpts = n;
	}
	if (c->to[row->rcpt] == NULL)
		c->to[row->rcpt] = arena_strdup(r->batch->a, row->address);
}

static void on_recipient(void *arg, const struct hour_recipient *row)
{
	struct search_work *r = arg;
	struct slice text = slice_str(row->legs);
	struct recipient_leg l;

	see_address(r, r->now, row);
	while (leg_states_next(&text, &l))
		see_leg(r, r->now, &l);
}

static void on_move(void *arg, const struct delivery_event *row)
{
	struct search_work *r = arg;
	struct candidate *c = r->now;
	struct event_place at = place(r);
	struct delivery_event m = *row;
	size_t start = r->batch->items.text.n;

	if (m.rcpt < c->rcpts && c->to[m.rcpt] != NULL)
		m.to = c->to[m.rcpt];
	m.accepted_us = c->found ? c->env.accepted_us : 0;
	c->moved |= search_event_fits(r->q, &m);
	event_print_delivery(&r->batch->items.text, &at, &m);
	add(r, m.time_us, start);
}

static void on_note(void *arg, int64_t time_us, struct slice event,
    struct slice fields)
{
	struct search_work *r = arg;
	struct event_place at = place(r);
	size_t start = r->batch->items.text.n;

	event_print_note(&r->batch->items.text, &at, time_us, event, fields);
	add(r, time_us, start);
}

static int read_message(struct search_work *r, struct candidate *c)
{
	struct event_place at = place(r);
	struct hour_key key = {.by = KEY_ID, .hash = (int64_t)c->id};
	size_t start = r->batch->items.text.n;
	int rc = 0;

	r->now = c;
	if (!c->found)
		rc = hourfile_message(r->file, c->id, r->batch->a, &c->env);
	if (rc > 0) {
		c->found = true;
		event_print_accepted(&r->batch->items.text, &at, &c->env);
		add(r, c->env.accepted_us, start);
	}
	if (rc >= 0)
		rc = hourfile_recipients(r->file, c->id, on_recipient, r);
	if (rc >= 0)
		rc = hourfile_events(r->file, c->id, on_move, r);
	if (rc >= 0)
		rc = hourfile_notes(r->file, &key, on_note, r);
	r->now = NULL;
	return rc;
}

/* One message is followed to the end of the index; of many, only those of
 * which something was open. */
static bool is_over(const struct search_work *r, const struct candidate *c)
{
	if (!c->found || r->q->id != 0)
		return false;
	for (unsigned i = 0; i < c->legs; i++)
		if (dstate_live(c->leg[i].state))
			return false;
	return true;
}

static int read_messages(struct search_work *r, int64_t hour)
{
	int rc = 0;

	for (size_t i = 0; i < r->batch->n && rc >= 0; i++) {
		struct candidate *c = r->batch->list[i];

		if (hour_first(r->hour, r->hours, c->id) <= hour &&
		    !is_over(r, c))
			rc = read_message(r, c);
	}
	return rc;
}

static bool all_over(const struct search_work *r)
{
	for (size_t i = 0; i < r->batch->n; i++)
		if (!is_over(r, r->batch->list[i]))
			return false;
	return true;
}

static int by_id(const void *a, const void *b)
{
	const struct candidate *const *x = a, *const *y = b;

	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

int search_read(struct search_work *r, struct error *err)
{
	struct search_batch *b = r->batch;
	int64_t first;

	qsort(b->list, b->n, sizeof(struct candidate *), by_id);
	first = hour_first(r->hour, r->hours, b->list[0]->id);
	for (size_t i = 0; i < r->hours && !all_over(r); i++) {
		int rc = r->hour[i] < first ? 0
					    : search_open(r, r->hour[i], err);

		if (rc < 0)
			return -1;
		if (rc > 0 &&
		    search_close(r, read_messages(r, r->hour[i]), err) != 0)
			return -1;
	}
	return 0;
}

/* ---- events of no message ---------------------------------------------- */

static void on_lone_note(void *arg, int64_t time_us, struct slice event,
    struct slice fields)
{
	struct search_work *r = arg;
	struct event_place at = place(r);
	struct strbuf *text = &r->found.text;
	size_t start = text->n;

	event_print_note(text, &at, time_us, event, fields);
	if (search_note_fits(r, time_us,
		slice_from(strbuf_view(text), start)))
		items_add(&r->found, time_us, start, NULL);
	else
		text->n = start;
}

int search_read_notes(struct search_work *r, struct error *err)
{
	struct hour_key key = search_key(r, true);

	if (r->q->id != 0 || r->q->message_id != NULL)
		return 0;
	for (size_t i = 0; i < r->hours; i++) {
		int rc = search_hour_in_time(r, r->hour[i])
		    ? search_open(r, r->hour[i], err)
		    : 0;

		if (rc < 0)
			return -1;
		if (rc > 0 && search_close(r, hourfile_notes(r->file, &key,
			on_lone_note, r), err) != 0)
			return -1;
	}
	return 0;
}
