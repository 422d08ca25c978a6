/* SPDX-License-Identifier: ISC
 *
 * The projector: reads the journal's synced records and turns them into the
 * folded rows of the audit index and the lines of events.jsonl. The journal
 * is the truth and both are projections; rows and cursor are committed in one
 * transaction, so a crash loses no row and doubles none (doc/audit.md).
 *
 * One thread. projector_step() never waits for anything but the audit disk;
 * projector_run() is the thread around it.
 */
#ifndef RELAY_AUDIT_PROJECTOR_H
#define RELAY_AUDIT_PROJECTOR_H

#include "conf/conf.h"
#include "relay/base/clock.h"
#include "relay/spool/spool.h"
#include "relay/spool/tail/tail.h"

/* Where records come from: the spool, or a test. */
struct projector_input {
	/* As spool_tail_open(), and the calls after it. */
	void (*open)(void *arg, struct spool_pos from);
	enum tail_got (*next)(void *arg, struct spool_record *rec_out,
	    struct spool_gap *gap_out);
	void (*pass)(void *arg);
	void (*done)(void *arg, struct spool_pos pos);
	/* The journal runs out of space: nothing may wait for us. */
	bool (*low)(void *arg);
	/* As spool_age_us(). NULL: the wall clock says. */
	int64_t (*age_us)(void *arg, int64_t wall_us);
	void (*close)(void *arg); /* with the projector */
	void *arg;
	/* Which spool; NULL: a test's, whose batches end in no totals. */
	const struct spool_origin *origin; /* until the call returns */
};

struct projector;

/* Opens or creates the directory, takes up where the index says it stopped.
 * Between spool_open() and spool_run(). Leg numbers are those of `names`. */
struct projector *projector_open(const struct conf *c, struct spool *s,
    struct names *names, const struct clock *clock, struct error *err) PH_CHECK;
/* The same on any input; `in` is copied and closed in any case. */
struct projector *projector_open_on(const struct conf *c,
    const struct projector_input *in, struct names *names,
    const struct clock *clock, struct error *err) PH_CHECK;
/* The place up to which an index has read, for spool_config.known; {0,0}: there
 * is none, or it cannot be read now, which projector_open() will say. */
struct spool_pos projector_cursor(const char *dir);
/* Found when it was opened: the journal is not the one that the index had
 * read, or not all of it. Also when an earlier start found it and ended before
 * the event `spool` was in the index. */
struct projector_era {
	bool replaced;	/* another spool, or one that went back      */
	uint64_t open;	/* deliveries that the one before held, then */
	char why[200];	/* "" when neither                           */
};
const struct projector_era *projector_era(const struct projector *p);
/* After spool_close(), which still rings our mailbox; NULL is fine. */
void projector_close(struct projector *p);

/* Reads at most a slice of what is there, commits when due. Returns ms until
 * it wants to be called again (earlier when there are records), 0 when more
 * is there. */
int projector_step(struct projector *p, int64_t mono_ms);
/* Reads all that is there, but for what is not read by `until_ms` of the
 * monotonic clock, and commits it; not to be used after that. 0; 1: there is
 * more; -1: the audit disk refuses. What was not taken in stays in the
 * journal. */
int projector_flush(struct projector *p, int64_t until_ms);

/* Any thread: events.jsonl is opened anew with the next step (SIGUSR1). */
void projector_reopen(struct projector *p);
/* Any thread: audit.keep of a reloaded configuration. */
void projector_keep(struct projector *p, int64_t keep_ms);

/* The last deliveries, to be asked and configured from any thread as long as
 * the projector is there. */
struct last_delivery;
struct last_delivery *projector_last(struct projector *p);
/* Counts of SPF and DMARC, which any thread adds to as long. */
struct spf_counts;
struct spf_counts *projector_spf(struct projector *p);

/* Any thread. Since the last call, was a client of a private network refused
 * mail to the outside? Then the last one of them is in client_out. */
enum { PROJECTOR_CLIENT_TEXT = 64 };
bool projector_wants_outbound(struct projector *p,
    char client_out[PROJECTOR_CLIENT_TEXT]);

/* Any thread: takes in what is synced now, and commits ledger.db if that is
 * due. */
void projector_poke(struct projector *p);

struct projector_stats {
	uint64_t records;  /* taken in since the start               */
	uint64_t gap;	   /* records that mail could not wait for   */
	bool failing;	   /* the journal cannot be read, or the index
			    * not be written: see the log            */
	int64_t known_us;  /* the last deliveries are known since then */
	int64_t behind_us; /* age of the oldest record not committed */
};
void projector_stats(struct projector *p, struct projector_stats *out);

/* The thread: after spool_run(). */
int projector_run(struct projector *p, struct error *err) PH_CHECK;
/* Before spool_close(), with or without a thread: ends it, takes in what is
 * there, as far as it is read by `until_ms` of the monotonic clock, and lets go
 * of the spool. The next start goes on where it ended. */
void projector_stop(struct projector *p, int64_t until_ms);

#endif
