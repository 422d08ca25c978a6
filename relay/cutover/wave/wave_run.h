/* SPDX-License-Identifier: ISC
 *
 * Runs waves (doc/waves.md): a step function that takes the time and does at
 * most one transaction. Each slice's change, the marks of its members and its
 * row are one, so after a kill between any two the next start goes on, and
 * nothing is done twice. The wave thread, or a test.
 */
#ifndef RELAY_CUTOVER_WAVE_WAVE_RUN_H
#define RELAY_CUTOVER_WAVE_WAVE_RUN_H

#include "conf/conf.h"
#include "policy/wave/file/wave_file.h"
#include "relay/cutover/brake/brake_look.h"

struct wave_run;

/* A step that was made, after it was synced. */
struct wave_told {
	const struct wave *wave; /* as it is now */
	enum wave_event step;
	const struct wave_counts *counts;
	uint64_t slice, change, members; /* of a slice; 0 */
	const char *who; /* of a command; "": it did it by itself */
	const char *reason;
	/* A step of a hold, which is no event of the wave: "held", "flipped",
	 * "released", "let-go"; else NULL. */
	const char *hold;
};

/* The own move of a member whose mail is held. */
enum held_is { HELD_WAITS, HELD_ENDED, HELD_FAILED };
enum { HELD_WHY_MAX = 200 };
struct held_asked {
	const char *address, *was, *to; /* routes, as text */
	uint64_t change; /* that held it; 0: it was held before */
	int64_t since_us; /* wall clock, just before that change */
};

struct wave_run_ops {
	void (*told)(void *arg, const struct wave_told *t);
	/* HELD_ENDED: each old leg that the new route does not name is
	 * synchronized, and all old legs got their last delivery. `why`: what
	 * failed. NULL: it waits. */
	enum held_is (*held)(void *arg, const struct conf *c,
	    const struct held_asked *q, char why[HELD_WHY_MAX]);
	/* A hold is past its deadline. May be NULL. */
	void (*overdue)(void *arg, const char *wave, const char *text);
	/* The first outcomes of a slice (brake_look()); NULL: there are none.
	 * -1: not to be had now. */
	int (*look)(void *arg, const struct conf *c,
	    const struct brake_asked *q, struct brake_seen *seen_out,
	    struct error *err);
	/* A slice has stopped its wave. May be NULL. */
	void (*braked)(void *arg, const char *wave, const char *text);
	void *arg;
};

/* `path`, the table's, outlives it. */
struct wave_run *wave_run_new(const char *path,
    const struct wave_run_ops *ops);
void wave_run_free(struct wave_run *r);
/* Slices leave out the members that are unfit, unless they are forced. */
void wave_run_unfit(struct wave_run *r, const struct wave_unfit *unfit);

/* Now, and what is next. Returns when it is to be called again, wall us: now if
 * there may be more to do, else at most a second later, because commands that
 * need no daemon write the file as well. A table that cannot be read or
 * written is waited for. */
int64_t wave_run_step(struct wave_run *r, const struct conf *c,
    int64_t now_us);

/* ---- commands --------------------------------------------------------- */

/* A command that needs the daemon. Numbers below 0, and NULL: not given, so
 * the wave keeps what it has. */
struct wave_order {
	enum wave_event event;
	const char *name;
	const char *route;
	int64_t slice, pause_s, late_s, deadline_s, soak_s, complaints;
	int take_back; /* of a bad slice: 1, 0 */
	bool force, hold;
	bool accept; /* resume: whatever stopped it is taken on a person */
	bool release; /* resume: what is held goes back to its old route */
	const char *const *address; /* flip */
	size_t addresses;
	const char *zone;
	int64_t at_us;
	int64_t now_us; /* wall clock */
	const char *where; /* rollback: of its members, those that fit */
	struct change_by by; /* with its note */
	/* rollback: each member that keeps what it has, and why; NULL. */
	void (*kept)(void *arg, struct slice key, const char *why);
	void *arg;
};

struct wave_ordered {
	struct wave wave; /* after it; lives until the next call */
	uint64_t change, recipients; /* rollback, flip */
};

/* 0, or -1 and a sentence; nothing was changed then. A rollback in slices has
 * begun when this returns, and wave_run_step() goes on with it. */
int wave_run_order(struct wave_run *r, const struct conf *c,
    const struct wave_order *order, struct wave_ordered *out,
    struct error *err) PH_CHECK;
enum { STOP_TEXT = 480 };
/* How a wave is now: what `wave start --wait` follows. */
struct wave_seen {
	enum wave_state state;
	uint64_t done, pending; /* pending: those that are held too */
	char reason[STOP_TEXT]; /* of a pause; "" */
};
int wave_run_look(struct wave_run *r, const char *name,
    struct wave_seen *out, struct error *err) PH_CHECK;

#endif
