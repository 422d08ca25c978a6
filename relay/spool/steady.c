/* SPDX-License-Identifier: ISC
 *
 * Steady time: what ages are measured by (doc/ageing.md). It began as the wall
 * clock when the spool was made. While the daemon runs it goes on with the
 * monotonic clock, so that setting the wall clock ages nothing; over a stop it
 * goes on with the wall clock, and never backwards.
 *
 * On disk all stamps are wall time, as it was when they were written. How far
 * steady time is ahead of that is the fact "clock", which a batch carries
 * before anything that is written after a jump: "OFF AT+BY AT-BY ...", in us.
 * OFF is steady minus wall, and at each AT of the wall clock it was set
 * forward or back by BY. The newest sixteen are kept.
 */
#include <inttypes.h>

#include "relay/spool/spool_int.h"

static const char key[] = "clock";

/* The two clocks drift apart by far less. */
#define STEP_US INT64_C(1000000)
/* A record does not wait so long for its batch. */
#define WAIT_US INT64_C(600000000)

int64_t steady_now_us(const struct spool *s)
{
	return s->c.clock->mono_us(s->c.clock) +
	       atomic_load(&s->steady.ahead_us);
}

static int64_t wall_now_us(const struct spool *s)
{
	return s->c.clock->wall_us(s->c.clock);
}

int64_t spool_ahead_us(const struct spool *s)
{
	return steady_now_us(s) - wall_now_us(s);
}

void steady_init(struct spool *s)
{
	atomic_init(&s->steady.ahead_us, 0);
	strbuf_init(&s->steady.fresh, FACT_BYTES);
}

void steady_fini(struct spool *s)
{
	strbuf_fini(&s->steady.fresh);
}

/* ---- the fact ---- */

static bool parse_signed(struct slice text, int64_t *out)
{
	bool minus = text.n > 0 && text.p[0] == '-';
	uint64_t v;

	if (!slice_uint(slice_from(text, minus), INT64_MAX / 4, &v))
		return false;
	*out = minus ? -(int64_t)v : (int64_t)v;
	return true;
}

static bool parse_jump(struct slice text, struct jump *out)
{
	size_t at = 1;
	uint64_t by;

	while (at < text.n && text.p[at] != '+' && text.p[at] != '-')
		at++;
	if (at >= text.n || !parse_signed(slice_head(text, at), &out->at_us) ||
	    !slice_uint(slice_from(text, at + 1), INT64_MAX / 4, &by))
		return false;
	out->by_us = text.p[at] == '-' ? -(int64_t)by : (int64_t)by;
	return true;
}

bool steady_take(struct spool *s, struct slice fact_key, struct slice value)
{
	struct steady *t = &s->steady;
	struct slice part;
	int64_t off_us;

	if (!slice_eq(fact_key, slice_str(key)))
		return false;
	t->jumps = 0;
	if (!slice_next(&value, ' ', &part) || !parse_signed(part, &off_us))
		off_us = 0;
	atomic_store(&t->off_us, off_us);
	while (t->jumps < STEADY_JUMPS && slice_next(&value, ' ', &part))
		if (parse_jump(part, &t->jump[t->jumps]))
			t->jumps++;
	return true;
}

static void print_jump(struct strbuf *b, int64_t at_us, int64_t by_us)
{
	strbuf_addf(b, " %" PRId64 "%c%" PRId64, at_us, by_us < 0 ? '-' : '+',
	    by_us < 0 ? -by_us : by_us);
}

static void print(const struct steady *t, int64_t off_us, struct strbuf *b)
{
	unsigned first = t->jumps == STEADY_JUMPS ? 1 : 0;

	strbuf_reset(b);
	strbuf_addf(b, "%" PRId64, off_us);
	for (unsigned i = first; i < t->jumps; i++)
		print_jump(b, t->jump[i].at_us, t->jump[i].by_us);
	print_jump(b, t->now_us - t->off_us, t->off_us - off_us);
}

