/* SPDX-License-Identifier: ISC
 *
 * replay.start, replay.cancel, replay.list, replay.show. An order comes in
 * several lines: the legs and times, then {"addresses":[…]} and at last
 * {"end":true}. The ops loop.
 */
#include "relay/control/control_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/base/id.h"
#include "relay/cutover/replay/replay.h"

enum { USERS_MAX = 5000000, WHO_MAX = 512 };

/* ---- start ------------------------------------------------------------- */

struct replay_asking {
	struct control *c;
	struct ctl_request *r;
	struct replay_order order;
	size_t cap;
};

static void order_free(struct replay_asking *o)
{
	o->c->busy--;
	mem_free(o->order.user);
	arena_free(o->order.arena);
	mem_free(o);
}

static void say_user(struct replay_asking *o, const struct replay_user *u)
{
	struct jout *j = ctl_row(o->r);

	jout_str(j, "kind", "lacks");
	jout_str(j, "address", u->address);
	jout_time(j, "from", o->order.row.since_us);
	jout_time(j, "until", o->order.row.covered_us);
	ctl_row_end(o->r);
}

static void say_order(struct replay_asking *o)
{
	const struct replay_order *r = &o->order;
	struct jout *j = ctl_row(o->r);

	jout_str(j, "kind", r->dry_run ? "dry-run" : "replay");
	if (!r->dry_run) {
		jout_int(j, "number", r->row.number);
	} else {
		jout_int(j, "deliveries", r->go);
		jout_int(j, "messages", r->messages);
		jout_int(j, "there", r->row.there);
		jout_int(j, "waits", r->row.waits);
		jout_int(j, "unread", r->row.unread);
	}
	jout_int(j, "users", (int64_t)r->users);
	ctl_row_end(o->r);
	for (size_t i = 0; i < r->users; i++)
		if (r->user[i].lacks)
			say_user(o, &r->user[i]);
}

static void on_ordered(void *arg)
{
	struct replay_asking *o = arg;

	if (o->order.err.text[0] != '\0') {
		ctl_end(o->r, 1, "%s", o->order.err.text);
	} else {
		say_order(o);
		ctl_end(o->r, 0, "%s", "");
	}
	order_free(o);
}

/* The thread of the replay. */
static void on_done(struct replay_order *order)
{
	struct replay_asking *o = order->arg;

	control_come_back(o->c, on_ordered, o);
}

static void add_user(struct replay_asking *o, const char *address)
{
	struct replay_order *r = &o->order;

	if (r->users == o->cap) {
		o->cap = o->cap * 2 + 256;
		r->user = mem_resize(r->user, o->cap * sizeof(*r->user));
	}
	r->user[r->users++] = (struct replay_user){
	    .address = arena_strdup(r->arena, address)};
}

static void on_line(void *arg, const json_t *line)
{
	struct replay_asking *o = arg;
	const json_t *list = json_object_get(line, "addresses");
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n && o->order.users <= USERS_MAX; i++) {
		const char *a = json_string_value(json_array_get(list, i));

		if (a != NULL)
			add_user(o, a);
	}
	if (line == NULL || o->order.users > USERS_MAX) {
		ctl_end(o->r, 1, "at most %d recipients at once", USERS_MAX);
		order_free(o);
	} else if (!json_is_true(json_object_get(line, "end"))) {
		ctl_more(o->r, on_line, o);
	} else if (o->order.users == 0) {
		ctl_end(o->r, 2, "no recipient is named");
		order_free(o);
	} else {
		replay_ask(o->c->cfg.replay, &o->order);
	}
}

static int64_t integer(const json_t *args, const char *key)
{
	return json_integer_value(json_object_get(args, key));
}

/* The peer is known for certain; a command that has read the table as the user
 * that owns it says in whose name it asks. */
static const char *who(struct arena *a, const struct ctl_request *r,
    const char *says)
{
	const char *peer = ctl_who(r);
	struct strbuf text;
	const char *out;

	if (says[0] == '\0' || strcmp(says, peer) == 0)
		return arena_strdup(a, peer);
	strbuf_init(&text, WHO_MAX);
	strbuf_addf(&text, "%.200s via %s", says, peer);
	out = arena_slicedup(a, strbuf_view(&text));
	strbuf_fini(&text);
	return out;
}

