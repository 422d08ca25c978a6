/* SPDX-License-Identifier: ISC
 *
 * Shared by projector.c and projector_commit.c (when), project.c and
 * project_gap.c (what), journal_input.c (from where), projector_last.c
 * (ledger.db) and projector_thread.c.
 */
#ifndef RELAY_AUDIT_PROJECTOR_INT_H
#define RELAY_AUDIT_PROJECTOR_INT_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "relay/audit/delivered/last_delivery.h"
#include "relay/audit/delivered/spf_counts.h"
#include "relay/audit/eventlog.h"
#include "relay/audit/open_messages.h"
#include "relay/audit/projector.h"
#include "relay/audit/straggler/straggler_counts.h"

/* A move inside a group that may be what a notification is about. */
struct about {
	uint64_t id;
	int64_t time_us, accepted_us;
	const char *to, *action; /* of its open message: until the commit */
	uint32_t rcpt;
};

/* The parts of one journal record: moves and the notification that tells of
 * them, in either order. */
struct record_group {
	uint64_t dsn; /* id of the notification; 0: none */
	char *sender; /* its recipient                   */
	struct about *about;
	size_t n, cap;
};

enum {
	BATCH_MS = 200,	 /* a transaction stays open so long  */
	RETRY_MS = 1000, /* after a failure of the audit disk */
};

struct projector {
	struct projector_input in;
	struct names *names;
	const struct clock *clock;
	int node;
	char *events_path, *index_path;
	struct hours *hours;
	struct last_delivery *last;
	struct spf_counts *spf; /* of all threads */
	struct eventlog log;
	struct open_messages open;
	struct record_group group;
	int64_t flow[NAMES_MAX][TOTALS]; /* of this transaction */
	bool flowed[NAMES_MAX];

	/* The record that is being taken in, and the place after it. */
	struct spool_pos pos, next;
	bool in_group;	      /* a record of `pos` was taken in */
	unsigned batch;	      /* records not yet committed      */
	bool batches;	      /* the journal's batches end in totals        */
	bool whole;	      /* p->next is the end of a batch, and p->total
			       * are the journal's figures there            */
	bool moved;	      /* p->next is past the cursor                 */
	uint64_t total[NAMES_MAX][TOTALS];
	struct projector_era era;
	struct era_owed owed; /* of that era, on the disk                    */
	bool tells, told;     /* its event is in this transaction; committed */
	int64_t batch_ms;     /* since when                     */
	int64_t committed_ms; /* when last                      */

	/* projector_last.c: records before `next` are for ledger.db alone,
	 * which has those before `caught`; and hours of the index. */
	bool catching;
	struct spool_pos caught;
	struct {
		struct hourfile *f; /* NULL: none is open now       */
		bool on;	    /* `hour` is read, up to `at` by now */
		int64_t hour, below;
		struct hour_seek at;
	} refill;

	bool unread;	    /* the journal cannot be read at next   */
	int64_t unread_ms;  /* since when                           */

	bool failed;	    /* the audit disk refuses               */
	bool damaged;	    /* ... as the current file is none      */
	int64_t failed_ms;  /* since when nothing was committed     */
	uint64_t discarded; /* records, while mail could not wait   */
	int64_t retry_ms;

	int64_t sealed_ms; /* not before this again */
	int64_t pruned_hour;
	int64_t start_ahead_us; /* wall minus monotonic, at the start */
	_Atomic int64_t keep_us;
	_Atomic bool reopen;
	_Atomic uint64_t records, gap;
	_Atomic bool failing, blind; /* writing, reading */
	_Atomic int64_t oldest_us; /* 0: all is committed */

	/* projector_thread.c */
	struct mailbox box;   /* rung after each sync              */
	struct mailbox pause; /* rung by projector_stop(), a question */
	pthread_t thread;
	_Atomic bool stop;
	bool running, opened;

	/* lookup.c */
	_Atomic int asked; /* lookups that were not answered yet */
	struct letter *asked_first, **asked_end;
};

/* The file of the current hour. */
static inline struct hourfile *projector_file(struct projector *p)
{
	return hours_current(p->hours);
}

/* Was the record at p->pos in the journal before this era began? */
static inline bool projector_reads_back(struct projector *p)
{
	return spool_pos_cmp(p->pos,
		   hourfile_state(projector_file(p))->until) < 0;
}

/* Is what lies before that place in the index from an earlier era? Then only
 * the states count. */
static inline bool projector_told_to(struct projector *p, struct spool_pos at)
{
	return spool_pos_cmp(at,
		   hourfile_state(projector_file(p))->told) <= 0;
}

/* The same of the record at p->pos. */
static inline bool projector_told(struct projector *p)
{
	return spool_pos_cmp(p->pos,
		   hourfile_state(projector_file(p))->told) < 0;
}