/* ---- while it runs ---- */

static bool is_jump(int64_t by_us)
{
	return by_us >= STEP_US || by_us <= -STEP_US;
}

bool steady_moved(const struct spool *s)
{
	return is_jump(spool_ahead_us(s) - s->steady.off_us);
}

void spool_look_at_clock(struct spool *s)
{
	if (steady_moved(s))
		mailbox_wake(&s->journal.in);
}

void steady_begin_batch(struct spool *s)
{
	struct steady *t = &s->steady;
	struct fact f = {.key = slice_str(key)};

	t->now_us = steady_now_us(s);
	t->wall_us = wall_now_us(s);
	strbuf_reset(&t->fresh);
	if (!steady_moved(s))
		return;
	print(t, t->now_us - t->wall_us, &t->fresh);
	f.value = strbuf_view(&t->fresh);
	if (!fact_fits(s, &f)) {
		strbuf_reset(&t->fresh);
		return;
	}
	batch_record(&s->journal.batch, REC_FACTS);
	record_put_facts(&s->journal.batch.meta, false, &f, 1);
	batch_record_end(&s->journal.batch);
}

void steady_written(struct spool *s)
{
	struct steady *t = &s->steady;

	if (t->fresh.n == 0)
		return;
	fact_set(s, slice_str(key), strbuf_view(&t->fresh));
	steady_take(s, slice_str(key), strbuf_view(&t->fresh));
	strbuf_reset(&t->fresh);
}

/* ---- at the start ---- */

void steady_replay(struct spool *s, int64_t wall_us, int64_t before_us)
{
	struct steady *t = &s->steady;
	int64_t now = wall_us + t->off_us;

	t->wall_us = wall_us;
	t->now_us = now > before_us ? now : before_us;
}

void steady_start(struct spool *s)
{
	struct steady *t = &s->steady;

	steady_replay(s, wall_now_us(s), t->now_us);
	atomic_store(&t->ahead_us,
	    t->now_us - s->c.clock->mono_us(s->c.clock));
}

/* ---- stamps ---- */

/* As much as for the batch, unless the clock was set between the two. */
int64_t steady_ahead_us(const struct spool *s, int64_t stamped_us)
{
	const struct steady *t = &s->steady;
	int64_t wait = t->wall_us - stamped_us;
	bool set = wait > WAIT_US || wait < -WAIT_US;

	return t->now_us - (set ? stamped_us : t->wall_us);
}

static int64_t moved(int64_t stamp_us, int64_t by_us)
{
	return stamp_us == 0 ? 0 : stamp_us + by_us;
}

void steady_move(struct spool_delivery *d, int64_t by_us)
{
	d->created_us = moved(d->created_us, by_us);
	d->due_us = moved(d->due_us, by_us);
}

/* The wall clock may have shown a time more than once: the youngest age of
 * those times counts, since nothing may be given up too early. */
int64_t spool_age_us(struct spool *s, int64_t wall_us)
{
	struct steady *t = &s->steady;
	int64_t now = steady_now_us(s), off = spool_ahead_us(s), until;
	int64_t age = INT64_MAX;

	pthread_mutex_lock(&s->lock);
	/* A jump that no batch has written down yet is a jump all the same. */
	if (is_jump(off - t->off_us))
		off = t->off_us;
	until = now - off;
	for (unsigned i = t->jumps + 1; i > 0; i--) {
		const struct jump *j = i > 1 ? &t->jump[i - 2] : NULL;
		int64_t from = j != NULL ? j->at_us + j->by_us : INT64_MIN;

		if (wall_us >= from && wall_us <= until &&
		    now - (wall_us + off) < age)
			age = now - (wall_us + off);
		if (j == NULL)
			break;
		until = j->at_us;
		off += j->by_us;
	}
	pthread_mutex_unlock(&s->lock);
	return age == INT64_MAX || age < 0 ? 0 : age;
}
