/* SPDX-License-Identifier: ISC
 *
 * The inside of the spool: its parts, who owns what, and the x_step(now)
 * functions that the threads are shells around. Tests call the steps
 * themselves, on one thread, over a fake disk.
 *
 * Locks. `lock` guards the table of segments, the index, facts, totals and
 * what fetches read. Only the writer changes the index, so the writer reads
 * it without. `fd_lock` guards the open descriptors. A draft has a lock of
 * its own. Order: draft, lock, fd_lock. No file call is made under `lock`.
 *
 * Calls go down: start/; spool_run; journal, steward, checkpoint; bulk, carry;
 * spare; fill, reader; body_source, scan, index, steady, op, slotmap, key;
 * draft, segment; space.
 */
#ifndef RELAY_SPOOL_SPOOL_INT_H
#define RELAY_SPOOL_SPOOL_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "relay/base/mem.h"
#include "relay/spool/draft_int.h"
#include "relay/spool/format/batch.h"
#include "relay/spool/format/record.h"
#include "relay/spool/index_int.h"
#include "relay/spool/segment_int.h"
#include "relay/spool/spool.h"
#include "relay/spool/steady_int.h"
#include "relay/spool/steward_int.h"

enum {
	PIECE_BYTES = 256 << 10,  /* read at once: inline body or extent    */
	BATCH_BYTES = 8 << 20,	  /* most a batch takes                     */
	BULK_SYNC_BYTES = 1 << 20,
	ENVELOPE_BYTES = 1 << 20,
	RECORD_BYTES = 3 << 19,   /* 1.5 MiB                                */
	FACTS_MAX = 2 * NAMES_MAX + 8, /* two a leg, and a few */
	FACT_BYTES = 1024,
	READERS = 2,
	FDS_MAX = 64,
	PLAIN_WAIT_MS = 80,	  /* an op without OP_SYNC waits so long    */
	WRITE_RETRY_MS = 1000,
	CARRY_BYTES = 256 << 10,  /* carried in one batch                   */
	SEGMENT_MIN = 64 << 10,
	SEGMENT_MAX = 1 << 30,
	SPARES_MIN = 3,
	SLOTS_MAX = 100000,
};

/* ---- slotmap.c: which slot holds which generation ---- */

struct slot_note {
	uint8_t lane; /* enum lane; 0: nothing is known */
	bool used;    /* its first batch was synced, and may have been told */
	bool lost;    /* it counts still, and is not there */
	uint64_t generation;
	uint64_t oldest; /* main generations below it were given back */
};

struct slotmap {
	int fd; /* -1: entries cannot be written */
	struct slot_note *note; /* as the last session left them */
	unsigned notes;
	uint64_t oldest; /* the highest of them */
	bool known; /* there was a map */
};

/* Reads spool.slots, if there is one. -1 and err: it is there and cannot be
 * read. */
int slotmap_load(struct spool *s, struct error *err);
/* After recovery: writes it anew and keeps it open. */
void slotmap_start(struct spool *s);
/* Writes what the segment is by now, and syncs. Any thread. */
void slotmap_note(struct spool *s, const struct segment *seg, bool used);
bool slotmap_lost(const struct spool *s, uint32_t slot);
/* Was a later life of the slot promised than this head is of? Then the first
 * block is not that life's, for all that it is whole: its write was lost. */
bool slotmap_outlived(const struct spool *s, uint32_t slot,
    const struct batch_head *h);
void slotmap_fini(struct spool *s);

/* ---- space.c ---- */

/* The steward has work. */
void space_wake(struct spool *s);
/* The steward: what there is, and what is held, by now. */
void space_measure(struct spool *s);
/* May a new message be taken now? */
enum admit { ADMIT, ADMIT_LATER, ADMIT_FULL };
enum admit space_admits(struct spool *s, uint64_t bytes);
unsigned space_reserve(const struct spool *s);

/* ---- op.c ---- */

enum op_item {
	ITEM_UPDATE = 1, ITEM_NOTE = 2, ITEM_FACT = 3, ITEM_REVIVE = 4,
};

/* Cuts the next item off an op's bytes; false at the end. */
bool op_next(struct slice *rest, enum op_item *kind_out,
    struct slice *body_out);
