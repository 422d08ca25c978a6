/* SPDX-License-Identifier: ISC
 *
 * Durable store of accepted messages: the journal's two lanes, its steward,
 * its readers, behind one door. Knows bytes, recipient numbers and delivery
 * states; not what mail is. Byte format and states: doc/journal.md.
 *
 * A message is ours when the commit letter comes back SPOOL_STORED and not
 * before: only then may the server say 250 (RFC 5321, 6.1). Drafts of many
 * sessions share one fdatasync.
 *
 * Every request is a letter that is posted to the writer and comes back to
 * the mailbox it names, exactly once, in the order of the journal. The
 * spool's own threads are shells around x_step(now) functions (spool_int.h).
 */
#ifndef RELAY_SPOOL_SPOOL_H
#define RELAY_SPOOL_SPOOL_H

#include "relay/base/clock.h"
#include "relay/base/error.h"
#include "relay/base/mailbox.h"
#include "relay/base/names.h"
#include "relay/base/rng.h"
#include "relay/base/source.h"
#include "relay/base/strbuf.h"
#include "relay/spool/disk/diskio.h"
#include "relay/spool/format/journal_types.h"

struct spool; /* one per process */
struct kept_place;

enum spool_status {
	SPOOL_STORED, /* written and synced                                 */
	SPOOL_FULL,   /* no space: 452 4.3.1, nothing was kept              */
	SPOOL_GONE,   /* a revival: there is nothing to revive              */
	SPOOL_TAKEN,  /* a draft: a live message has its id, and keeps it   */
	SPOOL_FAILED, /* write or sync failed: 451 4.3.0; after a failed
		       * sync it may reappear as uncertain-accept           */
};

/* ---- taking a message ---- */

struct spool_draft; /* a message being received; one worker's */

enum spool_add {
	ADD_OK,
	ADD_WAIT, /* taken, but wait: a letter of `wait_kind` comes to the
		   * draft's mailbox when there is room again; no other call
		   * for this draft before it */
	ADD_FULL,   /* not taken: no space (452)                  */
	ADD_FAILED, /* not taken: the disk failed (451)           */
};

/* The letter that comes back for a draft; `draft` says which. It is part of
 * the draft and is not freed. */
struct spool_draft_letter {
	struct letter letter;
	struct spool_draft *draft;
	enum spool_status status; /* of a commit */
	void *arg;
};

struct spool_draft *spool_draft_new(struct spool *s, uint64_t id,
    struct mailbox *to, void *arg) PH_CHECK;
/* Body bytes. Small bodies stay in memory (limits.body_memory for all),
 * larger ones stream to the bulk lane. `wait_kind` 0: they are all that there
 * is and in memory anyway, so there is nothing to wait for. */
enum spool_add spool_draft_add(struct spool_draft *d, struct slice bytes,
    int wait_kind) PH_CHECK;
/* SIZE said so many bytes will come: ADD_OK or ADD_FULL. Nothing is kept for
 * them; each add takes the space of its own bytes. */
enum spool_add spool_draft_expect(const struct spool_draft *d, uint64_t bytes);
/* Three quarters of limits.body_memory are in use: read little at once. Any
 * thread. */
bool spool_memory_tight(const struct spool *s);
/* After a reload: other ceilings for bodies that come, and for accepted ones
 * that are sent from memory. Any thread. */
void spool_memory_set(struct spool *s, uint64_t body, uint64_t window);
/* After a reload: most that the journal may take of the disk, and for how long
 * delivered mail is kept, that of before too. Any thread. */
void spool_limits_set(struct spool *s, uint64_t max_bytes, int64_t retain_us);
/* So many more (or less) bytes of bodies are held before they are added: they
 * count with the others. Any thread. */
void spool_memory_held(struct spool *s, int64_t bytes);
/* Up to the first 64 KiB of what was added: for the header. */
struct slice spool_draft_head(const struct spool_draft *d);
uint64_t spool_draft_size(const struct spool_draft *d);
uint64_t spool_draft_id(const struct spool_draft *d);

/* A hash of the sender's domain, to be stored; before the commit. */
void spool_draft_sender(struct spool_draft *d, uint64_t sender);
/* Asks for the accepted record. Envelope bytes and deliveries are copied. A
 * letter of `kind` follows. No add after it. */
