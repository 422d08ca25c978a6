/* SPDX-License-Identifier: ISC
 *
 * The messages that are under way.
 */
#include "relay/audit/open_messages.h"

#include "relay/audit/leg_states.h"
#include "relay/base/mem.h"

enum { LEGS_BYTES = 1 << 20 };

void book_init(struct book *b, struct names *names, unsigned max)
{
	*b = (struct book){.names = names, .max = max};
	map_init(&b->map);
	list_init(&b->used);
	list_init(&b->touched);
}

static void entry_free(struct book *b, struct book_entry *e)
{
	map_remove(&b->map, e->id);
	list_remove(&e->used);
	list_remove(&e->touched);
	b->count--;
	mem_free(e->leg);
	mem_free(e);
}

void book_clear(struct book *b)
{
	list_each_safe (n, &b->used)
		entry_free(b, LIST_ENTRY(n, struct book_entry, used));
}

void book_fini(struct book *b)
{
	book_clear(b);
	map_fini(&b->map);
}

/* One piece of memory: the entry, its tables and its strings. */
static struct book_entry *entry_new(struct book *b, uint64_t id,
    const char *const *to, unsigned rcpts)
{
	size_t tables = rcpts * (sizeof(char *) + sizeof(bool)), bytes = 0;
	struct book_entry *e;
	char *at;

	for (unsigned i = 0; i < rcpts; i++)
		bytes += strlen(to[i]) + 1;
	e = mem_new(sizeof(*e) + tables + bytes);
	e->id = id;
	e->rcpts = rcpts;
	e->to = (char **)(e + 1);
	e->dirty = (bool *)(e->to + rcpts);
	at = (char *)(e->dirty + rcpts);
	for (unsigned i = 0; i < rcpts; i++) {
		size_t n = strlen(to[i]) + 1;

		e->to[i] = memcpy(at, to[i], n);
		at += n;
	}
	list_node_init(&e->touched);
	list_push_back(&b->used, &e->used);
	map_put(&b->map, id, e);
	b->count++;
	return e;
}

struct book_entry *book_add(struct book *b, const struct envelope *env)
{
	const char **to = mem_new((env->rcpts + 1) * sizeof(*to));
	struct book_entry *e;

	for (unsigned i = 0; i < env->rcpts; i++)
		to[i] = env->rcpt[i].to;
	e = entry_new(b, env->id, to, env->rcpts);
	e->accepted_us = env->accepted_us;
	mem_free(to);
	return e;
}

struct book_entry *book_stub(struct book *b, uint64_t id)
{
	return entry_new(b, id, NULL, 0);
}

bool book_is_stub(const struct book_entry *e)
{
	return e->rcpts == 0;
}

void book_forget(struct book *b, struct book_entry *e)
{
	entry_free(b, e);
}

const char *book_to(const struct book_entry *e, uint32_t rcpt)
{
	return rcpt < e->rcpts ? e->to[rcpt] : "";
}

/* ---- reading back ------------------------------------------------------ */

struct loading {
	struct book *b;
	struct arena *a;
	const char **to;
	unsigned rcpts;
	struct book_entry *e;
};

static void on_address(void *arg, const struct hour_recipient *r)
{
	struct loading *l = arg;

	if (r->rcpt < l->rcpts)
		l->to[r->rcpt] = arena_strdup(l->a, r->address);
}

static void add_leg(struct book_entry *e, const struct book_leg *leg)
{
	if (e->legs == e->cap) {
		e->cap = e->cap == 0 ? 2 : e->cap * 2;
		e->leg = mem_resize(e->leg, e->cap * sizeof(*e->leg));
	}
	e->leg[e->legs++] = *leg;
}

static void on_legs(void *arg, const struct hour_recipient *r)
{
	struct slice text = slice_str(r->legs);
	struct loading *l = arg;
	struct leg_state s;

	while (legs_next(&text, &s)) {
		struct book_leg leg = {.number = s.number, .rcpt = r->rcpt,
		    .role = (uint8_t)s.role, .state = (uint8_t)s.state};
		int id = names_id(l->b->names, s.leg);

		if (id < 0)
			continue;
		leg.leg = (uint16_t)id;
		add_leg(l->e, &leg);
	}
}

static int load(struct book *b, struct hours *h, uint64_t id, struct arena *a,
    struct book_entry **e_out)
{
	struct loading l = {.b = b, .a = a};
	struct envelope env;
	struct hourfile *home;
	int rc = hours_home(h, id, a, &env, &home);

