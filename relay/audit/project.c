/* SPDX-License-Identifier: ISC
 *
 * One journal record into rows of the index and lines of events.jsonl. Knows
 * what a record means and nothing of when it is committed.
 */
#include <jansson.h>

#include "relay/audit/note.h"
#include "relay/audit/projector_int.h"
#include "relay/base/assert.h"
#include "relay/base/id.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"

/* ---- moves ------------------------------------------------------------- */

static int put_move(struct projector *p, const struct delivery_event *m)
{
	struct event_place at = projector_place(p);

	if (projector_told(p))
		return 0;
	if (projector_wants_line(p)) {
		event_print_delivery(&p->log.out, &at, m);
		projector_end_line(p);
	}
	return hourfile_put_event(projector_file(p), m);
}

static void count_flow(struct projector *p, const struct spool_delivery *d,
    enum dstate old_state)
{
	enum total from = dstate_total(old_state);
	enum total to = dstate_total((enum dstate)d->state);
	int64_t *flow;

	if (d->leg >= NAMES_MAX || to >= TOTALS)
		return;
	flow = p->flow[d->leg];
	p->flowed[d->leg] = true;
	if (old_state == D_NONE)
		flow[T_CREATED]++;
	else if (from < TOTALS)
		flow[from]--;
	flow[to]++;
}

int project_flow(struct projector *p)
{
	for (int leg = 0; leg < NAMES_MAX; leg++) {
		if (!p->flowed[leg])
			continue;
		if (hourfile_put_total(projector_file(p),
			names_text(p->names, leg), p->flow[leg]) != 0)
			return -1;
		p->flowed[leg] = false;
		memset(p->flow[leg], 0, sizeof(p->flow[leg]));
	}
	return 0;
}

/* The delivery's state after this move, and before it. */
static struct open_delivery state_of(uint32_t number,
    const struct spool_delivery *d, enum dstate before)
{
	return (struct open_delivery){.number = number, .rcpt = d->rcpt,
	    .leg = d->leg, .role = d->role, .state = d->state,
	    .before = (uint8_t)before};
}

/* The action that a notification in the same record reports for a move; NULL:
 * none. */
static const char *action_of(const struct delivery_event *m,
    const struct spool_delivery *to)
{
	switch (m->kind) {
	case EV_BOUNCED:
	case EV_PARKED:
		return "failed";
	case EV_DELIVERED:
		return (to->flags & DF_MAILBOX) != 0 ? "delivered" : "relayed";
	default:
		return to->reason == WHY_LATE ? "delayed" : NULL;
	}
}

static void note_about(struct projector *p, const struct open_message *e,
    const struct delivery_event *m, const struct spool_delivery *to)
{
	struct record_group *g = &p->group;
	const char *action = action_of(m, to);

	if (action == NULL)
		return;
	if (g->n == g->cap) {
		g->cap = g->cap == 0 ? 4 : g->cap * 2;
		g->about = mem_resize(g->about, g->cap * sizeof(*g->about));
	}
	g->about[g->n++] = (struct about){.id = m->id, .time_us = m->time_us,
	    .accepted_us = m->accepted_us, .to = open_message_to(e, m->rcpt),
	    .action = action, .rcpt = m->rcpt};
}

static int project_move(struct projector *p, struct open_message *e,
    const struct spool_update *u, enum dstate old_state, int64_t time_us)
{
	struct delivery_event m = {
		.kind = event_kind_of(old_state, &u->to),
		.id = e->id,
		.time_us = time_us,
		.accepted_us = e->accepted_us,
		.to = open_message_to(e, u->to.rcpt),
		.leg = names_text(p->names, u->to.leg),
		.rcpt = u->to.rcpt,
		.role = u->to.role,
		.why = u->to.reason,
		.uncertain = u->to.uncertain,
		.attempt = u->to.attempts,
		.change = u->to.change,
		.detail = u->detail,
	};

	if (projector_last_wants(m.kind, &u->to))
		projector_last_take(p, &m);
	if (m.kind == EV_DELIVERED && !projector_told(p))
		straggler_counts_delivered(projector_stragglers(p), &e->from,
		    m.to);
	note_about(p, e, &m, &u->to);
	return m.kind == EV_NONE ? 0 : put_move(p, &m);
}

