/* SPDX-License-Identifier: ISC
 *
 * from-leg and observed: does the server still send, and was the silence of
 * clients listened to for long enough?
 */
#include "relay/cli/verdict/gather.h"

#include "relay/base/clock.h"
#include "relay/cli/common/human.h"
#include "relay/observed/watched.h"
#include "relay/watch/from_legs.h"

struct watch_look {
	struct verdict_look *g;
	int64_t since_us;
	const char *listen; /* NULL: each that the verdict is about */
	int64_t sum_us, first_us;
};

static const char *age(struct verdict_look *g, int64_t us)
{
	struct strbuf text;
	const char *copy;

	strbuf_init(&text, 100);
	human_age(us / 1000000, &text);
	copy = arena_strdup(g->f.arena, strbuf_cstr(&text));
	strbuf_fini(&text);
	return copy;
}

/* ---- how long listeners were open -------------------------------------- */

static void on_span(void *arg, const struct watched_row *row)
{
	const struct watched_span span = {row->from_us, row->to_us,
	    row->observed_us};
	struct watch_look *l = arg;

	if (strcmp(l->listen, row->listen) != 0)
		return;
	if (l->first_us == 0)
		l->first_us = row->from_us;
	l->sum_us += watched_since(&span, l->since_us);
}

/* Watched behind `since_us`, of one listener. -1: it cannot be read. */
static int64_t watched(struct verdict_look *g, struct observed *o,
    const char *listen, int64_t since_us, struct error *err)
{
	struct watch_look l = {.g = g, .listen = listen,
	    .since_us = since_us};

	return watched_each(o, on_span, &l, err) < 0 ? -1 : l.sum_us;
}

/* The least of all listeners that count; INT64_MAX: there is none; -1. */
static int64_t watched_least(struct verdict_look *g, struct observed *o,
    int64_t since_us, struct error *err)
{
	int64_t least = INT64_MAX, us;

	for (int i = 0; i < g->conf->listens; i++) {
		const struct conf_listen *l = &g->conf->listen[i];

		if (!conf_verdict_listens(g->v, l))
			continue;
		us = watched(g, o, l->name, since_us, err);
		if (us < 0)
			return -1;
		least = us < least ? us : least;
	}
	return least;
}

/* A client that comes once a month is quiet by the wall clock, which may have
 * been set: it has to be by what was watched. */
static int look_at_longest(struct verdict_look *g, struct observed *o,
    struct error *err)
{
	int64_t need_us = g->longest.quiet_at_us - g->longest.last_us, us;

	if (g->longest.client == NULL)
		return 0;
	us = watched_least(g, o, g->longest.last_us, err);
	if (us < 0)
		return -1;
	if (us < need_us)
		gather_fact(g, FACT_UNOBSERVED_GAP, g->longest.last_us,
		    "%s: %s of %s since %s", g->longest.client, age(g, us),
		    age(g, need_us), gather_moment(g, g->longest.last_us));
	return 0;
}

static int look_at_listeners(struct verdict_look *g, struct observed *o,
    struct error *err)
{
	int64_t need_us = g->v->quiet_ms * 1000, us;
	int n = 0;

	for (int i = 0; i < g->conf->listens; i++) {
		const struct conf_listen *l = &g->conf->listen[i];

		if (!conf_verdict_listens(g->v, l))
			continue;
		n++;
		us = watched(g, o, l->name, g->last_client_us, err);
		if (us < 0)
			return -1;
		if (us < need_us)
			gather_fact(g, FACT_UNOBSERVED, 0, "%s: %s of %s%s%s",
			    l->name, age(g, us), age(g, need_us),
			    g->last_client_us != 0 ? " since " : "",
			    g->last_client_us != 0
				? gather_moment(g, g->last_client_us) : "");
	}
	if (look_at_longest(g, o, err) < 0)
		return -1;
	if (n == 0)
		gather_fact(g, FACT_NO_LISTENER, 0, "each listener is closed, "
		    "of a leg, or for outbound alone");
	g->f.looked[REASON_OBSERVED] = gather_text(g, "each listener was open "
	    "for %s or more%s%s, by a clock that is never set",
	    age(g, need_us), g->last_client_us != 0 ? " since " : "",
	    g->last_client_us != 0 ? gather_moment(g, g->last_client_us) : "");
	return 0;
}

