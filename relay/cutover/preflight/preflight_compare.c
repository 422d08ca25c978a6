/* SPDX-License-Identifier: ISC
 *
 * The recipients of a comparison: those of a wave, a random sample of the
 * table's, or all, as far as their domain may use both legs.
 */
#include "relay/cutover/preflight/preflight_rows.h"

#include "policy/row.h"
#include "relay/base/hash.h"

enum { PAGE = 1000, ALL_MAX = 200000 };

/* The kept ones of a sample: those whose keyed hashes are smallest, as a heap
 * whose first has the largest. */
struct drawn {
	uint64_t hash;
	char *key;
};

struct leg_comparing {
	struct preflight_rows *r;
	int leg[2];
	struct drawn *drawn; /* of a sample */
	size_t n, max;
	uint64_t seed, seen;
	char *last; /* key of the page's last row */
};

/* ---- one recipient ------------------------------------------------------- */

static bool may_use(const struct leg_comparing *q, struct slice key)
{
	const struct conf *c = q->r->p->snapshot->conf;
	const struct conf_domain *d = conf_domain(c, row_domain(key));
	const struct names *names = q->r->p->shared->names;

	return d != NULL &&
	       conf_domain_may(d, slice_str(names_text(names, q->leg[0]))) &&
	       conf_domain_may(d, slice_str(names_text(names, q->leg[1])));
}

static void put(struct leg_comparing *q, const char *key)
{
	struct preflight_rows *r = q->r;
	struct preflight_who w = {.key = key};
	struct strbuf route;
	struct decision d;
	struct addr addr;

	preflight_next_row(r);
	if (!preflight_decide(r, slice_str(key), &addr, &d))
		return;
	strbuf_init(&route, ROW_TEXT_MAX);
	route_print(&d.route, r->p->shared->names, &route);
	w.tag = strbuf_cstr(&route);
	w.addr = &addr;
	w.decision = &d;
	for (int i = 0; i < 2 && !r->failed; i++)
		preflight_put(r, &w, q->leg[i]);
	strbuf_fini(&route);
}

/* ---- a sample ------------------------------------------------------------ */

static void sift_down(struct drawn *d, size_t n)
{
	for (size_t at = 0, big; 2 * at + 1 < n; at = big) {
		struct drawn was = d[at];

		big = 2 * at + 1;
		if (big + 1 < n && d[big + 1].hash > d[big].hash)
			big++;
		if (d[big].hash <= was.hash)
			return;
		d[at] = d[big];
		d[big] = was;
	}
}

static void sift_up(struct drawn *d, size_t at)
{
	for (; at > 0 && d[at].hash > d[(at - 1) / 2].hash;
	     at = (at - 1) / 2) {
		struct drawn was = d[at];

		d[at] = d[(at - 1) / 2];
		d[(at - 1) / 2] = was;
	}
}

static void draw(struct leg_comparing *q, struct slice key)
{
	struct drawn one = {hash_bytes(key.p, key.n) ^ q->seed, NULL};

	one.hash *= UINT64_C(0x9e3779b97f4a7c15);
	if (q->n == q->max && one.hash >= q->drawn[0].hash)
		return;
	one.key = mem_slicedup(key);
	if (q->n < q->max) {
		q->drawn[q->n] = one;
		sift_up(q->drawn, q->n++);
		return;
	}
	mem_free(q->drawn[0].key);
	q->drawn[0] = one;
	sift_down(q->drawn, q->n);
}

/* ---- the table's rows ---------------------------------------------------- */

static void on_row(void *arg, struct slice key, const struct table_row *row)
{
	struct leg_comparing *q = arg;

	(void)row;
	mem_free(q->last);
	q->last = mem_slicedup(key);
	if (key.n == 0 || key.p[0] == '@' || q->r->failed || !may_use(q, key))
		return;
	q->seen++;
	draw(q, key);
}

