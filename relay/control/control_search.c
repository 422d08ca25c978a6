/* SPDX-License-Identifier: ISC
 *
 * trace and the recount of audit verify, answered by the daemon for clients
 * that may talk to it but not read the index. Both read files, so each has a
 * thread of its own, which hands its rows over in chunks and waits while the
 * client is slow. A thread ends soon after its client is found to be gone, and
 * at the stop, which waits for it. The ops loop, but for what is marked
 * otherwise.
 */
#include "relay/control/control_int.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "relay/audit/verify/conserve.h"
#include "relay/audit/verify/journal_look.h"
#include "relay/audit/search/search.h"
#include "relay/base/mem.h"
#include "relay/base/thread.h"

enum {
	CHUNK = 256 << 10,
	STALLED_MS = 3000, /* a client that reads nothing keeps its place */
};

struct searching {
	struct control *c;
	struct list node; /* of control.searching */
	struct ctl_request *r;
	pthread_t thread;
	struct arena *arena;
	char *dir;
	struct search q;
	struct spool_pos at; /* conserve.want; or behind is counted from */
	int (*run)(struct searching *s); /* on the thread */
	struct strbuf events; /* lines; the thread's, or the loop's in turn */
	struct mailbox turn;  /* the thread's: go on */
	struct letter go;
	_Atomic bool gone; /* the client, or at the stop: ends the thread */
	bool over;
	int64_t stalled_ms; /* since when the client is waited for; or 0 */
	int status;
	struct error err;
};

/* ---- the loop's side ---- */

static void leave_place(struct searching *s)
{
	for (int i = 0; i < SEARCHES_MAX; i++)
		if (s->c->place[i] == s)
			s->c->place[i] = NULL;
}

static void search_end(struct searching *s)
{
	pthread_join(s->thread, NULL);
	if (s->status != 0)
		ctl_end(s->r, 1, "%s", s->err.text);
	else
		ctl_end(s->r, 0, "%s", s->q.more ? "there are more messages; "
		    "narrow the search or raise --limit" : "");
	list_remove(&s->node);
	s->c->busy--;
	leave_place(s);
	mailbox_fini(&s->turn);
	strbuf_fini(&s->events);
	arena_free(s->arena);
	mem_free(s);
}

static void go_on(void *arg)
{
	struct searching *s = arg;

	s->stalled_ms = 0;
	if (ctl_gone(s->r))
		atomic_store(&s->gone, true);
	if (s->over)
		search_end(s);
	else
		mailbox_post(&s->turn, &s->go);
}

static void on_chunk(void *arg)
{
	struct searching *s = arg;
	struct slice rest = strbuf_view(&s->events), line;

	while (slice_next(&rest, '\n', &line))
		if (line.n > 0)
			ctl_row_text(s->r, line);
	strbuf_reset(&s->events);
	if (!ctl_busy(s->r) || ctl_gone(s->r)) {
		go_on(s);
		return;
	}
	s->stalled_ms = loop_now_ms(s->c->cfg.ops);
	ctl_on_drain(s->r, go_on, s);
}

void control_search_stop(struct control *c)
{
	list_each(n, &c->searching)
		atomic_store(
		    &LIST_ENTRY(n, struct searching, node)->gone, true);
}

/* ---- the thread's side ---- */

static void hand_over(struct searching *s)
{
	control_come_back(s->c, on_chunk, s);
	while (mailbox_take(&s->turn) == NULL)
		mailbox_wait(&s->turn, -1);
}

static void add_row(struct searching *s, struct slice object)
{
	if (atomic_load(&s->gone))
		return;
	if (s->events.n + object.n + 1 > s->events.max)
		hand_over(s);
	strbuf_add(&s->events, object.p, object.n);
	strbuf_addc(&s->events, '\n');
}

static void on_event(void *arg, struct slice object)
{
	add_row(arg, object);
}

static int find(struct searching *s)
{
	return search_run(s->dir, &s->q, on_event, s, &s->err);
}

