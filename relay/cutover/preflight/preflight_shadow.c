/* SPDX-License-Identifier: ISC
 *
 * Shadows: a leg with `shadow` is asked about the recipients of mail that goes
 * elsewhere, once a day each, five a second in all, and only while no mail
 * waits for it. ledger.db has the recipients; a pass goes through all of them.
 */
#include "relay/cutover/preflight/preflight_rows.h"

#include "relay/audit/delivered/seen_reader.h"
#include "relay/base/log.h"

enum { RATE = 5, PAUSE_MS = 20000, READ_ROWS = 5000 };

/* Of one leg. */
struct preflight_shadow {
	struct preflight_page page;
	int64_t after; /* in ledger.db */
	int64_t pause_ms; /* until the next pass, or the next look */
};

/* A page being read. */
struct shadow_reading {
	struct preflights *p;
	const struct conf_leg *leg;
	struct preflight_page *page;
	struct table *table;
	struct arena *texts; /* of the row in hand */
	int64_t now_us;
	struct error *err;
	bool failed;
};

/* ---- which recipients ---------------------------------------------------- */

/* 1: it was asked about within a day. */
static int is_known(struct shadow_reading *r, const char *said)
{
	struct asked_row row = {.leg = r->leg->name, .said = said};
	int rc = asked_find(r->p->o, &row, r->texts, r->err);

	if (rc < 0)
		r->failed = true;
	return rc > 0 && row.at_us <= r->now_us &&
	       r->now_us - row.at_us < DAY_US;
}

static bool in_page(const struct preflight_page *g, const char *said)
{
	for (unsigned i = 0; i < g->n; i++)
		if (strcmp(g->item[i].said, said) == 0)
			return true;
	return false;
}

static void add(struct shadow_reading *r, const char *said,
    enum asked_kind kind)
{
	struct preflight_page *g = r->page;

	if (g->n == PREFLIGHT_PAGE || in_page(g, said) || is_known(r, said))
		return;
	said = arena_strdup(g->arena, said);
	g->item[g->n++] = (struct preflight_item){said, said, kind, 0, false};
}

static void look_at(struct shadow_reading *r, const char *address)
{
	const struct conf *c = r->p->snapshot->conf;
	struct decision d = {.held = false};
	struct strbuf said;
	struct addr addr;
	const char *why;

	if (addr_parse(slice_str(address), true, &addr, &why) != 0 ||
	    !route_resolve(c, r->table, &addr, r->texts, &d) ||
	    d.route.kind != ROUTE_LEGS || preflight_names(&d.route, r->leg->id))
		return;
	strbuf_init(&said, 2 * ADDR_MAX);
	route_address(&d, r->leg->id, &addr, c, &said);
	if (strchr(strbuf_cstr(&said), '@') != NULL) {
		add(r, strrchr(strbuf_cstr(&said), '@'), ASKED_RANDOM);
		add(r, strbuf_cstr(&said), ASKED_MEMBER);
	}
	strbuf_fini(&said);
}

static bool on_seen(void *arg, const char *address, int64_t last_us)
{
	struct shadow_reading *r = arg;

	if (r->now_us - last_us < DAY_US)
		look_at(r, address);
	return !r->failed && r->page->n + 2 <= PREFLIGHT_PAGE;
}

/* ---- a page -------------------------------------------------------------- */

static int read_rows(struct shadow_reading *r, struct preflight_shadow *s)
{
	struct seen_page page = {.after = s->after, .limit = READ_ROWS,
	    .fn = on_seen, .arg = r};
	bool full;
	int n;

	if (table_begin(r->table, r->err) < 0)
		return -1;
	n = seen_read(r->p->snapshot->conf, &page, r->err);
	table_end(r->table);
	full = n == READ_ROWS || r->page->n + 2 > PREFLIGHT_PAGE;
	s->after = n > 0 && full ? page.after : INT64_MIN;
	if (!full)
		s->pause_ms = preflights_mono_ms(r->p) + PAUSE_MS;
	return r->failed || n < 0 ? -1 : 0;
}

static int read_page(struct preflights *p, const struct conf_leg *leg,
    struct preflight_shadow *s, struct error *err)
{
	struct shadow_reading r = {.p = p, .leg = leg, .page = &s->page,
	    .texts = arena_new(), .now_us = preflights_wall_us(p),
	    .err = err};
	int rc = -1;

