/* SPDX-License-Identifier: ISC
 *
 * An asking that is under way: which of its rows are due, and how many of them
 * a leg may be asked about now.
 */
#include "relay/cutover/preflight/preflights_int.h"

#include "relay/base/log.h"
#include "relay/mail/addr.h"
#include "relay/post/workers.h"

struct preflight_job *preflight_job_new(struct arena *a,
    const struct asking *asking)
{
	struct preflight_job *j = NEW(struct preflight_job);

	j->arena = a;
	j->asking = *asking;
	return j;
}

void preflight_job_free(struct preflight_job *j)
{
	PH_ASSERT(j->flights == 0);
	for (int leg = 0; leg < NAMES_MAX; leg++)
		if (j->page[leg] != NULL) {
			arena_free(j->page[leg]->arena);
			mem_free(j->page[leg]);
		}
	arena_free(j->arena);
	mem_free(j);
}

/* ---- pages --------------------------------------------------------------- */

/* Those that were handed out and have not come back need its texts. */
void preflight_page_drop(struct preflight_page *g)
{
	PH_ASSERT(g->flights == 0);
	arena_free(g->arena);
	g->arena = NULL;
	g->n = g->at = 0;
}

struct page_reading {
	struct preflight_page *page;
	int64_t now_us;
};

static void on_row(void *arg, const struct asked_row *row)
{
	struct page_reading *r = arg;
	struct preflight_page *g = r->page;

	g->item[g->n++] = (struct preflight_item){
	    .address = arena_strdup(g->arena, row->address),
	    .said = arena_strdup(g->arena, row->said),
	    .kind = row->kind,
	    .tries = row->tries,
	    .fresh = preflight_fresh((enum preflight_class)row->class,
		row->at_us, r->now_us),
	};
}

static int settle_fresh(struct preflights *p, const struct preflight_job *j,
    const char *leg, struct preflight_page *g, struct error *err)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < g->n; i++) {
		const struct preflight_item *it = &g->item[i];
		const struct asked_row row = {.leg = leg,
		    .address = it->address, .tries = it->tries,
		    .settled = true};

		if (!it->fresh)
			g->item[kept++] = *it;
		else if (asked_mark(p->o, j->asking.number, &row, 0, err) < 0)
			return -1;
	}
	g->asked = g->asked || g->n > 0;
	g->n = kept;
	return 0;
}

/* Reads what is due, and settles at once what was answered within a day. */
static int read_page(struct preflights *p, const struct preflight_job *j,
    const char *leg, struct preflight_page *g, struct error *err)
{
	struct page_reading r = {g, preflights_wall_us(p)};
	const struct asked_page page = {.number = j->asking.number,
	    .leg = leg, .due_us = r.now_us, .limit = PREFLIGHT_PAGE,
	    .fn = on_row, .arg = &r};
	int rc;

	preflight_page_drop(g);
	g->arena = arena_new();
	if (observed_do(p->o, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	rc = asked_rows(p->o, &page, err);
	if (rc > 0)
		rc = settle_fresh(p, j, leg, g, err);
	if (rc >= 0)
		rc = asked_next_due(p->o, j->asking.number, leg, &g->due_us,
		    err);
	return observed_do(p->o, rc < 0 ? "ROLLBACK" : "COMMIT", err) < 0
		   ? -1 : rc;
}

/* ---- handing out --------------------------------------------------------- */

void preflight_send(struct preflights *p, const struct preflight_sent *s)
{
	struct preflight_page *g = s->page;
	struct preflight_flight *f = NEW(struct preflight_flight);
	struct ask_batch *b = ask_batch_new(s->leg);
	unsigned workers = (unsigned)p->shared->workers->n;
	char random[2 * ADDR_MAX];

	PH_ASSERT(s->n <= ASK_BATCH_MAX && s->n <= g->n - g->at);
	*f = (struct preflight_flight){.p = p, .job = s->job, .page = g};
	for (unsigned i = 0; i < s->n; i++) {
		const struct preflight_item *it = &g->item[g->at++];

		f->item[i] = *it;
		snprintf(random, sizeof(random), "nobody-%016llx%s",
		    (unsigned long long)rng_u64(p->shared->rng), it->said);
		(void)ask_batch_add(b,
		    it->kind == ASKED_RANDOM ? random : it->said);
	}
	b->idle_only = s->idle_only;
	b->back = &p->box;
	b->done = preflight_answered;
	b->arg = f;
	g->flights++;
	if (s->job != NULL)
		s->job->flights++;
	p->leg[s->leg].batches++;
	ask_batch_post(p->cfg.worker[p->next_worker++ % workers], b);
}

static void hand_out(struct preflights *p, struct preflight_job *j,
    const struct conf_leg *leg)
{
	struct leg_asking *a = &p->leg[leg->id];
	struct preflight_page *g = j->page[leg->id];
	int64_t now_us = p->shared->clock->mono_us(p->shared->clock);

	while (g->at < g->n && now_us / 1000 >= a->wait_ms &&
	       a->batches < (unsigned)leg->ask_connections) {
		unsigned left = g->n - g->at;
		unsigned n = preflight_pace_take(&a->pace, now_us,
		    (unsigned)leg->ask_rate,
		    left < ASK_BATCH_MAX ? left : ASK_BATCH_MAX);

		if (n == 0)
			return;
		preflight_send(p, &(struct preflight_sent){.job = j,
		    .page = g, .leg = leg->id, .n = n});
	}
}

/* 1: something of that leg is left. */
static int step_leg(struct preflights *p, struct preflight_job *j,
    const struct conf_leg *leg, struct error *err)
{
	struct preflight_page *g = j->page[leg->id];

	if (g == NULL) {
		g = j->page[leg->id] = NEW(struct preflight_page);
		g->due_us = 0;
	}
	if (g->at == g->n && g->flights == 0 &&
	    g->due_us <= preflights_wall_us(p) &&
	    read_page(p, j, leg->name, g, err) < 0)
		return -1;
	hand_out(p, j, leg);
	return g->at < g->n || g->flights > 0 || g->due_us != INT64_MAX;
}

/* ---- its end ------------------------------------------------------------- */

int preflight_job_end(struct preflights *p, struct preflight_job *j,
    int stop, const char *reason, struct error *err)
{
	struct strbuf notes;
	struct asking *a = &j->asking;
	int rc;

	strbuf_init(&notes, 4096);
	preflight_notes(p, j, &notes);
	a->ended_us = preflights_wall_us(p);
	a->stop = stop;
	a->reason = arena_strdup(j->arena, reason);
	a->notes = arena_slicedup(j->arena, strbuf_view(&notes));
	strbuf_fini(&notes);
	rc = asking_end(p->o, a, err);
	j->over = rc == 0;
	if (rc == 0)
		log_info("preflight.end", kv_int("asking", a->number),
		    kv_str("about", a->about), kv_str("reason", reason));
	return rc;
}

int preflight_job_step(struct preflights *p, struct preflight_job *j,
    struct error *err)
{
	const struct conf *c = p->snapshot->conf;
	bool left = false;

	for (int i = 0; i < c->legs && !j->over; i++) {
		int rc = c->leg[i].egress || c->leg[i].direct
			     ? 0 : step_leg(p, j, &c->leg[i], err);

		if (rc < 0)
			return -1;
		left = left || rc > 0;
	}
	if (left || j->over)
		return 0;
	return preflight_job_end(p, j, PREFLIGHT_GO, "", err);
}
