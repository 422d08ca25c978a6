/* SPDX-License-Identifier: ISC
 *
 * Shared by the parts of the watermarks: the table, the route of an address,
 * events on their way into ledger.db.
 */
#include "relay/cutover/watermark/watermarks_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "policy/mark/mark_file.h"
#include "relay/audit/projector.h"
#include "relay/base/assert.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"

enum { ARENA_BYTES = 1 << 16 };

void marks_trouble(struct watermarks *w, const struct error *err)
{
	if (!w->said)
		log_warn("watermark.trouble", kv_err(err), kv_str("effect",
		    "watermarks stand still; it is tried again"));
	w->said = true;
}

static void close_table(struct watermarks *w)
{
	table_close(w->table);
	w->table = NULL;
	mark_file_close(w->marks);
	w->marks = NULL;
}

/* While the table is out of use no handle stays open: `table accept` and
 * `table restore` want the file for themselves. */
bool marks_table(struct watermarks *w)
{
	uint64_t epoch = atomic_load(&w->shared->table_epoch);
	bool bad = atomic_load(&w->shared->table_bad);
	struct error err;

	if (bad || w->epoch != epoch)
		close_table(w);
	if (bad)
		return false; /* which the table's thread said */
	w->epoch = epoch;
	if (w->table == NULL) {
		w->log.version = 0;
		marks_hooks_due(w); /* also what the last run left */
		w->table = table_open(w->shared->table_path,
		    w->shared->names, &err);
		if (w->table == NULL)
			marks_trouble(w, &err);
	}
	return w->table != NULL;
}

struct watermark_reader *marks_reader(struct watermarks *w)
{
	struct error err;
	struct watermark_reader *r = watermark_reader_open_at(
	    watermark_path(w->last), w->snapshot->conf, &err);

	if (r == NULL)
		marks_trouble(w, &err);
	else
		w->said = false;
	return r;
}

bool marks_key(struct watermarks *w, struct slice address, struct strbuf *out)
{
	struct strbuf key;
	struct addr a;
	const char *why;
	bool good;

	strbuf_init(&key, 2 * ADDR_MAX);
	good = addr_parse(address, true, &a, &why) == 0 &&
	       addr_key(&a, '\0', &key) &&
	       route_base(w->snapshot->conf, strbuf_view(&key), out);
	strbuf_fini(&key);
	return good;
}

bool marks_route(struct watermarks *w, struct slice address,
    struct decision *out)
{
	struct addr a;
	const char *why;

	if (arena_bytes(w->arena) > ARENA_BYTES) {
		arena_free(w->arena);
		w->arena = arena_new();
	}
	memset(out, 0, sizeof(*out));
	if (addr_parse(address, true, &a, &why) != 0)
		return false;
	if (route_resolve(w->snapshot->conf, w->table, &a, w->arena, out))
		return true;
	w->unread = true;
	return false;
}

bool marks_unread(struct watermarks *w)
{
	bool unread = w->unread;

	w->unread = false;
	return unread;
}

bool marks_named(const struct route *r, bool held, int leg)
{
	if (held || r->kind != ROUTE_LEGS)
		return false;
	for (unsigned i = 0; i < r->legs; i++)
		if (r->leg[i] == leg)
			return true;
	return false;
}

void marks_event(struct watermarks *w, enum watermark_event event,
    const struct watermark_op *op)
{
	struct watermark_op o = *op;

	o.what = DO_EVENT;
	o.event = event;
	if (o.at_us == 0)
		o.at_us = marks_wall_us(w);
	if (!watermark_post(w->last, &o))
		log_warn("watermark.lost", kv_slice("to", op->address),
		    kv_str("leg", op->leg), kv_str("event",
		    watermark_event_text(event)));
}

bool marks_settled(struct watermarks *w)
{
	if (watermark_waits(w->last) == 0)
		return true;
	watermark_hurry(w->last);
	projector_poke(w->cfg.projector);
	return false;
}

/* A fact is answered when it is synced, and so is all that was posted before.
 */
void marks_flush(struct watermarks *w, struct mark_flush *f)
{
	struct spool_op *op = spool_op_new();
	char text[24];

	PH_ASSERT(f->state == FLUSH_NONE);
	snprintf(text, sizeof(text), "%" PRIu64, w->log.told);
	spool_op_fact(op, "watermark", slice_str(text));
	op->flags |= OP_SYNC;
	op->to = &w->box;
	op->kind = M_FLUSHED;
	op->arg = f;
	f->state = FLUSH_ASKED;
	spool_post(w->shared->spool, op);
}

void marks_flushed(struct watermarks *w, struct spool_op *op)
{
	struct mark_flush *f = op->arg;

	f->state = op->status == SPOOL_STORED ? FLUSH_DONE : FLUSH_FAILED;
	if (!w->ended)
		f->pos = spool_synced(w->shared->spool);
	spool_op_free(op);
}

bool marks_took(struct watermarks *w, struct mark_flush *f)
{
	if (f->state != FLUSH_DONE)
		return false;
	if (!watermark_took(w->last, f->pos)) {
		projector_poke(w->cfg.projector);
		return false;
	}
	f->state = FLUSH_NONE;
	return true;
}

int64_t marks_wall_us(const struct watermarks *w)
{
	return clock_wall_us(w->shared->clock);
}

int64_t marks_mono_ms(const struct watermarks *w)
{
	return clock_mono_ms(w->shared->clock);
}
