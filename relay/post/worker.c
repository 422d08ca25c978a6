/* SPDX-License-Identifier: ISC
 *
 * The worker's own part: its box, its view of the table, and the snapshots
 * that its sessions stand on.
 */
#include "relay/post/worker.h"

#include "relay/base/mem.h"

/* ---- the table ---- */

static void end_reading(void *arg)
{
	struct worker *w = arg;

	defer_cancel(&w->read_end);
	if (w->reading)
		table_end(w->table);
	w->reading = false;
}

static void drop_table(struct worker *w)
{
	end_reading(w);
	table_close(w->table);
	w->table = NULL;
}

/* Is the transaction of this turn as new as what the table thread has seen? A
 * letter of this turn may come from such a change (S_WAKE), and `flip --wait`
 * and `hold --wait` wait for it. */
static bool still_serves(const struct worker *w)
{
	return w->reading &&
	       w->table_epoch == atomic_load(&w->shared->table_epoch) &&
	       w->table_floor == atomic_load(&w->shared->change_seen);
}

/* Another file at its place: what we hold is no longer the table. Two system
 * calls, so one look a millisecond. */
static void drop_other_file(struct worker *w)
{
	int64_t now_ms = loop_now_ms(w->loop);
	uint64_t epoch = atomic_load(&w->shared->table_epoch);

	if (w->table != NULL &&
	    (w->table_epoch != epoch ||
		(w->looked_ms != now_ms && table_moved(w->table))))
		drop_table(w);
	w->looked_ms = now_ms;
	w->table_epoch = epoch;
}

static struct table *begin_reading(struct worker *w, struct error *err)
{
	end_reading(w);
	drop_other_file(w);
	/* Before the transaction: a change that is committed and noticed while
	 * it runs makes no answer too old. */
	w->table_floor = atomic_load(&w->shared->change_seen);
	if (w->table == NULL)
		w->table = table_open(w->shared->table_path,
		    w->shared->names, err);
	if (w->table == NULL)
		return NULL;
	if (table_begin(w->table, err) < 0) {
		/* Damaged, perhaps mended by then: the next lookup opens it
		 * anew. */
		drop_table(w);
		return NULL;
	}
	w->reading = true;
	loop_at_end(w->loop, &w->read_end);
	return w->table;
}

struct table *worker_table(struct worker *w, struct error *err)
{
	arena_reset(w->lookup);
	return still_serves(w) ? w->table : begin_reading(w, err);
}

/* ---- its life ---- */

void worker_init(struct worker *w, struct shared *s, int index,
    struct conf_snapshot *snapshot)
{
	w->shared = s;
	w->index = index;
	w->snapshot = snapshot_ref(snapshot);
	w->loop = loop_new(s->clock);
	mailbox_init(&w->box);
	w->lookup = arena_new();
	defer_init(&w->read_end, end_reading, w);
}

void worker_fini(struct worker *w)
{
	drop_table(w);
	arena_free(w->lookup);
	mailbox_fini(&w->box);
	for (int i = 0; i < SNAPSHOTS_MAX - 1; i++)
		snapshot_unref(w->old[i]);
	snapshot_unref(w->snapshot);
	loop_free(w->loop);
}

struct conf_snapshot *worker_snapshot(struct worker *w, const struct conf *c)
{
	if (w->snapshot->conf == c)
		return w->snapshot;
	for (int i = 0; i < SNAPSHOTS_MAX - 1; i++)
		if (w->old[i] != NULL && w->old[i]->conf == c)
			return w->old[i];
	return NULL;
}

void worker_take_snapshot(struct worker *w, struct conf_snapshot *s)
{
	snapshot_unref(w->old[SNAPSHOTS_MAX - 2]);
	for (int i = SNAPSHOTS_MAX - 2; i > 0; i--)
		w->old[i] = w->old[i - 1];
	w->old[0] = w->snapshot;
	w->snapshot = s;
}
