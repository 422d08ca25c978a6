/* SPDX-License-Identifier: ISC
 *
 * Decisions of people, a row each: who, where, by which command, about what,
 * and why. Kept in the file of the cutover table, which is never made anew.
 */
#ifndef POLICY_WAVE_FILE_DECIDED_H
#define POLICY_WAVE_FILE_DECIDED_H

#include "policy/change_chain.h"
#include "policy/wave/file/wave_file.h"

struct decided {
	uint64_t number; /* 1 …; given by decided_add() */
	int64_t time_us;
	const char *who, *host, *command, *note;
	const char *about;  /* a wave's name, a rule, an address … */
	const char *detail; /* what was decided: "to cloud, slice 500" */
	const char *head;   /* hash of its row (change_chain.h); when read */
};
/* Inside a write transaction, whose hash chain it goes on with. */
int decided_add(struct wave_file *f, const struct decided *d,
    struct error *err) PH_CHECK;
/* The command that let the wave of that name make slices, the newest: 1 and who
 * gave it and where, whose texts live as long as the handle; 0: none is on
 * record; -1. */
struct decided_start {
	const char *who, *host;
};
int decided_start(struct wave_file *f, const char *wave,
    struct decided_start *out, struct error *err) PH_CHECK;
/* The number of the newest; 0: there is none. */
int decided_newest(struct wave_file *f, uint64_t *number_out,
    struct error *err) PH_CHECK;
/* Oldest first, above `after`; `about` NULL: all. */
struct decided_page {
	const char *about;
	uint64_t after;
	void (*fn)(void *arg, const struct decided *d);
	void *arg;
};
int decided_each(struct wave_file *f, const struct decided_page *page,
    struct error *err) PH_CHECK;

/* Of the file's history as it is now. */
int wave_heads(struct wave_file *f, struct chain_heads *out,
    struct error *err) PH_CHECK;

#endif
