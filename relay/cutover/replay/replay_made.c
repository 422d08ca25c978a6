/* SPDX-License-Identifier: ISC
 *
 * The deliveries that a replay made: known by message and recipient, written to
 * the file now and then, and asked about until they are over.
 */
#include "relay/cutover/replay/replay_int.h"

#include "relay/audit/note.h"
#include "relay/base/log.h"
#include "relay/post/call.h"
#include "relay/post/queue_letters.h"
#include "relay/settle/queue_thread.h"

enum {
	PUT_MS = 1000,
	PUT_MAX = 500,
	LOOK_MS = 2000, /* at what is open: no letter comes when it ends */
	PROBES = 1000,
	EVENT_BYTES = 16 << 10,
};

/* ---- the event --------------------------------------------------------- */

static void put_fields(struct jout *o, const struct replay_row *row)
{
	jout_int(o, "number", row->number);
	jout_str(o, "state", replay_state_text(row->state));
	jout_str(o, "who", row->who);
	jout_str(o, "command", row->command);
	jout_str(o, "note", row->note);
	jout_str(o, "from_leg", row->from_leg);
	jout_str(o, "to_leg", row->to_leg);
	jout_time(o, "since", row->since_us);
	jout_time(o, "until", row->until_us);
	jout_int(o, "users", row->users);
	jout_int(o, "made", row->made);
	jout_int(o, "there", row->there);
	jout_int(o, "waits", row->waits);
	jout_int(o, "came_from", row->came_from);
	jout_int(o, "gone", row->gone);
	jout_int(o, "unread", row->unread);
	jout_str(o, "reason", row->reason == NULL ? "" : row->reason);
}

void replay_tell(struct replay *r, const struct replay_row *row)
{
	struct spool_op *op = spool_op_new();
	struct note_writer w;
	struct strbuf bytes;

	strbuf_init(&bytes, EVENT_BYTES);
	put_fields(note_begin(&w, &bytes, EVENT_REPLAY), row);
	note_end(&w);
	spool_op_note(op, NOTE_SYSTEM, replay_wall_us(r),
	    strbuf_view(&bytes));
	strbuf_fini(&bytes);
	op->flags |= OP_SYNC;
	op->to = &r->box;
	op->kind = R_WRITTEN;
	r->telling++;
	spool_post(r->c.shared->spool, op);
}

/* ---- what it made ------------------------------------------------------ */

/* Messages of one moment have ids that follow one another. */
static uint64_t key_of(uint64_t id, uint32_t rcpt)
{
	uint64_t key = id * UINT64_C(0x9e3779b97f4a7c15) +
	    (rcpt + UINT64_C(1)) * UINT64_C(0xbf58476d1ce4e5b9);

	return key == 0 ? 1 : key;
}

bool replay_made_knows(const struct replay_job *j, uint64_t id, uint32_t rcpt)
{
	size_t at = (size_t)(uintptr_t)map_get(&j->known, key_of(id, rcpt));

	return at > 0 && j->mail[at - 1].id == id &&
	       j->mail[at - 1].rcpt == rcpt;
}

static void dirty(struct replay_job *j, size_t at)
{
	if (j->dirties == j->dirty_cap) {
		j->dirty_cap = j->dirty_cap * 2 + 64;
		j->dirty = mem_resize(j->dirty,
		    j->dirty_cap * sizeof(*j->dirty));
	}
	j->dirty[j->dirties++] = at;
}

void replay_made_take(struct replay_job *j, const struct replay_mail *m)
{
	if (j->mails == j->mail_cap) {
		j->mail_cap = j->mail_cap * 2 + 64;
		j->mail = mem_resize(j->mail,
		    j->mail_cap * sizeof(*j->mail));
	}
	j->mail[j->mails] = *m;
	j->mail[j->mails].address = arena_strdup(j->arena, m->address);
	j->open += dstate_open((enum dstate)m->state);
	j->row.made = (int64_t)++j->mails;
	map_put(&j->known, key_of(m->id, m->rcpt),
	    (void *)(uintptr_t)j->mails);
}

