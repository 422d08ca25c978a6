/* SPDX-License-Identifier: ISC
 *
 * A scheduled wave has its preflight by itself, twelve hours before it begins,
 * so that its members can still be made where they are missing.
 */
#include "relay/cutover/preflight/preflights_int.h"

#include "relay/base/log.h"

#define BEFORE_US (12 * HOUR_US)

struct wave_wanted {
	struct wave_wanted *next;
	const char *name;
	const char *route;
	int64_t created_us, since_us;
};

struct schedule_look {
	struct arena *a;
	struct wave_wanted *wanted;
	int64_t now_us;
};

static void on_wave(void *arg, const struct wave *w)
{
	struct schedule_look *l = arg;
	struct wave_wanted *one;

	if (w->state != WAVE_SCHEDULED || l->now_us < w->at_us - BEFORE_US)
		return;
	one = arena_alloc(l->a, sizeof(*one));
	*one = (struct wave_wanted){l->wanted, arena_strdup(l->a, w->name),
	    arena_strdup(l->a, w->route), w->created_us,
	    w->at_us - BEFORE_US};
	l->wanted = one;
}

/* One that began since, or within a day. */
static int had_one(struct preflights *p, struct schedule_look *l,
    const struct wave_wanted *w, struct error *err)
{
	const struct asking_which which = {.kind = ASKING_WAVE,
	    .about = w->name};
	struct asking at;
	int rc = asking_get(p->o, &which, l->a, &at, err);

	if (rc <= 0)
		return rc;
	return at.created_us == w->created_us &&
	       strcmp(at.route, w->route) == 0 &&
	       (at.started_us >= w->since_us ||
		   l->now_us - at.started_us < DAY_US);
}

/* A leg of the route that showed a sign within a day waits for a person. */
static int is_shut(struct preflights *p, struct schedule_look *l,
    const struct wave_wanted *w, struct error *err)
{
	struct slice rest = slice_str(w->route), leg;
	struct asked_stop stop;
	int rc = 0;

	while (rc == 0 && slice_next(&rest, '+', &leg)) {
		rc = asked_stop_get(p->o, arena_slicedup(l->a, leg), l->a,
		    &stop, err);
		if (rc > 0 && l->now_us - stop.at_us >= DAY_US)
			rc = 0;
	}
	return rc;
}

static int begin(struct preflights *p, struct schedule_look *l,
    const struct wave_wanted *w, struct error *err)
{
	const struct preflight_order order = {.kind = ASKING_WAVE,
	    .wave = w->name, .who = "posthoused"};
	int rc = had_one(p, l, w, err);

	if (rc == 0)
		rc = is_shut(p, l, w, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	log_info("preflight.scheduled", kv_str("wave", w->name));
	p->look = true;
	return preflight_rows(p, &order, err) < 0 ? -1 : 0;
}

int preflight_schedule(struct preflights *p, struct error *err)
{
	struct schedule_look l = {.a = arena_new(),
	    .now_us = preflights_wall_us(p)};
	struct wave_file *f = wave_file_open(p->shared->table_path, false,
	    err);
	int rc = f == NULL ? -1 : wave_each(f, on_wave, &l, err);

	wave_file_close(f);
	for (struct wave_wanted *w = l.wanted; rc == 0 && w != NULL;
	     w = w->next)
		rc = preflights_db(p, err) ? begin(p, &l, w, err) : -1;
	arena_free(l.a);
	return rc;
}
