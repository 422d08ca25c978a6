/* SPDX-License-Identifier: ISC
 *
 * The spool's door: opening, the threads around the steps, closing, figures.
 */
#include <errno.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/spool/spool_int.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Small segments, as tests use, get smaller records and bodies. */
static void set_limits(struct spool *s)
{
	uint64_t seg = s->key.segment_bytes;

	s->inline_max = least(PIECE_BYTES, seg / 16);
	s->piece_max = least(PIECE_BYTES, seg / 8);
	s->record_max = least(RECORD_BYTES, seg / 4);
	s->facts_max = least((uint64_t)FACTS_MAX * FACT_BYTES, seg / 8);
	spool_memory_set(s, s->c.body_memory_bytes, s->c.memory_window_bytes);
	spool_limits_set(s, s->c.max_bytes, s->c.retain_us);
}

static struct spool *spool_new(const struct spool_config *c)
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

static void spool_free(struct spool *s)
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

/* Enough spares to begin with, as far as the disk has room. */
static void first_spares(struct spool *s)
{
	int64_t now_ms = spool_now_ms(s);

	while (steward_work(s, now_ms) && !carry_wanted(s))
		continue;
}

struct spool *spool_open(const struct spool_config *c,
    const struct spool_recovered *r, struct spool_start *start_out,
    struct error *err)
{
	struct spool *s = spool_new(c);
	struct spool_start start;

	if (key_lock(s, err) < 0 || key_open(s, err) < 0) {
		spool_free(s);
		return NULL;
	}
	set_limits(s);
	steward_look_at_disk(s);
	if (recover(s, r, &start, err) < 0 || key_upgrade(s, err) < 0) {
		spool_free(s);
		return NULL;
	}
	if (start_out != NULL)
		*start_out = start;
	first_spares(s);
	/* After an unclean end this one may stay away: with a full disk, what
	 * was accepted still goes out. */
	if (journal_start(s) < 0 && start.clean) {
		error_set(err, "spool %s cannot be written: no space, or the "
			       "disk fails", s->path);
		spool_free(s);
		return NULL;
	}
	first_spares(s);
	return s;
}

struct spool *spool_look(const struct spool_config *c,
    const struct spool_recovered *r, struct error *err)
{
	struct spool_config look = *c;
	struct spool_start start;
	struct spool *s;

	look.look_only = true;
	s = spool_new(&look);
	s->stopped = true; /* nothing waits to be written at the close */
	if (key_not_locked(s, err) == 0 && key_open(s, err) == 0) {
		set_limits(s);
		steward_look_at_disk(s);
		if (recover(s, r, &start, err) == 0)
			return s;
	}
	spool_free(s);
	return NULL;
}

/* ---- threads: shells around the steps ---- */

static void *journal_thread(void *arg)
{
	struct spool *s = arg;

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

	while (!atomic_load(&s->stopping))
		if (reader_step(s, (unsigned)(r - s->reader)) != 0)
			mailbox_wait(&r->in, -1);
	return NULL;
}

static void *checkpoint_thread(void *arg)
{
	struct spool *s = arg;

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