void replay_made_add(struct replay_job *j, const struct replay_mail *m)
{
	if (replay_made_knows(j, m->id, m->rcpt))
		return;
	replay_made_take(j, m);
	dirty(j, j->mails - 1);
}

static void set_state(struct replay_job *j, size_t at, uint8_t state)
{
	struct replay_mail *m = &j->mail[at];

	if (m->state == state)
		return;
	j->open -= dstate_open((enum dstate)m->state);
	j->open += dstate_open((enum dstate)state);
	m->state = state;
	dirty(j, at);
}

void replay_made_put(struct replay_job *j)
{
	struct replay_mail *m = NEW_ARRAY(struct replay_mail, j->dirties + 1);
	struct replay_progress p = {&j->row, m, j->dirties};
	struct error err;

	for (size_t i = 0; i < j->dirties; i++)
		m[i] = j->mail[j->dirty[i]];
	/* The journal has what was queued; the next start finds it again. */
	if (replay_file_put(replay_path(j->r), &p, &err) < 0)
		log_error("replay.file", kv_int("replay", j->row.number),
		    kv_err(&err));
	mem_free(m);
	j->dirties = 0;
	j->row_dirty = false;
	j->put_ms = replay_now_ms(j->r) + PUT_MS;
}

void replay_made_put_if_due(struct replay_job *j)
{
	bool due = replay_now_ms(j->r) >= j->put_ms;

	if (j->dirties >= PUT_MAX || (due && (j->dirties > 0 || j->row_dirty)))
		replay_made_put(j);
}

/* ---- what becomes of it ------------------------------------------------ */

/* Those that the queue has no more stay: they are read. */
static void on_probed(void *arg)
{
	struct replay_job *j = arg;
	unsigned n = 0;

	for (unsigned i = 0; i < j->probes; i++) {
		if (j->probe[i].state != D_NONE)
			set_state(j, j->probe[i].at, j->probe[i].state);
		else
			j->probe[n++] = j->probe[i];
	}
	j->ended = n;
	j->probing = false;
}

/* Queue thread. */
static void do_probe(void *arg)
{
	struct replay_job *j = arg;
	struct queue *q = queue_thread_queue(j->r->c.queue_thread);
	struct delivery_ref d;

	for (unsigned i = 0; i < j->probes; i++)
		j->probe[i].state = queue_get(q, j->probe[i].id,
		    j->probe[i].number, &d) ? d.state : D_NONE;
	call_post(&j->r->box, R_CALL, on_probed, j);
}

/* The next of those that are open; false: that was all. */
static bool probe(struct replay_job *j)
{
	if (j->probe == NULL)
		j->probe = NEW_ARRAY(struct replay_probe, PROBES);
	j->probes = 0;
	for (; j->look_at < j->mails && j->probes < PROBES; j->look_at++) {
		const struct replay_mail *m = &j->mail[j->look_at];

		if (dstate_open((enum dstate)m->state))
			j->probe[j->probes++] = (struct replay_probe){
			    j->look_at, m->id, m->number, D_NONE};
	}
	if (j->probes == 0)
		return false;
	j->probing = true;
	call_post(j->r->c.shared->queue_box, S_CALL, do_probe, j);
	return true;
}

bool replay_made_look(struct replay_job *j, uint64_t *id_out)
{
	int64_t now = replay_now_ms(j->r);

	*id_out = 0;
	if (j->probing)
		return true;
	if (j->ended > 0) {
		j->looked = j->probe[--j->ended].at;
		*id_out = j->mail[j->looked].id;
		return true;
	}
	if (j->look_at < j->mails && probe(j))
		return true;
	if (now >= j->look_ms && j->open > 0) {
		j->look_ms = now + LOOK_MS;
		j->look_at = 0;
	}
	return false;
}

/* One that has ended, and is given up by now, was delivered as far as can be
 * told. */
void replay_made_read(struct replay_job *j, const struct spool_fetch *f)
{
	const struct replay_mail *m = &j->mail[j->looked];

	if (f->status == 0 && m->number < f->deliveries)
		set_state(j, j->looked, f->delivery[m->number].state);
	else if (f->status != 0 && f->err.no == 0)
		set_state(j, j->looked, D_DELIVERED);
}
