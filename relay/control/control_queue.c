/* SPDX-License-Identifier: ISC
 *
 * Control commands of the queue that only look: list, show. The ops loop.
 */
#include "relay/control/control_select.h"

#include "relay/mail/actor.h"
#include "relay/post/delivery_ref.h"

/* ---- a row ---- */

static void last_reply(const struct queue_row *row, const struct mail *m,
    struct arena *a, struct strbuf *out, struct result *r)
{
	struct slice detail = strbuf_view(&m->fetch->reply[row->item.number]);
	struct actor who;

	if ((why_has_result(row->item.reason) ||
		row->item.reason == WHY_LATE) && detail.n != 0 &&
	    result_unpack(detail, a, r) == 0) {
		if (row->item.reason == WHY_FORGED)
			strbuf_adds(out, "forged: ");
		if (r->code != 0)
			strbuf_addf(out, "%d %s%s", r->code, r->enh,
			    r->enh[0] != '\0' ? " " : "");
		strbuf_adds(out, r->text);
		return;
	}
	*r = (struct result){.class = CLASS_NONE};
	if (row->item.reason == WHY_ADMIN && actor_unpack(detail, a, &who) == 0)
		strbuf_addf(out, "%s%s%s", who.who,
		    who.reason[0] != '\0' ? ": " : "", who.reason);
	else if (row->item.reason == WHY_NO_ROUTE)
		strbuf_adds(out, "no-route");
	else if (row->item.reason == WHY_RESTORED)
		strbuf_adds(out, "restored from a backup: posthouse restore "
		    "accept");
	else if (row->item.reason == WHY_LIFETIME)
		strbuf_adds(out, "lifetime over");
	else if (row->item.reason == WHY_GUARD)
		strbuf_adds(out, "the sender may be forged (dsn.guard)");
	else if (row->item.reason == WHY_NO_WAY)
		strbuf_adds(out, "no way out for it (dsn.via)");
	else if (row->item.reason == WHY_LOOP ||
	    row->item.reason == WHY_HINT)
		strbuf_adds(out, "loop");
	else if (row->item.reason == WHY_TOO_LARGE)
		strbuf_adds(out, "larger than the leg takes");
	else if (row->item.reason == WHY_NO_UTF8)
		strbuf_adds(out, "the leg does not offer SMTPUTF8");
}

void control_print_row(struct control *c, const struct queue_row *row,
    const struct mail *m, struct jout *j)
{
	const struct shared *sh = c->cfg.shared;
	struct arena *a = arena_new();
	struct strbuf reason;
	struct result r = {.class = CLASS_NONE};
	char id[ID_TEXT];
	int64_t now = clock_wall_us(sh->clock);

	id_text(row->id, id);
	strbuf_init(&reason, 4096);
	if (row->item.number < m->fetch->deliveries)
		last_reply(row, m, a, &reason, &r);
	jout_str(j, "id", id);
	jout_str(j, "from", m->env.from);
	jout_str(j, "to", m->env.rcpt[row->item.rcpt].to);
	jout_str(j, "leg", names_text(sh->names, row->item.leg));
	jout_str(j, "role", role_text(row->item.role));
	jout_str(j, "state", dstate_text(row->item.state));
	jout_int(j, "attempts", row->item.attempts);
	jout_time(j, "accepted", m->env.accepted_us);
	/* A delivery that is held, frozen, parked or over has no next
	 * attempt. */
	if (row->item.due_us != 0 && (row->item.state == D_QUEUED ||
	    row->item.state == D_DEFERRED))
		jout_time(j, "next", row->item.due_us);
	else
		jout_str(j, "next", NULL);
	jout_slice(j, "reason", strbuf_view(&reason));
	jout_str(j, "class", reply_class_text(r.class));
	jout_int(j, "code", r.code);
	jout_int(j, "age_s", (now - m->env.accepted_us) / 1000000);
	jout_int(j, "size", (int64_t)m->env.size);
	jout_bool(j, "in_flight", row->claimed);
	jout_int(j, "change", (int64_t)row->item.change);
	strbuf_fini(&reason);
	arena_free(a);
}

/* ---- list ---- */

static void list_match(struct select *s, const struct queue_row *row,
    const struct mail *m)
{
	control_print_row(s->c, row, m, ctl_row(s->r));
	ctl_row_end(s->r);
}

static void list_finish(struct select *s)
{
	ctl_end(s->r, s->fault.text[0] != '\0', "%s", s->fault.text);
	select_free(s);
}

void control_queue_list(void *arg, struct ctl_request *r, const json_t *args)
{
	struct select *s = select_new(arg, r, args);

	if (s == NULL)
		return;
	s->match = list_match;
	s->finish = list_finish;
	select_begin(s);
}

/* ---- show ---- */

static void print_message(struct ctl_request *r, const struct envelope *e)
{
	struct jout *j = ctl_row(r);
	char id[ID_TEXT];

	id_text(e->id, id);
	jout_str(j, "section", "message");
	jout_str(j, "id", id);
	jout_time(j, "accepted", e->accepted_us);
	jout_str(j, "from", e->from);
	jout_str(j, "client", e->client);
	jout_int(j, "size", (int64_t)e->size);
	jout_str(j, "message_id", e->message_id);
	ctl_row_end(r);
}

static void print_delivery(struct control *c, struct ctl_request *r,
    const struct queue_row *row, const struct mail *m)
{
	struct jout *j = ctl_row(r);

	jout_str(j, "section", "delivery");
	control_print_row(c, row, m, j);
	ctl_row_end(r);
}

static void show_match(struct select *s, const struct queue_row *row,
    const struct mail *m)
{
	if (s->found == 1)
		print_message(s->r, &m->env);
	print_delivery(s->c, s->r, row, m);
}

bool control_print_kept(struct control *c, struct ctl_request *r,
    struct spool_fetch *f)
{
	struct mail *m = mail_of_fetch(f);

	if (m == NULL)
		return false;
	print_message(r, &m->env);
	for (unsigned i = 0; i < m->deliveries; i++) {
		struct queue_row row = {.id = m->env.id, .size = m->env.size,
		    .item = delivery_ref_read(&m->delivery[i], i)};

		if (row.item.rcpt < m->env.rcpts)
			print_delivery(c, r, &row, m);
	}
	mail_unref(m);
	return true;
}

static void show_finish(struct select *s)
{
	if (s->fault.text[0] != '\0')
		ctl_end(s->r, 1, "%s", s->fault.text);
	else if (s->found == 0)
		control_content(s->c, s->r, s->f.id[0],
		    s->body ? CONTENT_KEPT_BODY : CONTENT_KEPT);
	else if (s->body)
		control_content(s->c, s->r, s->f.id[0], CONTENT_SHOW);
	else
		ctl_end(s->r, 0, "%s", "");
	select_free(s);
}

/* The states of all deliveries of one message, over or not. */
void control_queue_show(void *arg, struct ctl_request *r, const json_t *args)
{
	struct control *c = arg;
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
	select_begin(s);
}
