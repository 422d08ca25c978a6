/* SPDX-License-Identifier: ISC
 *
 * The steward keeps spare segments ready: it takes those that were given back,
 * asks the writer to recycle the oldest, makes new files while `max` and the
 * disk allow, and says when there is no space.
 *
 * A part of the file system is left to others: the cutover table and the audit
 * index may be on it, and have to be written when there is no room for mail.
 * Steward thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "relay/base/log.h"
#include "relay/spool/spool_int.h"

enum {
	DENSITY = 93,
	IDLE_MS = 1000,
	SPILL_EVERY_MS = 500,
};

void steward_init(struct spool *s)
{
	mailbox_init(&s->steward.in);
	s->steward.overwrite.busy_ms = spool_now_ms(s);
}

void steward_look_at_disk(struct spool *s)
{
	struct steward *st = &s->steward;

	st->cow = s->c.io->copies_on_write(s->c.io, s->path);
	if (!st->cow || s->c.look_only)
		return;
	log_warn("spool.copy_on_write", kv_str("path", s->path),
	    kv_str("effect", "a segment that is used again needs new blocks: "
			     "a commit may meet a full disk, and is refused "
			     "then; mail is taken while the disk has room for "
			     "two segments"));
	if (s->c.wipe)
		log_warn("spool.no_wipe", kv_str("path", s->path),
		    kv_str("why", "spool.wipe has no effect here: the file "
				  "system writes zeros elsewhere, and keeps "
				  "what it had"));
}

void steward_fini(struct spool *s)
{
	mailbox_fini(&s->steward.in);
}

/* ---- where spares come from ---- */

static bool bulk_free(const struct segment *seg, int64_t until_us)
{
	return seg != NULL && seg->state == SEG_BULK && seg->refs == 0 &&
	    seg->pins == 0 && !seg->current &&
	    seg->retain_until_us <= until_us;
}

static bool free_bulk(struct spool *s, int64_t until_us)
{
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->segs; i++)
		if (bulk_free(s->seg[i], until_us)) {
			segment_move(s, s->seg[i], SEG_DIRTY);
			s->recycled++;
			found = true;
		}
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* The oldest main segment, if it may be recycled: no backup holds it, mail that
 * it retains is past `until_us`, and the projector is through with it, or must
 * do without. */
static struct segment *oldest(struct spool *s, int64_t until_us,
    bool mail_wins)
{
	struct segment *seg = LIST_FIRST(&s->mains, struct segment, node);

	if (seg == NULL || seg->current || seg->retain_until_us > until_us ||
	    s->holds > 0)
		return NULL;
	if (s->c.projector && !mail_wins &&
	    seg->generation >= s->done.generation)
		return NULL;
	return seg;
}

/* Going round gains something only while the live mail, packed again, would
 * take clearly fewer segments than it does; without this rule a full spool
 * would copy itself for ever. */
static bool gains(struct spool *s)
{
	uint64_t one = s->key.segment_bytes, mains = 0, packed;
	/* The bytes that a segment holds for sure: at its end one record may
	 * not fit, and batches are padded. */
	uint64_t dense =
	    (one - s->record_max - s->inline_max) / 100 * DENSITY;

	list_each(n, &s->mains)
		mains++;
	packed = (s->index.live_bytes + dense - 1) / dense;
	return mains > packed + packed / 8 + 1;
}

enum force { WILLINGLY, RETAINED_GOES, MAIL_WINS };

static void say_forced(struct spool *s, uint64_t generation,
    enum force force)
{
	struct spool_op *op = spool_op_new();
	char text[160];

	snprintf(text, sizeof(text),
	    "space: generation %" PRIu64 " is recycled early: %s", generation,
	    force == MAIL_WINS ? "not yet in the audit index" :
				 "retained mail is given up");
	log_warn("spool.recycled_early", kv_str("what", text));
	op_event(s, op, "recycled", text);
	spool_post(s, op);
}

static bool recycle(struct spool *s, enum force force)
{
	int64_t until = force == WILLINGLY ?
	    steady_now_us(s) :
	    INT64_MAX;
	uint64_t generation = 0;
	struct segment *seg;
	bool early = false;

	pthread_mutex_lock(&s->lock);
	seg = oldest(s, until, force == MAIL_WINS);
	if (seg != NULL && !gains(s))
		seg = NULL;
	if (seg != NULL) {
		generation = seg->generation;
		early = force == MAIL_WINS ||
		    seg->retain_until_us > steady_now_us(s);
		carry_choose(s, seg);
	}
	pthread_mutex_unlock(&s->lock);
	if (seg != NULL && early)
		say_forced(s, generation, force);
	return seg != NULL;
}

static bool find_space(struct spool *s, int64_t now_ms)
{
	int64_t now_us = steady_now_us(s);

	if (free_bulk(s, now_us) || recycle(s, WILLINGLY) ||
	    spare_grow(s, now_ms))
		return true;
	atomic_store(&s->low, true);
	if (free_bulk(s, INT64_MAX) || recycle(s, RETAINED_GOES))
		return true;
	atomic_store(&s->pressed, true);
	return atomic_load(&s->spares) <= space_reserve(s) &&
	    recycle(s, MAIL_WINS);
}

