/* SPDX-License-Identifier: ISC
 *
 * Fills a batch: ops first (delivery and results have priority over intake),
 * then drafts. Each record is packed, read back and applied to the index as
 * staged, by the same code that recovery uses. Writer thread.
 */
#include "relay/base/assert.h"
#include "relay/base/log.h"
#include "relay/spool/spool_int.h"

enum { TOTAL_BYTES = 4 + NAME_BYTES + TOTALS * 8 };

/* Other threads add legs at any time. The totals at the end of the batch are of
 * those that were there when room was last found: no record in it can name a
 * later one. So what room was kept for is what is written. */
uint64_t fill_room(struct spool *s)
{
	struct journal *j = &s->journal;
	uint64_t limit = s->key.segment_bytes - j->seg->end, used, totals;
	uint64_t summary = summarize_reserve(s);
	unsigned legs = (unsigned)names_count(s->c.names);

	limit = summary < limit ? limit - summary : 0;
	if (limit > BATCH_BYTES)
		limit = BATCH_BYTES;
	totals = RECORD_HEAD + 16 + (uint64_t)legs * TOTAL_BYTES;
	used = j->batch.meta.n + j->batch.body_bytes + totals;
	if (used >= limit)
		return 0;
	j->legs = legs;
	return limit - used;
}

static void patch_old_states(struct strbuf *meta, size_t record,
    const struct rec_update *u)
{
	for (unsigned i = 0; i < u->updates; i++)
		meta->p[record + RECORD_HEAD + u->old_at[i]] =
		    (char)u->old_state[i];
}

bool fill_apply(struct spool *s, size_t record)
{
	struct journal *j = &s->journal;
	struct strbuf *meta = &j->batch.meta;
	struct record *r = &j->record;
	struct rec_place at = {.seg = j->seg};
	struct record_head h;
	struct slice payload;
	bool takes;

	batch_record_end(&j->batch);
	at.off = (uint32_t)(j->seg->end + record);
	at.bytes = (uint32_t)(meta->n - record);
	takes = record_frame(slice_of(meta->p + record, at.bytes), &h,
		    &payload) &&
	    record_parse(r, &h, payload, FORMAT_VERSION, s->c.names) == 0;
	if (takes && (r->type == REC_UPDATE || r->type == REC_GROUP)) {
		takes = index_stage_update(s, &r->update, at);
		patch_old_states(meta, record, &r->update);
	}
	if (takes && r->type == REC_REVIVE)
		takes = index_stage_revive(s, r, at);
	else if (takes && r->type != REC_UPDATE)
		index_stage_accept(s, r, at);
	if (!takes)
		batch_record_undo(&j->batch, record);
	return takes;
}

static struct rec_accept accept_of(const struct spool *s,
    const struct spool_draft *d)
{
	struct rec_accept a = {
	    .id = d->id,
	    .accepted_us = d->accepted_us,
	    .ahead_us = steady_ahead_us(s, d->accepted_us),
	    .sender = d->sender,
	    .envelope = strbuf_view(&d->envelope),
	    .delivery = d->delivery,
	    .detail = d->detail,
	    .deliveries = d->deliveries,
	};

	if (d->bulk)
		a.body = d->place;
	a.body.size = d->body->bytes;
	return a;
}

static void put_accept(struct spool *s, const struct spool_draft *d)
{
	struct batch *b = &s->journal.batch;
	struct rec_accept a = accept_of(s, d);
	struct iovec iov[DRAFT_IOVS];
	size_t at = record_put_accept(&b->meta, &a, s->c.names);

	if (!d->bulk && d->body->bytes > 0)
		batch_body(b, at, iov, body_iov(d->body, iov, DRAFT_IOVS));
}

bool spool_record_holds(const struct spool *s, unsigned deliveries,
    size_t details)
{
	return record_accept_max(0, deliveries, details, 0) <= s->record_max;
}

/* As put_revive() counts: where the message stood goes before it. */
bool spool_revive_holds(const struct spool *s, unsigned deliveries,
    size_t details)
{
	return spool_record_holds(s, deliveries,
	    details + sizeof(struct rec_revive) + BLOCK / 64);
}

static size_t draft_record_max(const struct spool_draft *d)
{
	return record_accept_max(d->envelope.n, d->deliveries,
	    d->detail_bytes, d->place.extents);
}

static uint64_t draft_max(const struct spool_draft *d)
{
	return draft_record_max(d) + (d->bulk ? 0 : d->body->bytes);
}

/* Decides what needs no trial; SPOOL_STORED: try it. A second record of an id
 * would take the place of a live message. */
