/* SPDX-License-Identifier: ISC
 *
 * Inside of the running of waves.
 */
#ifndef RELAY_CUTOVER_WAVE_WAVE_RUN_INT_H
#define RELAY_CUTOVER_WAVE_WAVE_RUN_INT_H

#include "policy/wave/file/soak_file.h"
#include "policy/wave/wave_due.h"
#include "relay/cutover/wave/wave_run.h"

/* The figures of a slice as they were last looked at. */
struct soak_seen {
	int64_t wave; /* 0: none */
	uint64_t slice;
	int64_t began_us, looked_us, again_us;
	struct soak_counts now;
	uint64_t users;
	bool shut, blind;
};
enum { SOAKS_SEEN = 16 };

struct wave_run {
	const char *path;
	struct wave_run_ops ops;
	struct wave_unfit unfit;
	struct wave_file *read; /* of an order's answer, or of a step */
	struct strbuf turn; /* the wave that had the last step */
	/* Steps in a row that failed, of the wave whose name is `failing`. */
	struct strbuf failing;
	unsigned failures;
	/* When slices that are stamped later than the clock were first seen,
	 * by that clock; 0: there are none. */
	int64_t ahead_us;
	struct soak_seen soak[SOAKS_SEEN];
	int soaks; /* the place that was given last */
};

/* One wave, at one moment. */
struct wave_now {
	struct wave_run *run;
	const struct conf *conf;
	struct wave *wave;
	int64_t now_us;
};

/* How long a step waits for another change's end: it is made again soon, and
 * commands and the end of the daemon wait behind it. */
enum { STEP_WAIT_MS = 500 };

/* A slice that was made, or another change of the wave. */
struct slice_made {
	uint64_t slice, change, members;
	const char *hold; /* wave_told.hold */
};

/* wave_flip.c: one slice of at most `limit` members, in one transaction. */
int slice_make(const struct wave_now *n, uint64_t limit,
    struct slice_made *made_out, struct error *err) PH_CHECK;

/* wave_back.c: takes members back, in one transaction with their marks and
 * the wave's event. */
struct back_order {
	uint64_t limit; /* members, in whole slices of the wave; 0: all */
	const struct where *where; /* NULL: all */
	/* The slice that is rolled back alone, and is marked so; NULL. */
	const struct soak *soak;
	const struct change_by *by; /* NULL: a slice of one that has begun */
	void (*kept)(void *arg, struct slice key, const char *why);
	void *arg;
};
struct back_made {
	uint64_t change, recipients;
	bool over; /* the whole wave is rolled back */
};
int back_make(const struct wave_now *n, const struct back_order *order,
    struct back_made *made_out, struct error *err) PH_CHECK;

/* wave_hold.c: what a hold does behind its slice, each in one transaction. */

/* Is there a held member of which it is known what becomes? */
int hold_look(const struct wave_now *n, bool *any_out, struct error *err)
    PH_CHECK;
/* Releases those whose move failed, and that another change moved; else flips
 * those whose move ended. */
int hold_settle(const struct wave_now *n, struct slice_made *made_out,
    struct error *err) PH_CHECK;
/* Releases those that are flipped. */
int hold_release(const struct wave_now *n, struct slice_made *made_out,
    struct error *err) PH_CHECK;
/* By a command, with the wave's event: flips these mailboxes, or lets all go
 * (`release`). */
int hold_order(const struct wave_now *n, const struct wave_order *order,
    struct slice_made *made_out, struct error *err) PH_CHECK;

/* wave_soak.c: the newest slice is watched. */
bool soak_is_watched(const struct wave *w);
struct soak_now {
	enum wave_watch watch;
	int64_t until_us;  /* of WATCH_SOAKS */
	enum soak_end end; /* of WATCH_STOPS */
	struct soak soak;
};
int soak_look(const struct wave_now *n, uint64_t slice, struct soak_now *out,
    struct error *err) PH_CHECK;
/* The step that is due by it: a transaction, then what is told. */
int soak_act(const struct wave_now *n, enum wave_step step,
    const struct soak_now *o, struct error *err) PH_CHECK;
/* In the transaction of a resume: the slice that stopped the wave is accepted,
 * or is watched anew. -1 also where that is refused. */
int soak_resume(const struct wave_now *n, struct wave_file *f,
    const struct wave_said *said, struct error *err) PH_CHECK;

/* An event of the wave in a transaction of its own; the wave after it is in
 * n->wave, read through n->run->read. */
int run_move(const struct wave_now *n, const struct wave_said *said,
    struct error *err) PH_CHECK;
/* Sets who let the wave make slices, and where: the changes of its slices say
 * so. The texts live as long as n->run->read. */
int run_starter(const struct wave_now *n, struct change_by *by,
    struct error *err) PH_CHECK;
/* Tells it, with the counts as they are. */
void run_tell(const struct wave_now *n, enum wave_event step,
    const struct slice_made *made, const struct change_by *by);

#endif
