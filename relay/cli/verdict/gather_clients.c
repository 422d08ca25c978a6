/* SPDX-License-Identifier: ISC
 *
 * stragglers and inside: do clients that matter still come, and does the old
 * server still deliver inside itself?
 */
#include "relay/cli/verdict/gather.h"

#include <inttypes.h>

#include "relay/audit/delivered/watermark_reader.h"
#include "relay/base/clock.h"
#include "relay/straggler/stragglers.h"

/* ---- stragglers ------------------------------------------------------- */

/* Does a straggler of that customer, at that listener, matter here? Logs of
 * the old server say neither. */
static bool is_about(const struct verdict_look *g,
    const struct straggler_found *f)
{
	const struct conf *c = g->conf;
	bool listener = f->imported, customer = f->imported;

	for (int i = 0; i < c->listens && !listener; i++)
		listener = strcmp(c->listen[i].name, f->seen.key.listen) ==
			       0 && conf_verdict_listens(g->v, &c->listen[i]);
	for (int i = 0; i < c->domains && !customer; i++)
		customer = strcmp(c->domain[i].customer,
			       f->seen.key.customer) == 0 &&
			   conf_verdict_has(c, g->v,
			       slice_str(c->domain[i].name));
	/* Refused before a recipient was named: of no customer. */
	return listener && (customer || f->seen.key.customer[0] == '\0');
}

static bool on_client(void *arg, const struct straggler_found *f)
{
	struct verdict_look *g = arg;
	const char *name = f->seen.name == NULL ? "" : f->seen.name;

	if (!f->legitimate || !is_about(g, f))
		return true;
	if (!f->imported && f->seen.last_us > g->last_client_us)
		g->last_client_us = f->seen.last_us;
	if (!f->imported && f->quiet_at_us > g->longest.quiet_at_us) {
		g->longest.quiet_at_us = f->quiet_at_us;
		g->longest.last_us = f->seen.last_us;
		g->longest.client = arena_strdup(g->f.arena,
		    f->seen.key.client);
	}
	if (f->quiet_at_us > g->now_us)
		gather_fact(g, f->imported ? FACT_IMPORTED : FACT_STRAGGLER,
		    f->seen.last_us, "%s%s%s, last seen %s, quiet at %s",
		    f->seen.key.client, name[0] == '\0' ? "" : " ", name,
		    gather_moment(g, f->seen.last_us),
		    gather_moment(g, f->quiet_at_us));
	return true;
}

static int look_at_clients(struct verdict_look *g, struct stragglers *s,
    struct error *err)
{
	const int64_t quiet_us = g->v->quiet_ms * 1000;
	const struct straggler_ask ask = {.which = STRAGGLERS_ALL,
	    .quiet_us = quiet_us, .fn = on_client, .arg = g};
	int64_t since_us = stragglers_since(s);

	if (stragglers_each(s, &ask, err) < 0)
		return -1;
	if (since_us == 0 || g->now_us - since_us < quiet_us)
		gather_fact(g, FACT_SHORT_COUNT, 0, "clients are counted %s%s",
		    since_us == 0 ? "not yet" : "since ", since_us == 0 ? ""
			: gather_moment(g, since_us));
	g->f.looked[REASON_STRAGGLERS] = gather_text(g, "all clients that "
	    "matter have been quiet for long enough; counted since %s%s%s",
	    gather_moment(g, since_us), g->last_client_us == 0 ? "" :
	    ", the last was seen ", g->last_client_us == 0 ? "" :
	    gather_moment(g, g->last_client_us));
	return 0;
}

/* ---- inside ----------------------------------------------------------- */

struct inside_look {
	struct verdict_look *g;
	struct watermark_reader *marks; /* for its keys */
};

/* One that was never synchronized is spoken of by its watermark. */
static void on_inside(void *arg, const struct inside_delivery *d)
{
	struct inside_look *l = arg;
	struct slice to = slice_str(d->to);
	int64_t synced_us = gather_has(l->g, to)
	    ? gather_synced_at(l->g, watermark_reader_key(l->marks, to)) : 0;

	if (synced_us != 0 && d->time_us > synced_us)
		gather_fact(l->g, FACT_INSIDE, d->time_us,
		    "%s at %s from %s, synchronized %s", d->to,
		    gather_moment(l->g, d->time_us), d->from[0] == '\0' ? "<>"
			: d->from, gather_moment(l->g, synced_us));
}

/* The logs must cover the last flip, and the quiet time behind it. */
static void look_at_end(struct verdict_look *g, const struct inside_logs *logs)
{
	int64_t need_us = g->last_flip_us + g->v->quiet_ms * 1000;

	if (logs->files == 0)
		gather_fact(g, FACT_NO_LOG, 0, "%s", g->v->leg);
	else if (logs->last_us < need_us)
		gather_fact(g, FACT_LOG_ENDS, logs->last_us, "they end at %s, "
		    "and have to cover %s", gather_moment(g, logs->last_us),
		    gather_moment(g, need_us));
	g->f.looked[REASON_INSIDE] = gather_text(g, "%" PRIu64 " logs with %"
	    PRIu64 " lines, %" PRIu64 " of them not understood, until %s",
	    logs->files, logs->lines, logs->unread, logs->last_us == 0 ? "-"
		: gather_moment(g, logs->last_us));
}

static int look_inside(struct verdict_look *g, struct stragglers *s,
    struct error *err)
{
	struct inside_look l = {.g = g};
	struct inside_logs logs;
	int rc;

	if (stragglers_logs(s, &logs, err) < 0)
		return -1;
	look_at_end(g, &logs);
	if (logs.files == 0)
		return 0;
	l.marks = watermark_reader_open(g->conf, err);
	rc = l.marks == NULL ? -1
	    : stragglers_inside(s, g->first_sync_us, on_inside, &l, err);
	watermark_reader_close(l.marks);
	return rc < 0 ? -1 : 0;
}

void gather_clients(struct verdict_look *g)
{
	struct error err = {0};
	struct stragglers *s = stragglers_open(g->conf, &err);

	if (s == NULL || look_at_clients(g, s, &err) < 0)
		g->f.unread[REASON_STRAGGLERS] = gather_text(g, "%s",
		    err.text);
	if (s == NULL || look_inside(g, s, &err) < 0)
		g->f.unread[REASON_INSIDE] = gather_text(g, "%s", err.text);
	stragglers_close(s);
}
