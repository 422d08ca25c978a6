/* SPDX-License-Identifier: ISC
 *
 * The states of a wave: one row a state, one cell an event, as in
 * doc/waves.md.
 */
#include "policy/wave/wave_state.h"

#include <stdio.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/base/strbuf.h"

/* A cell: the next state, or one of these. */
enum {
	NO = -1,     /* refused */
	BACK = -2,   /* where it was scheduled from */
	LAST = -3,   /* done when no member is pending; else refused */
	TAKEN = -4,  /* rolled back as a whole; a part leaves the state */
	HELD = -5,   /* stays while members are held; else refused */
	FREE = -6,   /* scheduled, unless members are held */
};

#define PLANNED WAVE_PLANNED
#define SCHEDULED WAVE_SCHEDULED
#define RUNNING WAVE_RUNNING
#define PAUSED WAVE_PAUSED
#define GONE WAVE_GONE

/* Columns in the order of enum wave_event: schedule, unschedule, start,
 * slice-done, pause, resume, end, rollback, delete, flip. */
static const signed char cell[WAVE_STATES][WAVE_EVENTS] = {
	[WAVE_PLANNED] = {SCHEDULED, NO, RUNNING, NO, NO, NO, NO, NO, GONE,
	    NO},
	[WAVE_SCHEDULED] =
	    {SCHEDULED, BACK, RUNNING, NO, PAUSED, NO, NO, TAKEN, NO, NO},
	[WAVE_RUNNING] =
	    {NO, NO, NO, RUNNING, PAUSED, NO, LAST, TAKEN, NO, HELD},
	[WAVE_PAUSED] =
	    {FREE, NO, NO, NO, NO, RUNNING, NO, TAKEN, NO, HELD},
	[WAVE_DONE] = {NO, NO, NO, NO, NO, NO, NO, TAKEN, NO, NO},
	[WAVE_ROLLED_BACK] =
	    {SCHEDULED, NO, RUNNING, NO, NO, NO, NO, NO, NO, NO},
};

static const char *const state_names[WAVE_STATES + 1] = {
	"planned", "scheduled", "running", "paused", "done", "rolled-back",
	"gone",
};
static const char *const event_names[WAVE_EVENTS] = {
	"schedule", "unschedule", "start", "slice-done", "pause", "resume",
	"end", "rollback", "delete", "flip",
};
static const char *const member_names[MEMBER_STATES] = {
	"pending", "done", "failed", "excluded", "skipped", "held",
	"flipped",
};

/* ---- one cell --------------------------------------------------------- */

static int came_from(const struct wave_facts *f)
{
	return f->begun ? WAVE_PAUSED
	       : f->again ? WAVE_ROLLED_BACK : WAVE_PLANNED;
}

/* NO, or the next state. */
static int next_of(const struct wave_facts *f, enum wave_event event)
{
	switch (cell[f->state][event]) {
	case BACK:
		return came_from(f);
	case LAST:
		return f->pending == 0 && f->held == 0 ? (int)WAVE_DONE : NO;
	case FREE:
		return f->held == 0 ? (int)WAVE_SCHEDULED : NO;
	case HELD:
		return f->held > 0 ? (int)f->state : NO;
	case TAKEN:
		if (!f->begun)
			return NO;
		return f->part ? (int)f->state : (int)WAVE_ROLLED_BACK;
	default:
		return cell[f->state][event];
	}
}

/* Events that are no command. */
static bool by_itself(int event)
{
	return event == WAVE_SLICE_DONE || event == WAVE_END;
}

static void add_allowed(struct strbuf *out, const struct wave_facts *f)
{
	int n = 0;

	for (int e = 0; e < WAVE_EVENTS; e++)
		if (!by_itself(e) && next_of(f, (enum wave_event)e) != NO)
			strbuf_addf(out, "%s%s", n++ == 0 ? "" : ", ",
			    event_names[e]);
	if (n == 0)
		strbuf_adds(out, "nothing");
}

int wave_next(const struct wave_facts *facts, enum wave_event event,
    int *state_out, struct error *err)
{
	struct strbuf allowed;
	int next = next_of(facts, event);

	if (next != NO) {
		*state_out = next;
		return 0;
	}
	strbuf_init(&allowed, sizeof(err->text));
	add_allowed(&allowed, facts);
	error_set(err, "wave %s is %s: %s is refused; possible now: %s",
	    facts->name, state_names[facts->state], event_names[event],
	    strbuf_cstr(&allowed));
	strbuf_fini(&allowed);
	return -1;
}

/* ---- words ------------------------------------------------------------ */

static int named(const char *const *names, int n, struct slice text)
{
	for (int i = 0; i < n; i++)
		if (slice_eq(text, slice_str(names[i])))
			return i;
	return -1;
}

const char *wave_state_text(int state)
{
	return state_names[state];
}

const char *wave_event_text(enum wave_event event)
{
	return event_names[event];
}

const char *member_state_text(enum member_state state)
{
	return member_names[state];
}

int wave_state_named(struct slice text)
{
	return named(state_names, WAVE_STATES, text);
}

int wave_event_named(struct slice text)
{
	return named(event_names, WAVE_EVENTS, text);
}

int member_state_named(struct slice text)
{
	return named(member_names, MEMBER_STATES, text);
}

int wave_name_check(const char *name, struct error *err)
{
	size_t n = strlen(name);

	if (n == 0 || n > WAVE_NAME_MAX)
		return error_set(err, "a wave's name has 1 to %d characters",
		    WAVE_NAME_MAX);
	for (size_t i = 0; i < n; i++)
		if (!ascii_alpha(name[i]) && !ascii_digit(name[i]) &&
		    strchr("-_.", name[i]) == NULL)
			return error_set(err, "'%.64s' is no name of a wave: "
			    "letters, digits, '-', '_' and '.' may stand in "
			    "one", name);
	if (name[0] == '-')
		return error_set(err, "'%.64s' is no name of a wave: it "
		    "begins with '-'", name);
	return 0;
}
