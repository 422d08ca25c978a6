/* SPDX-License-Identifier: ISC
 *
 * Search in three passes: which messages, by the hash of one key, newest file
 * first; then their rows, oldest file first, until nothing of a message is
 * open any more; then all that was found, checked against every key and put
 * in order of time.
 */
#include "relay/audit/search.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "relay/audit/hourfile.h"
#include "relay/audit/legs.h"
#include "relay/base/id.h"
#include "relay/base/map.h"

enum { TEXT_MAX = 256 << 20 };

struct seen_leg {
	uint32_t number;
	enum dstate state;
};

/* A message that may fit. Its strings are in the search's arena. */
struct candidate {
	uint64_t id;
	bool found; /* its row was seen */
	bool in_time;
	struct envelope env;
	const char **to;
	unsigned rcpts;
	struct seen_leg *leg;
	unsigned legs;
};

/* An event: a piece of `text`. */
struct item {
	int64_t time_us;
	size_t at, n, order;
	const struct candidate *of; /* NULL: of no message */
};

struct run {
	const struct search *q;
	const char *dir;
	int64_t *hour;
	size_t hours;
	struct arena *a;
	struct map map; /* id to candidate */
	struct candidate **list;
	size_t count, cap;
	struct item *item;
	size_t items, item_cap;
	struct strbuf text;
	int64_t since_us, until_us;
	unsigned limit;
	bool more;
	/* while a file is read */
	struct hourfile *file;
	struct candidate *now;
};

/* ---- which messages ---------------------------------------------------- */

static bool add_candidate(struct run *r, uint64_t id)
{
	struct candidate *c;

	if (map_get(&r->map, id) != NULL)
		return true;
	if (r->count == r->limit) {
		r->more = true;
		return false;
	}
	if (r->count == r->cap) {
		r->cap = r->cap == 0 ? 16 : r->cap * 2;
		r->list = mem_resize(
		    r->list, r->cap * sizeof(struct candidate *));
	}
	c = arena_alloc(r->a, sizeof(*c));
	c->id = id;
	r->list[r->count++] = c;
	map_put(&r->map, id, c);
	return true;
}

static bool on_id(void *arg, uint64_t id)
{
	return add_candidate(arg, id);
}

/* The key that names the fewest messages. */
static struct hour_key key_of(const struct run *r, bool of_note)
{
	const struct search *q = r->q;

	if (q->message_id != NULL && !of_note)
		return (struct hour_key){.by = KEY_MESSAGE_ID,
		    .hash = hour_hash_message_id(q->message_id)};
	if (q->to != NULL)
		return (struct hour_key){
		    .by = KEY_TO, .hash = hour_hash(q->to)};
	if (q->from != NULL)
		return (struct hour_key){
		    .by = KEY_FROM, .hash = hour_hash(q->from)};
	if (q->client != NULL)
		return (struct hour_key){
		    .by = KEY_CLIENT, .hash = hour_hash(q->client)};
	return (struct hour_key){.by = KEY_TIME, .since_us = r->since_us,
	    .until_us = r->until_us};
}

/* 1 open, 0 no such file (any more), -1 failed. */
static int open_file(struct run *r, int64_t hour, struct error *err)
{
	r->file = hourfile_open(r->dir, hour, HOUR_READ, err);
	if (r->file != NULL)
		return 1;
	return err->no == ENOENT ? 0 : -1;
}

static int close_file(struct run *r, int rc, struct error *err)
{
	if (rc < 0)
		error_set(err, "%s: %s", r->dir, hourfile_error(r->file));
	hourfile_close(r->file);
	r->file = NULL;
	return rc < 0 ? -1 : 0;
}

static bool hour_in_time(const struct run *r, int64_t hour)
{
	return hour >= hour_of(r->since_us) && hour <= hour_of(r->until_us);
}

static int find_candidates(struct run *r, struct error *err)
{
	struct hour_key key = key_of(r, false);

	if (r->q->id != 0) {
		add_candidate(r, r->q->id);
		return 0;
	}
	for (size_t i = r->hours; i-- > 0 && !r->more;) {
		int rc = hour_in_time(r, r->hour[i])
		    ? open_file(r, r->hour[i], err)
		    : 0;

		if (rc < 0)
			return -1;
		if (rc > 0 && close_file(r, hourfile_find(r->file, &key, on_id,
			r), err) != 0)
			return -1;
	}
	return 0;
}

/* ---- their rows -------------------------------------------------------- */