static int read_table(struct leg_comparing *q)
{
	int n;

	do {
		struct arena *a = arena_new();
		const struct table_page page = {
		    .after = slice_str(q->last == NULL ? "" : q->last),
		    .limit = PAGE, .a = a, .fn = on_row, .arg = q};

		n = table_rows(q->r->table, &page, q->r->err);
		arena_free(a);
	} while (n == PAGE);
	return n < 0 ? -1 : 0;
}

static int of_table(struct leg_comparing *q, int64_t sample)
{
	int rc;

	q->max = sample > 0 && sample < ALL_MAX ? (size_t)sample : ALL_MAX;
	q->drawn = NEW_ARRAY(struct drawn, q->max);
	rc = read_table(q);
	if (rc == 0 && sample == 0 && q->seen > ALL_MAX)
		rc = error_set(q->r->err, "there are more recipients than can "
		    "be asked about in a day; take some of them: --sample "
		    "2000, or --wave W");
	for (size_t i = 0; i < q->n; i++) {
		if (rc == 0)
			put(q, q->drawn[i].key);
		mem_free(q->drawn[i].key);
	}
	mem_free(q->drawn);
	mem_free(q->last);
	return rc;
}

/* ---- a wave's members ---------------------------------------------------- */

static void on_member(void *arg, const struct member *m)
{
	struct leg_comparing *q = arg;
	char *key;

	if (q->r->failed || !may_use(q, m->address))
		return;
	key = mem_slicedup(m->address);
	put(q, key);
	mem_free(key);
}

static int of_wave(struct leg_comparing *q, const char *name)
{
	struct member_page page = {.state = -1, .fn = on_member, .arg = q};
	struct wave w;

	if (wave_need(q->r->waves, name, &w, q->r->err) < 0)
		return -1;
	page.id = w.id;
	return wave_members(q->r->waves, &page, q->r->err);
}

/* ---- which legs ---------------------------------------------------------- */

static const struct conf_leg *leg_named(struct preflight_rows *r,
    const char *name)
{
	const struct conf_leg *l =
	    conf_leg_by_name(r->p->snapshot->conf, slice_str(name));

	if (l != NULL && !l->direct && !l->egress)
		return l;
	error_set(r->err, "no leg is called \"%s\"; see `posthouse leg list`",
	    name);
	return NULL;
}

/* The only other one. */
static const struct conf_leg *other_leg(struct preflight_rows *r,
    const struct conf_leg *leg)
{
	const struct conf *c = r->p->snapshot->conf;
	const struct conf_leg *other = NULL;

	for (int i = 0; i < c->legs; i++) {
		const struct conf_leg *l = &c->leg[i];

		if (l->egress || l->direct || l == leg)
			continue;
		if (other != NULL) {
			error_set(r->err, "name the leg that %s is compared "
			    "with: --against %s", leg->name, other->name);
			return NULL;
		}
		other = l;
	}
	if (other == NULL)
		error_set(r->err, "there is no other leg to compare %s with",
		    leg->name);
	return other;
}

int compare_rows(struct preflight_rows *r, const struct preflight_order *o)
{
	struct leg_comparing q = {.r = r, .seed = rng_u64(r->p->shared->rng)};
	const struct conf_leg *leg = leg_named(r, o->leg), *other;
	struct asking a = {.kind = ASKING_COMPARE, .who = o->who,
	    .started_us = preflights_wall_us(r->p)};
	int rc;

	if (leg == NULL)
		return -1;
	other = o->against != NULL ? leg_named(r, o->against)
				   : other_leg(r, leg);
	if (other == NULL)
		return -1;
	if (other == leg)
		return error_set(r->err, "%s cannot be compared with itself",
		    leg->name);
	q.leg[0] = leg->id;
	q.leg[1] = other->id;
	a.about = leg->name;
	a.route = other->name;
	if (!preflight_begin(r, &a))
		return -1;
	rc = o->wave != NULL ? of_wave(&q, o->wave) : of_table(&q, o->sample);
	return r->failed ? -1 : rc;
}
