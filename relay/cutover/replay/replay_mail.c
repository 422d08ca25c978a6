/* SPDX-License-Identifier: ISC
 *
 * One message of a replay: a hash is only a hint, so each recipient is looked
 * up in the table as at an attempt, and judged by what the journal has.
 */
#include "relay/cutover/replay/replay_int.h"

#include <stdlib.h>

#include "policy/chooser.h"
#include "policy/route.h"
#include "relay/mail/envelope.h"
#include "relay/post/mail.h"

/* ---- who is wanted ----------------------------------------------------- */

static int by_hash(const void *a, const void *b)
{
	const struct replay_wanted *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

struct replay_wanted *replay_wanted_of(const struct conf *c,
    const struct replay_user *user, size_t n, struct arena *a,
    struct error *err)
{
	struct replay_wanted *w = arena_alloc(a, (n + 1) * sizeof(*w));
	struct strbuf base;

	strbuf_init(&base, 2 * ADDR_MAX);
	for (size_t i = 0; i < n && w != NULL; i++) {
		struct slice key = slice_str(user[i].address);

		strbuf_reset(&base);
		if (route_base(c, key, &base)) {
			w[i].base = arena_slicedup(a, strbuf_view(&base));
			w[i].hash = mail_key_hash(c, key);
		} else {
			error_set(err, "%s is no recipient's address",
			    user[i].address);
			w = NULL;
		}
	}
	strbuf_fini(&base);
	if (w != NULL && n > 1)
		qsort(w, n, sizeof(*w), by_hash);
	return w;
}

/* Equal hashes stand together. */
static bool is_wanted(const struct replay_job *j, const char *base)
{
	uint64_t hash = mail_hash(base);
	size_t from = 0, to = j->wanteds;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (j->wanted[mid].hash < hash)
			from = mid + 1;
		else
			to = mid;
	}
	for (; from < j->wanteds && j->wanted[from].hash == hash; from++)
		if (strcmp(j->wanted[from].base, base) == 0)
			return true;
	return false;
}

/* ---- one recipient ----------------------------------------------------- */

struct looking {
	struct replay_job *j;
	const struct mail *m;
	struct table *t;
	struct arena *a;
};

/* One that stands in a plus-separated list. */
static bool is_in(const char *list, const char *leg)
{
	struct slice rest = slice_str(list == NULL ? "" : list), part;

	while (rest.n > 0 && slice_next(&rest, '+', &part))
		if (slice_eq(part, slice_str(leg)))
			return true;
	return slice_eq(rest, slice_str(leg));
}

/* No leg gets what it brought (D6). */
static bool came_from(const struct looking *l, uint32_t rcpt)
{
	const char *to = l->j->row.to_leg;

	return envelope_loops(&l->m->env, rcpt, to) ||
	       is_in(l->m->env.came_from, to);
}

static struct replay_case case_of(const struct looking *l, uint32_t rcpt)
{
	struct replay_case c = {0};

	for (unsigned i = 0; i < l->m->deliveries; i++)
		if (l->m->delivery[i].rcpt == rcpt)
			replay_case_add(&c, &l->j->asked, i,
			    &l->m->delivery[i]);
	return c;
}

static void take_ours(const struct looking *l, uint32_t rcpt,
    const struct replay_case *c)
{
	replay_made_add(l->j, &(struct replay_mail){.id = l->m->env.id,
	    .rcpt = rcpt, .number = c->number, .state = c->state,
	    .address = l->m->env.rcpt[rcpt].to,
	    .time_us = l->m->delivery[c->number].created_us});
}

static void take_go(const struct looking *l, uint32_t rcpt, const char *base,
    uint64_t change)
{
	struct replay_job *j = l->j;
	struct revive_request *q = &j->request;

	if (came_from(l, rcpt)) {
		j->row.came_from++;
		j->row_dirty = true;
		return;
	}
	j->to[q->n] = (struct revive_to){rcpt, mail_hash(base)};
	j->to_address[q->n++] = l->m->env.rcpt[rcpt].to;
	q->change = change;
}

/* False: the table cannot be read now. */
static bool look_at(const struct looking *l, uint32_t rcpt)
{
	const struct conf *c = l->j->r->snapshot->conf;
	struct replay_case has = case_of(l, rcpt);
	enum replay_verdict verdict = replay_judge(&has);
	struct decision d;
	struct addr to;

	if ((verdict != REPLAY_GO && verdict != REPLAY_OURS) ||
	    !mail_rcpt_addr(l->m, rcpt, &to) ||
	    recipient_chooser(c, &l->m->env, &to) != CHOOSER_TABLE)
		return true;
	memset(&d, 0, sizeof(d));
	if (!route_resolve(c, l->t, &to, l->a, &d) ||
	    d.change < atomic_load(&l->j->r->c.shared->change_seen))
		return false;
	if (!is_wanted(l->j, d.base))
		return true;
	if (verdict == REPLAY_OURS)
		take_ours(l, rcpt, &has);
	else
		take_go(l, rcpt, d.base, d.change);
	return true;
}

/* ---- the message ------------------------------------------------------- */

static struct table *table_now(struct replay *r)
{
	uint64_t epoch = atomic_load(&r->c.shared->table_epoch);
	struct error err;

	if (r->table != NULL &&
	    (r->table_epoch != epoch || table_moved(r->table))) {
		table_close(r->table);
		r->table = NULL;
	}
	if (r->table == NULL)
		r->table = table_open(r->c.shared->table_path,
		    r->c.shared->names, &err);
	r->table_epoch = epoch;
	return r->table != NULL && table_begin(r->table, &err) == 0 ? r->table
								     : NULL;
}

/* As mail_of_fetch(), which takes the fetch. */
static bool unpack(struct replay_job *j, struct arena *a, struct mail *m)
{
	const struct spool_fetch *f = j->fetch;

	*m = (struct mail){.delivery = f->delivery,
	    .deliveries = f->deliveries};
	if (envelope_unpack(strbuf_view(&f->envelope), a, &m->env) == 0)
		return true;
	j->row.unread++;
	j->row_dirty = true;
	return false;
}

bool replay_mail_look(struct replay_job *j)
{
	struct arena *a = arena_new();
	struct mail m;
	struct looking l = {j, &m, NULL, a};
	bool ok = true;

	j->request.n = 0;
	if (unpack(j, a, &m)) {
		l.t = table_now(j->r);
		ok = l.t != NULL;
		mem_free(j->to);
		mem_free(j->to_address);
		j->to = NEW_ARRAY(struct revive_to, m.env.rcpts + 1);
		j->to_address = NEW_ARRAY(const char *, m.env.rcpts + 1);
		for (uint32_t i = 0; ok && i < m.env.rcpts; i++)
			ok = look_at(&l, i);
		if (l.t != NULL)
			table_end(l.t);
		j->request.sender = mail_sender(m.env.from);
		for (unsigned i = 0; i < j->request.n; i++)
			j->to_address[i] =
			    arena_strdup(j->arena, j->to_address[i]);
	}
	arena_free(a);
	return ok;
}
