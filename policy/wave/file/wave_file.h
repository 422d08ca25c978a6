/* SPDX-License-Identifier: ISC
 *
 * Waves in the file of the cutover table: the tables `wave`, `member` and
 * `slice` (wave_schema.h), and all of their SQL. A handle belongs to one
 * thread; it blocks, up to ten seconds for another writer. Table thread, wave
 * thread or command line.
 *
 * Whatever writes is called inside a write transaction: between wave_begin()
 * and wave_end() of an own handle, or in that of a change (change_how.also)
 * with a handle that was made by wave_file_on(). Where nothing else is said, 0
 * or -1 and `err` is returned.
 */
#ifndef POLICY_WAVE_FILE_WAVE_FILE_H
#define POLICY_WAVE_FILE_WAVE_FILE_H

#include "policy/change/change.h"
#include "policy/db.h"
#include "policy/wave/wave_options.h"
#include "policy/wave/wave_state.h"
#include "relay/base/mem.h"

struct wave_file;

/* Of its own; the table must exist. To write, the tables are made where they
 * are missing; to read, a file without them has no waves. NULL and `err`. */
struct wave_file *wave_file_open(const char *path, bool write,
    struct error *err) PH_CHECK;
/* On a handle that stays the caller's and outlives it. In a transaction that
 * has the lock of writers the tables are made where they are missing. */
struct wave_file *wave_file_on(struct db *db, struct error *err) PH_CHECK;
void wave_file_close(struct wave_file *f); /* NULL is fine */
/* Frees the texts that were given out, which otherwise live as long as the
 * handle. */
void wave_forget(struct wave_file *f);

/* BEGIN IMMEDIATE; a failed one needs no end. */
int wave_begin(struct wave_file *f, struct error *err) PH_CHECK;
/* Commits, synced, when `rc` is 0; else takes all back and returns -1 with
 * the error that `err` has already. */
int wave_end(struct wave_file *f, int rc, struct error *err) PH_CHECK;

/* ---- one wave --------------------------------------------------------- */

struct wave {
	int64_t id; /* of the tables, not of people */
	const char *name;
	enum wave_state state;
	unsigned run;  /* 1 at the first start; 0: none yet */
	bool begun;    /* struct wave_facts */
	const char *route;  /* the target; "": none yet */
	struct wave_options options;
	int64_t at_us;	    /* planned or scheduled for; 0: no time */
	const char *reason; /* why it was paused, or its rollback stopped, if it
			     * was not by a command; "" */
	int64_t created_us, moved_us; /* wall clock; moved: the last event */
	const char *who, *host, *note; /* of its creation */
};

/* 1 and the wave; 0 there is none; -1. */
int wave_get(struct wave_file *f, const char *name, struct wave *wave_out,
    struct error *err) PH_CHECK;
/* The same, where one that is missing is an error. */
int wave_need(struct wave_file *f, const char *name, struct wave *wave_out,
    struct error *err) PH_CHECK;
/* All, in order of their creation; the texts live until `fn` returns. `fn`
 * may read, and write nothing. */
int wave_each(struct wave_file *f,
    void (*fn)(void *arg, const struct wave *w), void *arg,
    struct error *err) PH_CHECK;

struct wave_counts {
	uint64_t members;
	uint64_t state[MEMBER_STATES]; /* as recorded */
	/* By wave_count_now(): of the done, those that have the wave's route
	 * still, and those that have another by now (an undo, a flip). */
	uint64_t there, moved_on;
};
/* As recorded: quick, for lists. */
int wave_count(struct wave_file *f, int64_t id, struct wave_counts *out,
    struct error *err) PH_CHECK;
/* And by the table as it is: reads the row of each member that is done. */
int wave_count_now(struct wave_file *f, const struct wave *w,
    struct wave_counts *out, struct error *err) PH_CHECK;

/* An event, and all that a command or the daemon says with it. */
struct wave_said {
	enum wave_event event;
	/* Its command is recorded as a decision; NULL: the daemon does it by
	 * itself, which is none. */
	const struct change_by *by;
	const char *route;	    /* NULL: stays */
	const struct wave_options *options; /* NULL: stay */
	int64_t at_us;		    /* schedule */
	const char *reason;	    /* of what is no command; NULL: none */
	bool part;		    /* rollback */
	bool accept;		    /* resume: in spite of the brake */
	int64_t now_us;		    /* wall clock */
};
/* Moves a wave (wave_next()). schedule, start and resume want a target and
 * refuse a wave of which a member is in another active one, which is named
 * with its line and that wave; the first one that begins a run makes all
 * members pending that do not have the wave's route. A whole rollback ends the
 * run. delete takes members away too. *wave_out (NULL: not wanted) is the wave
 * after it. */
int wave_move(struct wave_file *f, const char *name,
    const struct wave_said *said, struct wave *wave_out, struct error *err)
    PH_CHECK;

/* ---- members ---------------------------------------------------------- */

struct member {
	struct slice address;
	enum member_state state;
	const char *was;  /* its route at creation; NULL: it had no row */
	const char *now;  /* its route; NULL: it has no row */
	bool held;	  /* now */
	uint64_t line;	  /* of the file that named it; 0: none */
	uint64_t change, slice; /* that gave it the route; 0: none */
	unsigned run;
	const char *reason; /* skipped, failed, excluded; "" */
};
/* In order of addresses; `state` -1: all. The texts live until `fn` returns,
 * which may write nothing. */
