/* SPDX-License-Identifier: ISC
 *
 * Rules that leave recipients out of every later slice of every wave.
 */
#ifndef POLICY_WAVE_FILE_EXCLUDE_H
#define POLICY_WAVE_FILE_EXCLUDE_H

#include "policy/wave/file/wave_file.h"

struct exclude {
	uint64_t number;
	int64_t time_us;
	const char *where; /* as it was written */
	const char *who, *note;
};
/* All, in order of their numbers. */
int exclude_each(struct wave_file *f,
    void (*fn)(void *arg, const struct exclude *e), void *arg,
    struct error *err) PH_CHECK;
/* A number that a rule more or fewer changes; 0 without rules. */
int exclude_mark(struct wave_file *f, int64_t *mark_out, struct error *err)
    PH_CHECK;
struct exclude_said {
	const char *where; /* the expression, which the caller has parsed */
	uint64_t number;   /* remove: 0: by the text of the expression */
	const struct change_by *by; /* both record a decision */
	int64_t now_us;
};
int exclude_add(struct wave_file *f, const struct exclude_said *said,
    uint64_t *number_out, struct error *err) PH_CHECK;
/* The members that rules had left out of waves that are not over are pending
 * again; the rules that remain are asked anew when their slice comes. 1, 0
 * there is no such rule, -1. */
int exclude_remove(struct wave_file *f, const struct exclude_said *said,
    struct error *err) PH_CHECK;

#endif
