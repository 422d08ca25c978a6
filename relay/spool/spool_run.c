/* SPDX-License-Identifier: ISC
 *
 * The spool while it runs: the threads around the steps, closing, figures.
 */
#include <string.h>

#include "relay/spool/spool_int.h"
#include "relay/base/thread.h"

struct spool *spool_new(const struct spool_config *c)
{
	struct spool *s = NEW(struct spool);

	s->c = *c;
	s->path = mem_strdup(c->path);
	s->lock_fd = s->slotmap.fd = -1;
	if (s->c.spares < SPARES_MIN)
		s->c.spares = SPARES_MIN;
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->fd_lock, NULL);
	pthread_mutex_init(&s->drafts_lock, NULL);
	list_init(&s->mains);
	list_init(&s->fds);
	list_init(&s->drafts);
	list_init(&s->hubs);
	index_init(s);
	journal_init(s);
	steady_init(s);
	bulk_init(s);
	steward_init(s);
	reader_init(s);
	checkpoint_init(s);
	return s;
}

void spool_free(struct spool *s)
{
	reader_fini(s);
	checkpoint_fini(s);
	steward_fini(s);
	bulk_fini(s);
	journal_fini(s);
	steady_fini(s);
	index_fini(s);
	facts_clear(s);
	segments_free(s);
	slotmap_fini(s);
	if (s->lock_fd >= 0)
		s->c.io->close(s->c.io, s->lock_fd);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->fd_lock);
	pthread_mutex_destroy(&s->drafts_lock);
	mem_free(s->path);
	mem_free(s);
}

/* ---- threads: shells around the steps ---- */

static void *journal_thread(void *arg)
{
	struct spool *s = arg;

	thread_name("ph-journal");
	while (!atomic_load(&s->stopping)) {
		int wait = journal_step(s, spool_now_ms(s));

		if (wait != 0)
			mailbox_wait(&s->journal.in, wait);
	}
	return NULL;
}

static void *bulk_thread(void *arg)
{
	struct spool *s = arg;

	thread_name("ph-bulk");
	while (!atomic_load(&s->stopping)) {
		int wait = bulk_step(s);

		if (wait != 0)
			mailbox_wait(&s->bulk.in, wait);
	}
	return NULL;
}

static void *steward_thread(void *arg)
{
	struct spool *s = arg;

	thread_name("ph-steward");
	while (!atomic_load(&s->stopping)) {
		int wait;

		mailbox_take(&s->steward.in);
		wait = steward_step(s, spool_now_ms(s));
		if (wait != 0)
			mailbox_wait(&s->steward.in, wait);
	}
	return NULL;
}

static void *reader_thread(void *arg)
{
	struct reader *r = arg;
	struct spool *s = r->spool;

	thread_name("ph-reader");
	while (!atomic_load(&s->stopping))
		if (reader_step(s, (unsigned)(r - s->reader)) != 0)
			mailbox_wait(&r->in, -1);
	return NULL;
}

static void *checkpoint_thread(void *arg)
{
	struct spool *s = arg;

	thread_name("ph-checkpoint");
	while (!atomic_load(&s->stopping))
		mailbox_wait(&s->checkpointer.in,
		    checkpoint_step(s, spool_now_ms(s)));
	return NULL;
}

static int start(struct spool *s, void *(*fn)(void *), void *arg,
    struct error *err)
{
	int no = pthread_create(&s->thread[s->threads], NULL, fn, arg);

	if (no != 0)
		return error_sys(err, no, "start a thread of the spool");
	s->threads++;
	return 0;
}

int spool_run(struct spool *s, struct error *err)
{
	if (start(s, journal_thread, s, err) < 0 ||
	    start(s, bulk_thread, s, err) < 0 ||
	    start(s, steward_thread, s, err) < 0 ||
	    start(s, checkpoint_thread, s, err) < 0)
		return -1;
	for (int i = 0; i < READERS; i++) {
		s->reader[i].spool = s;
		if (start(s, reader_thread, &s->reader[i], err) < 0)
			return -1;
	}
	return 0;
}