static int project_update(struct projector *p, const struct spool_record *rec)
{
	struct open_message *e;
	int rc = open_messages_get(&p->open, p->hours, rec->id, &e);

	if (rc == 0) { /* its acceptance is in a gap, or in a lost file */
		log_warn("audit.unknown", kv_id("id", rec->id));
		rc = hours_passed_over(p->hours) ? project_gap_here(p, "index")
						 : 0;
		e = open_message_stub(&p->open, p->hours, rec->id);
		rc = e == NULL ? -1 : rc;
	}
	if (rc > 0)
		rc = 0;
	for (unsigned i = 0; i < rec->updates && rc == 0; i++) {
		const struct spool_update *u = &rec->update[i];
		enum dstate old = (enum dstate)rec->old_state[i];
		struct open_delivery now = state_of(u->delivery, &u->to, old);

		count_flow(p, &u->to, old);
		open_message_set(&p->open, e, &now);
		rc = project_move(p, e, u, old, rec->time_us);
	}
	return rc;
}

/* ---- what came to a return address of ours --------------------------- */

static bool is_returned(const struct spool_record *rec,
    const struct envelope *env)
{
	return rec->type == REC_ACCEPTED && rec->deliveries == 1 &&
	       env->rcpts == 1 && env->parent != 0 &&
	       rec->delivery[0].reason == WHY_RETURNED;
}

static void print_returned(struct strbuf *to, const struct envelope *env,
    const char *address_out[1])
{
	struct slice said = slice_str(env->rcpt[0].orcpt), action, status;
	struct note_writer w;
	struct jout *j = note_begin(&w, to, EVENT_RETURNED);
	char id[ID_TEXT];

	if (!slice_next(&said, ' ', &action))
		action = slice_of("", 0);
	if (!slice_next(&said, ' ', &status))
		status = slice_of("", 0);
	*address_out = said.p == NULL ? "" : said.p;
	id_text(env->id, id);
	jout_str(j, "id", id);
	id_text(env->parent, id);
	jout_str(j, "about", id);
	jout_str(j, "leg", env->came_from);
	jout_str(j, "to", *address_out);
	jout_slice(j, "action", action);
	jout_slice(j, "status", status);
	note_end(&w);
}

/* An event of the message whose copy it is about. */
static int put_returned(struct projector *p, const struct envelope *env)
{
	struct event_place at = projector_place(p);
	struct note_row row = {.time_us = env->accepted_us, .id = env->parent,
	    .client = env->client, .from = env->from};
	struct strbuf bytes;
	int rc = -1;

	strbuf_init(&bytes, 8192);
	print_returned(&bytes, env, &row.to);
	if (note_parse(strbuf_view(&bytes), &row.event, &row.fields) == 0) {
		if (projector_wants_line(p)) {
			event_print_note(&p->log.out, &at, row.time_us,
			    row.event, row.fields);
			projector_end_line(p);
		}
		rc = hourfile_put_note(projector_file(p), &row);
	}
	strbuf_fini(&bytes);
	return rc;
}

/* ---- acceptance -------------------------------------------------------- */

/* Our own notification: it has neither a listener nor a sender. */
static bool is_dsn(const struct envelope *env)
{
	return env->listen[0] == '\0' && env->from[0] == '\0';
}

static int put_message(struct projector *p, const struct envelope *env)
{
	struct event_place at = projector_place(p);

	if (projector_told(p))
		return 0;
	if (projector_wants_line(p)) {
		event_print_accepted(&p->log.out, &at, env);
		projector_end_line(p);
	}
	return hourfile_put_message(projector_file(p), env);
}

/* A delivery that was held or parked from the first is told; queued is the
 * usual case. */
static int project_deliveries(struct projector *p, struct open_message *e,
    const struct spool_record *rec)
{
	int rc = 0;

	for (unsigned i = 0; i < rec->deliveries && rc == 0; i++) {
		const struct spool_delivery *d = &rec->delivery[i];
		struct spool_update u = {.delivery = i, .to = *d};
		struct open_delivery now = state_of(i, d, D_NONE);

		if (rec->type == REC_ACCEPTED) {
			count_flow(p, d, D_NONE);
			open_message_set(&p->open, e, &now);
		}
		if (d->state != D_QUEUED)
			rc = project_move(p, e, &u, D_NONE, rec->time_us);
	}
	return rc;
}

/* A carry creates nothing: its deliveries were there before. */
static void adopt_deliveries(struct projector *p, struct open_message *e,
    const struct spool_record *rec)
{
	for (unsigned i = 0; i < rec->deliveries; i++) {
		const struct spool_delivery *d = &rec->delivery[i];
		struct open_delivery now =
		    state_of(i, d, (enum dstate)d->state);

		open_message_adopt(&p->open, e, &now);
	}
}

static int project_envelope(struct projector *p, const struct spool_record *rec,
    struct envelope *env)
{
	struct open_message *e = map_get(&p->open.map, rec->id);

