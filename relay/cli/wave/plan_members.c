/* SPDX-License-Identifier: ISC
 *
 * Walks the rows of the table for a plan. A walk is the same each time while
 * the table has the same newest change, so the n-th member is the n-th again.
 */
#include "relay/cli/wave/plan_members.h"

#include <stdio.h>

#include "policy/row.h"
#include "relay/cli/table/cli_table.h"

/* A walk: `fn` gets the rows that may be members. */
struct plan_walk {
	struct plan_members *m;
	void (*fn)(struct plan_walk *w, const struct where_row *row);
	const struct plan_each *each; /* of the last walk */
	struct strbuf last;	      /* the key that was read last */
	uint32_t members;
	struct error *err;
	bool failed;
};

static void on_row(void *arg, struct slice key, const struct table_row *row)
{
	struct plan_walk *w = arg;
	const struct conf_domain *d;
	struct where_row fields = {
	    .address = key,
	    .route = slice_str(row->route_text),
	    .mailbox = slice_str(row->mailbox),
	    .tags = slice_str(row->tags),
	    .change = row->change,
	    .held = row->held,
	};

	strbuf_reset(&w->last);
	strbuf_addsl(&w->last, key);
	if (w->failed || (key.n > 0 && key.p[0] == '@'))
		return; /* the members of a wave are recipients */
	d = conf_domain(w->m->choice->conf, row_domain(key));
	fields.customer = slice_str(d == NULL ? "" : d->customer);
	w->fn(w, &fields);
}

static int walk(struct plan_walk *w)
{
	int n;

	strbuf_init(&w->last, ROW_TEXT_MAX);
	do {
		struct arena *a = arena_new();
		char *last = mem_dup(w->last.p, w->last.n);
		const struct table_page page = {
		    .after = slice_of(last, w->last.n),
		    .limit = TABLE_PAGE,
		    .a = a,
		    .fn = on_row,
		    .arg = w};

		n = table_rows(w->m->table, &page, w->err);
		mem_free(last);
		arena_free(a);
	} while (n == TABLE_PAGE && !w->failed);
	strbuf_fini(&w->last);
	return n < 0 || w->failed ? -1 : 0;
}

/* ---- which rows -------------------------------------------------------- */

static bool chosen(const struct plan_members *m, const struct where_row *row)
{
	return where_match(m->choice->where, row);
}

static bool has_route(const struct plan_members *m, const struct where_row *row)
{
	return slice_eq(row->route, slice_str(m->choice->to));
}

static bool is_busy(const struct plan_members *m, const struct where_row *row)
{
	return plan_keys_have(&m->busy, plan_key(PLAN_ADDRESS, row->address));
}

/* Chosen itself, or an address of a mailbox that is. */
static bool is_member(const struct plan_members *m, const struct where_row *row)
{
	if (has_route(m, row) || is_busy(m, row))
		return false;
	return chosen(m, row) || (row->mailbox.n > 0 &&
				     plan_keys_have(&m->mailboxes,
					 plan_key(PLAN_MAILBOX, row->mailbox)));
}

static void note_mailbox(struct plan_walk *w, const struct where_row *row)
{
	struct plan_members *m = w->m;

	if (!chosen(m, row))
		return;
	if (has_route(m, row)) {
		m->there++;
		return;
	}
	if (is_busy(m, row)) {
		if (m->elsewhere++ == 0)
			snprintf(m->elsewhere_first, sizeof(m->elsewhere_first),
			    "%.*s", (int)row->address.n, row->address.p);
		return;
	}
	if (row->mailbox.n > 0)
		plan_keys_add(
		    &m->mailboxes, plan_key(PLAN_MAILBOX, row->mailbox));
}

/* ---- what the split asks ------------------------------------------------ */

/* The value of a tag "key=value"; "" without one. */
static struct slice tag_value(struct slice tags, struct slice key)
{
	struct slice tag;

	while (slice_next(&tags, ' ', &tag))
		if (slice_starts(tag, key) && tag.n > key.n &&
		    tag.p[key.n] == '=')
			return slice_from(tag, key.n + 1);
	return SLICE("");
}

/* Its number; a value that is new is counted. */
static unsigned value_of(struct plan_walk *w, const struct where_row *row)
{
	struct plan_members *m = w->m;
	uint64_t key;
	uintptr_t number;

	if (m->choice->spread == NULL)
		return 0;
	key = plan_key(
	    PLAN_VALUE, tag_value(row->tags, slice_str(m->choice->spread)));
	key += key == 0;
	number = (uintptr_t)map_get(&m->values, key);
	if (number > 0)
		return (unsigned)number - 1;
	if (m->value_count == SPLIT_VALUES_MAX) {
		w->failed = true;
		error_set(w->err,
		    "the tag %s= has more than %d values, which "
		    "are too many to be spread; write one that has fewer",
		    m->choice->spread, SPLIT_VALUES_MAX);
		return 0;
	}
	map_put(&m->values, key, (void *)(uintptr_t)++m->value_count);
	return m->value_count - 1;
}

