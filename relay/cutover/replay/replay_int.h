/* SPDX-License-Identifier: ISC
 *
 * Inside of a replay. From below to above: replay_judge, replay_pace,
 * replay_file, replay_hunt; replay_made.c (what was queued so far, and what
 * becomes of it); replay_mail.c (one message); replay_job.c (one replay);
 * replay_orders.c, replay_thread.c.
 */
#ifndef RELAY_CUTOVER_REPLAY_REPLAY_INT_H
#define RELAY_CUTOVER_REPLAY_REPLAY_INT_H

#include <pthread.h>

#include "relay/base/map.h"
#include "relay/cutover/replay/replay.h"
#include "relay/cutover/replay/replay_hunt.h"
#include "relay/cutover/replay/replay_pace.h"
#include "relay/settle/revive.h"

enum replay_letter {
	R_CALL = 1, /* struct call */
	R_FETCHED,  /* struct spool_fetch */
	R_WRITTEN,  /* struct spool_op */
};

/* A recipient that is replayed. */
struct replay_wanted {
	uint64_t hash;
	const char *base; /* its folded base address */
};

/* A message that is to be looked at. */
struct replay_candidate {
	uint64_t id;
	size_t first; /* in job.lead_hash: its recipients' */
	unsigned n;
	bool over;
	int64_t again_ms; /* not before */
};

/* The queue's word on one that was open. */
struct replay_probe {
	size_t at; /* in job.mail */
	uint64_t id;
	uint32_t number;
	uint8_t state; /* D_NONE: the queue has it no more */
};

/* One replay. */
struct replay_job {
	struct replay *r;
	struct replay_job *next; /* of replay.aside */
	struct arena *arena;
	struct replay_row row;
	struct replay_asked asked;
	struct replay_wanted *wanted; /* by hash */
	size_t wanteds;
	struct replay_hunt hunt;
	bool hunting;
	struct replay_pace pace;
	struct replay_candidate *cand;
	size_t cands, cand_cap, cand_at; /* those before cand_at are over */
	uint64_t *lead_hash;
	size_t leads, lead_cap;
	struct replay_mail *mail; /* that it made */
	size_t mails, mail_cap, open;
	struct map known;  /* of a message and recipient: place in mail + 1 */
	size_t *dirty;	   /* of those, what the file has not */
	size_t dirties, dirty_cap;
	bool row_dirty;
	int64_t put_ms, look_ms; /* next write; next look at what is open */
	size_t look_at;
	struct replay_probe *probe;
	unsigned probes, ended; /* of those, the ended are read one by one */
	bool probing;
	/* In hand: one message. */
	struct replay_candidate *hand;
	bool looks; /* it is read for the state of mail[looked] alone */
	size_t looked;
	struct spool_fetch *fetch;
	struct revive_request request;
	struct revive_to *to;
	const char **to_address;
	bool reviving;
	int64_t idle_ms; /* nothing may go before then; 0: something may */
	char reason[64]; /* "replay 7" */
};

struct replay {
	struct replay_config c;
	struct conf_snapshot *snapshot;
	_Atomic(struct conf_snapshot *) next_snapshot;
	char *path;
	struct table *table; /* NULL: it is to be opened */
	uint64_t table_epoch;
	struct mailbox box;
	pthread_t thread;
	bool running, ended;
	_Atomic bool stop;
	bool look; /* there may be a replay that has not ended */
	int64_t retry_ms; /* after trouble */
	struct replay_job *job;
	struct replay_job *aside; /* nothing of it may be queued just now */
	bool fetching; /* a fetch of ours is out … */
	struct replay_job *fetch_job; /* … for this one */
	bool job_fetched; /* the last was for `job`: the others are next */
	unsigned telling; /* events that the journal has not yet */
};

/* The job in memory of that number; NULL: there is none. */
struct replay_job *replay_job_of(struct replay *r, int64_t number);
int64_t replay_now_ms(const struct replay *r);
int64_t replay_now_us(const struct replay *r); /* monotonic */
int64_t replay_wall_us(const struct replay *r);

/* ---- replay_made.c ---- */

/* One that is in the file. */
void replay_made_take(struct replay_job *j, const struct replay_mail *m);
/* One more; nothing happens when it is known. */
void replay_made_add(struct replay_job *j, const struct replay_mail *m);
bool replay_made_knows(const struct replay_job *j, uint64_t id,
    uint32_t rcpt);
/* Writes down how far it is. */
void replay_made_put(struct replay_job *j);
void replay_made_put_if_due(struct replay_job *j);
/* Asks what became of those that were open; true: something is under way, or
 * the message `*id_out` is to be read for it. */
bool replay_made_look(struct replay_job *j, uint64_t *id_out);
void replay_made_read(struct replay_job *j, const struct spool_fetch *f);
/* The event "replay". When it is in the journal, so is all that was posted
 * before it: results wait up to 100 ms for a batch. */
void replay_tell(struct replay *r, const struct replay_row *row);

/* ---- replay_mail.c ---- */

/* Hashes and base addresses of `n` users; in `a`, by hash. NULL and err: one
 * of them is no recipient. */
struct replay_wanted *replay_wanted_of(const struct conf *c,
    const struct replay_user *user, size_t n, struct arena *a,
    struct error *err);
/* Judges the fetched message of the job: fills request.to, and counts what is
 * not to go. False: the table cannot be read now. */
bool replay_mail_look(struct replay_job *j);

/* ---- replay_job.c ---- */

/* Takes `arena`, in which `row` stands. */
struct replay_job *replay_job_new(struct replay *r, struct arena *arena,
    const struct replay_row *row);
void replay_job_free(struct replay_job *j);
/* One thing; ms until there is more to do. row.state says when it is over. */
int replay_job_step(struct replay_job *j);
/* Has it nothing that may be queued just now? */
bool replay_job_waits(const struct replay_job *j);
/* Has it ended, and nothing of it is in another thread's hands? */
bool replay_job_over(const struct replay_job *j);
void replay_job_fetched(struct replay_job *j, struct spool_fetch *f);
/* Which legs and times it is about. False and err: a leg is not there. */
bool replay_asked_of(const struct replay *r, const struct replay_row *row,
    struct replay_asked *asked_out, struct error *err);

#endif
