/* SPDX-License-Identifier: ISC
 *
 * Carries out an act on many deliveries: each is a decision of its own, in the
 * journal with user and reason before it is reported. A few hundred are under
 * way at a time, which the journal writes together. Those of one message go to
 * the queue together, so that bounces share a notice. A client that goes away
 * ends it. The ops loop; the acts themselves are the queue thread's (act.c).
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

static void print_one(const struct one_act *one)
{
	struct select *s = one->s;
	const struct delivery_ref *i = &one->row.item;
	struct jout *j = ctl_row(s->r);
	char id[ID_TEXT];

	id_text(one->row.id, id);
	jout_str(j, "id", id);
	jout_str(j, "from", one->from);
	jout_str(j, "to", one->to);
	jout_str(j, "leg", names_text(s->c->cfg.shared->names, i->leg));
	jout_str(j, "role", role_text(i->role));
	jout_str(j, "state", dstate_text(i->state));
	jout_bool(j, "done", one->why == NULL);
	jout_str(j, "why", one->why);
	ctl_row_end(s->r);
}

static void on_act_back(void *arg)
{
	struct one_act *one = arg;
	struct select *s = one->s;

	print_one(one);
	if (one->why != NULL)
		s->failed++;
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
	if (s->count)
		print_count(s);
	if (s->found == 0 && s->f.ids != 0 && !s->count)
		ctl_end(s->r, 1, "no delivery of that message is in the "
			"queue; see `posthouse trace`");
	else if (s->failed != 0)
		ctl_end(s->r, 1, "%" PRIu64 " of %" PRIu64 " could not be "
			"changed", s->failed, s->found);
	else
		ctl_end(s->r, 0, "%s", "");
	select_free(s);
}

/* Without a selection all would be meant, by a slip of the program that asks:
 * the command line always has one. */
static bool selects(const json_t *args)
{
	static const char *const keys[] = {"from", "to", "customer", "leg",
	    "state", "age_s", "id"};

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
			"customer, age_s or state");
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
	s->match = act_match;
	s->message_end = act_message_end;
	s->acts_end = &s->acts;
	s->finish = act_finish;
	select_begin(s);
}
