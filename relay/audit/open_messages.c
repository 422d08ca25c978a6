/* SPDX-License-Identifier: ISC
 *
 * The messages that are under way.
 */
#include "relay/audit/open_messages.h"

#include "relay/audit/leg_states.h"
#include "relay/base/assert.h"
#include "relay/base/mem.h"

enum { LEGS_BYTES = 1 << 20 };

void open_messages_init(struct open_messages *b, struct names *names,
    unsigned max)
{
	*b = (struct open_messages){.names = names, .max = max};
	map_init(&b->map);
	list_init(&b->used);
	list_init(&b->touched);
}

static void entry_free(struct open_messages *b, struct open_message *e)
{
	PH_ASSERT(b->count > 0);
	map_remove(&b->map, e->id);
	list_remove(&e->used);
	list_remove(&e->touched);
	b->count--;
	mem_free(e->leg);
	mem_free(e);
}

void open_messages_clear(struct open_messages *b)
{
	list_each_safe (n, &b->used)
		entry_free(b, LIST_ENTRY(n, struct open_message, used));
	PH_ASSERT(b->count == 0);
}

void open_messages_fini(struct open_messages *b)
{
	open_messages_clear(b);
	map_fini(&b->map);
}

static char *put_text(char **at, const char *text)
{
	size_t n = strlen(text) + 1;
	char *to = memcpy(*at, text, n);

	*at += n;
	return to;
}

/* One piece of memory: the entry, its tables and its strings. */
static struct open_message *entry_new(struct open_messages *b, uint64_t id,
    const char *const *to, unsigned rcpts, const struct straggler_origin *from)
{
	size_t tables = rcpts * (sizeof(char *) + sizeof(bool));
	size_t bytes = strlen(from->client) + strlen(from->listen) + 2;
	struct open_message *e;
	char *at;

	for (unsigned i = 0; i < rcpts; i++)
		bytes += strlen(to[i]) + 1;
	e = mem_new(sizeof(*e) + tables + bytes);
	e->id = id;
	e->rcpts = rcpts;
	e->to = (char **)(e + 1);
	e->dirty = (bool *)(e->to + rcpts);
	at = (char *)(e->dirty + rcpts);
	for (unsigned i = 0; i < rcpts; i++)
		e->to[i] = put_text(&at, to[i]);
	e->from.client = put_text(&at, from->client);
	e->from.listen = put_text(&at, from->listen);
	e->from.proven = from->proven;
	list_node_init(&e->touched);
	list_push_back(&b->used, &e->used);
	map_put(&b->map, id, e);
	b->count++;
	return e;
}

struct open_message *open_messages_add(struct open_messages *b,
    const struct envelope *env)
{
	const char **to = mem_new((env->rcpts + 1) * sizeof(*to));
	struct straggler_origin from = straggler_origin_of(env);
	struct open_message *e;

	for (unsigned i = 0; i < env->rcpts; i++)
		to[i] = env->rcpt[i].to;
	e = entry_new(b, env->id, to, env->rcpts, &from);
	e->accepted_us = env->accepted_us;
	mem_free(to);
	return e;
}


bool open_message_is_stub(const struct open_message *e)
{
	return e->rcpts == 0;
}

struct open_message *open_message_name(struct open_messages *b,
    struct open_message *stub, const struct envelope *env)
{
	struct open_delivery *leg = stub->leg;
	unsigned legs = stub->legs, cap = stub->cap;
	struct open_message *e;

	stub->leg = NULL;
	entry_free(b, stub);
	e = open_messages_add(b, env);
	e->leg = leg;
	e->legs = legs;
	e->cap = cap;
	return e;
}

const char *open_message_to(const struct open_message *e, uint32_t rcpt)
{
	return rcpt < e->rcpts ? e->to[rcpt] : "";
}

/* ---- reading back ------------------------------------------------------ */

struct loading {
	struct open_messages *b;
	struct arena *a;
	const char **to;
	unsigned rcpts;
	struct open_message *e;
};

static void on_address(void *arg, const struct hour_recipient *r)
{
	struct loading *l = arg;

	if (r->rcpt < l->rcpts)
		l->to[r->rcpt] = arena_strdup(l->a, r->address);
}

static void add_leg(struct open_message *e, const struct open_delivery *leg)
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
	struct recipient_leg s;

	while (leg_states_next(&text, &s)) {
		struct open_delivery leg = {.number = s.number, .rcpt = r->rcpt,
		    .role = (uint8_t)s.role, .state = (uint8_t)s.state,
		    .before = (uint8_t)s.before,
		    .other_era = r->era != l->b->era};
		int id = names_id(l->b->names, s.leg);

		if (id < 0)
			continue;
		leg.leg = (uint16_t)id;
		if (leg.other_era) /* it has no part in this era's count */
			leg.before = leg.state;
		add_leg(l->e, &leg);
	}
}

static int load(struct open_messages *b, struct hours *h, uint64_t id,
    struct arena *a, struct open_message **e_out)
{
	struct loading l = {.b = b, .a = a};
	struct straggler_origin from;
	struct envelope env;
	struct hourfile *home;
	int rc = hours_home_of_any(h, id, a, &env, &home);

