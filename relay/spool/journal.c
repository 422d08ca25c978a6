/* SPDX-License-Identifier: ISC
 *
 * The main lane's writer: takes all that waits, builds one batch, writes it
 * once, syncs it once, answers all (T1). It never waits for a batch to fill:
 * while one is synced the next one gathers by itself.
 *
 * A write that fails leaves nothing: the next batch goes to the same place.
 * A sync that fails is never retried and believed (T2): the segment is
 * closed at the last batch that is known good, senders are refused from then
 * on, and results of what was accepted go on in a new segment. If that one
 * fails too, nothing is written any more.
 */
#include <errno.h>

#include "relay/base/assert.h"
#include "relay/base/log.h"
#include "relay/spool/spool_int.h"

enum { SCRATCH_BYTES = 32 << 20, WRITE_FAILS_MAX = 3, CLEAN_BYTES = 64 };

void journal_init(struct spool *s)
{
	struct journal *j = &s->journal;

	mailbox_init(&j->in);
	queue_init(&j->ops);
	queue_init(&j->drafts);
	queue_init(&j->batch_ops);
	queue_init(&j->batch_drafts);
	batch_init(&j->batch);
	record_init(&j->record);
	strbuf_init(&j->scratch, SCRATCH_BYTES);
}

void journal_fini(struct spool *s)
{
	struct journal *j = &s->journal;

	mailbox_fini(&j->in);
	batch_fini(&j->batch);
	record_fini(&j->record);
	strbuf_fini(&j->scratch);
}

static void gather(struct spool *s, int64_t now_ms)
{
	struct journal *j = &s->journal;
	struct letter *l, *next;

	for (l = mailbox_take(&j->in); l != NULL; l = next) {
		next = l->next;
		if (l->kind == POST_DRAFT) {
			queue_push(&j->drafts, l);
			continue;
		}
		if (j->ops.n == 0)
			j->plain_ms = now_ms + PLAIN_WAIT_MS;
		if (op_urgent(CONTAINER_OF(l, struct spool_op, letter)))
			j->urgent++;
		queue_push(&j->ops, l);
	}
}

/* ---- segments ---- */

static void seal(struct spool *s)
{
	struct journal *j = &s->journal;

	pthread_mutex_lock(&s->lock);
	PH_ASSERT(j->seg->current && j->seg->state == SEG_MAIN);
	if (j->seg->batches > 0)
		j->before = (struct batch_before){j->seg->generation,
		    j->seg->batches, false};
	j->seg->current = false;
	j->seg = NULL;
	j->write_fails = 0;
	j->refused_to = 0;
	pthread_mutex_unlock(&s->lock);
	space_wake(s);
}

static void write_batch(struct spool *s, int64_t now_ms);

/* Its summary is left out when it does not fit, or cannot be written. */
static void write_summary(struct spool *s, int64_t now_ms)
{
	struct journal *j = &s->journal;
	struct summary_head h = {.batches = j->seg->batches,
	    .wall_us = j->last.wall_us, .now_us = j->last.now_us};
	uint64_t from = j->seg->end;
	struct segment *seg = j->seg;
	bool more = summarize_fits(s);
	size_t at = 0;

	while (more) {
		uint64_t before = seg->batches;

		batch_begin(&j->batch);
		more = summarize_fill(s, &h, &at);
		write_batch(s, now_ms);
		if (seg->batches == before)
			return;
		if (!more)
			summarize_written(s, seg, from);
	}
}

/* It is full. */
static void close_segment(struct spool *s, int64_t now_ms)
{
	write_summary(s, now_ms);
	if (s->journal.seg != NULL)
		seal(s);
}

/* Results and carries may have the last spares, new mail may not. */
static bool open_segment(struct spool *s)
{
	struct journal *j = &s->journal;
	bool ours = j->ops.n > 0 || j->starting || carry_wanted(s);
	unsigned leave = ours ? 0 : space_reserve(s);

	j->seg = segment_take(s, LANE_MAIN, j->generation + 1, leave);
	if (j->seg == NULL)
		return false;
	j->generation++;
	j->seg->before = j->before;
	summarize_begin(s, true);
	slotmap_note(s, j->seg, false);
	return true;
}

