/* SPDX-License-Identifier: ISC
 *
 * Classifies a leg's answer to a question about a recipient, and tells when
 * asking must stop. Platforms block addresses whose RCPTs outnumber
 * their deliveries, so a wave's preflight, a shadow and a comparison stop at
 * the first sign of it. Pure: no clock, no file; any thread.
 */
#ifndef POLICY_PREFLIGHT_PREFLIGHT_H
#define POLICY_PREFLIGHT_PREFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/slice.h"
#include "relay/mail/result.h"

/* ---- the class of an answer ---------------------------------------------- */

/* The numbers are stored (relay/observed). */
enum preflight_class {
	PREFLIGHT_UNASKED = 0,
	PREFLIGHT_TAKEN = 1,
	PREFLIGHT_UNKNOWN = 2,	 /* the leg has no such recipient */
	PREFLIGHT_REFUSED = 3,	 /* for good, for another reason */
	PREFLIGHT_UNDECIDED = 4, /* a 4yz reply, or no answer: neither good
				  * nor bad, asked again */
	PREFLIGHT_ANY_NAME = 5,	 /* taken, as any name is there: it proves
				  * nothing; of preflight_judge() alone */
	PREFLIGHT_CLASSES
};

const char *preflight_class_text(int class); /* "taken", …; "?" */
int preflight_class_named(struct slice text); /* -1: none is called so */

/* `r` has been classified (policy/reply_class.h); `at_rcpt`: RCPT was
 * answered, so it speaks of the recipient. What was said to no leg (a dialog
 * that was cut) is unasked; what the leg's offers rule out is refused. */
enum preflight_class preflight_class_of(const struct result *r, bool at_rcpt);

/* A recipient's answer beside that to a random name at its domain: that a
 * leg takes it proves something only where it refused the random name. */
enum preflight_class preflight_judge(enum preflight_class answer,
    enum preflight_class random_name);

/* Would the recipient lose mail there? */
bool preflight_fails(enum preflight_class judged);

/* ---- how long an answer holds ------------------------------------------- */

enum { PREFLIGHT_TRIES = 4 }; /* then it stays undecided */

/* May an answer of `at_us` stand for a question of now? For 24 h, unless it
 * was undecided or comes from the future (a clock that was set back). */
bool preflight_fresh(enum preflight_class answer, int64_t at_us,
    int64_t now_us);
/* How long after an undecided answer, the `tries`th of 1 …, the leg is asked
 * again, us; -1: no more. */
int64_t preflight_again_us(unsigned tries);

/* ---- when asking must stop ---------------------------------------------- */

/* The numbers are stored. */
enum preflight_stop {
	PREFLIGHT_GO = 0,
	PREFLIGHT_THROTTLED = 1,
	PREFLIGHT_BLOCKED = 2,	/* it refuses us, whatever we ask */
	PREFLIGHT_NO_WAY = 3,	/* no connection, or no greeting */
	PREFLIGHT_STRANGERS = 4, /* too many of those asked are unknown */
	PREFLIGHT_STOPS
};

/* For an alarm: what happened. "" of PREFLIGHT_GO. */
const char *preflight_stop_text(int stop);

/* Does this answer forbid the next question? */
enum preflight_stop preflight_stop_of(const struct result *r);

/* The last 200 recipients that were asked about. Names made up by us are not
 * among them. */
enum { PREFLIGHT_WINDOW = 200, PREFLIGHT_UNKNOWN_MAX = 10 }; /* 5 % */
struct preflight_window {
	unsigned char unknown[PREFLIGHT_WINDOW]; /* a ring; 0 or 1 */
	unsigned at, unknowns;
};
/* PREFLIGHT_STRANGERS as soon as more of them are unknown than 5 % of 200. */
enum preflight_stop preflight_window_add(struct preflight_window *w,
    enum preflight_class answer);

/* ---- how fast ----------------------------------------------------------- */

/* Recipients a second; after a pause a second's worth at once, and one more.
 * Begin with all 0. */
struct preflight_pace {
	int64_t at_us;	/* monotonic, of the last look; 0: none yet */
	int64_t credit; /* recipients, in millionths */
};
/* How many of `want` may be asked now; they count as asked. */
unsigned preflight_pace_take(struct preflight_pace *p, int64_t now_us,
    unsigned rate, unsigned want);
/* Us until one may be; 0: now. */
int64_t preflight_pace_wait(const struct preflight_pace *p, int64_t now_us,
    unsigned rate);

#endif
