/* SPDX-License-Identifier: ISC
 *
 * The spool's door: opens it, or looks at one that no daemon has.
 */
#include "relay/spool/start/recover.h"
#include "relay/spool/start/spool_open.h"

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