void control_replay_start(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct replay_asking *o = NEW(struct replay_asking);
	struct replay_row *row = &o->order.row;
	struct arena *a = arena_new();

	o->c = arg;
	o->c->busy++;
	o->r = r;
	o->order.arena = a;
	o->order.done = on_done;
	o->order.arg = o;
	o->order.dry_run = json_is_true(json_object_get(args, "dry_run"));
	row->who = who(a, r, control_arg(args, "who"));
	row->command = arena_strdup(a, control_arg(args, "command"));
	row->note = arena_strdup(a, control_arg(args, "note"));
	row->wave = arena_strdup(a, control_arg(args, "wave"));
	row->from_leg = arena_strdup(a, control_arg(args, "from_leg"));
	row->to_leg = arena_strdup(a, control_arg(args, "to_leg"));
	row->since_us = integer(args, "since_us");
	row->until_us = integer(args, "until_us");
	if (row->until_us > row->since_us) {
		ctl_more(r, on_line, o);
		return;
	}
	ctl_end(r, 2, "since_us must be before until_us");
	order_free(o);
}

/* ---- cancel ------------------------------------------------------------ */

struct replay_cancelling {
	struct control *c;
	struct ctl_request *r;
	struct replay_cancel cancel;
	char reason[2 * WHO_MAX];
};

static void on_cancelled(void *arg)
{
	struct replay_cancelling *x = arg;
	const char *text = x->cancel.err.text;

	ctl_end(x->r, text[0] == '\0' ? 0 : 1, "%s", text);
	x->c->busy--;
	mem_free(x);
}

/* The thread of the replay. */
static void on_cancel_done(struct replay_cancel *cancel)
{
	struct replay_cancelling *x = cancel->arg;

	control_come_back(x->c, on_cancelled, x);
}

void control_replay_cancel(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct replay_cancelling *x;
	const char *note = control_arg(args, "note");
	struct arena *a;

	if (integer(args, "number") <= 0) {
		ctl_end(r, 2, "\"number\" is the number of a replay");
		return;
	}
	x = NEW(struct replay_cancelling);
	a = arena_new();
	x->c = arg;
	x->c->busy++;
	x->r = r;
	snprintf(x->reason, sizeof(x->reason), "cancelled by %s%s%.400s",
	    who(a, r, control_arg(args, "who")), note[0] == '\0' ? "" : ": ",
	    note);
	arena_free(a);
	x->cancel = (struct replay_cancel){.number = integer(args, "number"),
	    .reason = x->reason, .done = on_cancel_done, .arg = x};
	replay_cancel(x->c->cfg.replay, &x->cancel);
}

/* ---- list, show -------------------------------------------------------- */

struct replay_counts {
	int64_t number, state[D_STATES];
	struct replay_counts *next;
};

struct replay_list {
	struct control *c;
	struct ctl_request *r;
	struct arena *a;
	struct replay_counts *counts;
	struct replay_row *row;
	size_t rows, cap;
	json_t *domains; /* of its recipients; its keys */
};

static struct replay_counts *counts_of(struct replay_list *l, int64_t number)
{
	struct replay_counts *n = l->counts;

	if (n != NULL && n->number == number)
		return n; /* they come in order */
	n = arena_alloc(l->a, sizeof(*n));
	*n = (struct replay_counts){.number = number, .next = l->counts};
	l->counts = n;
	return n;
}

static void on_count(void *arg, int64_t number, uint8_t state, int64_t n)
{
	if (state < D_STATES)
		counts_of(arg, number)->state[state] += n;
}

static void on_row(void *arg, const struct replay_row *row)
{
	struct replay_list *l = arg;

	if (l->rows == l->cap) {
		l->cap = l->cap * 2 + 16;
		l->row = mem_resize(l->row, l->cap * sizeof(*l->row));
	}
	l->row[l->rows++] = *row;
}

static void print_counts(struct jout *j, const struct replay_row *row,
    const struct replay_counts *n)
{
	int64_t waiting = 0, all = 0;

	for (int s = 0; n != NULL && s < D_STATES; s++) {
		all += n->state[s];
		if (dstate_open((enum dstate)s))
			waiting += n->state[s];
	}
	jout_int(j, "replayed", all);
	jout_int(j, "delivered", n == NULL ? 0 : n->state[D_DELIVERED]);
	jout_int(j, "waiting", waiting);
	jout_int(j, "failed", n == NULL ? 0 : all - waiting -
	    n->state[D_DELIVERED]);
	jout_int(j, "there", row->there);
	jout_int(j, "waits", row->waits);
	jout_int(j, "came_from", row->came_from);
	jout_int(j, "gone", row->gone);
	jout_int(j, "unread", row->unread);
}

