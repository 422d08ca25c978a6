/* SPDX-License-Identifier: ISC
 *
 * Slices that are watched, in the file of the cutover table: a row each, with
 * its figures as they were last looked at and how the soak ended. As with
 * wave_file.h, what writes is called inside a write transaction.
 */
#ifndef POLICY_WAVE_FILE_SOAK_FILE_H
#define POLICY_WAVE_FILE_SOAK_FILE_H

#include "policy/brake/soak.h"
#include "policy/wave/file/wave_file.h"

/* First outcomes. */
struct soak_counts {
	uint64_t delivered, failed;
	uint64_t trouble; /* the leg's own */
};

struct soak {
	unsigned run;
	uint64_t slice;
	int64_t began_us, looked_us; /* wall clock */
	int64_t since_us; /* outcomes after that are counted */
	int64_t ended_us; /* 0: it is open */
	enum soak_end end;
	bool told;	  /* the alarm of a stop was raised */
	uint64_t back;	  /* the change that rolled the slice back; 0 */
	const char *who;  /* of SOAK_ACCEPTED; "" */
	bool of_leg;	  /* the baseline is that of all at the new leg */
	struct soak_counts base; /* the baseline */
	struct soak_counts was;	 /* what had been counted at since_us */
	struct soak_counts now;	 /* since then */
	uint64_t users;		 /* recipients of whom one failed */
	uint64_t complaints;
};

/* 1 and the row, whose texts live as long as the handle; 0: there is none. */
int soak_get(struct wave_file *f, const struct wave *w, uint64_t slice,
    struct soak *soak_out, struct error *err) PH_CHECK;
int soak_put(struct wave_file *f, const struct wave *w, const struct soak *s,
    struct error *err) PH_CHECK;
int soak_drop(struct wave_file *f, const struct wave *w, uint64_t slice,
    struct error *err) PH_CHECK;
/* Complaints after that time count against this run: from its first slice, or
 * from the moment when a person went on. */
int soak_since(struct wave_file *f, const struct wave *w, int64_t *us_out,
    struct error *err) PH_CHECK;

/* Members that a slice of this run moved; `was` "": it had no row. */
struct soak_member {
	struct slice address;
	const char *was, *gave; /* routes, as text */
};
struct soak_members {
	void (*fn)(void *arg, const struct soak_member *m);
	void *arg;
};
int soak_members(struct wave_file *f, const struct wave *w, uint64_t slice,
    const struct soak_members *to, struct error *err) PH_CHECK;

#endif
