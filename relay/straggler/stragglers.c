/* SPDX-License-Identifier: ISC
 *
 * Brings together what was counted here, what logs say, and marks.
 */
#include "relay/straggler/stragglers.h"

#include "policy/mark/straggler_file.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/straggler/imported.h"

struct stragglers {
	struct straggler_reader *seen;
	struct imported *imported; /* NULL: nothing was imported */
	struct straggler_marks *marks;
	struct conf_nets exempt;
};

struct stragglers *stragglers_open(const struct conf *c, struct error *err)
{
	struct stragglers *s = NEW(struct stragglers);
	bool none = false;

	s->exempt = c->spf.exempt;
	s->seen = straggler_reader_open(c->audit.path, err);
	if (s->seen != NULL)
		s->marks = straggler_marks_load(c->table.path, err);
	if (s->marks != NULL)
		s->imported = imported_open_any(c->audit.path, &none, err);
	if (s->imported != NULL || none)
		return s;
	stragglers_close(s);
	return NULL;
}

void stragglers_close(struct stragglers *s)
{
	if (s == NULL)
		return;
	straggler_reader_close(s->seen);
	imported_close(s->imported);
	straggler_marks_free(s->marks);
	mem_free(s);
}

int64_t stragglers_since(const struct stragglers *s)
{
	return straggler_reader_since(s->seen);
}

int stragglers_days(struct stragglers *s, int64_t id, int64_t day,
    struct straggler_day out[STRAGGLER_DAYS_KEPT + 1], struct error *err)
{
	return straggler_reader_days(s->seen, id, day, out, err);
}

/* ---- judging ------------------------------------------------------------- */

static bool is_listed(const struct stragglers *s, const char *client)
{
	struct conf_net net;
	struct conf_nets one = {&net, 1};
	const char *why;

	return conf_net_parse(slice_str(client), &net, &why) == 0 &&
	       (conf_nets_overlap(conf_private(), &one) ||
		   conf_nets_overlap(&s->exempt, &one));
}

static void judge(const struct stragglers *s, struct straggler_found *f,
    int64_t quiet_us)
{
	const struct straggler *seen = &f->seen;
	int64_t gap_us = f->facts.gap_us;

	f->marked = straggler_marks_find(s->marks, seen->key.client,
	    seen->name);
	f->facts = (struct straggler_facts){.first_us = seen->first_us,
	    .last_us = seen->last_us, .gap_us = seen->gap_us,
	    .delivered = seen->delivered, .proven = seen->proven,
	    /* Looked at only where it decides. */
	    .listed = seen->proven == 0 && seen->delivered > 0 &&
		is_listed(s, seen->key.client),
	    .mark = f->marked.mark};
	if (gap_us > f->facts.gap_us)
		f->facts.gap_us = gap_us;
	f->legitimate = straggler_legitimate(&f->facts);
	f->quiet_at_us = straggler_quiet_at(&f->facts, quiet_us);
}

struct walking {
	struct stragglers *s;
	const struct straggler_ask *ask;
	struct error *err;
	bool failed, enough;
};

static bool is_wanted(const struct straggler_ask *a,
    const struct straggler_key *k)
{
	return (a->listen == NULL || strcmp(a->listen, k->listen) == 0) &&
	       (a->customer == NULL || strcmp(a->customer, k->customer) == 0);
}

/* The longest gap may lie in the logs, or between them and here. */
static int64_t imported_gap(struct walking *w, const struct straggler *seen)
{
	struct imported_client c;
	int64_t between;
	int rc = w->s->imported == NULL ? 0
	    : imported_get_client(w->s->imported, seen->key.client, &c,
		w->err);

	w->failed = w->failed || rc < 0;
	if (rc <= 0)
		return 0;
	between = seen->first_us - c.last_us;
	return between > c.gap_us ? between : c.gap_us;
}

