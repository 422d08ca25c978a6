/* SPDX-License-Identifier: ISC
 *
 * The states of a wave, the events that move it from one to another, and the
 * states of its members. Pure. The rows are those of doc/waves.md, whose cells
 * tests/unit/test_wave_state.c reads and runs.
 */
#ifndef POLICY_WAVE_WAVE_STATE_H
#define POLICY_WAVE_WAVE_STATE_H

#include <stdint.h>

#include "relay/base/error.h"
#include "relay/base/slice.h"

enum wave_state {
	WAVE_PLANNED,	  /* members may be added and removed */
	WAVE_SCHEDULED,	  /* begins by itself at its time */
	WAVE_RUNNING,	  /* slices are made */
	WAVE_PAUSED,	  /* none is made until `resume` */
	WAVE_DONE,	  /* no member is pending */
	WAVE_ROLLED_BACK, /* its members were given back what they had */
	WAVE_STATES
};

enum wave_event {
	WAVE_SCHEDULE, WAVE_UNSCHEDULE, WAVE_START, WAVE_SLICE_DONE,
	WAVE_PAUSE, WAVE_RESUME, WAVE_END, WAVE_ROLLBACK, WAVE_DELETE,
	WAVE_FLIP, /* of single members that it holds */
	WAVE_EVENTS
};

/* Of a member, as the table keeps it. */
enum member_state {
	MEMBER_PENDING,
	MEMBER_DONE,	 /* by a slice; the row may have another route again */
	MEMBER_FAILED,	 /* its own move failed; it has its old route */
	MEMBER_EXCLUDED, /* a rule leaves it out; `include` takes it back */
	MEMBER_SKIPPED,	 /* left out for a reason; a new run takes it back */
	MEMBER_HELD,	 /* its mail is held until its own move ends */
	MEMBER_FLIPPED,	 /* flipped after that; its mail is still held */
	MEMBER_STATES
};

/* A wave as an event meets it: all that a cell of the page may depend on. */
struct wave_facts {
	const char *name; /* for the refusal */
	enum wave_state state;
	uint64_t pending; /* members */
	uint64_t held;	  /* members whose mail the wave holds */
	bool begun; /* the run has begun and was not rolled back */
	bool again; /* an earlier run was rolled back */
	bool part;  /* rollback: of a slice or of some members alone */
};

/* In *state_out where a wave that is deleted is. */
enum { WAVE_GONE = WAVE_STATES };

/* The state after an event. -1 and a sentence that names what the wave allows;
 * it is refused, and the state stays. */
int wave_next(const struct wave_facts *facts, enum wave_event event,
    int *state_out, struct error *err) PH_CHECK;

/* "rolled-back"; of WAVE_GONE "gone" */
const char *wave_state_text(int state);
const char *wave_event_text(enum wave_event event);	/* "slice-done" */
const char *member_state_text(enum member_state state); /* "excluded" */
/* -1: there is none of that name. */
int wave_state_named(struct slice text);
int wave_event_named(struct slice text);
int member_state_named(struct slice text);

/* Scheduled, running or paused: a recipient is in one such wave at most. */
static inline bool wave_state_active(enum wave_state s)
{
	return s == WAVE_SCHEDULED || s == WAVE_RUNNING || s == WAVE_PAUSED;
}

enum { WAVE_NAME_MAX = 64 };
/* Letters, digits, '-', '_' and '.'; -1 and what would be right. */
int wave_name_check(const char *name, struct error *err) PH_CHECK;

#endif