static void print_row(struct replay_list *l, const struct replay_row *row)
{
	struct jout *j = ctl_row(l->r);
	const struct replay_counts *n = l->counts;

	while (n != NULL && n->number != row->number)
		n = n->next;
	jout_str(j, "kind", "replay");
	jout_int(j, "number", row->number);
	jout_str(j, "state", replay_state_text(row->state));
	jout_time(j, "started", row->started_us);
	if (row->ended_us != 0)
		jout_time(j, "ended", row->ended_us);
	jout_str(j, "who", row->who);
	jout_str(j, "command", row->command);
	jout_str(j, "note", row->note);
	jout_str(j, "wave", row->wave);
	jout_str(j, "from_leg", row->from_leg);
	jout_str(j, "to_leg", row->to_leg);
	jout_time(j, "since", row->since_us);
	jout_time(j, "until", row->until_us);
	if (row->covered_us != 0)
		jout_time(j, "covered", row->covered_us);
	jout_int(j, "users", row->users);
	print_counts(j, row, n);
	jout_str(j, "reason", row->reason);
	ctl_row_end(l->r);
}

/* Below the row of a replay that is shown: domains, each once, that the
 * command looks up. They come in the order of the addresses. */
static void note_domain(struct replay_list *l, const char *address)
{
	const char *at = strrchr(address, '@');

	if (at != NULL)
		json_object_set_new(l->domains, at + 1, json_true());
}

static void print_domains(struct replay_list *l)
{
	const char *domain;
	json_t *value;

	json_object_foreach(l->domains, domain, value) {
		struct jout *j = ctl_row(l->r);

		jout_str(j, "kind", "domain");
		jout_str(j, "domain", domain);
		ctl_row_end(l->r);
	}
}

static void on_user(void *arg, const struct replay_user *u)
{
	struct replay_list *l = arg;
	struct jout *j;

	note_domain(l, u->address);
	if (!u->lacks || l->rows == 0)
		return;
	j = ctl_row(l->r);
	jout_str(j, "kind", "lacks");
	jout_str(j, "address", u->address);
	jout_time(j, "from", l->row[0].since_us);
	jout_time(j, "until", l->row[0].covered_us);
	ctl_row_end(l->r);
}

static void on_mail(void *arg, const struct replay_mail *m)
{
	struct replay_list *l = arg;
	struct jout *j;
	char id[ID_TEXT];

	if (m->state == D_DELIVERED)
		return;
	j = ctl_row(l->r);
	id_text(m->id, id);
	jout_str(j, "kind", "delivery");
	jout_str(j, "id", id);
	jout_str(j, "to", m->address);
	jout_str(j, "state", dstate_text((enum dstate)m->state));
	ctl_row_end(l->r);
}

/* 0, or -1 and the request is ended. */
static int read_rows(struct replay_list *l, const struct replay_reader *in)
{
	struct error err;

	if (replay_file_read(replay_path(l->c->cfg.replay), in, &err) == 0)
		return 0;
	ctl_end(l->r, 1, "%s", err.text);
	return -1;
}

static void listing_fini(struct replay_list *l)
{
	mem_free(l->row);
	json_decref(l->domains);
	arena_free(l->a);
}

void control_replay_list(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct replay_list l = {.c = arg, .r = r, .a = arena_new()};
	const struct replay_reader in = {.a = l.a, .row = on_row,
	    .count = on_count, .arg = &l};

	(void)args;
	if (read_rows(&l, &in) == 0) {
		for (size_t i = 0; i < l.rows; i++)
			print_row(&l, &l.row[i]);
		ctl_end(r, 0, "%s", "");
	}
	listing_fini(&l);
}

void control_replay_show(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct replay_list l = {.c = arg, .r = r, .a = arena_new(),
	    .domains = json_object()};
	int64_t number = integer(args, "number");
	const struct replay_reader head = {.number = number, .a = l.a,
	    .row = on_row, .count = on_count, .arg = &l};
	const struct replay_reader rest = {.number = number, .a = l.a,
	    .user = on_user, .mail = on_mail, .arg = &l};

	if (number <= 0) {
		ctl_end(r, 2, "\"number\" is the number of a replay");
	} else if (read_rows(&l, &head) == 0) {
		if (l.rows == 0)
			ctl_end(r, 1, "there is no replay %" PRId64 "; see "
			    "`posthouse replay list`", number);
		else
			print_row(&l, &l.row[0]);
		if (l.rows != 0 && read_rows(&l, &rest) == 0) {
			print_domains(&l);
			ctl_end(r, 0, "%s", "");
		}
	}
	listing_fini(&l);
}