/* ---- the recount ---- */

static void end_row(struct searching *s, struct jout *j, struct strbuf *row)
{
	jout_object_end(j);
	add_row(s, strbuf_view(row));
	strbuf_fini(row);
}

static void begin_row(struct jout *j, struct strbuf *row)
{
	strbuf_init(row, CTL_ROW_MAX);
	jout_init(j, row);
	jout_object(j, NULL);
}

static void on_lost(void *arg, uint64_t id, const char *to)
{
	struct strbuf row;
	struct jout j;
	char text[ID_TEXT];

	id_text(id, text);
	begin_row(&j, &row);
	jout_str(&j, "lost", text);
	jout_str(&j, "to", to);
	end_row(arg, &j, &row);
}

static void on_missing(void *arg, const struct conserve_missing *m)
{
	struct strbuf row;
	struct jout j;
	char text[ID_TEXT];

	id_text(m->id, text);
	begin_row(&j, &row);
	jout_str(&j, "missing", text);
	jout_str(&j, "from", m->from);
	jout_str(&j, "to", m->to);
	jout_str(&j, "leg", m->leg);
	end_row(arg, &j, &row);
}

static void put_totals(struct jout *j, const char *key,
    const int64_t total[TOTALS])
{
	if (key != NULL)
		jout_object(j, key);
	for (int t = 0; t < TOTALS; t++)
		jout_int(j, total_text((enum total)t), total[t]);
	if (key != NULL)
		jout_object_end(j);
}

static void put_place(struct jout *j, struct spool_pos at)
{
	jout_int(j, "generation", (int64_t)at.generation);
	jout_int(j, "offset", (int64_t)at.offset);
}

static void add_counts(struct searching *s, const struct conserve *n,
    struct names *names)
{
	struct strbuf row;
	struct jout j;

	for (int i = 0; i < names_count(names); i++) {
		begin_row(&j, &row);
		jout_str(&j, "counted", names_text(names, i));
		put_totals(&j, NULL, n->leg[i].total);
		jout_int(&j, "rows", n->leg[i].rows);
		jout_int(&j, "gap", n->leg[i].gap);
		put_totals(&j, "journal", n->leg[i].journal);
		end_row(s, &j, &row);
	}
	begin_row(&j, &row);
	jout_bool(&j, "reached", n->reached);
	jout_bool(&j, "known", n->known);
	put_place(&j, n->at);
	jout_int(&j, "messages", (int64_t)n->messages);
	jout_int(&j, "recipients", (int64_t)n->recipients);
	jout_int(&j, "skipped", (int64_t)n->skipped);
	jout_int(&j, "lost_recipients", (int64_t)n->lost);
	jout_int(&j, "missing_deliveries", (int64_t)n->missing);
	end_row(s, &j, &row);
}

static int recount(struct searching *s)
{
	struct conserve *n = NEW(struct conserve);
	struct names *names = names_new(); /* another thread's are its own */
	int rc;

	n->on_lost = on_lost;
	n->on_missing = on_missing;
	n->want = s->at;
	n->arg = s;
	n->stop = &s->gone;
	rc = conserve_run(s->dir, names, n, &s->err);
	if (rc == 0)
		add_counts(s, n, names);
	names_free(names);
	mem_free(n);
	return rc;
}

/* How far the index is behind the journal, in records. */
static int count_behind(struct searching *s)
{
	struct spool *spool = s->c->cfg.shared->spool;
	uint64_t n = journal_records(spool, s->at, spool_synced(spool),
	    &s->gone);
	struct strbuf row;
	struct jout j;

	begin_row(&j, &row);
	jout_int(&j, "records", (int64_t)n);
	end_row(s, &j, &row);
	return 0;
}

static void *search_thread(void *arg)
{
	struct searching *s = arg;

	thread_name("ph-search");
	s->status = s->run(s);
	s->over = true;
	control_come_back(s->c, on_chunk, s);
	return NULL;
}

/* ---- the question ---- */

