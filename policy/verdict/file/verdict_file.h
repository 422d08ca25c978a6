/* SPDX-License-Identifier: ISC
 *
 * Reads for a verdict the file of the cutover table, and keeps there what
 * people decide about one: the table `waiver`, a row a verdict and reason, the
 * latest decision. It is no part of the table's format: a program that does not
 * know it leaves it alone.
 *
 * A handle belongs to one thread; it blocks, up to ten seconds for another
 * writer. Texts that are given out live until the function returns.
 */
#ifndef POLICY_VERDICT_FILE_VERDICT_FILE_H
#define POLICY_VERDICT_FILE_VERDICT_FILE_H

#include "policy/change_chain.h"
#include "policy/verdict/verdict_reason.h"
#include "relay/base/error.h"

struct verdict_file;

/* The table must exist. NULL and `err`. */
struct verdict_file *verdict_file_open(const char *path, bool write,
    struct error *err) PH_CHECK;
void verdict_file_close(struct verdict_file *f); /* NULL is fine */

/* A row of the table; `address` may be "@domain". */
struct verdict_row {
	struct slice address, route;
	bool held;
};
/* All of them, in order of addresses. 0, or -1 and `err`; here and below. */
int verdict_rows(struct verdict_file *f,
    void (*fn)(void *arg, const struct verdict_row *r), void *arg,
    struct error *err) PH_CHECK;
/* Base addresses whose watermark at `leg` a person does without. */
struct verdict_waived {
	struct slice address;
	uint64_t change; /* that its watermark began with, then */
	int64_t time_us;
	const char *who, *note;
};
int verdict_marks_waived(struct verdict_file *f, const char *leg,
    void (*fn)(void *arg, const struct verdict_waived *w), void *arg,
    struct error *err) PH_CHECK;

/* Takes a reason on, as one recorded decision; `verdict` is the name of the
 * verdict, "" of the one without. until_us 0 takes it back. */
struct waiver_said {
	const char *verdict, *command;
	struct waiver waiver;
};
int waiver_put(struct verdict_file *f, const struct waiver_said *said,
    struct error *err) PH_CHECK;
/* Those of one verdict, ended or not; their texts live as long as `a`. */
int waivers_get(struct verdict_file *f, const char *verdict, struct arena *a,
    const struct waiver *waiver_out[REASONS], struct error *err) PH_CHECK;

int verdict_heads(struct verdict_file *f, struct chain_heads *out,
    struct error *err) PH_CHECK;
/* When that change was made (wall, us); 0: there is none. */
int verdict_change_time(struct verdict_file *f, uint64_t change,
    int64_t *time_us_out, struct error *err) PH_CHECK;

#endif
