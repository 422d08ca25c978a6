/* SPDX-License-Identifier: ISC
 *
 * Inside of the watermarks. watermark_common.c is below all: the table, the
 * route of an address, events on their way. watermarks.c is above: the thread.
 */
#ifndef RELAY_CUTOVER_WATERMARK_WATERMARKS_INT_H
#define RELAY_CUTOVER_WATERMARK_WATERMARKS_INT_H

#include <pthread.h>

#include "policy/route.h"
#include "relay/audit/delivered/watermark_post.h"
#include "relay/audit/delivered/watermark_reader.h"
#include "relay/cutover/watermark/hook_said.h"
#include "relay/cutover/watermark/watermarks.h"
#include "relay/mail/addr.h"
#include "relay/spawn/spawn_run.h"

enum watermark_letter { M_CALL = 1, M_FLUSHED, M_DECIDE };

enum {
	SOON_MS = 20,	   /* what others do is looked at again */
	TROUBLE_MS = 1000, /* table or ledger.db cannot be read */
	KEY_BYTES = 2 * ADDR_MAX,
};

struct mark_legs {
	unsigned n;
	uint16_t leg[2 * ROUTE_LEGS_MAX];
};

/* A question to the journal: is all that was posted before synced? One at a
 * time; it outlives what it is for. */
enum flush_state { FLUSH_NONE, FLUSH_ASKED, FLUSH_DONE, FLUSH_FAILED };
struct mark_flush {
	enum flush_state state;
	struct spool_pos pos; /* of FLUSH_DONE: all of before it is */
};

/* Before a domain's recipients are looked for: no attempt by the route of
 * before is under way, and ledger.db has the results. */
enum walk_phase { WALK_OLDER, WALK_ASKED, WALK_SYNC, WALK_COMMIT, WALK_READ };

/* A change of a domain's row, in the midst of its recipients. */
struct domain_walk {
	bool on;
	char domain[KEY_BYTES]; /* "": each domain */
	uint64_t change;
	struct mark_legs legs;
	unsigned leg; /* 0: watermarks that are there; n: the n-th of legs */
	enum walk_phase phase;
	struct watermark_reader *reader; /* NULL: not opened yet */
	struct watermark_page page;
	int64_t after;
};

struct walk_ask {
	bool asked; /* the queue, and it has not answered */
	uint64_t change;
	unsigned older;
	struct mark_flush flush;
};

struct log_follow {
	bool began;
	bool busy; /* there is more to read */
	uint64_t told;	 /* changes up to it are told to ledger.db         */
	int64_t version; /* of the table, when all of it was read; 0: not */
	uint64_t change; /* all before it is told, and of it … */
	char key[KEY_BYTES]; /* … the rows up to here; "": all */
	struct domain_walk walk;
};

enum ask_phase { ASK_IDLE, ASK_QUEUE, ASK_TAKE, ASK_TOLD };

struct ask_row {
	char *address;
	uint16_t leg; /* of names */
	uint64_t hash;
	unsigned open, was_open;
};

struct mark_round {
	enum ask_phase phase;
	struct watermark_reader *reader; /* of the round */
	struct watermark_page page;
	bool seen; /* something is to be done in this round */
	int64_t round_ms; /* the next one begins then */
	struct ask_row *row;
	unsigned n, cap;
	unsigned told; /* of the page */
	unsigned anybody[NAMES_MAX]; /* open, of recipients not known */
	struct mark_flush flush;
};

enum mark_hook_kind { HOOK_WATERMARK, HOOK_HELD, MARK_HOOKS };

enum { MARK_HOOK_ROWS = 1000 };

struct mark_hook_row {
	char *address, *leg;
	int64_t at_us; /* since when it was reached, as it was told */
	bool synced, decided; /* it said so; and that is written down */
	char *failed;	      /* what it said; NULL: it did not */
};

/* A program with its list. */
struct mark_hook {
	struct watermarks *w;
	enum mark_hook_kind kind;
	struct spawn_run *run; /* NULL: it does not run */
	bool ended, taken, broken; /* exit status 0; one that is an error */
	bool due;   /* there may be rows that the walk does not meet */
	bool walks; /* along what is due; `page` is how far */
	struct watermark_page page;
	struct hook_pause pause;
	struct mark_hook_row row[MARK_HOOK_ROWS];
	unsigned n;
	struct strbuf input;
	struct hook_lines lines;
	char last[HOOK_LINE_MAX];
};

