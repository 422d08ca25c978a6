/* SPDX-License-Identifier: ISC
 *
 * Looks up the record of one message. The projector's thread.
 */
#include "relay/audit/lookup.h"

#include "relay/audit/leg_states.h"
#include "relay/audit/projector_int.h"

enum { RCPTS_MAX = 1 << 16, ROWS_MAX = 1 << 18 };

struct lookup *lookup_new(uint64_t id, struct mailbox *to, int kind)
{
	struct lookup *l = NEW(struct lookup);

	l->id = id;
	l->to = to;
	l->kind = kind;
	l->arena = arena_new();
	return l;
}

void lookup_free(struct lookup *l)
{
	arena_free(l->arena);
	mem_free(l->row);
	mem_free(l);
}

/* ---- gathering ---- */

struct gather {
	struct lookup *l;
	struct names *names;
	unsigned cap;
};

static void see_rcpt(struct lookup *l, uint32_t rcpt, const char *address)
{
	const char **grown;

	if (rcpt >= RCPTS_MAX)
		return;
	if (rcpt >= l->rcpts) {
		grown = arena_alloc(l->arena, 2 * (rcpt + 1) * sizeof(*grown));
		for (unsigned i = 0; i < 2 * (rcpt + 1); i++)
			grown[i] = i < l->rcpts ? l->rcpt[i] : "";
		l->rcpt = grown;
		l->rcpts = 2 * (rcpt + 1);
	}
	if (l->rcpt[rcpt][0] == '\0')
		l->rcpt[rcpt] = arena_strdup(l->arena, address);
}

/* The later row counts. */
static void see_row(struct gather *g, const struct lookup_row *row)
{
	struct lookup *l = g->l;
	unsigned i = row->number;

	if (i >= l->rows || l->row[i].number != row->number)
		for (i = 0; i < l->rows; i++)
			if (l->row[i].number == row->number)
				break;
	if (i == ROWS_MAX)
		return;
	if (i == l->rows && l->rows == g->cap) {
		g->cap = g->cap * 2 + 8;
		l->row = mem_resize(l->row, g->cap * sizeof(*l->row));
	}
	if (i == l->rows)
		l->rows++;
	l->row[i] = *row;
}

static void on_recipient(void *arg, const struct hour_recipient *r)
{
	struct gather *g = arg;
	struct slice text = slice_str(r->legs);
	struct recipient_leg s;

	see_rcpt(g->l, r->rcpt, r->address);
	while (leg_states_next(&text, &s)) {
		int leg = names_id(g->names, s.leg);

		if (leg >= 0)
			see_row(g, &(struct lookup_row){s.number, r->rcpt,
				       (uint16_t)leg, (uint8_t)s.role,
				       (uint8_t)s.state});
	}
}

/* Its rows of an hour; true when no later hour can have any. */
static bool on_hour(void *arg, struct hourfile *f)
{
	struct gather *g = arg;
	struct lookup *l = g->l;

	if (hourfile_recipients(f, l->id, on_recipient, g) > 0)
		l->found = true;
	for (unsigned i = 0; i < l->rows; i++)
		if (dstate_live((enum dstate)l->row[i].state))
			return false;
	return l->rows != 0;
}

/* The moves since the last commit. */
static void on_open_message(struct gather *g, const struct open_message *e)
{
	g->l->found = true;
	for (uint32_t i = 0; i < e->rcpts; i++)
		see_rcpt(g->l, i, e->to[i]);
	for (unsigned i = 0; i < e->legs; i++) {
		const struct open_delivery *b = &e->leg[i];

		see_row(g, &(struct lookup_row){b->number, b->rcpt, b->leg,
			       b->role, b->state});
	}
}

/* An old token costs a few files, not all the hours since. */
static bool is_on_record(struct projector *p, struct lookup *l)
{
	struct hourfile *home;
	struct envelope env;

	int rc = l->carried ? hours_home_of_any(p->hours, l->id, l->arena,
				  &env, &home)
			    : hours_home(p->hours, l->id, l->arena, &env,
				  &home);

	if (rc > 0)
		l->from = env.from;
	return rc > 0;
}

void lookup_fill(struct projector *p, struct lookup *l)
{
	struct gather g = {.l = l, .names = p->names};
	const struct open_message *e = map_get(&p->open.map, l->id);

	if ((e == NULL || l->sender) && !is_on_record(p, l) && e == NULL)
		return;
	hours_since(p->hours, l->id, on_hour, &g);
	if (e != NULL)
		on_open_message(&g, e);
}

/* ---- letters ---- */

void projector_lookup(struct projector *p, struct lookup *l)
{
	atomic_fetch_add(&p->asked, 1);
	mailbox_post(&p->box, &l->letter);
	mailbox_wake(&p->pause); /* it is waited for: nothing is gathered */
}

bool projector_quiet(const struct projector *p)
{
	return atomic_load(&p->asked) == 0;
}

void lookup_take(struct projector *p, int64_t mono_ms)
{
	struct letter *l = mailbox_take(&p->box), *next;

	for (; l != NULL; l = next) {
		next = l->next;
		CONTAINER_OF(l, struct lookup, letter)->asked_ms = mono_ms;
		l->next = NULL;
		*p->asked_end = l;
		p->asked_end = &l->next;
	}
}

static void answer(struct projector *p, struct lookup *l)
{
	lookup_fill(p, l);
	l->letter.kind = l->kind;
	mailbox_post(l->to, &l->letter);
	atomic_fetch_sub(&p->asked, 1);
}

void lookup_answer(struct projector *p, int64_t before_ms)
{
	while (p->asked_first != NULL) {
		struct lookup *l = CONTAINER_OF(p->asked_first, struct lookup,
		    letter);

		if (l->asked_ms > before_ms)
			return;
		p->asked_first = l->letter.next;
		if (p->asked_first == NULL)
			p->asked_end = &p->asked_first;
		answer(p, l);
	}
}
