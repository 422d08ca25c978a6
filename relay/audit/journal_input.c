/* SPDX-License-Identifier: ISC
 *
 * The projector on a real spool.
 */
#include "relay/audit/projector_int.h"
#include "relay/base/mem.h"

struct journal_input {
	struct spool *spool;
	struct spool_tail *tail;
};

static void input_open(void *arg, struct spool_pos from)
{
	struct journal_input *f = arg;

	if (f->tail != NULL)
		spool_tail_close(f->tail);
	f->tail = spool_tail_open(f->spool, from);
}

static enum tail_got input_next(void *arg, struct spool_record *rec_out,
    struct spool_gap *gap_out)
{
	struct journal_input *f = arg;

	return spool_tail_next(f->tail, rec_out, gap_out);
}

static void input_pass(void *arg)
{
	struct journal_input *f = arg;

	spool_tail_pass(f->tail);
}

static void input_done(void *arg, struct spool_pos pos)
{
	struct journal_input *f = arg;

	spool_tail_done(f->spool, pos);
}

static bool input_low(void *arg)
{
	struct journal_input *f = arg;
	struct spool_stats *st = NEW(struct spool_stats);
	bool low;

	spool_stats(f->spool, st);
	low = st->health == SPOOL_LOW || st->health == SPOOL_NO_SPACE;
	mem_free(st);
	return low;
}

static int64_t input_age_us(void *arg, int64_t wall_us)
{
	struct journal_input *f = arg;

	return spool_age_us(f->spool, wall_us);
}

static void input_close(void *arg)
{
	struct journal_input *f = arg;

	if (f->tail != NULL)
		spool_tail_close(f->tail);
	mem_free(f);
}

struct projector *projector_open(const struct conf *c, struct spool *s,
    struct names *names, const struct clock *clock, struct error *err)
{
	struct journal_input *f = NEW(struct journal_input);
	const struct spool_origin origin = spool_origin(s);
	const struct projector_input in = {
		.open = input_open,
		.next = input_next,
		.pass = input_pass,
		.done = input_done,
		.low = input_low,
		.age_us = input_age_us,
		.close = input_close,
		.arg = f,
		.origin = &origin,
	};
	struct projector *p;

	f->spool = s;
	p = projector_open_on(c, &in, names, clock, err);
	if (p != NULL)
		spool_on_sync(s, &p->box);
	return p;
}
