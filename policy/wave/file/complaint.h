/* SPDX-License-Identifier: ISC
 *
 * Complaints of users that a person took down: no reply of a leg tells that a
 * mail program misbehaves. Decisions of people, kept in the file of the cutover
 * table.
 */
#ifndef POLICY_WAVE_FILE_COMPLAINT_H
#define POLICY_WAVE_FILE_COMPLAINT_H

#include "policy/wave/file/wave_file.h"

struct complaint {
	uint64_t number; /* 1 …; given by complaint_add() */
	struct slice address; /* of a row, in lookup form */
	int64_t time_us; /* wall clock */
	const char *who, *host, *note;
};

/* Inside a write transaction; a decision as well. */
int complaint_add(struct wave_file *f, const struct complaint *c,
    struct error *err) PH_CHECK;

struct complaint_page {
	int64_t since_us;
	void (*fn)(void *arg, const struct complaint *c);
	void *arg;
};
/* Oldest first. */
int complaint_each(struct wave_file *f, const struct complaint_page *page,
    struct error *err) PH_CHECK;

/* How many members that this run has moved had a complaint after that time. */
int complaint_count(struct wave_file *f, const struct wave *w,
    int64_t after_us, uint64_t *n_out, struct error *err) PH_CHECK;

#endif
