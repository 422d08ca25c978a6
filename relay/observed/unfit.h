/* SPDX-License-Identifier: ISC
 *
 * The members of a wave that would fail, by its last preflight in observed.db
 * as it is when it is read first. One thread, for one piece of work.
 */
#ifndef RELAY_OBSERVED_UNFIT_H
#define RELAY_OBSERVED_UNFIT_H

#include "relay/base/mem.h"
#include "relay/observed/asked.h"

struct unfit;

/* A preflight is of a wave with that time of creation and that route: another
 * wave may have had its name. */
struct unfit_wave {
	const char *name, *route;
	int64_t created_us;
};

/* Reads observed.db of the folder `dir` when it is asked; one that is not there
 * or cannot be read has no preflights. */
struct unfit *unfit_new(const char *dir);
void unfit_free(struct unfit *u); /* NULL is fine */

/* Did a leg say that it does not take that member? Then `why` has the leg and
 * its reply. */
bool unfit_member(struct unfit *u, const struct unfit_wave *w,
    struct slice address, char *why, size_t why_size);
/* How many members and aliases of members are unfit. */
size_t unfit_count(struct unfit *u, const struct unfit_wave *w);
/* When the wave's preflight began, wall us; 0: it had none. */
int64_t unfit_asked_at(struct unfit *u, const struct unfit_wave *w);
/* Why the file could not be read for the last wave; "": it was, or there is
 * none. */
const char *unfit_fault(const struct unfit *u);

#endif
