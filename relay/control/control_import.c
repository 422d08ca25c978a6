/* SPDX-License-Identifier: ISC
 *
 * queue.import: a message that another Posthouse exported is accepted here. It
 * keeps its id, so that no run takes it twice, and the states of its
 * deliveries; the routes are looked up anew, by the table of this one.
 *
 * First the envelope's row; then, asked for one after the other, lines of
 *   {"recipients":[…]}  {"deliveries":[…]}  {"chunk":"base64"}  {"end":true}
 * It is said to be stored when the journal has it, and not before (T1). A
 * client that goes away leaves nothing. The ops loop.
 */
#include "relay/control/control_int.h"

#include "relay/audit/lookup.h"
#include "relay/audit/note_post.h"
#include "relay/control/carried.h"
#include "relay/control/carried_check.h"
#include "relay/post/delivery_ref.h"
#include "relay/post/mail.h"
#include "relay/post/queue_letters.h"

enum {
	ENVELOPE_ROOM = 8 << 20, /* its texts, while it comes */
	TRACE_ROOM = 64 << 10, /* our trace block, over limits.message */
};

struct carried {
	struct control *c;
	struct ctl_request *r;
	struct list node; /* of control.importing */
	struct arena *arena;
	struct envelope env;
	unsigned rcpt_cap;
	struct spool_delivery *delivery;
	struct slice *detail;
	const char **leg;
	unsigned deliveries, delivery_cap;
	size_t detail_bytes;
	struct spool_draft *draft;
	bool delivering; /* the other one went on while it exported */
	bool committed;
};

static void on_line(void *arg, const json_t *line);

static void import_free(struct carried *im)
{
	list_remove(&im->node);
	spool_draft_free(im->draft);
	arena_free(im->arena);
	mem_free(im->env.rcpt);
	mem_free(im->delivery);
	mem_free(im->detail);
	mem_free(im->leg);
	im->c->busy--;
	mem_free(im);
}

/* Nothing of it is taken. */
static void refuse(struct carried *im, const char *why)
{
	ctl_end(im->r, 1, "%s", why);
	import_free(im);
}

static void answer(struct carried *im, const char *state)
{
	struct jout *j = ctl_row(im->r);
	char id[ID_TEXT];

	id_text(im->env.id, id);
	jout_str(j, "id", id);
	jout_str(j, "state", state);
	ctl_row_end(im->r);
	ctl_end(im->r, 0, "%s", "");
	import_free(im);
}

/* ---- is it known? ---- */

static const char taken[] = "another message has this id here; send its .eml "
    "by hand";

static bool same_envelope(const struct carried *im, struct slice packed)
{
	struct arena *a = arena_new();
	struct envelope e;
	bool same = envelope_unpack(packed, a, &e) == 0 &&
	    e.accepted_us == im->env.accepted_us &&
	    e.size == im->env.size && strcmp(e.from, im->env.from) == 0;

	arena_free(a);
	return same;
}

void control_import_fetched(struct spool_fetch *f)
{
	struct carried *im = f->arg;
	struct lookup *l;

	/* One that the disk does not give is here, and goes on here: taken
	 * again it would be delivered twice. */
	if (f->status != 0 && f->err.no != 0) {
		refuse(im, "it is here and cannot be read now; see the log, "
			   "and import it again");
	} else if (f->status != 0) { /* not live: the index knows */
		l = lookup_new(im->env.id, &im->c->box, O_IMPORT_KNOWN);
		l->arg = im;
		l->carried = true;
		projector_lookup(im->c->cfg.projector, l);
	} else if (same_envelope(im, strbuf_view(&f->envelope))) {
		answer(im, "known");
	} else {
		refuse(im, taken);
	}
	spool_fetch_free(f);
}

/* A message that the index calls open and the journal does not hold was lost
 * here: it is taken. */
static bool is_over(const struct lookup *l)
{
	for (unsigned i = 0; i < l->rows; i++)
		if (dstate_live((enum dstate)l->row[i].state))
			return false;
	return l->found && l->rows > 0;
}

void control_import_known(struct lookup *l)
{
	struct carried *im = l->arg;

	if (is_over(l))
		answer(im, "known");
	else
		ctl_more(im->r, on_line, im);
	lookup_free(l);
}

/* ---- its lines ---- */

static const char *add_rcpts(struct carried *im, const json_t *list)
{
	const char *why = NULL;

	for (size_t i = 0; i < json_array_size(list) && why == NULL; i++) {
		struct envelope_rcpt r;

		why = carried_take_rcpt(json_array_get(list, i), im->arena,
		    &im->env, &r);
		if (why != NULL)
			break;
		if (im->env.rcpts == im->rcpt_cap) {
			im->rcpt_cap = im->rcpt_cap * 2 + 8;
			im->env.rcpt = mem_resize(im->env.rcpt,
			    im->rcpt_cap * sizeof(r));
		}
		im->env.rcpt[im->env.rcpts++] = r;
	}
	return why;
}