static int64_t number(const json_t *args, const char *key)
{
	return (int64_t)json_integer_value(json_object_get(args, key));
}

static int read_query(struct searching *s, const json_t *args,
    struct error *err)
{
	const char *id = control_arg(args, "id");

	for (const struct search_field *f = search_fields; f->name; f++) {
		const char *text = control_arg(args, f->name);

		if (json_object_get(args, f->name) != NULL)
			search_set(&s->q, f, arena_strdup(s->arena, text));
	}
	s->q.since_us = number(args, "since_us");
	s->q.until_us = number(args, "until_us");
	s->q.stop = &s->gone;
	s->q.limit = (unsigned)number(args, "limit");
	if (id[0] != '\0' && id_parse(slice_str(id), &s->q.id) != 0)
		return error_set(err, "%s is not a message's id", id);
	return 0;
}

static int search_begin(struct searching *s, struct error *err)
{
	int no;

	strbuf_init(&s->events, CHUNK + CTL_ROW_MAX);
	mailbox_init(&s->turn);
	no = pthread_create(&s->thread, NULL, search_thread, s);
	if (no == 0) {
		list_push_back(&s->c->searching, &s->node);
		s->c->busy++;
		return 0;
	}
	mailbox_fini(&s->turn);
	return error_sys(err, no, "starting a search");
}

/* A client that stopped reading, such as one behind a pager, gives its place
 * to one that waits for it. */
static struct searching **place_for(struct control *c)
{
	int64_t before = loop_now_ms(c->cfg.ops) - STALLED_MS;

	for (int i = 0; i < SEARCHES_MAX; i++)
		if (c->place[i] == NULL)
			return &c->place[i];
	for (int i = 0; i < SEARCHES_MAX; i++) {
		struct searching *s = c->place[i];

		if (s->stalled_ms == 0 || s->stalled_ms > before)
			continue;
		ctl_cut(s->r);
		return &c->place[i];
	}
	return NULL;
}

static struct searching *search_new(struct control *c,
    struct ctl_request *r, int (*run)(struct searching *s))
{
	struct searching **place = place_for(c), *s;

	if (place == NULL) {
		ctl_end(r, 1, "%d searches are under way; try again when one "
		    "is over", SEARCHES_MAX);
		return NULL;
	}
	*place = s = NEW(struct searching);
	s->c = c;
	s->r = r;
	s->run = run;
	s->arena = arena_new();
	s->dir = arena_strdup(s->arena, c->snapshot->conf->audit.path);
	return s;
}

static void search_refuse(struct searching *s, const struct error *err)
{
	ctl_end(s->r, 1, "%s", err->text);
	leave_place(s);
	arena_free(s->arena);
	mem_free(s);
}

void control_trace(void *arg, struct ctl_request *r, const json_t *args)
{
	struct searching *s = search_new(arg, r, find);
	struct error err;

	if (s != NULL && (read_query(s, args, &err) != 0 ||
			     search_begin(s, &err) != 0))
		search_refuse(s, &err);
}

static void begin_at(struct searching *s, const json_t *args)
{
	struct error err;

	if (s == NULL)
		return;
	s->at = (struct spool_pos){(uint64_t)number(args, "generation"),
	    (uint64_t)number(args, "offset")};
	if (search_begin(s, &err) != 0)
		search_refuse(s, &err);
}

void control_audit_count(void *arg, struct ctl_request *r, const json_t *args)
{
	begin_at(search_new(arg, r, recount), args);
}

void control_audit_behind(void *arg, struct ctl_request *r,
    const json_t *args)
{
	begin_at(search_new(arg, r, count_behind), args);
}

void control_audit_position(void *arg, struct ctl_request *r,
    const json_t *args)
{
	const struct control *c = arg;
	struct jout *j = ctl_row(r);

	(void)args;
	put_place(j, spool_synced(c->cfg.shared->spool));
	ctl_row_end(r);
	ctl_end(r, 0, "%s", "");
}