static enum split_rank rank_of(
    const struct plan_choice *c, const struct where_row *row)
{
	if (c->first != NULL && where_match(c->first, row))
		return SPLIT_FIRST;
	return c->last != NULL && where_match(c->last, row) ? SPLIT_LAST
							    : SPLIT_MIDDLE;
}

static void add_member(struct plan_walk *w, const struct where_row *row)
{
	struct plan_members *m = w->m;
	struct slice tags = row->tags, tag;
	uint32_t member;
	unsigned value;

	if (!is_member(m, row))
		return;
	value = value_of(w, row);
	member = split_add(m->split, plan_key(PLAN_ADDRESS, row->address),
	    rank_of(m->choice, row), value);
	m->members = member + 1;
	if (row->mailbox.n > 0)
		split_together(
		    m->split, member, plan_key(PLAN_MAILBOX, row->mailbox));
	while (slice_next(&tags, ' ', &tag))
		if (slice_starts(tag, SLICE("together=")))
			split_together(
			    m->split, member, plan_key(PLAN_TOGETHER, tag));
}

/* ---- waves that are active ---------------------------------------------- */

struct busy_walk {
	struct plan_members *m;
	int64_t *id; /* of active waves */
	int ids;
};

static void note_wave(void *arg, const struct wave *w)
{
	struct busy_walk *b = arg;

	if (!wave_state_active(w->state))
		return;
	b->id = mem_resize(b->id, (size_t)(b->ids + 1) * sizeof(b->id[0]));
	b->id[b->ids++] = w->id;
}

static void note_busy(void *arg, const struct member *member)
{
	struct busy_walk *b = arg;

	plan_keys_add(&b->m->busy, plan_key(PLAN_ADDRESS, member->address));
}

static int read_busy(
    struct plan_members *m, struct wave_file *waves, struct error *err)
{
	struct busy_walk b = {.m = m};
	int rc = wave_each(waves, note_wave, &b, err);

	for (int i = 0; i < b.ids && rc == 0; i++) {
		const struct member_page page = {.id = b.id[i], .state = -1,
		    .alone = true, .fn = note_busy, .arg = &b};

		rc = wave_members(waves, &page, err);
	}
	mem_free(b.id);
	plan_keys_sort(&m->busy);
	return rc;
}

/* ---- all of it ---------------------------------------------------------- */

static int newest_change(
    struct table *t, int64_t *change_out, struct error *err)
{
	if (table_begin(t, err) < 0)
		return -1;
	*change_out = table_change(t, err);
	table_end(t);
	return *change_out < 0 ? -1 : 0;
}

static int run(struct plan_members *m,
    void (*fn)(struct plan_walk *w, const struct where_row *row),
    struct error *err)
{
	struct plan_walk w = {.m = m, .fn = fn, .err = err};

	return walk(&w);
}

int plan_members_read(struct plan_members *m, const struct plan_choice *choice,
    struct table *table, struct wave_file *waves, struct error *err)
{
	*m = (struct plan_members){.choice = choice, .table = table};
	map_init(&m->values);
	m->split = split_new();
	if (newest_change(table, &m->change, err) < 0 ||
	    (waves != NULL && read_busy(m, waves, err) < 0) ||
	    run(m, note_mailbox, err) < 0)
		return -1;
	plan_keys_sort(&m->mailboxes);
	return run(m, add_member, err);
}

void plan_members_fini(struct plan_members *m)
{
	split_free(m->split);
	plan_keys_fini(&m->mailboxes);
	plan_keys_fini(&m->busy);
	map_fini(&m->values);
}

static void give_member(struct plan_walk *w, const struct where_row *row)
{
	if (!is_member(w->m, row))
		return;
	/* row->route is a text with a NUL (on_row()) */
	w->failed = w->members == w->m->members ||
		    w->each->fn(w->each->arg, w->members, row->address,
			row->route.p, w->err) < 0;
	w->members++;
}

int plan_members_each(
    struct plan_members *m, const struct plan_each *each, struct error *err)
{
	struct plan_walk w = {
	    .m = m, .fn = give_member, .each = each, .err = err};
	int64_t change;

	if (newest_change(m->table, &change, err) < 0)
		return -1;
	error_set(err, "the cutover table was changed while the plan was "
		       "made; plan again");
	if (change != m->change || walk(&w) < 0 || w.members != m->members)
		return -1;
	return 0;
}
