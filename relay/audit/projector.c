/* SPDX-License-Identifier: ISC
 *
 * When: reads in slices, commits in batches (projector_commit.c), rolls from
 * hour to hour, waits for a full disk to have room again.
 *
 * What fails once is tried again: nothing is passed over before a minute is
 * over, and then it is told as a gap. The shortage of something (descriptors,
 * memory) is never a reason to pass anything over.
 */
#include <errno.h>

#include "relay/audit/projector_int.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"

enum {
	SLICE = 1000,	       /* records a step                      */
	LINES_BYTES = 1 << 18, /* of events.jsonl, kept back          */
	OPEN_MAX = 16384,      /* messages under way, of 300 bytes    */
	GIVE_UP_MS = 60000,    /* what cannot be read is passed over  */
	DISCARD_MS = 20,
	CLOCKS_MAX = 8, /* so often may a clock have been set      */
	SEAL_AGAIN_MS = 5000,
	ROLL_AFTER_US = 300 * 1000000, /* an idle hour is closed then */
};

/* ---- reading ----------------------------------------------------------- */

static void count_one(struct projector *p, int64_t time_us, int64_t mono_ms)
{
	if (p->batch++ == 0) {
		p->batch_ms = mono_ms;
		atomic_store(&p->oldest_us, time_us);
	}
}

static int end_group(struct projector *p, int64_t mono_ms)
{
	if (!p->in_group)
		return 0;
	p->in_group = false;
	return project_group_end(p) == 0 ? 0 : projector_fail_rows(p, mono_ms);
}

/* Only between the batches of the journal may a transaction end: there its
 * totals are known. In a test's, between the records of different places. */
static int between(struct projector *p, const struct spool_record *rec,
    int64_t mono_ms)
{
	int64_t hour = hour_of(rec->time_us);

	if (end_group(p, mono_ms) != 0)
		return -1;
	if (p->batches && !p->whole)
		return 0;
	if (projector_commit_due(p, mono_ms) &&
	    projector_commit(p, mono_ms) != 0)
		return -1;
	if (p->log.out.n >= LINES_BYTES &&
	    projector_write_lines(p, mono_ms) != 0)
		return -1;
	if (hour > hourfile_hour(projector_file(p)))
		return projector_roll(p, hour, mono_ms);
	return 0;
}

/* The end of a batch. */
static int take_totals(struct projector *p, const struct spool_record *rec,
    int64_t mono_ms)
{
	if (end_group(p, mono_ms) != 0)
		return -1;
	memcpy(p->total, rec->total, sizeof(p->total));
	p->next = rec->next;
	p->whole = p->moved = true;
	return 0;
}

static int project(struct projector *p, const struct spool_record *rec,
    int64_t mono_ms)
{
	if (projector_catches_up(p, rec, mono_ms))
		return 0;
	if (rec->type == REC_TOTALS)
		return take_totals(p, rec, mono_ms);
	if ((!p->in_group || !spool_pos_together(p->pos, rec->pos)) &&
	    between(p, rec, mono_ms) != 0)
		return -1;
	p->pos = rec->pos;
	p->in_group = true;
	p->whole = false;
	count_one(p, rec->time_us, mono_ms);
	if (project_record(p, rec) != 0)
		return projector_fail_rows(p, mono_ms);
	p->next = rec->next;
	return 0;
}

/* The journal was recycled before it was read, or there is no record. */
static int project_missing(struct projector *p, const struct spool_gap *gap,
    int64_t mono_ms)
{
	if (p->catching)
		return projector_catch_up_ends(p);
	if (end_group(p, mono_ms) != 0)
		return -1;
	projector_last_gap(p);
	p->pos = gap->generations > 0 ? p->next : gap->pos;
	p->whole = false;
	if (projector_told_to(p, gap->next)) {
		p->next = gap->next;
		return 0;
	}
	count_one(p, p->clock->wall_us(p->clock), mono_ms);
	if (project_gap(p, gap) != 0)
		return projector_fail_rows(p, mono_ms);
	p->next = gap->next;
	return 0;
}