/* ---- what came from the leg --------------------------------------------- */

struct came_look {
	struct verdict_look *g;
	struct observed *o;
	struct error *err;
	int rc;
};

/* Bodies of mail that came from it long ago do not matter: it is quiet once
 * the time that has to pass was watched since the last. */
static void on_came(void *arg, const struct came_row *row)
{
	static const char *const kinds[FROM_LEG_KINDS] = {
		[FROM_LEG_MAIL] = "mail for",
		[FROM_LEG_WAY_BACK] = "mail that reached it from outside, for",
		[FROM_LEG_OUTBOUND] = "mail for the outside, of",
		[FROM_LEG_REFUSED] = "refused mail for",
	};
	struct came_look *l = arg;
	struct verdict_look *g = l->g;
	bool known = row->kind > 0 && row->kind < FROM_LEG_KINDS;
	int64_t us;

	if (l->rc < 0 || strcmp(row->leg, g->v->leg) != 0 ||
	    !conf_verdict_has(g->conf, g->v, slice_str(row->domain)))
		return;
	us = watched_least(g, l->o, row->last_us, l->err);
	l->rc = us < 0 ? -1 : 0;
	if (us < 0 || us >= g->v->quiet_ms * 1000)
		return;
	gather_fact(g, row->kind == FROM_LEG_WAY_BACK ? FACT_WAY_BACK
						      : FACT_FROM_LEG,
	    row->last_us, "%s %s, %llu message%s, the last at %s%s%s",
	    known ? kinds[row->kind] : "mail of", row->domain[0] == '\0'
		? "no domain of ours" : row->domain,
	    (unsigned long long)row->messages, row->messages == 1 ? "" : "s",
	    gather_moment(g, row->last_us),
	    row->hop[0] == '\0' ? "" : ", from ", row->hop);
}

static int look_at_leg(struct verdict_look *g, struct observed *o,
    struct error *err)
{
	struct came_look l = {.g = g, .o = o, .err = err};
	const struct conf_leg *leg = &g->conf->leg[g->leg];
	int64_t us = watched_least(g, o, observed_since(o), err);
	bool listened = leg->clients.count > 0;

	for (int i = 0; i < g->conf->listens; i++)
		listened |= g->conf->listen[i].leg == g->leg;
	if (!listened)
		gather_fact(g, FACT_SHORT_WATCH, 0, "neither leg %s { clients "
		    "} nor a listener of it says which mail is its",
		    leg->name);
	if (us < 0 || came_each(o, on_came, &l, err) < 0 || l.rc < 0)
		return -1;
	if (us < g->v->quiet_ms * 1000)
		gather_fact(g, FACT_SHORT_WATCH, 0, "watched for %s of %s",
		    age(g, us), age(g, g->v->quiet_ms * 1000));
	g->f.looked[REASON_FROM_LEG] = gather_text(g, "no mail came from it "
	    "for %s, watched since %s", age(g, g->v->quiet_ms * 1000),
	    gather_moment(g, observed_since(o)));
	return 0;
}

void gather_watch(struct verdict_look *g)
{
	struct error err = {0};
	struct observed *o;
	int code = cli_call_if_running(g->c, "verdict.observe", NULL,
	    gather_ignore, NULL);

	o = observed_read(g->conf->audit.path, &err);
	if (o == NULL || look_at_listeners(g, o, &err) < 0)
		g->f.unread[REASON_OBSERVED] = gather_text(g, "%s", err.text);
	if (o == NULL || look_at_leg(g, o, &err) < 0)
		g->f.unread[REASON_FROM_LEG] = gather_text(g, "%s", err.text);
	if (code != CLI_DONE && o != NULL)
		g->f.unread[REASON_FROM_LEG] = "the daemon does not run or "
		    "cannot write what it has seen: the last minute is "
		    "missing";
	observed_close(o);
}
