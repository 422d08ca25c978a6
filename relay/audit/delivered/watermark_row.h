/* SPDX-License-Identifier: ISC
 *
 * A row of the table `watermark` of ledger.db, and what happens to one: events
 * are posted by any thread, applied by the projector's in one transaction with
 * the deliveries of before, and only then to be seen.
 */
#ifndef RELAY_AUDIT_DELIVERED_WATERMARK_ROW_H
#define RELAY_AUDIT_DELIVERED_WATERMARK_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/audit/delivered/watermark_state.h"

/* Whether the program hook.on_watermark was given it; on disk. */
enum watermark_hook {
	HOOK_NONE = 0,
	HOOK_DUE = 1,
	HOOK_TAKEN = 2,
	HOOK_FAILED = 3, /* `note`: what the program said */
};

/* Conditions of indexes; a query has to use the same words. */
#define WATERMARK_TODO "state IN (1, 3) OR told <> state"
#define WATERMARK_HOOK_DUE "hook = 1"

struct watermark {
	int64_t recipient;   /* with `leg_number`: the key of the file */
	int leg_number;
	const char *address; /* the base address, in its lookup form */
	const char *leg;
	uint64_t change;     /* that it began with */
	enum watermark_state state;
	int64_t time_us;     /* of the last delivery; 0: none on record */
	uint64_t id;	     /* … and its message */
	int64_t at_us;	     /* since when it has this state */
	unsigned open;	     /* pending: deliveries that were open, then */
	enum watermark_state told; /* the state that is in the audit trail */
	enum watermark_hook hook;
	bool waived;	     /* a person does without it */
	const char *note;    /* of a program that failed, "": none */
};

enum watermark_do {
	DO_EVENT,  /* `event`, of `change` */
	DO_OPEN,   /* `number` deliveries are open */
	DO_TOLD,   /* state `number` is in the audit trail; `hook` */
	DO_HOOK,   /* `hook`, and `note`, of the state since `at_us`; 0: any */
	DO_WAIVE,
	DO_MARKED, /* changes up to `change` are told; no recipient */
};

struct watermark_op {
	enum watermark_do what;
	enum watermark_event event;
	enum watermark_hook hook;
	unsigned number;
	uint64_t change; /* of DO_EVENT: 0: whichever it began with */
	int64_t at_us;
	const char *leg;
	struct slice address; /* base address, lookup form */
	const char *note;     /* NULL: "" */
	/* Filled by watermark_post(). */
	int64_t recipient;
	uint16_t leg_number;
};

#endif