void spool_draft_commit(struct spool_draft *d, struct slice envelope,
    const struct spool_delivery *deliveries, unsigned n, int kind);
/* May one record hold so many deliveries, and so many bytes of details? Any
 * thread. */
bool spool_record_holds(const struct spool *s, unsigned deliveries,
    size_t details);
/* The same of the record of a revival. */
bool spool_revive_holds(const struct spool *s, unsigned deliveries,
    size_t details);
/* The detail of each delivery's last update, for a message that was under way
 * elsewhere: copied. Before the commit, with as many deliveries. */
void spool_draft_details(struct spool_draft *d, const struct slice *details,
    unsigned n);
/* The stored body from memory, or NULL when it went to the bulk lane. The
 * source holds a reference on the body; bytes count against the memory
 * window until the last reference is gone. */
struct source *spool_draft_source(struct spool_draft *d);
/* Gives up before the commit, or drops the owner's hold after its letter.
 * Not while a letter is owed: after ADD_WAIT or a commit, wait for it (it
 * always comes), then free. A prepared group's draft: after its op is
 * back. */
void spool_draft_free(struct spool_draft *d);

/* ---- moves of deliveries, and notes ---- */

enum spool_op_flags {
	OP_SYNC = 1, /* answer only when synced, and write without delay; else
		      * it rides in the next batch, synced within 100 ms, and
		      * the letter comes back when written */
};

/* Posted by spool_post(); comes back to `to` with `kind`. Owner: caller;
 * it must live until it is back. With to == NULL the spool frees it with
 * spool_op_free() (allocate by spool_op_new()). Updates apply in order of
 * posting; those for an id that is not live are ignored (SPOOL_STORED), but a
 * group for such an id is refused (SPOOL_FAILED): no second DSN. Details that
 * no record can hold together are left out, the states never. */
struct spool_op {
	struct letter letter;
	struct mailbox *to;
	int kind;
	unsigned flags;
	enum spool_status status;
	bool posted; /* and not answered yet */
	void *arg;
	uint64_t id;	    /* 0: a note only */
	int64_t time_us;    /* wall */
	struct strbuf body; /* packed updates or note; filled by the calls */
	struct spool_draft *group; /* a draft that is accepted only together
				    * with these updates (a bounce and its
				    * DSN); its commit was prepared by
				    * spool_draft_prepare()                 */
};

struct spool_op *spool_op_new(void);
void spool_op_free(struct spool_op *op);
void spool_op_update(struct spool_op *op, uint64_t id, int64_t time_us,
    const struct spool_update *u, unsigned n);
void spool_op_note(struct spool_op *op, enum note kind, int64_t time_us,
    struct slice bytes);
/* As spool_draft_commit(), but written by the op whose `group` it becomes. */
void spool_draft_prepare(struct spool_draft *d, struct slice envelope,
    const struct spool_delivery *deliveries, unsigned n);
void spool_post(struct spool *s, struct spool_op *op);

/* Facts: a few keyed values that outlive recycling ("change", "leg.cloud"),
 * at most 256 of 1 KiB. Written again at the head of each segment. Setting
 * is a decision: the op comes back synced. An empty value removes. */
void spool_op_fact(struct spool_op *op, const char *key, struct slice value);
/* Copies the value; false when there is none. Any thread. */
bool spool_fact(struct spool *s, const char *key, struct strbuf *out);

/* ---- reading ---- */

/* A message from disk; comes back as a letter of `kind`. */
struct spool_fetch {
	struct letter letter;
	struct mailbox *to;
	int kind;
	void *arg;
	uint64_t id;
	bool want_body; /* else `source` is NULL */
	bool want_kept; /* also one that is over and kept still (R4) */
	unsigned lane;	/* those of one lane come back in order */
	/* filled: */
	int status;	    /* 0; -1 unknown id or unreadable: see err */
	struct error err;
	bool over; /* none of its deliveries is live */
	int64_t accepted_us;
	uint64_t size;
	struct strbuf envelope;
	struct spool_delivery *delivery; /* spool_fetch_free() frees */
	unsigned deliveries;
	struct strbuf *reply; /* per delivery: detail of its last update */
	struct kept_place *place; /* for spool_op_revive() */
	struct source *source; /* chunks by the reader threads; taken by the
				* receiver who sets this to NULL */
};
/* Gives a message that is over new deliveries, while it is kept: `f` was
 * fetched with want_kept and is over. Answered SPOOL_GONE, and nothing is
 * done, when it is live by then or no longer kept. Their numbers go on from
 * those that `f` has. A decision: the op comes back synced. */