static enum spool_status draft_verdict(struct spool *s,
    const struct spool_draft *d)
{
	if (d->lane_status != SPOOL_STORED)
		return d->lane_status;
	if (index_has(s, d->id)) {
		log_warn("spool.id_taken", kv_id("id", d->id));
		return SPOOL_TAKEN;
	}
	if (strbuf_ok(&d->envelope) && draft_record_max(d) <= s->record_max)
		return SPOOL_STORED;
	log_warn("spool.envelope_too_large", kv_id("id", d->id));
	return SPOOL_FAILED;
}

static bool draft_fits(struct spool *s, const struct spool_draft *d)
{
	return draft_max(d) <= fill_room(s) &&
	    batch_takes_body(&s->journal.batch, DRAFT_IOVS);
}

void fill_drafts(struct spool *s)
{
	struct journal *j = &s->journal;

	while (j->drafts.head != NULL) {
		struct spool_draft *d = CONTAINER_OF(j->drafts.head,
		    struct spool_draft, post);
		enum admit admit = space_admits(s, 0);
		enum spool_status st = draft_verdict(s, d);
		bool takes;
		size_t rec;

		if (atomic_load(&s->sync_failed))
			st = SPOOL_FAILED;
		else if (st == SPOOL_STORED && admit == ADMIT_FULL)
			st = SPOOL_FULL;
		if (st != SPOOL_STORED) {
			queue_pop(&j->drafts);
			draft_answer(d, st);
			continue;
		}
		if (admit == ADMIT_LATER)
			return;
		if (!draft_fits(s, d)) {
			j->full = true;
			return;
		}
		rec = batch_record(&j->batch, REC_ACCEPTED);
		put_accept(s, d);
		takes = fill_apply(s, rec);
		PH_ASSERT(takes); /* it will be answered as stored */
		queue_push(&j->batch_drafts, queue_pop(&j->drafts));
	}
}

/* ---- ops ---- */

static struct rec_update *collect(struct spool *s, const struct spool_op *op,
    struct slice *rest, bool with_details)
{
	struct strbuf *mem = &s->journal.scratch;
	static const struct rec_update none;
	struct rec_update *u;
	struct slice at = *rest, body;
	enum op_item kind;
	unsigned n = 0;

	while (op_next(&at, &kind, &body) && kind == ITEM_UPDATE)
		n++;
	strbuf_reset(mem);
	strbuf_add(mem, &none, sizeof(none));
	for (unsigned i = 0; i < n && op_next(rest, &kind, &body); i++) {
		struct spool_update up = op_get_update(body);

		if (!with_details)
			up.detail = slice_of("", 0);
		strbuf_add(mem, &up, sizeof(up));
	}
	u = (struct rec_update *)(void *)mem->p;
	u->id = op->id;
	u->time_us = op->time_us;
	u->ahead_us = steady_ahead_us(s, op->time_us);
	u->updates = n;
	u->update = (struct spool_update *)(void *)(mem->p + sizeof(none));
	return u;
}

/* The states matter more than what was said: when one record cannot hold
 * all the details, it goes without. */
static bool details_fit(const struct spool *s, const struct spool_op *op)
{
	return record_update_max(0, op->body.n * 2) <= s->record_max;
}

static bool put_updates(struct spool *s, const struct spool_op *op,
    struct slice *rest)
{
	struct batch *b = &s->journal.batch;
	struct rec_update *u = collect(s, op, rest, details_fit(s, op));
	size_t rec;

	if (record_update_max(u->updates, 0) > s->record_max)
		return false;
	rec = batch_record(b, op->group != NULL ? REC_GROUP : REC_UPDATE);
	record_put_update(&b->meta, u, s->c.names);
	if (op->group == NULL) {
		fill_apply(s, rec); /* one that is not live: ignored */
		return true;
	}
	put_accept(s, op->group);
	return fill_apply(s, rec);
}

static void put_note(struct spool *s, const struct spool_op *op,
    struct slice body)
{
	struct batch *b = &s->journal.batch;

	batch_record(b, REC_NOTE);
	pack_u8(&b->meta, (uint8_t)body.p[0]);
	pack_i64(&b->meta, op->time_us);
	pack_bytes(&b->meta, slice_from(body, 1));
	batch_record_end(b);
}

static bool put_fact(struct spool *s, struct slice body)
{
	struct batch *b = &s->journal.batch;
	struct fact f = op_get_fact(body);

	if (f.key.n == 0 || !fact_fits(s, &f))
		return false;
	batch_record(b, REC_FACTS);
	record_put_facts(&b->meta, false, &f, 1);
	batch_record_end(b);
	return true;
}