static bool on_seen(void *arg, const struct straggler *seen)
{
	struct straggler_found f = {.seen = *seen};
	struct walking *w = arg;

	if (!is_wanted(w->ask, &seen->key))
		return true;
	f.facts.gap_us = imported_gap(w, seen);
	judge(w->s, &f, w->ask->quiet_us);
	w->enough = !w->failed && !w->ask->fn(w->ask->arg, &f);
	return !w->failed && !w->enough;
}

/* One that was seen here too has been given already. */
static bool on_imported(void *arg, const struct imported_client *c)
{
	struct straggler_found f = {.imported = true, .seen = {
		.key = {c->client, "", ""}, .name = c->name, .helo = c->helo,
		.tls = "", .senders = c->senders, .first_us = c->first_us,
		.last_us = c->last_us, .gap_us = c->gap_us,
		.messages = c->messages, .recipients = c->recipients,
		.delivered = c->delivered, .proven = c->delivered}};
	struct walking *w = arg;
	int has;

	if (c->last_us < w->ask->since_us)
		return false;
	has = straggler_reader_has(w->s->seen, c->client, w->err);
	w->failed = has < 0;
	if (has != 0)
		return has > 0;
	judge(w->s, &f, w->ask->quiet_us);
	w->enough = !w->ask->fn(w->ask->arg, &f);
	return !w->enough;
}

int stragglers_each(struct stragglers *s, const struct straggler_ask *ask,
    struct error *err)
{
	struct walking w = {.s = s, .ask = ask, .err = err};
	struct straggler_look look = {ask->which, ask->since_us, on_seen, &w};
	int rc = straggler_reader_each(s->seen, &look, err);

	if (rc == 0 && !w.failed && !w.enough && s->imported != NULL &&
	    ask->which != STRAGGLERS_WANTING)
		rc = imported_clients(s->imported, on_imported, &w, err);
	return w.failed ? -1 : rc;
}

struct restless {
	const struct straggler_ask *ask;
	int64_t now_us;
};

static bool on_each(void *arg, const struct straggler_found *f)
{
	struct restless *r = arg;

	return !f->legitimate || f->quiet_at_us <= r->now_us ||
	       r->ask->fn(r->ask->arg, f);
}

int stragglers_restless(struct stragglers *s, const struct straggler_ask *ask,
    int64_t now_us, struct error *err)
{
	const int64_t most = STRAGGLER_DAYS * DAY_US;
	struct restless r = {ask, now_us};
	struct straggler_ask all = *ask;

	/* Those of before are quiet, whatever their gaps. */
	all.since_us = now_us - (ask->quiet_us > most ? ask->quiet_us : most);
	all.which = straggler_marks_keep(s->marks) ? STRAGGLERS_ALL
						   : STRAGGLERS_DELIVERED;
	all.fn = on_each;
	all.arg = &r;
	return stragglers_each(s, &all, err);
}

/* ---- inside -------------------------------------------------------------- */

static void add_file(void *arg, const struct imported_file *f)
{
	struct inside_logs *l = arg;

	l->files++;
	l->lines += f->lines;
	l->unread += f->unread;
	if (f->first_us != 0 && (l->first_us == 0 || f->first_us < l->first_us))
		l->first_us = f->first_us;
	if (f->last_us > l->last_us)
		l->last_us = f->last_us;
}

int stragglers_logs(struct stragglers *s, struct inside_logs *out,
    struct error *err)
{
	*out = (struct inside_logs){.files = 0};
	return s->imported == NULL
		   ? 0 : imported_files(s->imported, add_file, out, err);
}

struct inside_walk {
	void (*fn)(void *arg, const struct inside_delivery *d);
	void *arg;
};

static void on_inside(void *arg, const struct imported_inside *d)
{
	struct inside_walk *w = arg;

	w->fn(w->arg, &(struct inside_delivery){d->to, d->from, d->time_us,
	    d->deliveries});
}

int stragglers_inside(struct stragglers *s, int64_t after_us,
    void (*fn)(void *arg, const struct inside_delivery *d), void *arg,
    struct error *err)
{
	struct inside_walk w = {fn, arg};

	return s->imported == NULL ? 0
	    : imported_insides(s->imported, after_us, on_inside, &w, err);
}