static void grow_deliveries(struct carried *im)
{
	if (im->deliveries <= im->delivery_cap)
		return;
	im->delivery_cap = im->delivery_cap * 2 + 8;
	im->delivery = mem_resize(im->delivery,
	    im->delivery_cap * sizeof(*im->delivery));
	im->detail = mem_resize(im->detail,
	    im->delivery_cap * sizeof(*im->detail));
	im->leg = mem_resize(im->leg, im->delivery_cap * sizeof(*im->leg));
}

/* It may have gone out there meanwhile. */
static void doubt(struct spool_delivery *d)
{
	if ((d->state == D_QUEUED || d->state == D_DEFERRED) &&
	    d->uncertain == UNC_NO)
		d->uncertain = UNC_POSSIBLE;
}

static const char *add_delivery(struct carried *im, const json_t *o)
{
	unsigned at = im->deliveries++;
	const char *why;

	if (!spool_record_holds(im->c->cfg.shared->spool, im->deliveries,
		im->detail_bytes))
		return "it has more deliveries, or they say more, than one "
		       "record of the spool holds; send its .eml by hand";
	grow_deliveries(im);
	why = carried_take_delivery(o, im->arena, &im->leg[at],
	    &im->delivery[at], &im->detail[at]);
	if (why == NULL && im->delivering)
		doubt(&im->delivery[at]);
	if (why == NULL)
		im->detail_bytes += im->detail[at].n;
	return why;
}

static const char *add_deliveries(struct carried *im, const json_t *list)
{
	const char *why = NULL;

	for (size_t i = 0; i < json_array_size(list) && why == NULL; i++)
		why = add_delivery(im, json_array_get(list, i));
	return why;
}

static const char *add_chunk(struct carried *im, const json_t *text,
    enum spool_add *got)
{
	const struct shared *sh = im->c->cfg.shared;
	struct arena *a = arena_new();
	const char *why = NULL;
	struct slice bytes;

	if (im->draft == NULL)
		im->draft = spool_draft_new(sh->spool, im->env.id, &im->c->box,
		    im);
	if (!carried_bytes(text, a, &bytes))
		why = "\"chunk\" is not base64";
	else if (spool_draft_size(im->draft) + bytes.n > im->env.size)
		why = "it is longer than its envelope says";
	else
		*got = spool_draft_add(im->draft, bytes, O_IMPORT_DRAFT);
	arena_free(a);
	if (*got == ADD_FULL)
		why = "the spool has no room for it";
	else if (*got == ADD_FAILED)
		why = "it could not be written; see the log";
	return why;
}

/* ---- the whole ---- */

static const char *check(const struct carried *im)
{
	const struct shared *sh = im->c->cfg.shared;
	const char *why = carried_check_rcpts(&im->env);

	if (why == NULL)
		why = carried_check_deliveries(&im->env, im->delivery,
		    im->deliveries);
	if (why == NULL)
		why = carried_check_times(&im->env, im->delivery,
		    im->deliveries, clock_wall_us(sh->clock));
	if (why == NULL && (im->draft == NULL ||
	    spool_draft_size(im->draft) != im->env.size))
		why = "it is shorter than its envelope says";
	if (why == NULL && atomic_load(&sh->stopping))
		why = "the daemon stops";
	if (why == NULL && queue_full(sh->queue))
		why = "the queue is full (queue.max)";
	return why;
}

/* An envelope that cannot be read back is not written: the reader's checks are
 * those of what goes into commands again. */
static bool pack(const struct carried *im, struct strbuf *out)
{
	struct arena *a = arena_new();
	struct envelope e;
	bool sound;

	envelope_pack(&im->env, out);
	sound = strbuf_ok(out) &&
	    envelope_unpack(strbuf_view(out), a, &e) == 0;
	arena_free(a);
	return sound;
}

/* Of the address as it stands, as after a restart: what the table says of it
 * is looked up next. */
static void hash_all(struct carried *im)
{
	const struct conf *conf = im->c->snapshot->conf;

	for (unsigned i = 0; i < im->deliveries; i++) {
		struct spool_delivery *d = &im->delivery[i];
		uint64_t hash =
		    mail_rcpt_hash(conf, im->env.rcpt[d->rcpt].to);

		d->hash = hash == QUEUE_ANYBODY ? 0 : hash;
	}
}

