/* SPDX-License-Identifier: ISC
 *
 * Inside of the thread that has legs asked. preflights.c is the thread and its
 * commands; preflight_rows.c finds the recipients that an asking is about;
 * preflight_job.c hands them to workers; preflight_answer.c takes what came
 * back; preflight_schedule.c begins those of scheduled waves.
 */
#ifndef RELAY_CUTOVER_PREFLIGHT_PREFLIGHTS_INT_H
#define RELAY_CUTOVER_PREFLIGHT_PREFLIGHTS_INT_H

#include "policy/wave/file/wave_file.h"
#include "relay/base/mailbox.h"
#include "relay/cutover/preflight/preflights.h"
#include "relay/delivery/ask_batch.h"

enum { PREFLIGHT_PAGE = 200 };

/* Of a leg, as long as the daemon runs. */
struct leg_asking {
	struct preflight_pace pace;
	struct preflight_window window;
	unsigned batches; /* under way */
	int64_t wait_ms;  /* it had no connection to spare: until then */
};

/* A row that is to be asked; its texts live in the page's arena. */
struct preflight_item {
	const char *address, *said;
	enum asked_kind kind;
	unsigned tries;
	bool fresh; /* the answer that there is stands for it */
};

/* Rows of one leg that are due. */
struct preflight_page {
	struct arena *arena;
	struct preflight_item item[PREFLIGHT_PAGE];
	unsigned n, at; /* those before `at` were handed out */
	unsigned flights; /* batches of it */
	bool asked;	  /* it had rows */
	int64_t due_us; /* when the leg's next rows are due; INT64_MAX: none */
};

/* An asking that is under way. */
struct preflight_job {
	struct preflight_job *next;
	struct arena *arena;
	struct asking asking; /* texts in the arena */
	struct preflight_page *page[NAMES_MAX]; /* by leg; NULL */
	unsigned flights;
	bool over; /* ended; freed when nothing of it is under way */
};

struct preflights {
	struct preflights_config cfg;
	struct shared *shared;
	struct mailbox box;
	struct conf_snapshot *snapshot;
	_Atomic(struct conf_snapshot *) next_snapshot;
	pthread_t thread;
	bool running, ended;
	_Atomic bool stop;
	char *dir; /* of observed.db */
	struct observed *o; /* of a step or a command; NULL */
	struct leg_asking leg[NAMES_MAX];
	struct preflight_job *job;
	struct preflight_shadow *shadow[NAMES_MAX]; /* by leg; NULL */
	struct preflight_pace shadow_pace; /* of all of them */
	bool look; /* there may be one in the file that is not in `job` */
	unsigned next_worker;
	int64_t trouble_ms; /* observed.db failed: not before */
	int64_t prune_ms, schedule_ms;
};

/* A batch under way. */
struct preflight_flight {
	struct preflights *p;
	struct preflight_job *job; /* NULL: of a shadow */
	struct preflight_page *page;
	struct preflight_item item[ASK_BATCH_MAX];
};

int64_t preflights_wall_us(const struct preflights *p);
int64_t preflights_mono_ms(const struct preflights *p);
/* Opens observed.db for this step or command. False: `err`. */
bool preflights_db(struct preflights *p, struct error *err);
/* It failed: logged, and tried later. */
void preflights_trouble(struct preflights *p, const struct error *err);

/* preflight_rows.c: adds the asking and its rows, in one transaction. The
 * wave's or the legs' names are checked; -1 and a sentence. */
int64_t preflight_rows(struct preflights *p, const struct preflight_order *o,
    struct error *err);

/* preflight_schedule.c: begins those of waves that begin soon. */
int preflight_schedule(struct preflights *p, struct error *err) PH_CHECK;

/* preflight_job.c */
struct preflight_job *preflight_job_new(struct arena *a,
    const struct asking *asking);
void preflight_job_free(struct preflight_job *j);
/* Reads pages, hands out what may be asked, and ends it when all is
 * settled. */
int preflight_job_step(struct preflights *p, struct preflight_job *j,
    struct error *err) PH_CHECK;
/* Ends it, with the reason when there is one. */
int preflight_job_end(struct preflights *p, struct preflight_job *j,
    int stop, const char *reason, struct error *err) PH_CHECK;
void preflight_page_drop(struct preflight_page *g);
/* Has a worker ask about the next `n` items of the page. */
struct preflight_sent {
	struct preflight_job *job; /* NULL: of a shadow */
	struct preflight_page *page;
	int leg;
	unsigned n; /* ASK_BATCH_MAX at most */
	bool idle_only;
};
void preflight_send(struct preflights *p, const struct preflight_sent *s);

/* preflight_shadow.c */
void preflight_shadow_step(struct preflights *p);
bool preflight_shadow_busy(const struct preflights *p);
void preflight_shadow_stop(struct preflights *p, int leg);
void preflight_shadow_free(struct preflights *p);

/* preflight_answer.c: ask_batch.done; arg: struct preflight_flight. */
void preflight_answered(void *arg, struct ask_batch *b);

/* preflight_notes.c: what the new legs offer less than the old ones. */
void preflight_notes(struct preflights *p, const struct preflight_job *j,
    struct strbuf *out);

#endif