	env->id = rec->id;
	if (rec->type == REC_ACCEPTED && is_dsn(env)) {
		p->group.dsn = env->id;
		mem_free(p->group.sender);
		p->group.sender =
		    mem_strdup(env->rcpts > 0 ? env->rcpt[0].to : "");
	}
	if (put_message(p, env) != 0 || (is_returned(rec, env) &&
		!projector_told(p) && put_returned(p, env) != 0))
		return -1;
	if (rec->type == REC_ACCEPTED && !projector_told(p))
		straggler_counts_accepted(projector_stragglers(p), env);
	e = e != NULL ? open_message_name(&p->open, e, env)
		      : open_messages_add(&p->open, env);
	open_message_touch(&p->open, e);
	if (rec->type == REC_CARRY)
		adopt_deliveries(p, e, rec);
	return project_deliveries(p, e, rec);
}

static int project_accepted(struct projector *p, const struct spool_record *rec)
{
	struct arena *a = arena_new();
	struct envelope env;
	int rc;

	if (envelope_unpack(rec->envelope, a, &env) == 0)
		rc = project_envelope(p, rec, &env);
	else
		rc = project_gap_here(p, "envelope");
	arena_free(a);
	return rc;
}

/* A carry says again what is known, unless its acceptance is in a gap. */
static int project_carry(struct projector *p, const struct spool_record *rec)
{
	struct open_message *e;
	int rc = open_messages_get(&p->open, p->hours, rec->id, &e);

	if (rc > 0 && !open_message_is_stub(e)) {
		if (projector_reads_back(p))
			adopt_deliveries(p, e, rec);
		return 0;
	}
	return rc < 0 ? -1 : project_accepted(p, rec);
}

/* ---- notes ------------------------------------------------------------- */

static int put_note(struct projector *p, int64_t time_us, struct slice event,
    struct slice fields, const json_t *o)
{
	struct event_place at = projector_place(p);
	struct note_row row = {
		.time_us = time_us,
		.event = event,
		.fields = fields,
		.client = projector_text(o, "client"),
		.from = projector_text(o, "from"),
		.to = projector_text(o, "to"),
	};

	if (projector_told(p))
		return 0;
	if (id_parse(slice_str(projector_text(o, "id")), &row.id) != 0)
		row.id = 0;
	if (projector_wants_line(p)) {
		event_print_note(&p->log.out, &at, time_us, event, fields);
		projector_end_line(p);
	}
	return hourfile_put_note(projector_file(p), &row);
}

/* Parsed for its keys, and because what is no JSON must not garble a line. */
static int project_note(struct projector *p, int64_t time_us,
    struct slice bytes)
{
	struct slice event, fields;
	json_t *o = NULL;
	int rc = 0;

	if (note_parse(bytes, &event, &fields) == 0)
		o = json_loadb(fields.p - 1, fields.n + 2, 0, NULL);
	if (o != NULL) {
		rc = put_note(p, time_us, event, fields, o);
		projector_era_note(p, event, o);
		if (!projector_told(p))
			project_straggler_note(p, time_us, event, o);
	} else {
		rc = project_gap_here(p, "note");
	}
	json_decref(o);
	return rc;
}

/* ---- groups ------------------------------------------------------------ */

static void group_reset(struct record_group *g)
{
	mem_free(g->sender);
	g->sender = NULL;
	g->dsn = 0;
	g->n = 0;
}

void project_reset(struct projector *p)
{
	group_reset(&p->group);
	memset(p->flow, 0, sizeof(p->flow));
	memset(p->flowed, 0, sizeof(p->flowed));
}

static int put_dsn(struct projector *p, const struct about *about)
{
	struct notice n = {p->group.dsn, p->group.sender, about->action};
	struct delivery_event m = {.kind = EV_DSN,
	    .id = about->id,
	    .to = about->to,
	    .time_us = about->time_us,
	    .accepted_us = about->accepted_us,
	    .rcpt = about->rcpt,
	    .leg = ""};
	struct strbuf detail;
	int rc;

	strbuf_init(&detail, 4096);
	notice_pack(&n, &detail);
	m.detail = strbuf_view(&detail);
	rc = put_move(p, &m);
	strbuf_fini(&detail);
	return rc;
}

int project_group_end(struct projector *p)
{
	int rc = 0;

	PH_ASSERT(p->group.n <= p->group.cap);
	if (p->group.dsn != 0)
		for (size_t i = 0; i < p->group.n && rc == 0; i++)
			rc = p->group.about[i].id == p->group.dsn ? 0
				 : put_dsn(p, &p->group.about[i]);
	group_reset(&p->group);
	return rc;
}

int project_record(struct projector *p, const struct spool_record *rec)
{
	switch (rec->type) {
	case REC_ACCEPTED:
		return project_accepted(p, rec);
	case REC_CARRY:
		return project_carry(p, rec);
	case REC_UPDATE:
		return project_update(p, rec);
	case REC_NOTE:
		return project_note(p, rec->time_us, rec->bytes);
	default:
		return 0; /* the journal's own affairs */
	}
}