/* ---- after the write ---- */

static void answer_all(struct letter_queue *drafts, struct letter_queue *ops,
    enum spool_status st)
{
	struct letter *l;

	while ((l = queue_pop(drafts)) != NULL)
		draft_answer(CONTAINER_OF(l, struct spool_draft, post), st);
	while ((l = queue_pop(ops)) != NULL) {
		struct spool_op *op = CONTAINER_OF(l, struct spool_op, letter);

		op_answer(op, st != SPOOL_STORED ? st : op->status);
	}
}

static void set_facts(struct spool *s)
{
	for (struct letter *l = s->journal.batch_ops.head; l != NULL;
	     l = l->next) {
		struct spool_op *op = CONTAINER_OF(l, struct spool_op, letter);
		struct slice rest = strbuf_view(&op->body), body;
		enum op_item kind;

		while (op_next(&rest, &kind, &body))
			if (kind == ITEM_FACT && op->status == SPOOL_STORED) {
				struct fact f = op_get_fact(body);

				fact_set(s, f.key, f.value);
			}
	}
}

static void written(struct spool *s, const struct batch_head *h)
{
	struct journal *j = &s->journal;

	PH_ASSERT(j->seg->end + batch_span(h) <= s->key.segment_bytes);
	if (h->number == 0)
		slotmap_note(s, j->seg, true);
	pthread_mutex_lock(&s->lock);
	index_commit(s);
	set_facts(s);
	steady_written(s);
	j->last = (struct synced_batch){h->generation, h->number, j->seg->end,
	    s->steady.wall_us, s->steady.now_us};
	j->seg->end += batch_span(h);
	j->seg->batches++;
	j->declared = h->oldest;
	j->unclean = j->restored = false;
	j->write_fails = 0;
	j->refused_to = 0;
	s->batches++;
	s->syncs++;
	carry_written(s, true);
	atomic_store(&s->live_bytes, s->index.live_bytes);
	pthread_mutex_unlock(&s->lock);
	answer_all(&j->batch_drafts, &j->batch_ops, SPOOL_STORED);
	for (unsigned i = 0; i < s->on_syncs; i++)
		mailbox_wake(s->on_sync[i]);
}

/* Sorts ops out: who waits for an answer gets `st`, plain results stay for
 * another try, and so does all when `st` is SPOOL_STORED. */
static void put_back(struct spool *s, struct letter_queue *from,
    enum spool_status st, int64_t now_ms)
{
	struct journal *j = &s->journal;
	struct letter_queue again;
	struct letter *l;

	queue_init(&again);
	while ((l = queue_pop(from)) != NULL) {
		struct spool_op *op = CONTAINER_OF(l, struct spool_op, letter);

		if (st == SPOOL_STORED || !op_urgent(op))
			queue_push(&again, l);
		else
			op_answer(op, st);
	}
	if (st == SPOOL_STORED)
		j->urgent += again.n;
	queue_unpop_all(&j->ops, &again);
	j->plain_ms = now_ms + WRITE_RETRY_MS;
	j->carry_ms = now_ms + WRITE_RETRY_MS;
	j->clock_ms = now_ms + WRITE_RETRY_MS;
}

static void refuse_drafts(struct letter_queue *drafts, enum spool_status st)
{
	struct letter_queue none;

	queue_init(&none);
	answer_all(drafts, &none, st);
}

static void undo(struct spool *s)
{
	pthread_mutex_lock(&s->lock);
	index_drop(s);
	carry_written(s, false);
	pthread_mutex_unlock(&s->lock);
}

/* Whatever part of a refused batch got there must not be found whole after a
 * crash. Best effort: the next batch overwrites it anyway. */
static void erase_head(struct spool *s)
{
	struct segment *seg = s->journal.seg;

	if (segment_zero(s, seg, seg->end, seg->end + BLOCK) < 0)
		log_warn("spool.erase_failed", kv_int("slot", seg->slot));
}

/* The remains of refused batches behind the end of the next one must not be
 * taken for its records, should its head be damaged one day. */
