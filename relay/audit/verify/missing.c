/* SPDX-License-Identifier: ISC
 *
 * Deliveries that the index knows as open and the journal does not hold: when
 * an era began, all that the journal held got a row of that era, so an open
 * row of before that has no successor was lost. Without the daemon the
 * journal itself is asked.
 */
#include <stdlib.h>

#include "relay/audit/verify/conserve_int.h"
#include "relay/base/hash.h"

static uint64_t key_of(uint64_t id, uint32_t number)
{
	const uint64_t k[2] = {id, number};

	return hash_bytes(k, sizeof(k));
}

void missing_see(struct recounting *c, const struct hour_recipient *r,
    const struct recipient_leg *l)
{
	bool held = c->out->holds == NULL &&
		    (r->era < 0 ? 0 : r->era) == c->era;
	uint64_t key = key_of(r->id, l->number);
	struct conserve_missing *m;

	if (held || !dstate_live(l->state)) {
		map_remove(&c->live, key);
		return;
	}
	m = arena_alloc(c->a, sizeof(*m));
	*m = (struct conserve_missing){.id = r->id, .number = l->number,
	    .rcpt = r->rcpt, .state = l->state, .from = "",
	    .to = arena_strdup(c->a, r->address),
	    .leg = arena_slicedup(c->a, l->leg)};
	map_put(&c->live, key, m);
}

/* ---- after the walk ---------------------------------------------------- */

/* In the index it counts all the same: it was created and is open. */
static void count(struct recounting *c, const struct conserve_missing *m)
{
	int leg = names_id(c->names, slice_str(m->leg));
	struct conserve_leg *l;

	c->out->missing++;
	/* Rows of this era are in the figures already. */
	if (leg < 0 || c->out->holds != NULL)
		return;
	l = &c->out->leg[leg];
	l->total[T_CREATED]++;
	l->rows++;
	l->total[dstate_total(m->state)]++;
}

static int find_sender(struct recounting *c)
{
	size_t at = 0;
	void *v;
	int rc = 0;

	while (rc >= 0 && (v = map_next(&c->live, &at, NULL)) != NULL) {
		struct conserve_missing *m = v;
		struct envelope env;

		if (m->from[0] != '\0')
			continue;
		rc = hourfile_message(c->file, m->id, c->a, &env);
		if (rc > 0)
			m->from = env.from;
	}
	return rc < 0 ? -1 : 0;
}

static void drop_held(struct recounting *c)
{
	size_t at = 0;
	uint64_t key;
	const struct conserve_missing *m;
	struct map missing;

	map_init(&missing);
	while ((m = map_next(&c->live, &at, &key)) != NULL)
		if (!c->out->holds(c->out->arg, m->id, m->number))
			map_put(&missing, key, (void *)m);
	map_fini(&c->live);
	c->live = missing;
}

static int by_id(const void *a, const void *b)
{
	const struct conserve_missing *x = *(void *const *)a;
	const struct conserve_missing *y = *(void *const *)b;

	int leg = strcmp(x->leg, y->leg);

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (leg != 0)
		return leg;
	return (x->number > y->number) - (x->number < y->number);
}

static void tell(struct recounting *c)
{
	const struct conserve_missing **all =
	    NEW_ARRAY(const struct conserve_missing *, c->out->missing + 1);
	size_t n = 0, at = 0;

	while ((all[n] = map_next(&c->live, &at, NULL)) != NULL)
		n++;
	qsort(all, n, sizeof(const struct conserve_missing *), by_id);
	for (size_t i = 0; i < n; i++)
		c->out->on_missing(c->out->arg, all[i]);
	mem_free(all);
}

int missing_tell(struct recounting *c, struct error *err)
{
	const struct conserve_missing *m;
	size_t at = 0;

	if (c->out->holds != NULL)
		drop_held(c);
	while ((m = map_next(&c->live, &at, NULL)) != NULL)
		count(c, m);
	if (c->out->missing == 0 || c->out->on_missing == NULL)
		return 0;
	if (recounting_each(c, find_sender, err) != 0)
		return -1;
	tell(c);
	return 0;
}
