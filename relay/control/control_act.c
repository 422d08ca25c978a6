/* SPDX-License-Identifier: ISC
 *
 * Carries out an act on many deliveries: each is a decision of its own, in the
 * journal with user and reason before it is reported. A few hundred are under
 * way at a time, which the journal writes together. Those of one message go to
 * the queue together, so that bounces share a notice. A client that goes away
 * ends it. The ops loop; the acts themselves are the queue thread's (act.c).
 *
 * A client that needs no row of each delivery (`brief`) gets rows of the first
 * ones and of all that were refused, and after each slice how many there were
 * so far. If the selection needs no message either, the queue's thread does
 * each slice but the first at once (struct act_slice), and only messages of
 * which something was refused are read.
 */
#include "relay/control/control_select.h"
#include "relay/settle/act.h"

#include <inttypes.h>

enum { OPEN_MAX = 256 };

/* One delivery that was found; waits for the journal. */
struct one_act {
	struct one_act *next; /* of the same message */
	struct select *s;
	struct queue_row row;
	char *from, *to;
	const char *why; /* it could not be done; NULL: it was */
};

/* ---- one ---- */

static void print_act(struct select *s, const struct queue_row *row,
    const char *from, const char *to, const char *why)
{
	struct jout *j = ctl_row(s->r);
	char id[ID_TEXT];

	id_text(row->id, id);
	jout_str(j, "id", id);
	jout_str(j, "from", from);
	jout_str(j, "to", to);
	jout_str(j, "leg", names_text(s->c->cfg.shared->names, row->item.leg));
	jout_str(j, "role", role_text(row->item.role));
	jout_str(j, "state", dstate_text(row->item.state));
	jout_bool(j, "done", why == NULL);
	jout_str(j, "why", why);
	ctl_row_end(s->r);
}

/* A row with the number of deliveries that were done or refused so far. */
static void print_total(struct select *s)
{
	struct jout *j = ctl_row(s->r);

	jout_int(j, "total", (int64_t)(s->done + s->failed));
	jout_int(j, "refused", (int64_t)s->failed);
	ctl_row_end(s->r);
}

/* Counts it. Is it to be shown? */
static bool count_act(struct select *s, const char *why)
{
	if (why != NULL)
		s->failed++;
	else
		s->done++;
	return !s->brief || why != NULL || s->done <= SELECT_SHOWN;
}

static void on_act_back(void *arg)
{
	struct one_act *one = arg;
	struct select *s = one->s;

	if (count_act(s, one->why))
		print_act(s, &one->row, one->from, one->to, one->why);
	if (s->brief && (s->done + s->failed) % SELECT_MANY == 0)
		print_total(s);
	mem_free(one->from);
	mem_free(one->to);
	mem_free(one);
	select_closed(s);
}

/* Queue thread. */
static void on_act_done(void *arg, bool ok)
{
	struct one_act *one = arg;

	if (!ok)
		one->why = "it could not be written; see the log";
	control_come_back(one->s->c, on_act_back, one);
}

/* Queue thread. */
static void do_act(struct one_act *one)
{
	struct act_request act = {.what = one->s->what, .who = one->s->who,
	    .reason = one->s->reason, .done = on_act_done, .arg = one};

	const char *why = act_apply(one->s->c->cfg.queue_thread, &act,
	    one->row.id, one->row.item.number);

	/* Taken: it may be over, and `one` gone. */
	if (why == NULL)
		return;
	one->why = why;
	control_come_back(one->s->c, on_act_back, one);
}

/* Queue thread. */
static void do_acts(void *arg)
{
	struct one_act *one = arg, *next;

	for (; one != NULL; one = next) {
		next = one->next;
		do_act(one);
	}
}

/* ---- many ---- */

/* A slice of them, until the journal has answered for each. */
struct act_slice {
	struct select *s;
	unsigned open;
	uint64_t done, failed;
	struct act_slice_row {
		struct act_slice *bulk;
		const char *why;
	} row[SELECT_MANY];
};

static void bulk_match(struct select *s, const struct queue_row *row,
    const struct mail *m)
{
	print_act(s, row, m->env.from, m->env.rcpt[row->item.rcpt].to,
	    s->bulk->row[row - s->rows].why);
}

static void on_bulk(void *arg)
{
	struct select *s = arg;

	s->done += s->bulk->done;
	s->failed += s->bulk->failed;
	s->match = bulk_match;
	s->message_end = NULL;
	print_total(s);
	select_go_on(s);
}

/* Queue thread. Leaves the rows of those that were refused. */
static void bulk_closed(struct act_slice *b)
{
	struct select *s = b->s;
	unsigned k = 0;

	if (--b->open > 0)
		return;
	for (unsigned i = 0; i < s->n; i++) {
		const char *why = b->row[i].why;

		if (why == NULL)
			continue;
		b->row[k].why = why;
		s->rows[k++] = s->rows[i];
	}
	b->failed = k;
	b->done = s->n - k;
	s->n = k;
	control_come_back(s->c, on_bulk, s);
}