static bool is_shortage(int no)
{
	return no == EMFILE || no == ENFILE || no == ENOMEM;
}

/* A read that failed: true while it is worth waiting for. */
static bool wait_for_journal(struct projector *p,
    const struct spool_gap *gap, int64_t mono_ms)
{
	struct error err;

	if (!p->unread) {
		error_sys(&err, gap->no, "the journal at %llu:%llu",
		    (unsigned long long)gap->pos.generation,
		    (unsigned long long)gap->pos.offset);
		log_error("audit.read", kv_err(&err));
		p->unread_ms = mono_ms;
		p->unread = true;
		atomic_store(&p->blind, true);
	}
	if (is_shortage(gap->no) || mono_ms - p->unread_ms < GIVE_UP_MS)
		return true;
	p->in.pass(p->in.arg);
	return false;
}

static void was_read(struct projector *p)
{
	if (!p->unread)
		return;
	p->unread = false;
	atomic_store(&p->blind, false);
	log_info("audit.read_again");
}

static int slice_ends(struct projector *p, int64_t mono_ms)
{
	if (end_group(p, mono_ms) != 0)
		return -1;
	if (!p->catching)
		last_delivery_taken(p->last, p->next);
	return 0;
}

/* 1: there may be more, 0: all was read, -1: failed. */
static int read_slice(struct projector *p, int64_t mono_ms)
{
	struct spool_record rec;
	struct spool_gap gap;

	for (int i = 0; i < SLICE; i++) {
		enum tail_got got = p->in.next(p->in.arg, &rec, &gap);
		int rc = 0;

		if (got == TAIL_NONE ||
		    (got == TAIL_FAILED && wait_for_journal(p, &gap, mono_ms)))
			return slice_ends(p, mono_ms);
		if (got == TAIL_FAILED)
			continue;
		was_read(p);
		rc = got == TAIL_RECORD ? project(p, &rec, mono_ms)
					: project_missing(p, &gap, mono_ms);
		if (rc != 0)
			return -1;
	}
	return 1;
}

/* ---- while the audit disk refuses -------------------------------------- */

/* Mail wins: what the journal cannot keep any longer is counted. */
static void discard(struct projector *p)
{
	struct spool_record rec;
	struct spool_gap gap;

	for (int i = 0; i < SLICE; i++) {
		enum tail_got got = p->in.next(p->in.arg, &rec, &gap);

		if (got == TAIL_NONE)
			break;
		if (got == TAIL_FAILED) {
			p->in.pass(p->in.arg);
			continue;
		}
		p->next = got == TAIL_RECORD ? rec.next : gap.next;
		p->discarded++;
	}
	p->in.done(p->in.arg, p->next);
}

static int tell_discarded(struct projector *p, int64_t mono_ms)
{
	uint64_t n = p->discarded;

	p->pos = p->next;
	projector_last_gap(p);
	p->whole = false;
	count_one(p, p->clock->wall_us(p->clock), mono_ms);
	if (project_discarded(p, n) != 0) {
		projector_fail_rows(p, mono_ms);
		return -1;
	}
	if (projector_commit(p, mono_ms) != 0)
		return -1;
	p->discarded = 0;
	return 0;
}

/* The file over a new connection: one that was opened while descriptors were
 * short may only read, and would for ever. 0, or -1: not yet. */
static int renew(struct projector *p, int64_t mono_ms)
{
	struct error err;
	bool damaged = p->damaged;

	if (mono_ms - p->failed_ms >= GIVE_UP_MS)
		hours_pass_over(p->hours, true);
	/* Said once: the file that is current after that is another. */
	p->damaged = false;
	projector_refill_rests(p);
	if (hours_renew(p->hours, damaged, p->clock->wall_us(p->clock),
		&err) != 0) {
		p->retry_ms = mono_ms + RETRY_MS;
		return -1;
	}
	open_messages_clear(&p->open);
	if (p->discarded > 0)
		return 0;
	projector_read_from(p, hourfile_state(projector_file(p))->cursor);
	return 0;
}

