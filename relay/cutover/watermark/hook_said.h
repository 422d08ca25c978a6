/* SPDX-License-Identifier: ISC
 *
 * The output of a program of hook.on_watermark or hook.on_held, and the pause
 * until it is asked again. Pure: clock and mailboxes are the caller's.
 *
 *     ADDRESS synced
 *     ADDRESS failed TEXT
 *
 * A line of another form is no report.
 */
#ifndef RELAY_CUTOVER_WATERMARK_HOOK_SAID_H
#define RELAY_CUTOVER_WATERMARK_HOOK_SAID_H

#include "relay/base/slice.h"
#include "relay/base/strbuf.h"

enum {
	HOOK_LINE_MAX = 1024, /* bytes of a line; one that is longer is none */
	HOOK_WHY_MAX = 200,   /* bytes of TEXT that are kept */
	HOOK_AGAIN_MS = 60000,
	HOOK_AGAIN_MAX_MS = 3600000,
};

enum hook_word { HOOK_SAYS_NOTHING, HOOK_SAYS_SYNCED, HOOK_SAYS_FAILED };

/* Slices of the line. */
struct hook_report {
	enum hook_word word;
	struct slice address; /* as it stands there; not empty in a report */
	struct slice why;     /* of HOOK_SAYS_FAILED, cut; may be empty */
};
/* `line`: without its end. */
struct hook_report hook_report_read(struct slice line);

/* Puts bytes together to lines. `fn` is called with each whole one. */
struct hook_lines {
	struct strbuf line;
	void (*fn)(void *arg, struct slice line);
	void *arg;
};
void hook_lines_init(struct hook_lines *l);
void hook_lines_fini(struct hook_lines *l);
void hook_lines_take(struct hook_lines *l, struct slice bytes);
/* The output is over: the last line may have no end. */
void hook_lines_end(struct hook_lines *l);
void hook_lines_reset(struct hook_lines *l);

/* After a program could not do its work now: a minute, then twice as long each
 * time, at most an hour. */
struct hook_pause {
	int64_t next_ms; /* not before, monotonic */
	unsigned tries;
};
/* Returns the pause from now on, in ms. */
int64_t hook_pause_again(struct hook_pause *p, int64_t now_ms);
void hook_pause_over(struct hook_pause *p); /* it did its work */
bool hook_pause_due(const struct hook_pause *p, int64_t now_ms);

#endif
