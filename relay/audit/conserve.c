/* SPDX-License-Identifier: ISC
 *
 * The recount: one walk over the files, oldest first. Only what is open or
 * parked at the end of an hour is remembered into the next.
 */
#include "relay/audit/conserve.h"

#include <errno.h>

#include "relay/audit/hourfile.h"
#include "relay/audit/leg_states.h"
#include "relay/base/hash.h"
#include "relay/base/id.h"
#include "relay/base/map.h"
#include "relay/base/mem.h"

/* A recipient of which one file knows only superseded deliveries. */
struct suspect {
	uint64_t id;
	uint32_t rcpt;
	const char *to;
	struct suspect_leg { /* by number, as the newest file has it */
		uint32_t number;
		bool stands;
	} *leg;
	unsigned legs;
};

struct count {
	const char *dir;
	struct names *names;
	struct conserve *out;
	struct hourfile *file;
	struct map live; /* (id, number) to leg and state */
	int64_t first_hour;
	struct arena *a;
	struct suspect *suspect;
	size_t suspects, cap;
	uint64_t last_id;
};

/* ---- one delivery ------------------------------------------------------ */

static uint64_t key_of(uint64_t id, uint32_t number)
{
	const uint64_t k[2] = {id, number};

	return hash_bytes(k, sizeof(k));
}

/* Never NULL. */
static void *value_of(int leg, enum dstate state)
{
	return (void *)(uintptr_t)(((unsigned)leg << 8 | state) + 1);
}

static void count_value(struct conserve *out, const void *value)
{
	uintptr_t v = (uintptr_t)value - 1;

	out->leg[v >> 8].total[dstate_total((enum dstate)(v & 0xff))]++;
}

static void take_leg(struct count *c, uint64_t id,
    const struct recipient_leg *l)
{
	int leg = names_id(c->names, l->leg);
	uint64_t key = key_of(id, l->number);

	if (leg < 0)
		return;
	map_remove(&c->live, key);
	if (dstate_live(l->state))
		map_put(&c->live, key, value_of(leg, l->state));
	else
		count_value(c->out, value_of(leg, l->state));
}

/* ---- one recipient ----------------------------------------------------- */

/* Accepted before the oldest file that is kept: not in this balance. */
static bool is_older(struct count *c, uint64_t id)
{
	struct arena *a;
	struct envelope env;
	int rc;

	if (hour_of(id_wall_ms(id) * 1000) >= c->first_hour)
		return false;
	if (hourfile_hour(c->file) != c->first_hour)
		return true;
	a = arena_new(); /* an upload across the first hour's beginning? */
	rc = hourfile_message(c->file, id, a, &env);
	arena_free(a);
	return rc <= 0;
}

static void suspect_add(struct count *c, const struct hour_recipient *r)
{
	if (c->suspects == c->cap) {
		c->cap = c->cap == 0 ? 16 : c->cap * 2;
		c->suspect =
		    mem_resize(c->suspect, c->cap * sizeof(*c->suspect));
	}
	c->suspect[c->suspects++] = (struct suspect){.id = r->id,
	    .rcpt = r->rcpt, .to = arena_strdup(c->a, r->address)};
}

static void on_recipient(void *arg, const struct hour_recipient *r)
{
	struct count *c = arg;
	struct slice text = slice_str(r->legs);
	struct recipient_leg l;
	bool one_stands = false;

	if (is_older(c, r->id))
		return;
	while (leg_states_next(&text, &l)) {
		one_stands = one_stands || l.state != D_SUPERSEDED;
		take_leg(c, r->id, &l);
	}
	if (!one_stands)
		suspect_add(c, r);
	if (r->id != c->last_id)
		c->out->messages++;
	c->last_id = r->id;
	c->out->recipients++;
}

static void on_total(void *arg, const char *leg, const int64_t total[TOTALS])
{
	struct count *c = arg;
	int id = names_id(c->names, slice_str(leg));

	if (id >= 0)
		c->out->leg[id].total[T_CREATED] += total[T_CREATED];
}

/* How many are missing is not known for whole generations: one counts. */
static void on_note(void *arg, int64_t time_us, struct slice event,
    struct slice fields)
{
	struct count *c = arg;

	(void)time_us;
	(void)fields;
	if (slice_eq(event, SLICE("audit.gap")))
		c->out->skipped++;
}

/* ---- the walk ---------------------------------------------------------- */

static int walk_file(struct count *c)
{
	struct hour_key all = {.by = KEY_TIME, .until_us = INT64_MAX};

	if (hourfile_snapshot(c->file) != 0 ||
	    hourfile_totals(c->file, on_total, c) < 0 ||
	    hourfile_recipients(c->file, 0, on_recipient, c) < 0 ||
	    hourfile_notes(c->file, &all, on_note, c) < 0)
		return -1;
	return 0;
}