void spool_op_revive(struct spool *s, struct spool_op *op,
    const struct spool_fetch *f, const struct spool_update *more,
    unsigned n);
struct spool_fetch *spool_fetch_new(uint64_t id, struct mailbox *to, int kind);
void spool_fetch_free(struct spool_fetch *f);
void spool_fetch_post(struct spool *s, struct spool_fetch *f);

/* ---- opening ---- */

/* A place in the main lane; later is greater by (generation, offset). */
struct spool_pos {
	uint64_t generation;
	uint64_t offset; /* of the record in the segment */
};

struct spool_config {
	const char *path;
	uint64_t segment_bytes, max_bytes, body_memory_bytes,
	    memory_window_bytes;
	int spares;
	bool wipe; /* what was given back is overwritten with zeros */
	int64_t retain_us;
	const struct clock *clock;
	struct rng *rng;
	struct diskio *io;
	struct names *names;
	bool projector; /* segments wait for spool_tail_done() */
	/* So far the audit index has read; {0,0}: nothing. A journal that
	 * ends before it went back (it was emptied, replaced, restored, or
	 * lost its newest segments): then it goes on in a generation above, so
	 * that no place is used twice. */
	struct spool_pos known;
	/* A checkpoint is kept from so many main segments on; 0: never. */
	unsigned checkpoint_segments;
	bool look_only; /* nothing is written or locked, see spool_look() */
	/* A live message, or its body, that the disk does not give, each time
	 * it is asked for; may be NULL. On a reader's thread, or that of a
	 * source which reads itself. */
	void (*unread)(void *arg, uint64_t id, const char *why);
	void *unread_arg;
};

/* A live message, as the start finds it. */
struct spool_told {
	uint64_t id, size;
	uint64_t sender;       /* a hash of its domain; 0: not known */
	struct slice envelope; /* empty: it cannot be read now */
	struct spool_delivery *delivery;
	unsigned n;
};

/* Told during spool_open() (start/), on the caller's thread, oldest first. */
struct spool_recovered {
	void *arg;
	/* First: the key of the hashes that the spool stores, of recipients
	 * and senders. It is the same in every process. */
	void (*key)(void *arg, const uint64_t key[2]);
	/* So many messages follow. */
	void (*expect)(void *arg, uint64_t messages);
	void (*message)(void *arg, const struct spool_told *m);
	/* Told of each thing that was damaged and set aside, a line each. */
	void (*damage)(void *arg, const char *line);
	/* ... of a summary that is spoilt, with which nothing is lost; may be
	 * NULL. */
	void (*spoilt)(void *arg, const char *line);
	/* A live message whose record the disk does not give now. It is told
	 * next, with an empty envelope; fetches work once it can be read. */
	void (*unread)(void *arg, uint64_t id, const char *line);
};

enum { SPOOL_GONE_MAX = 64 };

struct spool_start { /* what recovery found */
	bool clean;	  /* the last stop was orderly */
	bool restored;	  /* it was restored: all that was open is frozen */
	/* When it was stopped, or wrote last, in terms of the wall clock as it
	 * is now; 0: the spool is new. */
	int64_t stopped_us;
	uint64_t highest_id;
	uint64_t messages, segments, damaged;
	unsigned lost;	 /* segments that are not there; counted in damaged */
	/* Generations of the main lane that are absent, cut or damaged, in
	 * order; when there are more, the first of them. */
	uint64_t gone[SPOOL_GONE_MAX];
	unsigned gones;
	bool more_gone;
	unsigned summaries; /* segments that were taken over by theirs */
	unsigned unread; /* messages that could not be read yet */
};

int spool_run(struct spool *s, struct error *err); /* starts the threads */
/* Writes what was posted, a clean mark, and stops the threads; every letter is
 * on its way back then. Nothing may be posted after it. */