/* Is the line of the record at p->pos still to be written? */
static inline bool projector_wants_line(const struct projector *p)
{
	return eventlog_wants(&p->log, p->pos);
}

static inline struct event_place projector_place(const struct projector *p)
{
	return (struct event_place){p->node, p->pos};
}

static inline struct straggler_counts *projector_stragglers(
    const struct projector *p)
{
	return last_delivery_stragglers(p->last);
}

/* A text of a note's fields; "" when it has none. */
static inline const char *projector_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s == NULL ? "" : s;
}

/* Ends a line that was printed into p->log.out. */
static inline void projector_end_line(struct projector *p)
{
	strbuf_addc(&p->log.out, '\n');
}

/* projector_commit.c: forgets all since the last commit. -1. */
int projector_fail(struct projector *p, int64_t mono_ms,
    const struct error *err);
/* The same because the index refused a row. */
int projector_fail_rows(struct projector *p, int64_t mono_ms);
/* Writes the lines that wait. 0, or -1: failed. */
int projector_write_lines(struct projector *p, int64_t mono_ms);
int projector_commit(struct projector *p, int64_t mono_ms);
bool projector_commit_due(const struct projector *p, int64_t mono_ms);
/* Commits, and goes on in the file of `hour`. */
int projector_roll(struct projector *p, int64_t hour, int64_t mono_ms);
/* projector_last.c: with the index and its era open. */
void projector_last_open(struct projector *p, const struct conf *c);
/* Reads on at `pos`, what is in the index, or before it where
 * ledger.db stands. */
void projector_read_from(struct projector *p, struct spool_pos pos);
/* Does ledger.db count that move: a delivery, or a first attempt? */
bool projector_last_wants(enum event_kind kind,
    const struct spool_delivery *to);
void projector_last_take(struct projector *p, const struct delivery_event *m);
/* Was that record for ledger.db alone? */
bool projector_catches_up(struct projector *p, const struct spool_record *rec,
    int64_t mono_ms);
/* The journal does not have what ledger.db lacks: the index has. 0. */
int projector_catch_up_ends(struct projector *p);
/* After a commit of the index: ledger.db follows when it is due, and the
 * journal is told what it may recycle. */
void projector_last_follow(struct projector *p, int64_t mono_ms);
void projector_last_commit(struct projector *p, int64_t mono_ms); /* now */
void projector_last_gap(struct projector *p); /* records never came in */
/* One step; ms until the next. */
int projector_refill(struct projector *p);
/* Lets go of the file that it reads until the next step: what is open in one
 * process is shared, and a file cannot be sealed beside a reader. */
void projector_refill_rests(struct projector *p);
void projector_last_close(struct projector *p);
/* projector_era.c: takes up where the index stopped, in this journal or the
 * one before. */
int projector_take_up(struct projector *p, const struct spool_origin *origin,
    struct error *err);
/* A note is projected; fields: those of its event. */
void projector_era_note(struct projector *p, struct slice event,
    const json_t *fields);
/* After a commit of the index or of ledger.db: what an era owed until then and
 * owes no longer is written. */
void projector_era_settle(struct projector *p);
/* Is that spool the one of `o`, or one that it was before it was restored? */
bool projector_is_spool(const struct spool_origin *o, uint64_t spool);
/* projector.c: what projector_close() frees, after the thread has ended. */
void projector_free(struct projector *p);

/* project.c: one record into rows and lines. 0, or -1: hours_error(). */
int project_record(struct projector *p, const struct spool_record *rec);
/* All parts of the record at p->pos were taken in. */
int project_group_end(struct projector *p);
/* project_gap.c: the row of what never comes in: a place of the journal, or
 * so many records while mail could not wait. */
int project_gap(struct projector *p, const struct spool_gap *gap);
int project_discarded(struct projector *p, uint64_t records);
/* The record that is being projected says nothing that is understood. */
int project_gap_here(struct projector *p, const char *reason);
/* project_straggler.c. A note: a client that was refused is counted. */
void project_straggler_note(struct projector *p, int64_t time_us,
    struct slice event, const json_t *fields);
/* The acceptance or refusal in a record that is for ledger.db alone. */
void project_straggler(struct projector *p, const struct spool_record *rec);
/* lookup.c: takes the questions that were posted; answers those that were taken
 * at `before_ms` or earlier. */
void lookup_take(struct projector *p, int64_t mono_ms);
void lookup_answer(struct projector *p, int64_t before_ms);
/* Forgets what belongs to this transaction alone. */
void project_reset(struct projector *p);
/* The flow of the transaction into its rows. */
int project_flow(struct projector *p);

#endif