static struct event_place place(const struct run *r)
{
	return (struct event_place){.node = hourfile_state(r->file)->node};
}

static void add_item(struct run *r, int64_t time_us, size_t at)
{
	if (r->items == r->item_cap) {
		r->item_cap = r->item_cap == 0 ? 64 : r->item_cap * 2;
		r->item = mem_resize(r->item, r->item_cap * sizeof(*r->item));
	}
	r->item[r->items] = (struct item){.time_us = time_us, .at = at,
	    .n = r->text.n - at, .order = r->items, .of = r->now};
	r->items++;
	if (r->now != NULL && time_us >= r->since_us && time_us <= r->until_us)
		r->now->in_time = true;
}

static void see_leg(struct run *r, struct candidate *c,
    const struct leg_state *l)
{
	struct seen_leg *grown;

	for (unsigned i = 0; i < c->legs; i++)
		if (c->leg[i].number == l->number) {
			c->leg[i].state = l->state;
			return;
		}
	grown = arena_alloc(r->a, (c->legs + 1) * sizeof(*grown));
	if (c->legs > 0)
		memcpy(grown, c->leg, c->legs * sizeof(*grown));
	grown[c->legs++] = (struct seen_leg){l->number, l->state};
	c->leg = grown;
}

static void see_address(struct run *r, struct candidate *c,
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
		grown = arena_alloc(r->a, n * sizeof(*grown));
		if (c->rcpts > 0)
			memcpy(grown, c->to, c->rcpts * sizeof(*grown));
		c->to = grown;
		c->rcpts = n;
	}
	if (c->to[row->rcpt] == NULL)
		c->to[row->rcpt] = arena_strdup(r->a, row->address);
}

static void on_recipient(void *arg, const struct hour_recipient *row)
{
	struct run *r = arg;
	struct slice text = slice_str(row->legs);
	struct leg_state l;

	see_address(r, r->now, row);
	while (legs_next(&text, &l))
		see_leg(r, r->now, &l);
}

static void on_move(void *arg, const struct move *row)
{
	struct run *r = arg;
	struct candidate *c = r->now;
	struct event_place at = place(r);
	struct move m = *row;
	size_t start = r->text.n;

	if (m.rcpt < c->rcpts && c->to[m.rcpt] != NULL)
		m.to = c->to[m.rcpt];
	m.accepted_us = c->found ? c->env.accepted_us : 0;
	event_print_move(&r->text, &at, &m);
	add_item(r, m.time_us, start);
}

static void on_note(void *arg, int64_t time_us, struct slice event,
    struct slice fields)
{
	struct run *r = arg;
	struct event_place at = place(r);
	size_t start = r->text.n;

	event_print_note(&r->text, &at, time_us, event, fields);
	add_item(r, time_us, start);
}

static int read_message(struct run *r, struct candidate *c)
{
	struct event_place at = place(r);
	struct hour_key key = {.by = KEY_ID, .hash = (int64_t)c->id};
	size_t start = r->text.n;
	int rc = 0;

	r->now = c;
	if (!c->found)
		rc = hourfile_message(r->file, c->id, r->a, &c->env);
	if (rc > 0) {
		c->found = true;
		event_print_accepted(&r->text, &at, &c->env);
		add_item(r, c->env.accepted_us, start);
	}
	if (rc >= 0)
		rc = hourfile_recipients(r->file, c->id, on_recipient, r);
	if (rc >= 0)
		rc = hourfile_moves(r->file, c->id, on_move, r);
	if (rc >= 0)
		rc = hourfile_notes(r->file, &key, on_note, r);
	r->now = NULL;
	return rc;
}

/* One message is followed to the end of the index; of many, only those of
 * which something was open. */
static bool is_over(const struct run *r, const struct candidate *c)
{
	if (!c->found || r->q->id != 0)
		return false;
	for (unsigned i = 0; i < c->legs; i++)
		if (dstate_live(c->leg[i].state))
			return false;
	return true;
}

static int read_messages(struct run *r, int64_t hour)
{
	int rc = 0;

	for (size_t i = 0; i < r->count && rc >= 0; i++) {
		struct candidate *c = r->list[i];

		if (hour_first(r->hour, r->hours, c->id) <= hour &&
		    !is_over(r, c))
			rc = read_message(r, c);
	}
	return rc;
}