static void commit(struct carried *im)
{
	const char *why = check(im);
	struct strbuf packed;

	strbuf_init(&packed, ENVELOPE_MAX);
	if (why == NULL && !pack(im, &packed))
		why = "its envelope is over 1 MiB, or has control characters "
		      "in an address";
	if (why == NULL)
		why = carried_number_legs(im->c->cfg.shared->names, im->leg,
		    im->delivery, im->deliveries);
	if (why == NULL) {
		im->committed = true;
		hash_all(im);
		spool_draft_sender(im->draft, mail_sender(im->env.from));
		spool_draft_details(im->draft, im->detail, im->deliveries);
		spool_draft_commit(im->draft, strbuf_view(&packed),
		    im->delivery, im->deliveries, O_IMPORT_DRAFT);
	}
	strbuf_fini(&packed);
	if (why != NULL)
		refuse(im, why);
}

static void on_line(void *arg, const json_t *line)
{
	struct carried *im = arg;
	enum spool_add got = ADD_OK;
	const json_t *chunk = json_object_get(line, "chunk");
	const char *why = NULL;

	if (line == NULL) {
		refuse(im, "gone");
		return;
	}
	if (json_is_true(json_object_get(line, "end"))) {
		commit(im);
		return;
	}
	if (chunk != NULL)
		why = add_chunk(im, chunk, &got);
	else
		why = add_rcpts(im, json_object_get(line, "recipients"));
	if (chunk == NULL && why == NULL)
		why = add_deliveries(im, json_object_get(line, "deliveries"));
	if (why == NULL && arena_bytes(im->arena) > ENVELOPE_ROOM)
		why = "its recipients and deliveries are over 8 MiB";
	if (why != NULL)
		refuse(im, why);
	else if (got == ADD_OK) /* else control_import_draft() goes on */
		ctl_more(im->r, on_line, im);
}

/* ---- stored ---- */

/* Its change is older than any, so its routes are looked up. */
static void tell_queue(const struct carried *im)
{
	struct mailbox *box = im->c->cfg.shared->queue_box;
	struct accepted_letter *l = mem_new(
	    sizeof(*l) + im->deliveries * sizeof(l->item[0]));
	struct unclaim_letter *stale = NEW(struct unclaim_letter);

	l->letter.kind = S_ACCEPTED;
	l->id = im->env.id;
	l->size = im->env.size;
	l->sender = mail_sender(im->env.from);
	l->n = im->deliveries;
	for (unsigned i = 0; i < im->deliveries; i++)
		l->item[i] = delivery_ref_read(&im->delivery[i], i);
	stale->letter.kind = S_UNCLAIM;
	stale->id = im->env.id;
	stale->stale = true;
	mailbox_post(box, &l->letter);
	mailbox_post(box, &stale->letter);
}

static void note_import(const struct carried *im)
{
	const struct shared *sh = im->c->cfg.shared;
	struct note_draft n;
	struct jout *j = note_open(&n, EVENT_IMPORTED);
	char text[ID_TEXT];

	id_text(im->env.id, text);
	jout_str(j, "id", text);
	jout_str(j, "who", ctl_who(im->r));
	note_post(&n, sh->spool, NOTE_SYSTEM, clock_wall_us(sh->clock));
}

void control_import_draft(struct spool_draft_letter *l)
{
	struct carried *im = l->arg;

	if (!im->committed) { /* there was no room, and there is now */
		ctl_more(im->r, on_line, im);
		return;
	}
	if (l->status == SPOOL_FULL) {
		refuse(im, "the spool has no room for it");
	} else if (l->status == SPOOL_TAKEN) {
		refuse(im, "it came here meanwhile; import it again");
	} else if (l->status != SPOOL_STORED) {
		refuse(im, "it could not be written; see the log");
	} else {
		id_maker_above(&im->c->cfg.shared->ids, im->env.id);
		tell_queue(im);
		note_import(im);
		answer(im, "imported");
	}
}

/* ---- the beginning ---- */

static bool under_way(const struct control *c, uint64_t id)
{
	list_each(n, &c->importing)
		if (LIST_ENTRY(n, struct carried, node)->env.id == id)
			return true;
	return false;
}

static const char *admit(const struct control *c, const struct envelope *e)
{
	if (under_way(c, e->id))
		return "it is being imported by another command";
	if (e->size > c->snapshot->conf->limits.message_bytes + TRACE_ROOM)
		return "it is larger than limits.message";
	return carried_check_id(e->id, clock_wall_us(c->cfg.shared->clock));
}

void control_queue_import(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct carried *im = NEW(struct carried);
	struct control *c = arg;
	struct spool_fetch *f;
	const char *why;

	im->c = c;
	im->r = r;
	im->arena = arena_new();
	im->delivering = json_is_true(json_object_get(args, "delivering"));
	list_node_init(&im->node);
	c->busy++;
	why = carried_take_envelope(args, im->arena, &im->env);
	if (why == NULL)
		why = admit(c, &im->env);
	if (why != NULL) {
		refuse(im, why);
		return;
	}
	list_push_back(&c->importing, &im->node);
	f = spool_fetch_new(im->env.id, &c->box, O_IMPORT_FETCHED);
	f->arg = im;
	spool_fetch_post(c->cfg.shared->spool, f);
}
