/* SPDX-License-Identifier: ISC
 *
 * Control commands of the queue. Addresses and replies are not in memory:
 * the queue's thread gives a slice of its entries, their messages are read
 * from the journal one after the other, then the next slice. The ops loop.
 */
#include "relay/daemon/control_int.h"

#include <inttypes.h>

#include "relay/base/log.h"
#include "relay/daemon/mail.h"
#include "relay/mail/actor.h"

enum { SLICE = 256, REASON_MAX = 200 };

/* What is asked for. "" and -1 match everything. */
struct filter {
	int leg, state;
	char *from, *to;
	uint64_t *id;
	size_t ids;
};

/* A walk over the matching deliveries. */
struct select {
	struct control *c;
	struct ctl_request *r;
	struct filter f;
	uint64_t limit, shown;
	uint64_t after; /* the walk's place; or index of f.id */
	struct queue_row rows[SLICE];
	unsigned n, at;
	bool end;
	uint64_t current; /* the message being read */
	/* For each match; the message is read. */
	void (*match)(struct select *s, const struct queue_row *row,
	    const struct mail *m);
	void (*finish)(struct select *s);
	/* of queue.act */
	enum act what;
	char *who, *reason;
	bool dry_run, walked;
	uint64_t waiting, failed;
	bool all_states; /* of queue.show: what is over, too */
	bool body; /* of queue.show: the content follows */
};

static void select_free(struct select *s)
{
	s->c->busy--;
	mem_free(s->f.from);
	mem_free(s->f.to);
	mem_free(s->f.id);
	mem_free(s->who);
	mem_free(s->reason);
	mem_free(s);
}

/* ---- the walk ---- */

static void select_next(struct select *s);

static void on_slice(void *arg)
{
	select_next(arg);
}

/* On the queue's thread. */
static void read_slice(void *arg)
{
	struct select *s = arg;
	struct queue *q = settle_queue(s->c->app->settle);

	s->at = 0;
	if (s->f.ids == 0) {
		s->n = queue_walk(q, s->after, s->rows, SLICE);
		s->end = s->n == 0;
	} else {
		s->n = queue_message(q, s->f.id[s->after++], s->rows, SLICE);
		s->end = s->after >= s->f.ids;
	}
	control_come_back(s->c, on_slice, s);
}

static bool row_matches(const struct select *s, const struct queue_row *row)
{
	const struct filter *f = &s->f;

	if (f->leg >= 0 && row->item.leg != f->leg)
		return false;
	if (f->state >= 0)
		return row->item.state == f->state;
	return s->all_states || dstate_live(row->item.state);
}

static bool text_matches(const struct select *s, const struct queue_row *row,
    const struct mail *m)
{
	const struct filter *f = &s->f;
	const char *to = m->env.rcpt[row->item.rcpt].to;

	return (f->to[0] == '\0' ||
		   slice_case_eq(slice_str(f->to), slice_str(to))) &&
	       (f->from[0] == '\0' ||
		   slice_case_eq(slice_str(f->from), slice_str(m->env.from)));
}

static void fetch(struct select *s, uint64_t id)
{
	struct spool_fetch *f = spool_fetch_new(id, &s->c->box, O_FETCHED);

	s->current = id;
	f->arg = s;
	spool_fetch_post(s->c->app->spool, f);
}

static void select_end(struct select *s)
{
	s->walked = true;
	s->finish(s);
}

static void select_next(struct select *s)
{
	while (s->at < s->n && !row_matches(s, &s->rows[s->at])) {
		s->after = s->f.ids == 0 ? s->rows[s->at].id : s->after;
		s->at++;
	}
	if (s->shown >= s->limit || ctl_gone(s->r)) {
		select_end(s);
		return;
	}
	if (s->at < s->n) {
		fetch(s, s->rows[s->at].id);
		return;
	}
	if (s->end)
		select_end(s);
	else
		control_ask_queue(s->c, read_slice, s);
}