static int by_id(const void *a, const void *b)
{
	const struct candidate *const *x = a, *const *y = b;

	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

static int read_candidates(struct run *r, struct error *err)
{
	int64_t first;

	if (r->count == 0)
		return 0;
	qsort(r->list, r->count, sizeof(struct candidate *), by_id);
	first = hour_first(r->hour, r->hours, r->list[0]->id);
	for (size_t i = 0; i < r->hours; i++) {
		int rc = r->hour[i] < first ? 0 : open_file(r, r->hour[i], err);

		if (rc < 0)
			return -1;
		if (rc > 0 &&
		    close_file(r, read_messages(r, r->hour[i]), err) != 0)
			return -1;
	}
	return 0;
}

/* ---- events of no message ---------------------------------------------- */

static int read_notes(struct run *r, struct error *err)
{
	struct hour_key key = key_of(r, true);

	if (r->q->id != 0 || r->q->message_id != NULL)
		return 0;
	for (size_t i = 0; i < r->hours; i++) {
		int rc = hour_in_time(r, r->hour[i])
		    ? open_file(r, r->hour[i], err)
		    : 0;

		if (rc < 0)
			return -1;
		if (rc > 0 && close_file(r, hourfile_notes(r->file, &key,
			on_note, r), err) != 0)
			return -1;
	}
	return 0;
}

/* ---- what fits --------------------------------------------------------- */

static bool text_fits(const char *want, const char *have)
{
	return want == NULL || slice_case_eq(slice_str(want), slice_str(have));
}

static bool candidate_fits(const struct run *r, const struct candidate *c)
{
	const struct search *q = r->q;
	bool to = q->to == NULL;

	if (q->id != 0)
		return true;
	for (unsigned i = 0; i < c->rcpts && !to; i++)
		to = c->to[i] != NULL && text_fits(q->to, c->to[i]);
	return c->found && c->in_time && to &&
	       text_fits(q->from, c->env.from) &&
	       text_fits(q->client, c->env.client) &&
	       (q->message_id == NULL ||
		   hour_hash_message_id(q->message_id) ==
		       hour_hash_message_id(c->env.message_id));
}

static const char *field(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s == NULL ? "" : s;
}

/* A note of a message that was found is told with it. */
static bool note_fits(const struct run *r, const struct item *it)
{
	const struct search *q = r->q;
	json_t *o = json_loadb(r->text.p + it->at, it->n, 0, NULL);
	uint64_t id;
	bool fits = it->time_us >= r->since_us && it->time_us <= r->until_us &&
	    text_fits(q->from, field(o, "from")) &&
	    text_fits(q->to, field(o, "to")) &&
	    text_fits(q->client, field(o, "client"));

	if (id_parse(slice_str(field(o, "id")), &id) == 0 &&
	    map_get(&r->map, id) != NULL)
		fits = false;
	json_decref(o);
	return fits;
}

static int by_time(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void give(struct run *r, void (*fn)(void *arg, struct slice object),
    void *arg)
{
	if (r->items > 0)
		qsort(r->item, r->items, sizeof(*r->item), by_time);
	for (size_t i = 0; i < r->items; i++) {
		const struct item *it = &r->item[i];

		if (it->of != NULL ? candidate_fits(r, it->of)
				   : note_fits(r, it))
			fn(arg, slice_of(r->text.p + it->at, it->n));
	}
}

int search_run(const char *dir, struct search *q,
    void (*fn)(void *arg, struct slice object), void *arg,
    struct error *err)
{
	struct run r = {.q = q, .dir = dir, .a = arena_new(),
	    .since_us = q->since_us,
	    .until_us = q->until_us == 0 ? INT64_MAX : q->until_us,
	    .limit = q->limit == 0 ? SEARCH_LIMIT : q->limit};
	int rc;

	map_init(&r.map);
	strbuf_init(&r.text, TEXT_MAX);
	rc = hour_list(dir, &r.hour, &r.hours, err);
	if (rc == 0)
		rc = find_candidates(&r, err);
	if (rc == 0)
		rc = read_candidates(&r, err);
	if (rc == 0)
		rc = read_notes(&r, err);
	if (rc == 0 && !strbuf_ok(&r.text))
		rc = error_set(err, "too much was found: ask for less");
	if (rc == 0)
		give(&r, fn, arg);
	q->more = r.more;
	map_fini(&r.map);
	strbuf_fini(&r.text);
	mem_free(r.hour);
	mem_free(r.list);
	mem_free(r.item);
	arena_free(r.a);
	return rc;
}