/* Its segments stay at least until the batch is written. */
static bool may_revive(struct spool *s, struct slice payload)
{
	struct record *r = &s->journal.record;
	struct record_head h = {.type = REC_REVIVE};

	return record_parse(r, &h, payload, FORMAT_VERSION, s->c.names) == 0 &&
	    r->revive.generation >= s->journal.oldest &&
	    index_hold(s, &r->accept.body);
}

static enum spool_status put_revive(struct spool *s, struct slice payload)
{
	struct batch *b = &s->journal.batch;
	size_t rec;

	if (RECORD_HEAD + payload.n + BLOCK / 64 > s->record_max)
		return SPOOL_FAILED;
	if (!may_revive(s, payload))
		return SPOOL_GONE;
	rec = batch_record(b, REC_REVIVE);
	strbuf_addsl(&b->meta, payload);
	return fill_apply(s, rec) ? SPOOL_STORED : SPOOL_GONE;
}

static enum spool_status put_item(struct spool *s, const struct spool_op *op,
    enum op_item kind, struct slice body)
{
	bool ok = false;

	if (kind == ITEM_REVIVE)
		return put_revive(s, body);
	if (kind == ITEM_FACT)
		ok = put_fact(s, body);
	if (kind == ITEM_NOTE && body.n + BLOCK <= s->record_max) {
		put_note(s, op, body);
		ok = true;
	}
	return ok ? SPOOL_STORED : SPOOL_FAILED;
}

static enum spool_status put_op(struct spool *s, const struct spool_op *op)
{
	enum spool_status st = strbuf_ok(&op->body) ? SPOOL_STORED :
						      SPOOL_FAILED;
	struct slice rest = strbuf_view(&op->body), at, body;
	enum op_item kind;

	while (st == SPOOL_STORED) {
		at = rest;
		if (!op_next(&at, &kind, &body))
			break;
		if (kind == ITEM_UPDATE) {
			if (!put_updates(s, op, &rest))
				st = SPOOL_FAILED;
			continue;
		}
		rest = at;
		st = put_item(s, op, kind, body);
	}
	return st;
}

static uint64_t op_max(const struct spool *s, const struct spool_op *op)
{
	struct slice rest = strbuf_view(&op->body), body;
	bool details = details_fit(s, op);
	uint64_t n = BLOCK;
	enum op_item kind;

	while (op_next(&rest, &kind, &body))
		n += kind == ITEM_UPDATE ?
		    record_update_max(1, details ? body.n : 0) :
		    RECORD_HEAD + BLOCK / 64 + body.n;
	if (op->group != NULL)
		n += draft_max(op->group);
	return n;
}

static bool op_sane(struct spool *s, const struct spool_op *op)
{
	if (op->group != NULL &&
	    draft_verdict(s, op->group) != SPOOL_STORED)
		return false;
	return op_max(s, op) <=
	    (s->key.segment_bytes < BATCH_BYTES ? s->key.segment_bytes :
						  BATCH_BYTES) / 2;
}

void fill_ops(struct spool *s)
{
	struct journal *j = &s->journal;

	while (j->ops.head != NULL) {
		struct spool_op *op =
		    CONTAINER_OF(j->ops.head, struct spool_op, letter);

		if (!op_sane(s, op)) {
			queue_pop(&j->ops);
			log_warn("spool.op_refused", kv_id("id", op->id));
			op_answer(op, SPOOL_FAILED);
			continue;
		}
		if (op_max(s, op) > fill_room(s) ||
		    !batch_takes_body(&j->batch, DRAFT_IOVS)) {
			j->full = true;
			return;
		}
		queue_pop(&j->ops);
		op->status = put_op(s, op);
		queue_push(&j->batch_ops, &op->letter);
	}
}

/* ---- the head of a segment, and the end of a batch ---- */

void fill_facts(struct spool *s)
{
	struct batch *b = &s->journal.batch;
	struct fact f[FACTS_MAX];

	for (unsigned i = 0; i < s->facts; i++)
		f[i] = (struct fact){slice_str(s->fact[i].key),
		    strbuf_view(&s->fact[i].value)};
	batch_record(b, REC_FACTS);
	record_put_facts(&b->meta, true, f, s->facts);
	batch_record_end(b);
}

void fill_totals(struct spool *s)
{
	struct batch *b = &s->journal.batch;

	batch_record(b, REC_TOTALS);
	record_put_totals(&b->meta,
	    (const uint64_t(*)[TOTALS])s->index.total_next, s->c.names,
	    s->journal.legs);
	batch_record_end(b);
}