void control_queue_fetched(struct control *c, struct spool_fetch *f)
{
	struct select *s = f->arg;
	struct mail *m;

	(void)c;
	/* Over since the slice was taken: no longer in the queue. */
	m = f->status == 0 ? mail_of_fetch(f) : NULL;
	if (f->status != 0)
		spool_fetch_free(f);
	while (s->at < s->n && s->rows[s->at].id == s->current) {
		const struct queue_row *row = &s->rows[s->at++];

		if (m != NULL && row->item.rcpt < m->env.rcpts &&
		    row_matches(s, row) && text_matches(s, row, m) &&
		    s->shown < s->limit) {
			s->shown++;
			s->match(s, row, m);
		}
		s->after = s->f.ids == 0 ? row->id : s->after;
	}
	mail_unref(m);
	select_next(s);
}

/* ---- arguments ---- */

static int read_ids(struct select *s, const json_t *args)
{
	const json_t *ids = json_object_get(args, "ids");
	const char *one = control_arg(args, "id");
	size_t n = json_array_size(ids);

	s->f.id = NEW_ARRAY(uint64_t, n + 1);
	if (one[0] != '\0' &&
	    id_parse(slice_str(one), &s->f.id[s->f.ids++]) < 0) {
		ctl_end(s->r, 1, "\"%s\" is no message id; ids have 13 "
			"characters, see `posthouse queue list`", one);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		const char *t = json_string_value(json_array_get(ids, i));

		if (id_parse(slice_str(t), &s->f.id[s->f.ids++]) == 0)
			continue;
		ctl_end(s->r, 1, "\"%s\" is no message id; ids have 13 "
			"characters, see `posthouse queue list`",
		    t == NULL ? "" : t);
		return -1;
	}
	return 0;
}

static int read_filter(struct select *s, const json_t *args)
{
	const char *leg = control_arg(args, "leg");
	const char *state = control_arg(args, "state");

	s->f.leg = s->f.state = -1;
	s->f.from = mem_strdup(control_arg(args, "from"));
	s->f.to = mem_strdup(control_arg(args, "to"));
	if (leg[0] != '\0') {
		s->f.leg = names_find(s->c->app->names, slice_str(leg));
		if (s->f.leg < 0) {
			ctl_end(s->r, 1, "no leg is called \"%s\"; see "
				"`posthouse leg list`", leg);
			return -1;
		}
	}
	if (state[0] != '\0') {
		s->f.state = dstate_parse(slice_str(state));
		if (s->f.state < 0) {
			ctl_end(s->r, 1, "no state is called \"%s\"; queued, "
				"deferred, held, frozen and parked are", state);
			return -1;
		}
	}
	return read_ids(s, args);
}

/* NULL when the arguments were wrong: answered. */
static struct select *select_new(struct control *c, struct ctl_request *r,
    const json_t *args)
{
	struct select *s = NEW(struct select);
	json_int_t limit = json_integer_value(json_object_get(args, "limit"));

	s->c = c;
	s->r = r;
	c->busy++;
	s->limit = limit > 0 ? (uint64_t)limit : UINT64_MAX;
	if (read_filter(s, args) == 0)
		return s;
	select_free(s);
	return NULL;
}

/* ---- rows ---- */

static void last_reply(const struct queue_row *row, const struct mail *m,
    struct arena *a, struct strbuf *out)
{
	struct slice detail = strbuf_view(&m->fetch->reply[row->item.number]);
	struct result r;
	struct actor who;