static int each_file(struct count *c, const int64_t *hour, size_t n,
    int (*fn)(struct count *c), struct error *err)
{
	const _Atomic bool *stop = c->out->stop;

	for (size_t i = 0; i < n; i++) {
		int rc;

		if (stop != NULL && atomic_load(stop))
			return error_set(err, "the recount was stopped");
		c->file = hourfile_open(c->dir, hour[i], HOUR_READ, err);
		if (c->file == NULL && err->no == ENOENT)
			continue;
		if (c->file == NULL)
			return -1;
		hourfile_stop_when(c->file, stop);
		rc = fn(c);
		if (rc != 0)
			error_set(err, "%s: %s", c->dir,
			    hourfile_error(c->file));
		hourfile_close(c->file);
		if (rc != 0)
			return -1;
	}
	return 0;
}

/* ---- recipients without a delivery that stands ------------------------- */

struct conserve_check {
	struct arena *a;
	struct suspect *s;
};

static void see_leg(struct arena *a, struct suspect *s,
    const struct recipient_leg *l)
{
	struct suspect_leg now = {l->number, l->state != D_SUPERSEDED}, *grown;

	for (unsigned i = 0; i < s->legs; i++)
		if (s->leg[i].number == l->number) {
			s->leg[i] = now;
			return;
		}
	grown = arena_alloc(a, (s->legs + 1) * sizeof(*grown));
	if (s->legs > 0)
		memcpy(grown, s->leg, s->legs * sizeof(*grown));
	grown[s->legs++] = now;
	s->leg = grown;
}

static void on_suspect_row(void *arg, const struct hour_recipient *r)
{
	struct conserve_check *c = arg;
	struct slice text = slice_str(r->legs);
	struct recipient_leg l;

	while (r->rcpt == c->s->rcpt && leg_states_next(&text, &l))
		see_leg(c->a, c->s, &l);
}

static bool stands(const struct suspect *s)
{
	for (unsigned i = 0; i < s->legs; i++)
		if (s->leg[i].stands)
			return true;
	return false;
}

static int check_suspects(struct count *c)
{
	int rc = 0;

	for (size_t i = 0; i < c->suspects && rc >= 0; i++) {
		struct conserve_check now = {c->a, &c->suspect[i]};

		rc = hourfile_recipients(
		    c->file, now.s->id, on_suspect_row, &now);
	}
	return rc < 0 ? -1 : 0;
}

static void balance(struct count *c)
{
	struct conserve *out = c->out;
	size_t at = 0;
	uint64_t key;
	const void *v;

	while ((v = map_next(&c->live, &at, &key)) != NULL)
		count_value(out, v);
	for (int i = 0; i < NAMES_MAX; i++) {
		struct conserve_leg *l = &out->leg[i];

		l->gap = l->total[T_CREATED];
		for (int t = T_CREATED + 1; t < TOTALS; t++)
			l->gap -= l->total[t];
	}
}

/* Several files may have made the same recipient suspect. */
static bool told(const struct count *c, size_t n)
{
	const struct suspect *s = &c->suspect[n];

	for (size_t i = 0; i < n; i++)
		if (c->suspect[i].id == s->id && c->suspect[i].rcpt == s->rcpt)
			return true;
	return false;
}

static void tell_lost(struct count *c)
{
	for (size_t i = 0; i < c->suspects; i++) {
		const struct suspect *s = &c->suspect[i];

		if (stands(s) || told(c, i))
			continue;
		c->out->lost++;
		c->out->on_lost(c->out->arg, s->id, s->to);
	}
}

int conserve_run(const char *dir, struct names *names, struct conserve *out,
    struct error *err)
{
	struct count c = {.dir = dir, .names = names, .out = out,
	    .a = arena_new()};
	int64_t *hour = NULL;
	size_t n = 0;
	int rc;

	*out = (struct conserve){.on_lost = out->on_lost, .arg = out->arg,
	    .stop = out->stop};
	map_init(&c.live);
	rc = hour_list(dir, &hour, &n, err);
	c.first_hour = n > 0 ? hour[0] : 0;
	if (rc == 0)
		rc = each_file(&c, hour, n, walk_file, err);
	if (rc == 0 && c.suspects > 0)
		rc = each_file(&c, hour, n, check_suspects, err);
	if (rc == 0) {
		balance(&c);
		tell_lost(&c);
	}
	map_fini(&c.live);
	mem_free(hour);
	mem_free(c.suspect);
	arena_free(c.a);
	return rc;
}