struct member_page {
	int64_t id; /* of the wave */
	int state;
	bool alone; /* their rows of the table are not read: `now` is NULL */
	void (*fn)(void *arg, const struct member *m);
	void *arg;
};
int wave_members(struct wave_file *f, const struct member_page *page,
    struct error *err) PH_CHECK;
/* The addresses of the members behind `after`, at most `limit`; -1, or how
 * many. `fn` may change what `after` points to. */
struct member_keys {
	int64_t id; /* of the wave */
	struct slice after;
	unsigned limit;
	void (*fn)(void *arg, struct slice address);
	void *arg;
};
int wave_member_keys(struct wave_file *f, const struct member_keys *page,
    struct error *err) PH_CHECK;
/* The addresses that have a member's mailbox and are no members: they move with
 * it all the same. As wave_members(). */
int wave_aliases(struct wave_file *f, int64_t id,
    void (*fn)(void *arg, struct slice address), void *arg,
    struct error *err) PH_CHECK;
/* Is it a member of the wave of that name? 1, 0, -1. */
int wave_has(struct wave_file *f, struct slice wave, struct slice address,
    struct error *err) PH_CHECK;
/* The same of a recipient of an envelope, whose detail may be cut off as its
 * domain says (`subaddress`). */
int wave_has_recipient(struct wave_file *f, const struct conf *conf,
    const char *wave, const char *to, struct error *err) PH_CHECK;
/* Of the waves that have it, the active one, else the one that moved last: 1
 * and the wave, 0, -1. */
int wave_of(struct wave_file *f, struct slice address, struct wave *wave_out,
    struct error *err) PH_CHECK;

/* Marks one member. `reason` NULL: none. 0 also where it is no member. */
struct member_mark {
	enum member_state state;
	uint64_t change, slice;
	const char *reason;
};
int wave_mark(struct wave_file *f, const struct wave *w,
    struct slice address, const struct member_mark *mark, struct error *err)
    PH_CHECK;

/* ---- slices ----------------------------------------------------------- */

/* Members that would fail where the wave takes them. */
struct wave_unfit {
	/* True: it is left out, for the reason that `why` is filled with. */
	bool (*fn)(void *arg, const struct wave *w, struct slice address,
	    char *why, size_t why_size);
	void *arg;
};
/* Looks for the members of the next slice: pending ones in their order, until
 * `limit` of them may go, mailboxes whole (so a slice may be larger by the rest
 * of one mailbox). `fn` gets each with the state that it is to have:
 * MEMBER_DONE to be flipped, else MEMBER_SKIPPED or MEMBER_EXCLUDED with the
 * reason, which the caller marks. *seen_out: how many were looked at; 0:
 * none is pending. With rules or skips it may stop below `limit` with more to
 * come. Reads only. */
struct wave_take {
	const struct conf *conf; /* which customer a domain belongs to */
	uint64_t limit;
	bool force; /* also what was moved, has no row or is unfit */
	struct wave_unfit unfit; /* fn NULL: all fit */
	void (*fn)(void *arg, const struct member *m);
	void *arg;
};
int wave_take(struct wave_file *f, const struct wave *w,
    const struct wave_take *take, uint64_t *seen_out, struct error *err)
    PH_CHECK;

/* Inside the transaction of the change that flips the slice: the members that
 * it staged (all of TEMP table `stage`) are done, and the slice has its row.
 * -1, and so no change: the wave is no longer running, the slice's number was
 * used, a rule of `wave exclude` came or went, or (without `force`) another
 * change moved a member since wave_take(): take it anew. */
struct wave_slice {
	uint64_t slice; /* 1 … in a run; wave_slice_next() */
	uint64_t change; /* 0: all had the route already */
	int64_t now_us;
	int64_t rules; /* exclude_mark() before wave_take() */
	bool force;
	bool hold; /* they are held instead, for their own move */
	uint64_t members; /* out: marked as done, or held */
};
int wave_slice_done(struct wave_file *f, const char *name,
    struct wave_slice *slice, struct error *err) PH_CHECK;
/* The number of the run's next slice. */
int wave_slice_next(struct wave_file *f, const struct wave *w,
    uint64_t *slice_out, struct error *err) PH_CHECK;
/* Inside the transaction of a rollback's change: the wave's done members that
 * it staged are marked: skipped, with "rolled back by change N". */
int wave_taken_back(struct wave_file *f, const struct wave *w,
    uint64_t change, uint64_t *members_out, struct error *err) PH_CHECK;

struct slice_row {
	unsigned run;
	uint64_t slice, change, members;
	int64_t time_us;
};
/* Of one wave, oldest first. */
int wave_slices(struct wave_file *f, int64_t id,
    void (*fn)(void *arg, const struct slice_row *s), void *arg,
    struct error *err) PH_CHECK;
/* Of all waves after a time, oldest first: what per_hour counts. */
int wave_slices_since(struct wave_file *f, int64_t since_us,
    void (*fn)(void *arg, const struct slice_row *s), void *arg,
    struct error *err) PH_CHECK;

#endif