	if ((row->item.reason == WHY_ATTEMPT ||
		row->item.reason == WHY_LATE) && detail.n != 0 &&
	    result_unpack(detail, a, &r) == 0) {
		if (r.code != 0)
			strbuf_addf(out, "%d %s%s", r.code, r.enh,
			    r.enh[0] != '\0' ? " " : "");
		strbuf_adds(out, r.text);
		return;
	}
	if (row->item.reason == WHY_ADMIN && actor_unpack(detail, a, &who) == 0)
		strbuf_addf(out, "%s%s%s", who.who,
		    who.reason[0] != '\0' ? ": " : "", who.reason);
	else if (row->item.reason == WHY_NO_ROUTE)
		strbuf_adds(out, "no-route");
	else if (row->item.reason == WHY_LIFETIME)
		strbuf_adds(out, "lifetime over");
	else if (row->item.reason == WHY_GUARD)
		strbuf_adds(out, "the sender may be forged (dsn.guard)");
	else if (row->item.reason == WHY_NO_WAY)
		strbuf_adds(out, "no way out for a DSN");
	else if (row->item.reason == WHY_LOOP)
		strbuf_adds(out, "loop");
}

static void print_row(struct select *s, const struct queue_row *row,
    const struct mail *m, struct jout *j)
{
	struct app *app = s->c->app;
	struct arena *a = arena_new();
	struct strbuf reason;
	char id[ID_TEXT];
	int64_t now = clock_wall_us(app->clock);

	id_text(row->id, id);
	strbuf_init(&reason, 4096);
	if (row->item.number < m->fetch->deliveries)
		last_reply(row, m, a, &reason);
	jout_str(j, "id", id);
	jout_str(j, "from", m->env.from);
	jout_str(j, "to", m->env.rcpt[row->item.rcpt].to);
	jout_str(j, "leg", names_text(app->names, row->item.leg));
	jout_str(j, "role", role_text(row->item.role));
	jout_str(j, "state", dstate_text(row->item.state));
	jout_int(j, "attempts", row->item.attempts);
	jout_time(j, "accepted", m->env.accepted_us);
	/* What is held, frozen, parked or over has no next attempt. */
	if (row->item.due_us != 0 && (row->item.state == D_QUEUED ||
	    row->item.state == D_DEFERRED))
		jout_time(j, "next", row->item.due_us);
	else
		jout_str(j, "next", NULL);
	jout_slice(j, "reason", strbuf_view(&reason));
	jout_int(j, "age_s", (now - m->env.accepted_us) / 1000000);
	jout_int(j, "size", (int64_t)m->env.size);
	jout_bool(j, "in_flight", row->claimed);
	jout_int(j, "change", (int64_t)row->item.change);
	strbuf_fini(&reason);
	arena_free(a);
}

static void list_match(struct select *s, const struct queue_row *row,
    const struct mail *m)
{
	print_row(s, row, m, ctl_row(s->r));
	ctl_row_end(s->r);
}

static void list_finish(struct select *s)
{
	ctl_end(s->r, 0, "%s", "");
	select_free(s);
}

void control_queue_list(void *arg, struct ctl_request *r, const json_t *args)
{
	struct select *s = select_new(arg, r, args);

	if (s == NULL)
		return;
	s->match = list_match;
	s->finish = list_finish;
	control_ask_queue(s->c, read_slice, s);
}

/* ---- show ---- */

static void print_message(struct select *s, const struct queue_row *row,
    const struct mail *m)
{
	struct jout *j = ctl_row(s->r);
	char id[ID_TEXT];

	id_text(row->id, id);
	jout_str(j, "section", "message");
	jout_str(j, "id", id);
	jout_time(j, "accepted", m->env.accepted_us);
	jout_str(j, "from", m->env.from);
	jout_str(j, "client", m->env.client);
	jout_int(j, "size", (int64_t)m->env.size);
	jout_str(j, "message_id", m->env.message_id);
	ctl_row_end(s->r);
}

static void show_match(struct select *s, const struct queue_row *row,
    const struct mail *m)
{
	struct jout *j;

	if (s->shown == 1)
		print_message(s, row, m);
	j = ctl_row(s->r);
	jout_str(j, "section", "delivery");
	print_row(s, row, m, j);
	ctl_row_end(s->r);
}

static void show_finish(struct select *s)
{
	if (s->shown == 0)
		ctl_end(s->r, 1, "no such message is in the queue; see "
			"`posthouse trace`");
	else if (s->body)
		control_content(s->c, s->r, s->f.id[0], CONTENT_SHOW);
	else
		ctl_end(s->r, 0, "%s", "");
	select_free(s);
}