struct spool_update op_get_update(struct slice body);
struct fact op_get_fact(struct slice body);
bool op_urgent(const struct spool_op *op); /* its answer is waited for */
void op_answer(struct spool_op *op, enum spool_status status);
/* The event "spool", as a note of the op: its name, a NUL, a JSON object, as
 * doc/audit.md says. */
void op_event(struct spool *s, struct spool_op *op, const char *state,
    const char *reason);

struct letter_queue { /* of letters */
	struct letter *head, **tail;
	unsigned n;
};
void queue_init(struct letter_queue *q);
void queue_push(struct letter_queue *q, struct letter *l);
void queue_unpop_all(struct letter_queue *q, struct letter_queue *from);
struct letter *queue_pop(struct letter_queue *q);

/* ---- summarize.c: the summary of the segment that is written ---- */

/* A segment is begun, or replayed from its first batch on (`whole`). */
void summarize_begin(struct spool *s, bool whole);
void summarize_accept(struct spool *s, const struct rec_accept *a,
    const struct version *v, int64_t ahead_us);
void summarize_update(struct spool *s, const struct rec_update *u,
    struct rec_place at, int64_t ahead_us);
/* Bytes of the segment that are left to its summary. */
uint64_t summarize_reserve(const struct spool *s);
/* Is there one, and room for it? */
bool summarize_fits(const struct spool *s);
/* Puts what one batch takes of it into the batch; true: there is more. */
bool summarize_fill(struct spool *s, struct summary_head *h, size_t *at);
/* All of it was written, from there on. */
void summarize_written(struct spool *s, struct segment *seg, uint64_t at);

/* ---- journal.c: the main lane ---- */

enum post { POST_DRAFT, POST_OP, POST_BULK, POST_FETCH, POST_PIECE };

/* The last batch that was synced. */
struct synced_batch {
	uint64_t generation, number, offset;
	int64_t wall_us, now_us;
};

struct journal {
	struct synced_batch last; /* under lock */
	struct mailbox in;
	struct letter_queue ops, drafts;	      /* wait                */
	struct letter_queue batch_ops, batch_drafts; /* are in the batch    */
	struct batch batch;
	struct record record; /* scratch of fill_apply()             */
	struct strbuf scratch;
	struct segment *seg;  /* NULL: none is open                  */
	uint64_t generation;  /* highest ever                        */
	struct batch_before before; /* the newest sealed one         */
	uint64_t refused_to;  /* how far refused batches may reach   */
	uint64_t oldest;      /* lowest generation that counts       */
	uint64_t declared;    /* `oldest` as the last synced head    */
	bool unclean;	      /* the next head says so               */
	bool restored;	      /* and this                            */
	bool lost_one;	      /* a segment failed to sync            */
	bool dead;	      /* two did: nothing is written any more */
	bool full;	      /* something waits for a new segment   */
	bool starting;	      /* a batch is wanted even if empty     */
	int64_t plain_ms;     /* when the oldest plain op is due     */
	int64_t carry_ms;     /* no carry before this                */
	int64_t clock_ms;     /* no batch for the clock before this  */
	unsigned urgent;      /* ops that do not wait                */
	unsigned write_fails; /* in a row                            */
	unsigned legs;	      /* whose totals the batch has room for */
	struct segment *victim; /* under lock: is being recycled     */
	char *carried[64];	/* bodies in the batch               */
	unsigned carries;
};

void journal_init(struct spool *s);
void journal_fini(struct spool *s);
/* Returns the milliseconds until it wants to be called again; 0 at once,
 * -1 when a letter comes. So do all steps. */
int journal_step(struct spool *s, int64_t now_ms);
/* The batch that a session begins with: from then on the last end does not
 * count as orderly. -1 when it cannot be written. */
int journal_start(struct spool *s);
/* Writes all that waits, and the mark of an orderly end. */
void journal_end(struct spool *s);

/* ---- fill.c: what goes in a batch ---- */

/* The bytes that may still go in this batch; asked before each record. */
uint64_t fill_room(struct spool *s);
void fill_ops(struct spool *s);
void fill_drafts(struct spool *s);
void fill_facts(struct spool *s);
void fill_totals(struct spool *s);
/* Ends a record that was packed and stages what it does. False, and it is
 * taken back, when it does nothing. */
bool fill_apply(struct spool *s, size_t record);

/* ---- carry.c ---- */