	if (rc <= 0)
		return rc;
	l.rcpts = env.rcpts;
	l.to = arena_alloc(a, (env.rcpts + 1) * sizeof(*l.to));
	for (unsigned i = 0; i < env.rcpts; i++)
		l.to[i] = "";
	if (hourfile_recipients(home, id, on_address, &l) < 0)
		return hours_unreadable(h, home);
	from = straggler_origin_of(&env);
	l.e = entry_new(b, id, l.to, l.rcpts, &from);
	l.e->accepted_us = env.accepted_us;
	if (hourfile_recipients(hours_current(h), id, on_legs, &l) < 0) {
		entry_free(b, l.e);
		return -1;
	}
	*e_out = l.e;
	return 1;
}

struct open_message *open_message_stub(struct open_messages *b,
    struct hours *h, uint64_t id)
{
	const struct straggler_origin from = {"", "", false};
	struct loading l = {.b = b, .e = entry_new(b, id, NULL, 0, &from)};

	if (hourfile_recipients(hours_current(h), id, on_legs, &l) >= 0)
		return l.e;
	entry_free(b, l.e);
	return NULL;
}

int open_messages_get(struct open_messages *b, struct hours *h, uint64_t id,
    struct open_message **e_out)
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

static struct open_delivery *find_leg(struct open_message *e, uint32_t number)
{
	/* Numbers count up from 0, so most stand at their own place. */
	if (number < e->legs && e->leg[number].number == number)
		return &e->leg[number];
	for (unsigned i = 0; i < e->legs; i++)
		if (e->leg[i].number == number)
			return &e->leg[i];
	return NULL;
}

static void touch(struct open_messages *b, struct open_message *e)
{
	if (list_empty(&e->touched))
		list_push_back(&b->touched, &e->touched);
}

void open_message_touch(struct open_messages *b, struct open_message *e)
{
	memset(e->dirty, true, e->rcpts * sizeof(*e->dirty));
	touch(b, e);
}

void open_message_set(struct open_messages *b, struct open_message *e,
    const struct open_delivery *l)
{
	struct open_delivery *have = find_leg(e, l->number);
	struct open_delivery now = *l;

	if (have != NULL && !have->other_era)
		now.before = have->before;
	if (have != NULL)
		*have = now;
	else
		add_leg(e, &now);
	if (l->rcpt < e->rcpts)
		e->dirty[l->rcpt] = true;
	touch(b, e);
}

void open_message_adopt(struct open_messages *b, struct open_message *e,
    const struct open_delivery *l)
{
	const struct open_delivery *have = find_leg(e, l->number);

	if (have == NULL || have->other_era)
		open_message_set(b, e, l);
}

static int flush_rcpt(struct open_messages *b, struct hourfile *f,
    struct open_message *e, uint32_t rcpt, struct strbuf *text)
{
	strbuf_reset(text);
	for (unsigned i = 0; i < e->legs; i++) {
		const struct open_delivery *l = &e->leg[i];
		struct recipient_leg s = {l->number, (enum role)l->role,
		    (enum dstate)l->state, (enum dstate)l->before,
		    slice_str(names_text(b->names, l->leg))};

		if (l->rcpt == rcpt)
			leg_states_print(text, &s);
	}
	return hourfile_put_recipient(f, e->id, rcpt, open_message_to(e, rcpt),
	    strbuf_view(text));
}

/* The first of this recipient's deliveries? */
static bool is_first(const struct open_message *e, unsigned at)
{
	for (unsigned i = 0; i < at; i++)
		if (e->leg[i].rcpt == e->leg[at].rcpt)
			return false;
	return true;
}

/* Rows without an address, so that its deliveries count. */
static int flush_stub(struct open_messages *b, struct hourfile *f,
    struct open_message *e, struct strbuf *text)
{
	int rc = 0;

	for (unsigned i = 0; i < e->legs && rc == 0; i++)
		if (is_first(e, i))
			rc = flush_rcpt(b, f, e, e->leg[i].rcpt, text);
	return rc;
}

static int flush_one(struct open_messages *b, struct hourfile *f,
    struct open_message *e, struct strbuf *text)
{
	int rc = 0;

	if (open_message_is_stub(e))
		return flush_stub(b, f, e, text);
	for (uint32_t i = 0; i < e->rcpts && rc == 0; i++)
		if (e->dirty[i])
			rc = flush_rcpt(b, f, e, i, text);
	return rc;
}

int open_messages_flush(struct open_messages *b, struct hourfile *f)
{
	struct strbuf text;
	int rc = 0;

	strbuf_init(&text, LEGS_BYTES);
	list_each (n, &b->touched) {
		if (rc == 0)
			rc = flush_one(b, f,
			    LIST_ENTRY(n, struct open_message, touched),
			    &text);
	}
	strbuf_fini(&text);
	return rc;
}

static bool is_over(const struct open_message *e)
{
	for (unsigned i = 0; i < e->legs; i++)
		if (dstate_live((enum dstate)e->leg[i].state))
			return false;
	return true;
}

void open_messages_trim(struct open_messages *b)
{
	list_each_safe (n, &b->touched) {
		struct open_message *e =
		    LIST_ENTRY(n, struct open_message, touched);

		if (is_over(e)) {
			entry_free(b, e);
			continue;
		}
		memset(e->dirty, 0, e->rcpts * sizeof(*e->dirty));
		list_remove(&e->touched);
	}
	while (b->count > b->max)
		entry_free(b, LIST_FIRST(&b->used, struct open_message, used));
}

void open_messages_new_hour(struct open_messages *b)
{
	list_each (n, &b->used)
		LIST_ENTRY(n, struct open_message, used)->legs = 0;
}