/* ---- giving space back ---- */

/* An empty segment: a spare that is more than `spares`, or a dirty one that
 * would become one. One that is to be wiped first is not empty. */
static bool empty(const struct spool *s, const struct segment *seg)
{
	if (seg == NULL || seg->pins > 0 ||
	    (s->c.wipe && seg->soiled && !s->steward.cow))
		return false;
	return seg->state == SEG_DIRTY ||
	    (seg->state == SEG_SPARE &&
		atomic_load(&s->spares) > (unsigned)s->c.spares);
}

/* Its slot is taken out of the table. */
static struct segment *take_out(struct spool *s)
{
	struct segment *found = NULL;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = s->segs; i > 0 && found == NULL; i--)
		if (empty(s, s->seg[i - 1]))
			found = s->seg[i - 1];
	if (found != NULL) {
		segment_move(s, found, SEG_DIRTY);
		s->seg[found->slot] = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

static bool give_one_back(struct spool *s)
{
	struct segment *seg = take_out(s);
	struct strbuf path;

	if (seg == NULL)
		return false;
	segment_close(s, seg);
	strbuf_init(&path, 4096);
	segment_path(s, seg->slot, &path);
	if (s->c.io->unlink(s->c.io, path.p) < 0)
		log_warn("spool.not_given_back", kv_str("file", path.p));
	strbuf_fini(&path);
	mem_free(seg);
	return true;
}

/* Others took of what is kept: what is empty goes, and what holds nothing that
 * is kept; when half of it is gone, so does retained mail. */
static bool give_back(struct spool *s)
{
	uint64_t left = atomic_load(&s->free_bytes), keep = s->steward.keep;

	if (left >= keep ||
	    atomic_load(&s->spares) < (unsigned)s->c.spares)
		return false;
	if (give_one_back(s))
		return true;
	if (carry_wanted(s))
		return false;
	if (free_bulk(s, steady_now_us(s)) || recycle(s, WILLINGLY))
		return true;
	if (left >= keep / 2)
		return false;
	atomic_store(&s->low, true);
	return free_bulk(s, INT64_MAX) || recycle(s, RETAINED_GOES);
}

/* With `wipe`, mail that is not kept any more is not to stay until its place
 * is needed. */
static bool give_up_early(struct spool *s)
{
	return s->c.wipe && !carry_wanted(s) &&
	    (free_bulk(s, steady_now_us(s)) || recycle(s, WILLINGLY));
}

static bool enough(struct spool *s, int64_t now_ms)
{
	atomic_store(&s->low, false);
	atomic_store(&s->pressed, false);
	atomic_store(&s->no_space, false);
	return overwrite_begin(s, now_ms) || give_up_early(s);
}

static void say_full(struct spool *s)
{
	if (atomic_exchange(&s->no_space, true))
		return;
	log_error("spool.full", kv_str("path", s->path));
	mailbox_wake(&s->journal.in);
	mailbox_wake(&s->bulk.in);
}

/* A carry that the writer has no segment for, because a failing disk sealed
 * the last one, would wait for ever for the space that it is to make: then
 * there must be a new file. */
static bool find_spare(struct spool *s, int64_t now_ms)
{
	unsigned spares = atomic_load(&s->spares);

	if (spares >= (unsigned)s->c.spares)
		return enough(s, now_ms);
	if (carry_wanted(s) ?
		spares <= space_reserve(s) && spare_grow(s, now_ms) :
		find_space(s, now_ms)) {
		atomic_store(&s->no_space, false);
		return true;
	}
	/* With a carry under way there is hope, unless it too is stuck. */
	if (spares <= space_reserve(s) && (!carry_wanted(s) || spares == 0))
		say_full(s);
	return false;
}

bool steward_work(struct spool *s, int64_t now_ms)
{
	space_measure(s);
	overwrite_look(s, now_ms);
	if (s->steward.overwrite.seg != NULL)
		return overwrite_more(s, now_ms);
	if (give_back(s))
		return true;
	if (spare_reuse(s, now_ms)) {
		atomic_store(&s->no_space, false);
		return true;
	}
	return find_spare(s, now_ms);
}

/* The milliseconds until there may be more to do. */
static int pause_ms(const struct spool *s, int64_t now_ms)
{
	const struct overwrite *o = &s->steward.overwrite;

	if (o->seg == NULL)
		return IDLE_MS;
	return o->next_ms > now_ms ? (int)(o->next_ms - now_ms) : 1;
}

int steward_step(struct spool *s, int64_t now_ms)
{
	struct steward *st = &s->steward;

	if (now_ms - st->spill_ms >= SPILL_EVERY_MS) {
		st->spill_ms = now_ms;
		draft_spill_stalled(s, now_ms);
	}
	return steward_work(s, now_ms) ? 0 : pause_ms(s, now_ms);
}