void carry_fill(struct spool *s);
/* After the batch. Under the lock. */
void carry_written(struct spool *s, bool good);
/* Is there something to carry or to declare? */
bool carry_wanted(struct spool *s);
/* From the steward: recycle this one next. Under the lock. */
void carry_choose(struct spool *s, struct segment *seg);

/* ---- bulk.c ---- */

struct bulk {
	struct mailbox in;
	struct letter_queue waiting;
	struct segment *seg;
	uint64_t at; /* in the segment */
	uint64_t generation;
};
void bulk_init(struct spool *s);
void bulk_fini(struct spool *s);
int bulk_step(struct spool *s);
/* Refuses what still waits. */
void bulk_end(struct spool *s);

/* ---- reader.c ---- */

struct reader {
	struct mailbox in;
	struct spool *spool; /* for its thread */
};
void reader_init(struct spool *s);
void reader_fini(struct spool *s);
int reader_step(struct spool *s, unsigned which);

enum { READ_TRIES = 3 }; /* one failed read says little of the disk */

/* Pins the segments that its record and states stand in, or lets them go. Under
 * the lock. */
void version_pin(struct spool *s, const struct version *v, int by);
/* Reads the record at a place and decodes it; `mem_out` holds its bytes and
 * is the caller's to free. -1 and err. */
int read_record(struct spool *s, struct rec_place at, struct record *r,
    char **mem_out, struct error *err);

/* ---- stored.c ---- */

/* A message that is over and still there, its segments pinned until
 * retained_let_go(); NULL: there is none, or err.no when it cannot be read
 * now. Reads the summary of each segment that may name the id, or all of its
 * records where there is none (some 100 ms). */
struct retained {
	struct version *version;
	struct segment **pin;
	unsigned pins;
	unsigned summaries; /* so many of them were read by theirs */
};
/* For a revival; in a fetch. */
struct kept_place {
	struct rec_revive place;
	uint64_t sender;
	struct body_place body;
};
struct version *retained_find(struct spool *s, uint64_t id,
    struct retained *out, struct error *err);
void retained_let_go(struct spool *s, struct retained *r);

/* A message as the journal has it. Stamps of deliveries are steady time. */
struct stored {
	struct record record; /* accepted, carry, group or revive */
	char *mem;	      /* its bytes */
	struct spool_delivery *delivery;
	struct slice *detail; /* of the last update of each */
	unsigned n;
	struct arena *arena;
};

/* From the disk, through `by` if there is one; its segments are pinned, or the
 * caller is the writer. -1 and err, and nothing to free, when the message or
 * the state of a delivery cannot be read now. A state that is damaged is filled
 * in from what is in memory. */
int stored_read(struct spool *s, struct windows *by, const struct version *v,
    struct stored *out, struct error *err);
void stored_fini(struct stored *m);
/* A delivery as far as the index knows it, created when its message was
 * accepted. Its stamps are steady time. */
struct spool_delivery stored_guess(struct spool *s, uint64_t id,
    const struct live_state *d);

/* ---- body_source.c ---- */

/* Calls spool_config.unread, if it is set. */
void body_source_tell_unread(struct spool *s, uint64_t id, const char *why);

/* The part that a reader thread loads for a source: an inline body or an
 * extent. */
struct piece {
	struct letter letter;
	struct source *source;
	struct segment *seg; /* NULL: gone */
	uint32_t off, bytes;
	uint64_t sum;
	char *mem;
	bool done, good; /* loaded; and whole */
};

void piece_load(struct spool *s, struct piece *p);
/* After the load, on the reader's thread: to the loop that reads. */
void piece_loaded(struct piece *p);
/* The body of a record that stands in `seg`. `to` says which loop. */
struct source *disk_source_new(struct spool *s, struct mailbox *to,
    uint64_t id, struct segment *seg, const struct body_place *y);

/* ---- checkpoint.c ---- */

struct checkpointer {
	struct mailbox in;
	bool off;	  /* the journal is damaged: each start names it */
	uint64_t written; /* the generation of the last one */
	int64_t next_ms;  /* no other before this */
};
void checkpoint_init(struct spool *s);
void checkpoint_fini(struct spool *s);
/* Writes one if it is time; as the other steps. */
int checkpoint_step(struct spool *s, int64_t now_ms);
/* At the end of a session: writes one if the next start gains by it. */
void checkpoint_end(struct spool *s);

/* ---- key.c ---- */

/* Before it was restored from a backup the spool was another: what these
 * generations hold has that one's id and checksums. */