static int erase_rest(struct spool *s, uint64_t from)
{
	return from >= s->journal.refused_to ? 0 :
	    segment_zero(s, s->journal.seg, from, s->journal.refused_to);
}

static void write_failed(struct spool *s, uint64_t bytes, int no,
    int64_t now_ms)
{
	struct journal *j = &s->journal;
	enum spool_status st =
	    no == ENOSPC || no == EDQUOT ? SPOOL_FULL : SPOOL_FAILED;
	struct error err;

	error_sys(&err, no, "write segment %u", (unsigned)j->seg->slot);
	log_error("spool.write_failed", kv_err(&err));
	if (j->refused_to < j->seg->end + bytes)
		j->refused_to = j->seg->end + bytes;
	erase_head(s);
	undo(s);
	refuse_drafts(&j->batch_drafts, st);
	put_back(s, &j->batch_ops, st, now_ms);
	if (++j->write_fails >= WRITE_FAILS_MAX)
		seal(s); /* perhaps it is this place: try another */
}

static void sync_failed(struct spool *s, int no, int64_t now_ms)
{
	struct journal *j = &s->journal;
	struct error err;

	error_sys(&err, no, "sync segment %u", (unsigned)j->seg->slot);
	log_error("spool.sync_failed", kv_err(&err),
	    kv_str("now", "new mail is refused until a restart; accepted "
			  "mail goes out"));
	undo(s);
	refuse_drafts(&j->batch_drafts, SPOOL_FAILED);
	atomic_store(&s->sync_failed, true);
	j->dead = j->lost_one;
	j->lost_one = true;
	put_back(s, &j->batch_ops, SPOOL_STORED, now_ms);
	seal(s);
}

/* ---- a batch ---- */

static struct batch_head head_of(const struct spool *s)
{
	const struct journal *j = &s->journal;

	return (struct batch_head){
	    .lane = LANE_MAIN,
	    .flags = (j->unclean ? BATCH_UNCLEAN : 0) |
		     (j->restored ? BATCH_RESTORED : 0),
	    .spool_id = s->key.id,
	    .generation = j->seg->generation,
	    .number = j->seg->batches,
	    .synced = j->seg->batches,
	    .before = j->seg->before,
	    .oldest = j->oldest,
	    .time_us = s->steady.wall_us,
	};
}

/* 0, or -1 and errno; *wrote_out: it was the sync that failed. */
static int write_and_sync(struct spool *s, uint64_t bytes, bool *wrote_out)
{
	struct journal *j = &s->journal;
	struct diskio *io = s->c.io;
	int fd = segment_fd(s, j->seg), rc = -1, no;
	ssize_t n;

	*wrote_out = false;
	if (fd < 0)
		return -1;
	n = erase_rest(s, j->seg->end + bytes);
	if (n == 0)
		n = io->pwritev(io, fd, j->batch.iov, (int)j->batch.iovs,
		    (int64_t)j->seg->end);
	if (n >= 0 && (uint64_t)n < bytes)
		errno = ENOSPC; /* a short write says no more than that */
	if (n >= 0 && (uint64_t)n == bytes) {
		*wrote_out = true;
		rc = io->fdatasync(io, fd);
	}
	no = errno;
	segment_fd_put(s, j->seg);
	errno = no;
	return rc;
}

static void write_batch(struct spool *s, int64_t now_ms)
{
	struct journal *j = &s->journal;
	struct batch_head h = head_of(s);
	bool wrote;

	fill_totals(s);
	batch_finish(&j->batch, &h, j->seg->end, j->seg->secret);
	if (write_and_sync(s, batch_span(&h), &wrote) == 0)
		written(s, &h);
	else if (wrote)
		sync_failed(s, errno, now_ms);
	else
		write_failed(s, batch_span(&h), errno, now_ms);
}