struct watermarks {
	struct watermarks_config cfg;
	struct shared *shared;
	struct last_delivery *last;
	struct conf_snapshot *snapshot;
	_Atomic(struct conf_snapshot *) next_snapshot;
	struct loop *loop;
	struct mailbox box;
	struct timer again;
	pthread_t thread;
	bool running, ended;
	struct table *table; /* NULL: not now */
	uint64_t epoch;
	struct arena *arena; /* of a row; renewed */
	struct mark_file *marks; /* NULL: not opened yet */
	struct log_follow log;
	struct walk_ask walk_ask;
	struct mark_round ask;
	struct mark_hook hook[MARK_HOOKS];
	int64_t hook_since_us;
	/* Decisions that wait, and those that wait to be in ledger.db. */
	struct watermark_decision *decide, *answer;
	bool said; /* the trouble was logged */
	bool unread; /* a route could not be read: marks_unread() */
};

/* ---- watermark_common.c ---- */

/* Opens the table where it is not. False: not now, and that was said. */
bool marks_table(struct watermarks *w);
void marks_trouble(struct watermarks *w, const struct error *err);
struct watermark_reader *marks_reader(struct watermarks *w);
/* The base address in its lookup form; false: it is none. */
bool marks_key(struct watermarks *w, struct slice address, struct strbuf *out);
/* The route of an address by the table, in a read transaction of the caller,
 * who begins one a page. False: it is no address, or cannot be read. */
bool marks_route(struct watermarks *w, struct slice address,
    struct decision *out);
/* Could a route not be read since the last call? What was passed over for that
 * is to be looked at again. */
bool marks_unread(struct watermarks *w);
/* Is that leg named, and the recipient not held? By what was decided. */
bool marks_named(const struct route *r, bool held, int leg);
void marks_event(struct watermarks *w, enum watermark_event event,
    const struct watermark_op *op);
/* Does nothing wait for a commit of ledger.db? Else it is hurried. */
bool marks_settled(struct watermarks *w);
/* The answer comes with marks_flushed(). */
void marks_flush(struct watermarks *w, struct mark_flush *f);
void marks_flushed(struct watermarks *w, struct spool_op *op);
/* Is that so, and has ledger.db taken in what lies before? Then it is
 * FLUSH_NONE again. */
bool marks_took(struct watermarks *w, struct mark_flush *f);
int64_t marks_wall_us(const struct watermarks *w);
int64_t marks_mono_ms(const struct watermarks *w);

/* ---- the parts of a step; true: there is more to do at once ---- */

bool marks_follow(struct watermarks *w);     /* watermark_log.c    */
bool marks_walk(struct watermarks *w);	     /* watermark_domain.c */
void marks_walk_begin(struct watermarks *w, struct slice key,
    const struct mark_legs *legs, uint64_t change);
void marks_walk_end(struct watermarks *w);
bool marks_ask(struct watermarks *w);	     /* watermark_ask.c    */
void marks_ask_end(struct watermarks *w);
void marks_decide(struct watermarks *w);     /* watermark_decide.c */
void marks_decide_now(struct watermarks *w, struct watermark_decision *d);
/* The thread is over: those that are written are answered, the others
 * refused. */
void marks_decide_end(struct watermarks *w);
void marks_hooks_init(struct watermarks *w);
void marks_hooks(struct watermarks *w);	     /* watermark_hook.c */
void marks_hooks_end(struct watermarks *w);
bool marks_hooked(const struct watermarks *w); /* is there a program? */
/* Which program is to be told of a recipient with that route. False: none. */
bool marks_hook_kind(const struct watermarks *w, const struct decision *d,
    enum mark_hook_kind *kind_out);
/* More is due for that program; the route of what is due may have changed. */
void marks_hook_due(struct watermarks *w, enum mark_hook_kind kind);
void marks_hooks_due(struct watermarks *w);
/* A decision of before ledger.db was made anew, for one that is reached. */
void marks_remember(struct watermarks *w, const struct watermark *row);

#endif
