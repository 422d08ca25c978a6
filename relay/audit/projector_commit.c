/* SPDX-License-Identifier: ISC
 *
 * Commits. The order is what makes the promise true: lines of events.jsonl
 * synced, then rows and cursor in one transaction, then the journal is told
 * what it may recycle. A failure forgets all since the last commit, which is
 * read again.
 */
#include "relay/audit/projector_int.h"

#include "relay/base/assert.h"
#include "relay/base/log.h"

enum { BATCH_MAX = 8192 }; /* records a transaction */

/* Forgets all since the last commit: it is in the journal, and read again. */
int projector_fail(struct projector *p, int64_t mono_ms,
    const struct error *err)
{
	if (!atomic_exchange(&p->failing, true)) {
		log_error("audit.write", kv_err(err));
		p->failed_ms = mono_ms;
	}
	hourfile_rollback(projector_file(p));
	open_messages_clear(&p->open);
	project_reset(p);
	straggler_counts_drop(projector_stragglers(p));
	strbuf_reset(&p->log.out);
	p->batch = 0;
	p->in_group = p->whole = p->moved = p->tells = false;
	p->failed = true;
	p->retry_ms = mono_ms + RETRY_MS;
	p->catching = false; /* until it is well again */
	p->next = hourfile_state(projector_file(p))->cursor;
	p->in.open(p->in.arg, p->next);
	return -1;
}

int projector_fail_rows(struct projector *p, int64_t mono_ms)
{
	struct error err;

	error_set(&err, "audit index: %s", hours_error(p->hours));
	p->damaged = hourfile_damaged(projector_file(p));
	return projector_fail(p, mono_ms, &err);
}

int projector_write_lines(struct projector *p, int64_t mono_ms)
{
	struct error err;

	if (eventlog_write(&p->log, p->next, &err) != 0)
		return projector_fail(p, mono_ms, &err);
	return 0;
}

/* A sync that failed may have lost lines: they are written once more. */
static int sync_lines(struct projector *p, int64_t mono_ms)
{
	struct error err;

	if (eventlog_sync(&p->log, &err) == 0)
		return 0;
	p->log.from = hourfile_state(projector_file(p))->cursor;
	return projector_fail(p, mono_ms, &err);
}

/* The journal's figures, where it is known what they are. */
static int put_journal(struct projector *p)
{
	for (int leg = 0; p->whole && leg < names_count(p->names); leg++) {
		int64_t total[TOTALS];

		for (int t = 0; t < TOTALS; t++)
			total[t] = (int64_t)p->total[leg][t];
		if (hourfile_put_journal(projector_file(p),
			names_text(p->names, leg), total) != 0)
			return -1;
	}
	return 0;
}

/* Rows and cursor. While what was there before the era is read, the journal's
 * figures are those of another journal. */
static int commit_rows(struct projector *p)
{
	struct hourfile *f = projector_file(p);
	bool base = spool_pos_cmp(p->next, hourfile_state(f)->until) > 0;

	if (open_messages_flush(&p->open, f) != 0 || project_flow(p) != 0 ||
	    put_journal(p) != 0)
		return -1;
	return hourfile_commit(f, p->next, p->whole, base);
}

int projector_commit(struct projector *p, int64_t mono_ms)
{
	if (p->batch == 0 && !p->moved)
		return 0;
	/* A crash after a commit inside a group of records would make the next
	 * start go on inside that group. */
	PH_ASSERT(!p->in_group);
	if (projector_write_lines(p, mono_ms) != 0 ||
	    sync_lines(p, mono_ms) != 0)
		return -1;
	if (commit_rows(p) != 0)
		return projector_fail_rows(p, mono_ms);
	p->told = p->told || p->tells;
	projector_last_follow(p, mono_ms);
	open_messages_trim(&p->open);
	atomic_fetch_add(&p->records, p->batch);
	atomic_store(&p->oldest_us, 0);
	p->batch = 0;
	p->moved = false;
	p->committed_ms = mono_ms;
	if (atomic_exchange(&p->failing, false)) {
		log_info("audit.recovered");
		hours_pass_over(p->hours, false);
	}
	return 0;
}

bool projector_commit_due(const struct projector *p, int64_t mono_ms)
{
	return p->batch >= BATCH_MAX ||
	       (p->batch > 0 && mono_ms - p->batch_ms >= BATCH_MS);
}

int projector_roll(struct projector *p, int64_t hour, int64_t mono_ms)
{
	struct error err;

	if (projector_commit(p, mono_ms) != 0)
		return -1;
	projector_refill_rests(p);
	if (hours_roll(p->hours, hour, &err) != 0) {
		p->damaged = hourfile_damaged(projector_file(p));
		return projector_fail(p, mono_ms, &err);
	}
	open_messages_new_hour(&p->open);
	p->sealed_ms = mono_ms;
	return 0;
}