/* An empty batch in the open segment, or in the next when that is full. */
static bool begin(struct spool *s, int64_t now_ms)
{
	struct journal *j = &s->journal;

	/* Each letter of the batch before was answered, or waits again. */
	PH_ASSERT(j->batch_ops.n == 0 && j->batch_drafts.n == 0);
	PH_ASSERT(j->carries == 0);
	j->full = false;
	for (int i = 0; i < 2; i++) {
		if (j->seg == NULL && !open_segment(s))
			return false;
		batch_begin(&j->batch);
		if (j->seg->batches == 0)
			fill_facts(s);
		if (fill_room(s) > CLEAN_BYTES + FACT_BYTES) {
			steady_begin_batch(s);
			return true;
		}
		close_segment(s, now_ms);
	}
	return false;
}

static void fill(struct spool *s, int64_t now_ms)
{
	struct journal *j = &s->journal;

	fill_ops(s);
	if (j->ops.n == 0)
		j->urgent = 0;
	fill_drafts(s);
	if (now_ms >= j->carry_ms)
		carry_fill(s);
}

/* Something to write beside the head of a fresh segment? */
static bool filled(const struct spool *s)
{
	const struct journal *j = &s->journal;

	return j->batch.records > (j->seg->batches == 0 ? 1 : 0) ||
	    j->declared < j->oldest || j->starting;
}

/* False when it can get no further now. */
static bool run_batch(struct spool *s, int64_t now_ms)
{
	struct journal *j = &s->journal;

	if (!begin(s, now_ms))
		return false;
	fill(s, now_ms);
	if (filled(s)) {
		write_batch(s, now_ms);
		return true;
	}
	/* Ops for what is not live: nothing to write, all is said. */
	answer_all(&j->batch_drafts, &j->batch_ops, SPOOL_STORED);
	if (!j->full)
		return false;
	close_segment(s, now_ms);
	return true;
}

static bool due(struct spool *s, int64_t now_ms)
{
	const struct journal *j = &s->journal;

	return j->drafts.n > 0 || j->urgent > 0 ||
	    (j->ops.n > 0 && now_ms >= j->plain_ms) ||
	    (now_ms >= j->carry_ms && carry_wanted(s)) ||
	    (now_ms >= j->clock_ms && steady_moved(s));
}

static void refuse_all(struct spool *s)
{
	struct journal *j = &s->journal;

	answer_all(&j->drafts, &j->ops, SPOOL_FAILED);
	j->urgent = 0;
}

/* When no spare is left and none will come, who waits is told. */
static void starved(struct spool *s, int64_t now_ms)
{
	struct journal *j = &s->journal;
	struct letter_queue ops = j->ops;

	space_wake(s);
	if (j->seg != NULL || !atomic_load(&s->no_space))
		return;
	refuse_drafts(&j->drafts, SPOOL_FULL);
	if (ops.head == NULL)
		return;
	queue_init(&j->ops);
	j->urgent = 0;
	put_back(s, &ops, SPOOL_FULL, now_ms);
}

int journal_step(struct spool *s, int64_t now_ms)
{
	struct journal *j = &s->journal;

	gather(s, now_ms);
	if (j->dead) {
		refuse_all(s);
		return -1;
	}
	if (!due(s, now_ms))
		return j->ops.n > 0 ? (int)(j->plain_ms - now_ms) : -1;
	if (run_batch(s, now_ms))
		return 0;
	starved(s, now_ms);
	return WRITE_RETRY_MS;
}

int journal_start(struct spool *s)
{
	struct journal *j = &s->journal;
	uint64_t before = s->batches;

	j->starting = true;
	run_batch(s, spool_now_ms(s));
	j->starting = false;
	return s->batches > before ? 0 : -1;
}

void journal_end(struct spool *s)
{
	struct journal *j = &s->journal;
	int64_t now_ms = spool_now_ms(s);

	gather(s, now_ms);
	while (!j->dead && j->drafts.n + j->ops.n > 0 && run_batch(s, now_ms))
		continue;
	refuse_all(s);
	if (j->dead || !begin(s, now_ms))
		return;
	batch_record(&j->batch, REC_CLEAN);
	pack_i64(&j->batch.meta, s->c.clock->wall_us(s->c.clock));
	batch_record_end(&j->batch);
	write_batch(s, now_ms);
}