/* The states of all deliveries of one message, over or not. */
static void control_show(struct control *c, struct ctl_request *r,
    const json_t *args)
{
	struct select *s = select_new(c, r, args);

	if (s == NULL)
		return;
	if (s->f.ids != 1) {
		ctl_end(r, 2, "one message id is wanted");
		select_free(s);
		return;
	}
	s->all_states = true;
	s->body = json_is_true(json_object_get(args, "body"));
	s->match = show_match;
	s->finish = show_finish;
	control_ask_queue(c, read_slice, s);
}

void control_queue_show(void *arg, struct ctl_request *r, const json_t *args)
{
	control_show(arg, r, args);
}

/* ---- decisions ---- */

/* One delivery that was found; waits for the journal. */
struct one_act {
	struct select *s;
	uint64_t id;
	uint32_t number;
	bool ok;
};

static void act_maybe_end(struct select *s)
{
	if (!s->walked || s->waiting != 0)
		return;
	if (s->shown == 0 && s->f.ids != 0)
		ctl_end(s->r, 1, "no delivery of that message is in the "
			"queue; see `posthouse trace`");
	else if (s->failed != 0)
		ctl_end(s->r, 1, "%" PRIu64 " of %" PRIu64 " could not be "
			"changed: in a dialog, in another state, or the "
			"journal failed", s->failed, s->shown);
	else
		ctl_end(s->r, 0, "%s", "");
	select_free(s);
}

static void on_act_back(void *arg)
{
	struct one_act *one = arg;
	struct select *s = one->s;

	s->waiting--;
	if (!one->ok)
		s->failed++;
	mem_free(one);
	act_maybe_end(s);
}

/* Queue thread. */
static void on_act_done(void *arg, bool ok)
{
	struct one_act *one = arg;

	one->ok = ok;
	control_come_back(one->s->c, on_act_back, one);
}

static void do_act(void *arg)
{
	struct one_act *one = arg;
	struct settle_act act = {.what = one->s->what, .who = one->s->who,
	    .reason = one->s->reason, .done = on_act_done, .arg = one};

	if (settle_act(one->s->c->app->settle, &act, one->id, one->number) !=
	    NULL)
		on_act_done(one, false);
}

static void act_match(struct select *s, const struct queue_row *row,
    const struct mail *m)
{
	struct one_act *one;

	print_row(s, row, m, ctl_row(s->r));
	ctl_row_end(s->r);
	if (s->dry_run)
		return;
	one = NEW(struct one_act);
	*one = (struct one_act){.s = s, .id = row->id,
	    .number = row->item.number};
	s->waiting++;
	control_ask_queue(s->c, do_act, one);
}

static void act_finish(struct select *s)
{
	act_maybe_end(s);
}

const char *control_reason(struct ctl_request *r, const json_t *args)
{
	const char *reason = control_arg(args, "reason");

	if (strlen(reason) <= REASON_MAX)
		return reason;
	ctl_end(r, 2, "the reason is longer than %d bytes", REASON_MAX);
	return NULL;
}

void control_queue_act(void *arg, struct ctl_request *r, const json_t *args)
{
	struct select *s = select_new(arg, r, args);
	const char *action = control_arg(args, "action"), *reason;
	int what = settle_act_parse(slice_str(action));

	if (s == NULL)
		return;
	if (what < 0) {
		ctl_end(r, 2, "\"%s\" is no action: retry, freeze, thaw, park, "
			"bounce and delete are", action);
		select_free(s);
		return;
	}
	reason = control_reason(r, args);
	if (reason == NULL) {
		select_free(s);
		return;
	}
	s->what = (enum act)what;
	s->who = mem_strdup(ctl_who(r));
	s->reason = mem_strdup(reason);
	s->dry_run = json_is_true(json_object_get(args, "dry_run"));
	s->match = act_match;
	s->finish = act_finish;
	control_ask_queue(s->c, read_slice, s);
}
