/* SPDX-License-Identifier: ISC
 *
 * Waves that run, on a clock of the test: the running part of the daemon
 * without its thread, on a table of table_tmp.h.
 */
#ifndef TESTS_UNIT_WAVE_RIG_H
#define TESTS_UNIT_WAVE_RIG_H

#include "relay/cutover/wave/wave_run.h"
#include "tests/unit/wave_tmp.h"

#define RIG_S INT64_C(1000000)
/* 2027-01-15 08:00:00 UTC, a Friday. */
#define RIG_NOW (INT64_C(1800000000) * RIG_S)

struct wave_rig {
	struct table_tmp *t;
	struct wave_run *run;
	int64_t now_us;
	char told[4000]; /* "w1 start running, …", since it was looked at */
	/* Names of held members whose own move ended, or failed, in blanks:
	 * " ann bob ". */
	const char *moved, *broken;
	/* Of the newest slice in ledger.db, and how often it was asked. */
	struct brake_seen seen;
	bool blind; /* it cannot be read */
	unsigned looks;
	char braked[100]; /* waves of which it was told, "w1 " */
	char overdue[100]; /* waves of which it was told, "w1 " */
	char kept[1000]; /* of the last rollback: "ann: why, …" */
	struct wave_ordered out;
};

/* On wave_tmp_table(). */
struct wave_rig *wave_rig_new(void **state);
void wave_rig_free(struct wave_rig *r);
/* Another daemon on the same table. */
struct wave_rig *wave_rig_on(struct table_tmp *t, int64_t now_us);
void wave_rig_end(struct wave_rig *r); /* which stays */

/* Steps until nothing is due at this time; at most 1,000. */
void wave_rig_settle(struct wave_rig *r);
void wave_rig_pass(struct wave_rig *r, int64_t seconds); /* and settles */
/* The events since the last call. */
void wave_rig_told(struct wave_rig *r, const char *want);
/* Numbers that are not given are below 0, but of a rollback 0. */
struct wave_order wave_rig_order(const char *name, enum wave_event event);
void wave_rig_do(struct wave_rig *r, const struct wave_order *order);
void wave_rig_refused(struct wave_rig *r, const struct wave_order *order,
    const char *says);
/* Starts with slices of so many, a minute apart. */
void wave_rig_start(struct wave_rig *r, const char *name, int64_t slice);

#endif