void spool_stop(struct spool *s);
/* Stops it, if that was not done, and frees it. No draft, source or tail may
 * be left: stop, take the letters, free what they bring, close. */
void spool_close(struct spool *s);

/* Ages are measured by a time that setting the wall clock does not change
 * (doc/ageing.md). All stamps that go in or come out are wall time as it is
 * by then. Any thread. */
/* Steady time minus wall time, now: for stamps that are kept elsewhere. */
int64_t spool_ahead_us(const struct spool *s);
/* How long ago the wall clock showed this, at least; 0: it has not yet. */
int64_t spool_age_us(struct spool *s, int64_t wall_us);
/* Once a second or so: a jump of the wall clock is written down. */
void spool_look_at_clock(struct spool *s);

enum spool_health { SPOOL_OK, SPOOL_LOW, SPOOL_NO_SPACE, SPOOL_SYNC_FAILED };
struct spool_stats {
	enum spool_health health;
	bool full; /* new mail is refused: no room, or live mail has it all */
	uint64_t segments, spares, live_bytes, used_bytes, free_bytes;
	uint64_t live_messages, batches, syncs, recycled, carried;
	int64_t oldest_us;	/* oldest kept message */
	struct { /* by leg number */
		uint64_t total[TOTALS];
		struct live_flow flow; /* of the same moment */
	} leg[NAMES_MAX];
};
void spool_stats(struct spool *s, struct spool_stats *out); /* any thread */
/* Retained mail is given up and space is short still, or soon no mail would
 * be taken: copies that are parked although the primary was delivered should
 * end (D10). Any thread; cheap. */
bool spool_pressed(struct spool *s);

/* ---- the projector's view ---- */

/* Parts of one group? Records start on even offsets; the second part of a
 * group has its first one's offset + 1. */
static inline bool spool_pos_together(struct spool_pos a, struct spool_pos b)
{
	return a.generation == b.generation && a.offset / 2 == b.offset / 2;
}

/* One record, borrowed until the next call. A group is given as its parts,
 * one after the other, none before the whole is synced. */
struct spool_record {
	struct spool_pos pos, next; /* `next`: where to go on after it */
	enum record_type type;
	uint64_t id;
	int64_t time_us;
	struct slice envelope; /* accepted, carry */
	uint64_t body_bytes;
	const struct spool_delivery *delivery; /* accepted, carry */
	unsigned deliveries;
	const struct spool_update *update; /* update: with their old states */
	const uint8_t *old_state;
	unsigned updates;
	enum note note;
	struct slice bytes; /* note */
	/* totals: by leg number, as of the end of the batch, whose last record
	 * it is: everything before `next` is counted. */
	const uint64_t (*total)[TOTALS];
};

/* Compares two places: less than, equal to or greater than 0. */
static inline int spool_pos_cmp(struct spool_pos a, struct spool_pos b)
{
	if (a.generation != b.generation)
		return a.generation < b.generation ? -1 : 1;
	return (a.offset > b.offset) - (a.offset < b.offset);
}

enum { SPOOL_FORMERS_MAX = 8 };

/* Which spool this is, and where the present session began. */
struct spool_origin {
	uint64_t id;
	/* Before it was restored from a backup: its records are of these. */
	uint64_t former[SPOOL_FORMERS_MAX];
	unsigned formers;
	struct spool_pos end;	/* of what recovery found; {0,0}: nothing */
	struct spool_pos begin; /* where this session began to write      */
	/* Deliveries that the last totals count as live and no segment holds
	 * any more, or that came back: the totals were corrected by so many. */
	uint64_t corrected;
};
/* Any thread. */
struct spool_origin spool_origin(const struct spool *s);
/* The place behind the last batch that is synced. Any thread. */
struct spool_pos spool_synced(struct spool *s);
/* Is that delivery live? Any thread. */
bool spool_holds(struct spool *s, uint64_t id, uint32_t delivery);

/* Everything before `pos` is in the index: may be recycled. Any thread. */
void spool_tail_done(struct spool *s, struct spool_pos pos);
/* Wakes this mailbox after each sync (mailbox_wake). Before spool_run(). */
void spool_on_sync(struct spool *s, struct mailbox *m);

#endif