	preflight_page_drop(&s->page);
	s->page.arena = arena_new();
	r.table = table_open(p->shared->table_path, p->shared->names, err);
	if (r.table != NULL)
		rc = read_rows(&r, s);
	table_close(r.table);
	arena_free(r.texts);
	return rc;
}

/* A leg that showed a sign is left alone for a day. */
static int is_shut(struct preflights *p, const struct conf_leg *leg,
    struct error *err)
{
	struct arena *a = arena_new();
	struct asked_stop stop = {.at_us = 0};
	int rc = asked_stop_get(p->o, leg->name, a, &stop, err);

	arena_free(a);
	return rc > 0 ? preflights_wall_us(p) - stop.at_us < DAY_US : rc;
}

/* ---- steps --------------------------------------------------------------- */

static void hand_out(struct preflights *p, const struct conf_leg *leg,
    struct preflight_page *g)
{
	struct leg_asking *a = &p->leg[leg->id];
	int64_t now_us = p->shared->clock->mono_us(p->shared->clock);
	unsigned left = g->n - g->at, n;

	if (left == 0 || g->flights > 0 || now_us / 1000 < a->wait_ms)
		return;
	n = preflight_pace_take(&p->shadow_pace, now_us, RATE,
	    left < RATE ? left : RATE);
	n = n == 0 ? 0 : preflight_pace_take(&a->pace, now_us,
	    (unsigned)leg->ask_rate, n);
	if (n > 0)
		preflight_send(p, &(struct preflight_sent){.leg = leg->id,
		    .page = g, .n = n, .idle_only = true});
}

static int step_leg(struct preflights *p, const struct conf_leg *leg,
    struct error *err)
{
	struct preflight_shadow *s = p->shadow[leg->id];
	int rc;

	if (s == NULL) {
		s = p->shadow[leg->id] = NEW(struct preflight_shadow);
		s->after = INT64_MIN;
	}
	if (s->page.at == s->page.n && s->page.flights == 0 &&
	    preflights_mono_ms(p) >= s->pause_ms) {
		if (!preflights_db(p, err))
			return -1;
		rc = is_shut(p, leg, err);
		if (rc > 0)
			s->pause_ms = preflights_mono_ms(p) + PAUSE_MS;
		if (rc == 0)
			rc = read_page(p, leg, s, err);
		if (rc < 0)
			return -1;
	}
	hand_out(p, leg, &s->page);
	return 0;
}

/* ledger.db is made with the first mail: until then there is none to ask
 * about. */
void preflight_shadow_step(struct preflights *p)
{
	const struct conf *c = p->snapshot->conf;

	for (int i = 0; i < c->legs; i++) {
		const struct conf_leg *leg = &c->leg[i];
		struct error err;

		if (!leg->shadow || step_leg(p, leg, &err) == 0)
			continue;
		log_info("preflight.shadow", kv_str("leg", leg->name),
		    kv_err(&err));
		p->shadow[leg->id]->pause_ms = preflights_mono_ms(p) +
					       PAUSE_MS;
	}
}

bool preflight_shadow_busy(const struct preflights *p)
{
	const struct conf *c = p->snapshot->conf;

	for (int i = 0; i < c->legs; i++) {
		const struct preflight_shadow *s = p->shadow[c->leg[i].id];

		if (c->leg[i].shadow && s != NULL &&
		    (s->page.at < s->page.n || s->page.flights > 0 ||
			preflights_mono_ms(p) >= s->pause_ms))
			return true;
	}
	return false;
}

/* A sign: nothing more of this page. */
void preflight_shadow_stop(struct preflights *p, int leg)
{
	struct preflight_shadow *s = p->shadow[leg];

	if (s == NULL)
		return;
	s->page.at = s->page.n;
	s->pause_ms = preflights_mono_ms(p) + PAUSE_MS;
}

void preflight_shadow_free(struct preflights *p)
{
	for (int leg = 0; leg < NAMES_MAX; leg++) {
		if (p->shadow[leg] == NULL)
			continue;
		arena_free(p->shadow[leg]->page.arena);
		mem_free(p->shadow[leg]);
	}
}