static void stop_threads(struct spool *s)
{
	atomic_store(&s->stopping, true);
	mailbox_wake(&s->journal.in);
	mailbox_wake(&s->bulk.in);
	mailbox_wake(&s->steward.in);
	mailbox_wake(&s->checkpointer.in);
	for (int i = 0; i < READERS; i++)
		mailbox_wake(&s->reader[i].in);
	while (s->threads > 0)
		pthread_join(s->thread[--s->threads], NULL);
}

void spool_stop(struct spool *s)
{
	if (s->stopped)
		return;
	s->stopped = true;
	stop_threads(s);
	/* One thread is left, and it is this one: the steps go on here. */
	while (bulk_step(s) == 0)
		continue;
	bulk_end(s);
	journal_end(s);
	checkpoint_end(s);
	for (unsigned i = 0; i < READERS; i++)
		while (reader_step(s, i) == 0)
			continue;
}

void spool_close(struct spool *s)
{
	if (s == NULL)
		return;
	spool_stop(s);
	spool_free(s);
}

/* ---- figures ---- */

static enum spool_health health(const struct spool *s)
{
	if (atomic_load(&s->sync_failed))
		return SPOOL_SYNC_FAILED;
	if (atomic_load(&s->no_space))
		return SPOOL_NO_SPACE;
	return atomic_load(&s->low) ? SPOOL_LOW : SPOOL_OK;
}

void spool_stats(struct spool *s, struct spool_stats *out)
{
	struct segment *first;

	memset(out, 0, sizeof(*out));
	out->health = health(s);
	out->full = space_admits(s, 0) == ADMIT_FULL;
	out->spares = atomic_load(&s->spares);
	out->live_bytes =
	    atomic_load(&s->live_bytes) + atomic_load(&s->bulk_bytes);
	out->free_bytes = atomic_load(&s->free_bytes);
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->segs; i++)
		out->segments += s->seg[i] != NULL;
	out->used_bytes =
	    (out->segments - out->spares) * s->key.segment_bytes;
	out->live_messages = s->index.messages;
	out->batches = s->batches;
	out->syncs = s->syncs;
	out->recycled = s->recycled;
	out->carried = s->carried;
	first = LIST_FIRST(&s->mains, struct segment, node);
	out->oldest_us = first == NULL ? 0 : first->first_us;
	for (int i = 0; i < NAMES_MAX; i++) {
		memcpy(out->leg[i].total, s->index.total[i],
		    sizeof(out->leg[i].total));
		out->leg[i].flow = s->index.flow[i];
	}
	pthread_mutex_unlock(&s->lock);
}

void spool_on_sync(struct spool *s, struct mailbox *m)
{
	if (s->on_syncs < ARRAY_LEN(s->on_sync))
		s->on_sync[s->on_syncs++] = m;
}

void spool_tail_done(struct spool *s, struct spool_pos pos)
{
	bool moved;

	pthread_mutex_lock(&s->lock);
	moved = pos.generation != s->done.generation;
	s->done = pos;
	pthread_mutex_unlock(&s->lock);
	if (moved)
		space_wake(s);
}

/* ---- how far the journal goes ---- */

struct spool_origin spool_origin(const struct spool *s)
{
	return s->origin;
}

struct spool_pos spool_synced(struct spool *s)
{
	struct spool_pos at = {0};

	pthread_mutex_lock(&s->lock);
	/* One that was opened and has no batch yet is not begun. */
	for (struct list *n = s->mains.prev; n != &s->mains && at.offset == 0;
	     n = n->prev) {
		const struct segment *seg =
		    LIST_ENTRY(n, struct segment, node);

		at = (struct spool_pos){seg->generation, seg->end};
	}
	pthread_mutex_unlock(&s->lock);
	return at;
}

bool spool_holds(struct spool *s, uint64_t id, uint32_t delivery)
{
	const struct live_table *t = &s->index.table;
	bool holds = false;
	uint32_t number, i = 0;

	pthread_mutex_lock(&s->lock);
	number = live_find(t, id);
	if (number != 0)
		i = live_at(t, number)->first;
	for (; i != 0 && delivery > 0; delivery--)
		i = live_delivery_at(t, i)->next;
	if (i != 0)
		holds = dstate_live((enum dstate)live_delivery_at(t, i)->state);
	pthread_mutex_unlock(&s->lock);
	return holds;
}