	if (rc <= 0)
		return rc;
	l.rcpts = env.rcpts;
	l.to = arena_alloc(a, (env.rcpts + 1) * sizeof(*l.to));
	for (unsigned i = 0; i < env.rcpts; i++)
		l.to[i] = "";
	if (hourfile_recipients(home, id, on_address, &l) < 0)
		return hours_unreadable(h, home);
	l.e = entry_new(b, id, l.to, l.rcpts);
	l.e->accepted_us = env.accepted_us;
	if (hourfile_recipients(hours_current(h), id, on_legs, &l) < 0) {
		entry_free(b, l.e);
		return -1;
	}
	*e_out = l.e;
	return 1;
}

int book_get(struct book *b, struct hours *h, uint64_t id,
    struct book_entry **e_out)
{
	struct arena *a;
	int rc;

	*e_out = map_get(&b->map, id);
	if (*e_out != NULL) {
		list_remove(&(*e_out)->used);
		list_push_back(&b->used, &(*e_out)->used);
		return 1;
	}
	a = arena_new();
	rc = load(b, h, id, a, e_out);
	arena_free(a);
	return rc;
}

/* ---- moves ------------------------------------------------------------- */

static struct book_leg *find_leg(struct book_entry *e, uint32_t number)
{
	/* Numbers count up from 0, so most stand at their own place. */
	if (number < e->legs && e->leg[number].number == number)
		return &e->leg[number];
	for (unsigned i = 0; i < e->legs; i++)
		if (e->leg[i].number == number)
			return &e->leg[i];
	return NULL;
}

static void touch(struct book *b, struct book_entry *e)
{
	if (list_empty(&e->touched))
		list_push_back(&b->touched, &e->touched);
}

void book_touch(struct book *b, struct book_entry *e)
{
	memset(e->dirty, true, e->rcpts * sizeof(*e->dirty));
	touch(b, e);
}

void book_set(struct book *b, struct book_entry *e, const struct book_leg *l)
{
	struct book_leg *have = find_leg(e, l->number);

	if (have != NULL)
		*have = *l;
	else
		add_leg(e, l);
	if (l->rcpt < e->rcpts)
		e->dirty[l->rcpt] = true;
	touch(b, e);
}

static int flush_rcpt(struct book *b, struct hourfile *f,
    struct book_entry *e, uint32_t rcpt, struct strbuf *text)
{
	strbuf_reset(text);
	for (unsigned i = 0; i < e->legs; i++) {
		const struct book_leg *l = &e->leg[i];
		struct leg_state s = {l->number, (enum role)l->role,
		    (enum dstate)l->state,
		    slice_str(names_text(b->names, l->leg))};

		if (l->rcpt == rcpt)
			legs_print(text, &s);
	}
	return hourfile_put_recipient(
	    f, e->id, rcpt, e->to[rcpt], strbuf_view(text));
}

int book_flush(struct book *b, struct hourfile *f)
{
	struct strbuf text;
	int rc = 0;

	strbuf_init(&text, LEGS_BYTES);
	list_each (n, &b->touched) {
		struct book_entry *e =
		    LIST_ENTRY(n, struct book_entry, touched);

		for (uint32_t i = 0; i < e->rcpts && rc == 0; i++)
			if (e->dirty[i])
				rc = flush_rcpt(b, f, e, i, &text);
	}
	strbuf_fini(&text);
	return rc;
}

static bool is_over(const struct book_entry *e)
{
	for (unsigned i = 0; i < e->legs; i++)
		if (dstate_live((enum dstate)e->leg[i].state))
			return false;
	return true;
}

void book_trim(struct book *b)
{
	list_each_safe (n, &b->touched) {
		struct book_entry *e =
		    LIST_ENTRY(n, struct book_entry, touched);

		if (is_over(e)) {
			entry_free(b, e);
			continue;
		}
		memset(e->dirty, 0, e->rcpts * sizeof(*e->dirty));
		list_remove(&e->touched);
	}
	while (b->count > b->max)
		entry_free(b, LIST_FIRST(&b->used, struct book_entry, used));
}

void book_new_hour(struct book *b)
{
	list_each (n, &b->used)
		LIST_ENTRY(n, struct book_entry, used)->legs = 0;
}
