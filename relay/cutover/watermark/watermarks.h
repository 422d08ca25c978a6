/* SPDX-License-Identifier: ISC
 *
 * Watermarks: reads the table's change log, asks the queue what is open, and
 * tells what is reached, withdrawn and synced (doc/watermark.md). A thread of
 * its own; ledger.db is written by the projector's.
 */
#ifndef RELAY_CUTOVER_WATERMARK_WATERMARKS_H
#define RELAY_CUTOVER_WATERMARK_WATERMARKS_H

#include "relay/post/conf_snapshot.h"
#include "relay/post/shared.h"

struct alarms;
struct projector;
struct queue_thread;
struct spawner;
struct watermarks;

struct watermarks_config {
	struct shared *shared;
	struct projector *projector;
	struct queue_thread *queue_thread;
	struct alarms *alarms;
	struct spawner *spawner; /* runs hook.on_watermark; or NULL */
	struct conf_snapshot *snapshot; /* counted */
};

struct watermarks *watermarks_new(const struct watermarks_config *c);
int watermarks_run(struct watermarks *w, struct error *err) PH_CHECK;
/* Any thread. */
void watermarks_configure(struct watermarks *w, struct conf_snapshot *l);
/* One turn; ms until the next. Its thread, or a test. */
int watermarks_step(struct watermarks *w);
/* Before the queue's thread and the projector end. NULL is fine. */
void watermarks_stop(struct watermarks *w);
/* Its thread is over: decisions that it did not take are refused, so that no
 * request waits for them. NULL is fine. */
void watermarks_answer(struct watermarks *w);
/* After the spool is closed: what was asked is back. NULL is fine. */
void watermarks_free(struct watermarks *w);

/* ---- decisions about watermarks ---------------------------------------- */

enum mark_result {
	MARK_DONE,
	MARK_NONE,   /* there is no watermark of that address and leg */
	MARK_EARLY,  /* it is not reached */
	MARK_ADDRESS /* it is no address */
};

/* Of several addresses, in one transaction of the table's file. */
struct watermark_decision {
	struct letter letter;
	bool waived;	 /* else: synced */
	const char *leg; /* "": each that has one */
	const char *who, *host, *command, *note;
	unsigned n;
	struct {
		const char *address;
		int64_t at_us; /* counts for the one that has its state since
				* then; 0: whichever there is */
		enum mark_result result; /* filled */
		const char *leg; /* of MARK_EARLY; filled */
		int state;	 /* enum watermark_state, then */
	} *row;
	struct error err; /* text "": it was written */
	void (*done)(void *arg); /* on the thread of the mailbox `to` */
	void *arg;
	struct mailbox *to;
	int kind; /* that `to` has for calls */
	/* The watermarks' own. */
	struct watermark_decision *next;
	struct names *names;
};
/* Any thread. `d` is the watermarks' until `done`. */
void watermarks_decide(struct watermarks *w, struct watermark_decision *d);

#endif