/* Ms until the next try, 0 when the disk may be well again. */
static int wait_for_disk(struct projector *p, int64_t mono_ms)
{
	if (p->in.low(p->in.arg))
		discard(p);
	if (mono_ms < p->retry_ms)
		return p->discarded > 0 ? DISCARD_MS
					: (int)(p->retry_ms - mono_ms);
	if (renew(p, mono_ms) != 0)
		return p->discarded > 0 ? DISCARD_MS : RETRY_MS;
	if (p->discarded > 0) {
		struct spool_pos at = p->next;

		/* projector_fail() goes back to the cursor; what was given
		 * up is gone. */
		if (tell_discarded(p, mono_ms) != 0) {
			p->next = at;
			p->in.open(p->in.arg, at);
			return RETRY_MS;
		}
	}
	p->failed = false;
	return 0;
}

/* ---- the step ---------------------------------------------------------- */

static void reopen(struct projector *p)
{
	struct error err;

	if (!atomic_exchange(&p->reopen, false))
		return;
	if (eventlog_reopen(&p->log, &err) != 0)
		log_error("audit.reopen", kv_err(&err));
}

/* A clock that is set ages no file (doc/ageing.md). */
static int64_t age_us(const struct projector *p, int64_t wall_us)
{
	return p->in.age_us != NULL ? p->in.age_us(p->in.arg, wall_us)
				    : p->clock->wall_us(p->clock) - wall_us;
}

static bool is_old(void *arg, int64_t hour)
{
	const struct projector *p = arg;

	return age_us(p, (hour + 1) * HOUR_US) > atomic_load(&p->keep_us);
}

/* The wall clock, but for what it was set forward since the start. */
static int64_t slow_us(const struct projector *p)
{
	int64_t wall = p->clock->wall_us(p->clock);
	int64_t slow = p->clock->mono_us(p->clock) + p->start_ahead_us;

	return wall < slow ? wall : slow;
}

/* The newest moment that is so long ago; a clock that was set ages nothing. */
static int64_t before_us(const struct projector *p, int64_t keep_us)
{
	int64_t at = slow_us(p) - keep_us;

	for (int i = 0; i < CLOCKS_MAX && age_us(p, at) < keep_us; i++)
		at -= keep_us - age_us(p, at);
	return age_us(p, at) < keep_us ? 0 : at;
}

static void prune(struct projector *p)
{
	int64_t hour = hour_of(p->clock->wall_us(p->clock));

	if (hour == p->pruned_hour)
		return;
	p->pruned_hour = hour;
	last_delivery_prune(p->last,
	    before_us(p, last_delivery_keep_us(p->last)), slow_us(p));
	hours_prune(p->hours, is_old, p);
}

/* Nothing to read: the housekeeping. */
static int idle(struct projector *p, int64_t mono_ms)
{
	int64_t now = p->clock->wall_us(p->clock);
	struct error err;

	if (p->log.out.n > 0 && projector_write_lines(p, mono_ms) != 0)
		return RETRY_MS;
	/* At once when it is quiet; under load a few times a second. */
	if ((projector_commit_due(p, mono_ms) ||
		mono_ms - p->committed_ms >= BATCH_MS) &&
	    projector_commit(p, mono_ms) != 0)
		return RETRY_MS;
	if (p->batch > 0)
		return (int)(p->batch_ms + BATCH_MS - mono_ms);
	if (p->moved)
		return (int)(p->committed_ms + BATCH_MS - mono_ms);
	if (hourfile_state(projector_file(p))->seq > 0 &&
	    hour_of(now - ROLL_AFTER_US) > hourfile_hour(projector_file(p)) &&
	    projector_roll(p, hour_of(now), mono_ms) != 0)
		return RETRY_MS;
	prune(p);
	projector_last_follow(p, mono_ms);
	if (mono_ms >= p->sealed_ms) {
		int rc;

		projector_refill_rests(p);
		rc = hours_seal(p->hours, &err);
		if (rc > 0)
			return 0;
		if (rc < 0)
			log_warn("audit.seal", kv_err(&err));
		p->sealed_ms = mono_ms + SEAL_AGAIN_MS;
	}
	return projector_refill(p);
}