struct spool_life {
	uint64_t id;
	unsigned char secret[SUM_KEY];
	uint64_t main_to, bulk_to; /* the last generation of each lane */
};

enum { LIVES_MAX = SPOOL_FORMERS_MAX };

struct spool_key {
	unsigned format; /* the newest that the spool may hold */
	uint64_t id;
	unsigned char secret[SUM_KEY];
	uint64_t segment_bytes;
	struct spool_life life[LIVES_MAX]; /* the oldest first */
	unsigned lives;
};
int key_lock(struct spool *s, struct error *err);
/* -1 and EBUSY when a daemon has the spool; for those who only look. */
int key_not_locked(struct spool *s, struct error *err);
/* Reads spool.key, or makes it when the spool is new. */
int key_open(struct spool *s, struct error *err);
/* Before the first batch of this program's format is written: an older program
 * refuses the spool from then on. */
int key_upgrade(struct spool *s, struct error *err);
/* The key of what strangers choose and the spool stores: hashes of recipients
 * and senders. The same in every process. */
void key_of_rcpts(const struct spool *s, uint64_t key_out[2]);
/* The id and the secret of the checksums of a generation. */
uint64_t key_id(const struct spool *s, enum lane lane, uint64_t generation);
void key_sums(const struct spool *s, enum lane lane, uint64_t generation,
    unsigned char secret_out[SUM_SECRET]);
/* The last generations of the lives before this one; 0: there were none. */
uint64_t key_main_to(const struct spool *s);
uint64_t key_bulk_to(const struct spool *s);
/* The present life ends with these generations, and a new one begins, with
 * another id and secret. Lives without a generation from `main_from` or
 * `bulk_from` on are forgotten, but for the first, which the stored hashes are
 * keyed by. -1 and err. */
struct life_bounds {
	uint64_t main_from, main_to, bulk_from, bulk_to;
};
int key_renew(struct spool *s, const struct life_bounds *b,
    struct error *err);

/* ---- spool_run.c ---- */

struct spool_fact {
	char *key;
	struct strbuf value;
};

struct spool {
	struct spool_config c;
	char *path;
	struct spool_key key;
	int lock_fd;
	uint64_t inline_max; /* a larger body goes to the bulk lane */
	uint64_t piece_max;  /* bytes of an extent                  */
	uint64_t record_max;
	uint64_t facts_max;

	pthread_mutex_t lock;
	struct segment **seg; /* by slot */
	unsigned segs, seg_cap;
	struct list mains;
	struct slotmap slotmap;
	struct index index;
	struct spool_fact fact[FACTS_MAX];
	unsigned facts;
	struct spool_pos done; /* the projector's */
	struct spool_origin origin;
	uint64_t batches, syncs, recycled, carried;
	unsigned holds; /* backups that stop recycling */

	pthread_mutex_t fd_lock;
	struct list fds;
	unsigned fds_open;

	pthread_mutex_t drafts_lock;
	struct list drafts;

	_Atomic uint64_t body_memory, memory_window; /* spool_memory_set() */
	_Atomic uint64_t max_bytes; /* spool_limits_set() */
	_Atomic int64_t retain_us;
	_Atomic uint64_t pool_used, window_used, reserved;
	_Atomic uint64_t live_bytes, bulk_bytes; /* by lane */
	_Atomic uint64_t capacity, free_bytes;
	_Atomic unsigned spares;
	_Atomic bool sync_failed, no_space, low, pressed, stopping;

	struct steady steady;
	struct journal journal;
	struct bulk bulk;
	struct steward steward;
	struct reader reader[READERS];
	struct checkpointer checkpointer;
	struct list hubs; /* body_source.c, under lock */
	pthread_t thread[4 + READERS];
	unsigned threads;
	bool stopped;

	struct mailbox *on_sync[8];
	unsigned on_syncs;
};

/* With nothing in it; and its end, when no thread is left. */
struct spool *spool_new(const struct spool_config *c);
void spool_free(struct spool *s);

static inline int64_t spool_now_ms(const struct spool *s)
{
	return clock_mono_ms(s->c.clock);
}

/* ---- op.c: the keyed values. Under the lock. ---- */

bool fact_fits(const struct spool *s, const struct fact *f);
/* Sets one; an empty value removes it. */
void fact_set(struct spool *s, struct slice key, struct slice value);
void facts_clear(struct spool *s);

#endif
