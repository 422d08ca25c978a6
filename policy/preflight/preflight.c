/* SPDX-License-Identifier: ISC
 *
 * Classes of answers, and the signs by which asking stops. RFC 3463, 5321.
 */
#include "policy/preflight/preflight.h"

#include "policy/no_user.h"
#include "relay/base/clock.h"

static const char *const class_texts[PREFLIGHT_CLASSES] = {
	[PREFLIGHT_UNASKED] = "unasked",
	[PREFLIGHT_TAKEN] = "taken",
	[PREFLIGHT_UNKNOWN] = "unknown",
	[PREFLIGHT_REFUSED] = "refused",
	[PREFLIGHT_UNDECIDED] = "undecided",
	[PREFLIGHT_ANY_NAME] = "any-name",
};

static const char *const stop_texts[PREFLIGHT_STOPS] = {
	[PREFLIGHT_GO] = "",
	[PREFLIGHT_THROTTLED] = "the leg asks for less",
	[PREFLIGHT_BLOCKED] = "the leg refuses us",
	[PREFLIGHT_NO_WAY] = "the leg takes no connection",
	[PREFLIGHT_STRANGERS] = "over 5 % of 200 recipients are unknown there",
};

const char *preflight_class_text(int class)
{
	return class >= 0 && class < PREFLIGHT_CLASSES ? class_texts[class]
						       : "?";
}

int preflight_class_named(struct slice text)
{
	for (int i = 0; i < PREFLIGHT_CLASSES; i++)
		if (slice_eq(text, slice_str(class_texts[i])))
			return i;
	return -1;
}

const char *preflight_stop_text(int stop)
{
	return stop >= 0 && stop < PREFLIGHT_STOPS ? stop_texts[stop] : "?";
}

/* A full mailbox, a rate or the leg's own trouble is over one day. */
static bool passes(enum reply_class c)
{
	return c == CLASS_THROTTLE || c == CLASS_MAILBOX ||
	       c == CLASS_CONFIGURATION || c == CLASS_NETWORK ||
	       c == CLASS_SPLIT;
}

enum preflight_class preflight_class_of(const struct result *r, bool at_rcpt)
{
	if (r->outcome == OUT_UNTRIED)
		return PREFLIGHT_UNASKED;
	if (r->outcome == OUT_FAILED && r->code == 0)
		return PREFLIGHT_REFUSED; /* by what the leg offers */
	if (!at_rcpt)
		return PREFLIGHT_UNDECIDED;
	if (r->outcome == OUT_DELIVERED)
		return PREFLIGHT_TAKEN;
	if (no_user_said(r))
		return PREFLIGHT_UNKNOWN;
	return r->code < 500 || passes(r->class) ? PREFLIGHT_UNDECIDED
						 : PREFLIGHT_REFUSED;
}

enum preflight_class preflight_judge(enum preflight_class answer,
    enum preflight_class random_name)
{
	if (answer != PREFLIGHT_TAKEN)
		return answer;
	if (random_name == PREFLIGHT_TAKEN)
		return PREFLIGHT_ANY_NAME;
	return random_name == PREFLIGHT_UNKNOWN ||
		       random_name == PREFLIGHT_REFUSED
		   ? PREFLIGHT_TAKEN : PREFLIGHT_UNDECIDED;
}

bool preflight_fails(enum preflight_class judged)
{
	return judged == PREFLIGHT_UNKNOWN || judged == PREFLIGHT_REFUSED;
}

/* ---- how long an answer holds ------------------------------------------- */

bool preflight_fresh(enum preflight_class answer, int64_t at_us,
    int64_t now_us)
{
	return answer != PREFLIGHT_UNASKED && answer != PREFLIGHT_UNDECIDED &&
	       at_us <= now_us && now_us - at_us < DAY_MS * INT64_C(1000);
}

/* Grey lists want five minutes as a rule. */
int64_t preflight_again_us(unsigned tries)
{
	static const int64_t after_s[PREFLIGHT_TRIES - 1] = {60, 360, 900};

	if (tries == 0)
		return 0;
	return tries < PREFLIGHT_TRIES ? after_s[tries - 1] * 1000000 : -1;
}

/* ---- when asking must stop ---------------------------------------------- */

/* Up to MAIL a refusal for good is of the session or of the null sender, so the
 * next question would get it too; a 421 ends the session at any stage. */
enum preflight_stop preflight_stop_of(const struct result *r)
{
	bool greeted = r->stage >= STAGE_MAIL;

	if (r->outcome == OUT_DELIVERED || r->outcome == OUT_UNTRIED ||
	    (r->outcome == OUT_FAILED && r->code == 0))
		return PREFLIGHT_GO;
	if (r->class == CLASS_THROTTLE || r->code == 421)
		return PREFLIGHT_THROTTLED;
	if (r->class == CLASS_CONFIGURATION ||
	    (r->stage <= STAGE_MAIL && r->code >= 500))
		return PREFLIGHT_BLOCKED;
	return !greeted ? PREFLIGHT_NO_WAY : PREFLIGHT_GO;
}

enum preflight_stop preflight_window_add(struct preflight_window *w,
    enum preflight_class answer)
{
	unsigned char *seat = &w->unknown[w->at];

	w->at = (w->at + 1) % PREFLIGHT_WINDOW;
	w->unknowns -= *seat;
	*seat = answer == PREFLIGHT_UNKNOWN;
	w->unknowns += *seat;
	return w->unknowns > PREFLIGHT_UNKNOWN_MAX ? PREFLIGHT_STRANGERS
						   : PREFLIGHT_GO;
}

/* ---- how fast ----------------------------------------------------------- */

#define ONE INT64_C(1000000)

/* Grows since the last look: to a second's worth at most, and the rest of one
 * that was not whole. */
static int64_t credit_now(const struct preflight_pace *p, int64_t now_us,
    unsigned rate)
{
	int64_t past = now_us - p->at_us, full = ONE * rate + ONE;
	int64_t credit;

	if (p->at_us == 0 || past < 0)
		return p->at_us == 0 ? ONE : p->credit;
	if (past > 2 * ONE)
		return full;
	credit = p->credit + past * rate;
	return credit > full ? full : credit;
}

unsigned preflight_pace_take(struct preflight_pace *p, int64_t now_us,
    unsigned rate, unsigned want)
{
	int64_t credit = credit_now(p, now_us, rate);
	unsigned may = (unsigned)(credit / ONE);

	if (may > want)
		may = want;
	p->credit = credit - may * ONE;
	p->at_us = now_us;
	return may;
}

int64_t preflight_pace_wait(const struct preflight_pace *p, int64_t now_us,
    unsigned rate)
{
	int64_t lacks = ONE - credit_now(p, now_us, rate);

	if (rate == 0)
		return ONE;
	return lacks <= 0 ? 0 : (lacks + rate - 1) / rate;
}