int projector_step(struct projector *p, int64_t mono_ms)
{
	int rc;

	reopen(p);
	if (p->failed) {
		int wait = wait_for_disk(p, mono_ms);

		if (p->failed)
			return wait;
	}
	rc = read_slice(p, mono_ms);
	if (rc < 0)
		return RETRY_MS;
	return rc > 0 ? 0 : idle(p, mono_ms);
}

/* The last commit stands, as after a crash. */
static int leave_behind(struct projector *p, int64_t mono_ms)
{
	hourfile_rollback(projector_file(p));
	projector_last_commit(p, mono_ms);
	return 1;
}

int projector_flush(struct projector *p, int64_t until_ms)
{
	int64_t now;
	int rc = 1;

	if (p->failed)
		return -1;
	do {
		now = clock_mono_ms(p->clock);
		rc = read_slice(p, now);
	} while (rc > 0 && now < until_ms);
	if (rc > 0)
		return leave_behind(p, now);
	if (rc != 0 || projector_commit(p, now) != 0)
		return -1;
	projector_last_commit(p, now);
	return 0;
}

/* ---- opening ----------------------------------------------------------- */

struct projector *projector_open_on(const struct conf *c,
    const struct projector_input *in, struct names *names,
    const struct clock *clock, struct error *err)
{
	struct projector *p = NEW(struct projector);

	p->in = *in;
	p->names = names;
	p->clock = clock;
	p->start_ahead_us =
	    clock_wall_us(clock) - clock->mono_us(clock);
	p->node = c->node;
	p->committed_ms = clock_mono_ms(clock) - BATCH_MS;
	projector_keep(p, c->audit.keep_ms);
	p->events_path = mem_strdup(c->audit.events);
	eventlog_init(&p->log, p->events_path);
	open_messages_init(&p->open, names, OPEN_MAX);
	mailbox_init(&p->box);
	mailbox_init(&p->pause);
	p->asked_end = &p->asked_first;
	p->hours =
	    hours_open(c->audit.path, c->node, clock_wall_us(clock), err);
	if (p->hours == NULL || projector_take_up(p, in->origin, err) != 0 ||
	    eventlog_open(&p->log, hourfile_state(projector_file(p))->cursor,
		err) != 0) {
		in->close(in->arg);
		projector_free(p);
		return NULL;
	}
	/* Mail of another spool was never told here, wherever it stands. */
	if (p->era.replaced &&
	    hourfile_state(projector_file(p))->told.generation == 0)
		p->log.from = (struct spool_pos){0};
	projector_last_open(p, c);
	p->opened = true;
	return p;
}

void projector_free(struct projector *p)
{
	project_reset(p);
	mem_free(p->group.about);
	open_messages_fini(&p->open);
	eventlog_fini(&p->log);
	hours_close(p->hours);
	projector_last_close(p);
	mailbox_fini(&p->box);
	mailbox_fini(&p->pause);
	mem_free(p->events_path);
	mem_free(p->index_path);
	mem_free(p);
}

void projector_reopen(struct projector *p)
{
	atomic_store(&p->reopen, true);
	mailbox_wake(&p->box);
}

void projector_keep(struct projector *p, int64_t keep_ms)
{
	atomic_store(&p->keep_us, keep_ms * 1000);
}

struct last_delivery *projector_last(struct projector *p)
{
	return p->last;
}

void projector_stats(struct projector *p, struct projector_stats *out)
{
	int64_t oldest = atomic_load(&p->oldest_us);

	*out = (struct projector_stats){
		.records = atomic_load(&p->records),
		.gap = atomic_load(&p->gap),
		.known_us = last_delivery_since(p->last),
		.failing = atomic_load(&p->failing) || atomic_load(&p->blind),
		.behind_us =
		    oldest == 0 ? 0 : p->clock->wall_us(p->clock) - oldest,
	};
}
