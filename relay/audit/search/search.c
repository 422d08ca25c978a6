/* SPDX-License-Identifier: ISC
 *
 * A search: which messages have the key that names the fewest, newest file
 * first; these in batches, each read and held against all that is asked for
 * before the next is begun, so that the limit counts what is shown and not
 * what was looked at; then events of no message; then all in order of time.
 */
#include "relay/audit/search/search_int.h"

#include <stdlib.h>

enum {
	TEXT_MAX = 256 << 20,
	BATCH = 1000,	/* messages in memory at one time, beside the found */
	IDS_MAX = 8 << 20, /* messages of one hour that have the key */
};

/* ---- a batch ----------------------------------------------------------- */

static void batch_init(struct search_batch *b, size_t n)
{
	*b = (struct search_batch){.a = arena_new()};
	b->list = arena_alloc(b->a, n * sizeof(struct candidate *));
	strbuf_init(&b->items.text, TEXT_MAX);
}

static void batch_fini(struct search_batch *b)
{
	strbuf_fini(&b->items.text);
	mem_free(b->items.item);
	arena_free(b->a);
}

static void batch_add(struct search_batch *b, uint64_t id)
{
	struct candidate *c = arena_alloc(b->a, sizeof(*c));

	c->id = id;
	b->list[b->n++] = c;
}

/* Which of them are shown: the newest that fit, as far as the limit goes. */
static void judge(struct search_work *r, struct search_batch *b)
{
	for (size_t i = b->n; i-- > 0;) {
		struct candidate *c = b->list[i];
		bool fits = search_message_fits(r, c);

		if (fits && r->messages == r->limit) {
			r->more = true;
			fits = false;
		}
		r->messages += fits;
		map_put(&r->seen, c->id,
		    fits ? &search_shown : &search_passed);
	}
}

static void keep_events(struct search_work *r, const struct search_batch *b)
{
	for (size_t i = 0; i < b->items.n; i++) {
		const struct item *it = &b->items.item[i];
		size_t at = r->found.text.n;

		if (map_get(&r->seen, it->of->id) != &search_shown)
			continue;
		strbuf_add(&r->found.text, b->items.text.p + it->at, it->n);
		items_add(&r->found, it->time_us, at, NULL);
	}
}

/* The ids are the newest first. */
static int try_batch(struct search_work *r, const uint64_t *id, size_t n,
    struct error *err)
{
	struct search_batch b;
	int rc = 0;

	batch_init(&b, n);
	for (size_t i = 0; i < n; i++)
		if (map_get(&r->seen, id[i]) == NULL)
			batch_add(&b, id[i]);
	r->batch = &b;
	if (b.n > 0)
		rc = search_read(r, err);
	if (rc == 0) {
		judge(r, &b);
		keep_events(r, &b);
	}
	if (rc == 0 && (!strbuf_ok(&b.items.text) ||
			   !strbuf_ok(&r->found.text)))
		rc = error_set(err, "too much was found: ask for less");
	r->batch = NULL;
	batch_fini(&b);
	return rc;
}

/* ---- which messages ---------------------------------------------------- */

static bool on_id(void *arg, uint64_t id)
{
	struct search_work *r = arg;

	if (r->ids == r->id_cap) {
		r->id_cap = r->id_cap == 0 ? 1024 : r->id_cap * 2;
		r->id = mem_resize(r->id, r->id_cap * sizeof(*r->id));
	}
	r->id[r->ids++] = id;
	return r->ids < IDS_MAX;
}

static int search_hour(struct search_work *r, int64_t hour, struct error *err)
{
	struct hour_key key = search_key(r, false);
	int rc = search_open(r, hour, err);

	r->ids = 0;
	if (rc > 0)
		rc = search_close(r, hourfile_find(r->file, &key, on_id, r),
		    err);
	for (size_t i = 0; i < r->ids && rc == 0 && !r->more; i += BATCH) {
		size_t left = r->ids - i;

		rc = try_batch(r, r->id + i, left < BATCH ? left : BATCH, err);
	}
	return rc;
}

/* Does the outcome name what a delivery never has? Then it is of no message. */
static bool of_no_message(const struct search *q)
{
	return q->outcome != NULL &&
	       event_kind_named(q->outcome) == EV_NONE;
}

static int search_messages(struct search_work *r, struct error *err)
{
	int rc = 0;

	if (r->q->id != 0)
		return try_batch(r, &r->q->id, 1, err);
	if (of_no_message(r->q))
		return 0;
	for (size_t i = r->hours; i-- > 0 && rc == 0 && !r->more;)
		if (search_hour_in_time(r, r->hour[i]))
			rc = search_hour(r, r->hour[i], err);
	return rc;
}

/* ---- all of it --------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void give(struct search_work *r,
    void (*fn)(void *arg, struct slice object), void *arg)
{
	struct items *found = &r->found;

	if (found->n > 0)
		qsort(found->item, found->n, sizeof(*found->item), by_time);
	for (size_t i = 0; i < found->n; i++)
		fn(arg, slice_of(found->text.p + found->item[i].at,
			    found->item[i].n));
}

int search_run(const char *dir, struct search *q,
    void (*fn)(void *arg, struct slice object), void *arg,
    struct error *err)
{
	struct search_work r = {.q = q, .dir = dir, .since_us = q->since_us,
	    .until_us = q->until_us == 0 ? INT64_MAX : q->until_us,
	    .limit = q->limit == 0 ? SEARCH_LIMIT : q->limit};
	int rc;

	map_init(&r.seen);
	strbuf_init(&r.found.text, TEXT_MAX);
	rc = hour_list(dir, &r.hour, &r.hours, err);
	if (rc == 0)
		rc = search_messages(&r, err);
	if (rc == 0)
		rc = search_read_notes(&r, err);
	if (rc == 0 && !strbuf_ok(&r.found.text))
		rc = error_set(err, "too much was found: ask for less");
	if (rc == 0)
		give(&r, fn, arg);
	q->more = r.more;
	map_fini(&r.seen);
	strbuf_fini(&r.found.text);
	mem_free(r.found.item);
	mem_free(r.hour);
	mem_free(r.id);
	return rc;
}