/* Queue thread. */
static void on_bulk_done(void *arg, bool ok)
{
	struct act_slice_row *row = arg;

	if (!ok)
		row->why = "it could not be written; see the log";
	bulk_closed(row->bulk);
}

/* Queue thread. What is refused at once is not called back. */
static void bulk_apply(struct select *s)
{
	struct act_slice *b = s->bulk;
	struct act_request act = {.what = s->what, .who = s->who,
	    .reason = s->reason, .done = on_bulk_done};

	b->open = s->n + 1;
	for (unsigned i = 0; i < s->n; i++) {
		b->row[i] = (struct act_slice_row){b, NULL};
		act.arg = &b->row[i];
		b->row[i].why = act_apply(s->c->cfg.queue_thread, &act,
		    s->rows[i].id, s->rows[i].item.number);
		if (b->row[i].why != NULL)
			bulk_closed(b);
	}
	bulk_closed(b);
}

/* A bounce is of the message as a whole, and a dry run shows all. */
static bool is_bulk(const struct select *s)
{
	return s->brief && !s->dry_run && !s->count && select_unread(s) &&
	       s->what != ACT_BOUNCE && s->limit == UINT64_MAX;
}

/* ---- all ---- */

static void act_match(struct select *s, const struct queue_row *row,
    const struct mail *m)
{
	struct one_act *one;

	s->last = row->id;
	if (s->count)
		return;
	if (s->dry_run) {
		control_print_row(s->c, row, m, ctl_row(s->r));
		ctl_row_end(s->r);
		return;
	}
	one = NEW(struct one_act);
	*one = (struct one_act){.s = s, .row = *row,
	    .from = mem_strdup(m->env.from),
	    .to = mem_strdup(m->env.rcpt[row->item.rcpt].to)};
	s->open++;
	*s->acts_end = one;
	s->acts_end = &one->next;
}

static void act_message_end(struct select *s)
{
	if (s->acts != NULL)
		control_ask_queue(s->c, do_acts, s->acts);
	s->acts = NULL;
	s->acts_end = &s->acts;
}

/* How many there are, and the newest of them: what comes in while a person
 * thinks it over is not meant. */
static void print_count(struct select *s)
{
	struct jout *j = ctl_row(s->r);
	char last[ID_TEXT];

	id_text(s->last, last);
	jout_int(j, "count", (int64_t)s->found);
	jout_str(j, "last", s->found == 0 ? NULL : last);
	ctl_row_end(s->r);
}

static void act_finish(struct select *s)
{
	if (s->open != 0)
		return;
	if (s->count && s->fault.text[0] == '\0')
		print_count(s);
	else if (s->brief && !s->dry_run)
		print_total(s);
	if (s->fault.text[0] != '\0')
		ctl_end(s->r, 1, "%s", s->fault.text);
	else if (s->found + s->done + s->failed == 0 && s->f.ids != 0 &&
	    !s->f.chosen && !s->count)
		ctl_end(s->r, 1, "no delivery of that message is in the "
			"queue; see `posthouse trace`");
	else if (s->failed != 0)
		ctl_end(s->r, 1, "%" PRIu64 " of %" PRIu64 " could not be "
			"changed", s->failed, s->done + s->failed);
	else
		ctl_end(s->r, 0, "%s", "");
	select_free(s);
}

/* Without a selection all would be meant, by a slip of the program that asks:
 * the command line always has one. */
static bool selects(const json_t *args)
{
	static const char *const keys[] = {"from", "to", "customer", "leg",
	    "state", "wave", "age_s", "id"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_object_get(args, keys[i]) != NULL)
			return true;
	return json_array_size(json_object_get(args, "ids")) > 0;
}

static int read_act(struct select *s, const json_t *args)
{
	const char *action = control_arg(args, "action"), *reason;
	int what = act_parse(slice_str(action));

	if (what < 0) {
		ctl_end(s->r, 2, "\"%s\" is no action: retry, freeze, thaw, "
			"park, bounce and delete are", action);
		return -1;
	}
	if (!selects(args)) {
		ctl_end(s->r, 2, "say which deliveries: ids, leg, to, from, "
			"customer, wave, age_s or state");
		return -1;
	}
	reason = control_reason(s->r, args);
	if (reason == NULL)
		return -1;
	s->what = (enum act)what;
	s->who = mem_strdup(ctl_who(s->r));
	s->reason = mem_strdup(reason);
	s->count = json_is_true(json_object_get(args, "count"));
	s->dry_run = json_is_true(json_object_get(args, "dry_run"));
	s->brief = json_is_true(json_object_get(args, "brief"));
	s->open_max = OPEN_MAX;
	return 0;
}

void control_queue_act(void *arg, struct ctl_request *r, const json_t *args)
{
	struct select *s = select_new(arg, r, args);

	if (s == NULL)
		return;
	if (read_act(s, args) < 0) {
		select_free(s);
		return;
	}
	s->finish = act_finish;
	s->match = act_match;
	s->message_end = act_message_end;
	s->acts_end = &s->acts;
	if (is_bulk(s)) {
		s->bulk = NEW(struct act_slice);
		s->bulk->s = s;
		s->apply = bulk_apply;
	}
	select_begin(s);
}
