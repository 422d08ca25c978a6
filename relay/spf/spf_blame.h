/* SPDX-License-Identifier: ISC
 *
 * Remembers which domains killed a helper. All workers share it, behind one
 * lock that is taken at a death and, while any domain is remembered, at each
 * request. Bounded: of more domains than SPF_BLAME_DOMAINS the one whose last
 * death is the longest ago is forgotten.
 */
#ifndef RELAY_SPF_SPF_BLAME_H
#define RELAY_SPF_SPF_BLAME_H

#include "relay/base/clock.h"

struct spf_blame;

enum {
	SPF_BLAME_DOMAINS = 1024,
	SPF_BLAME_DEATHS = 3,	    /* then it is not asked about … */
	SPF_BLAME_MS = 3600 * 1000, /* … from the last death on     */
};

struct spf_blame *spf_blame_new(const struct clock *clock);
void spf_blame_free(struct spf_blame *b); /* NULL is fine */
/* A death; true when it is the one after which it is not asked about, so that
 * one caller tells of it. Any thread, as below. */
bool spf_blame_add(struct spf_blame *b, const char *domain);
/* Is the domain not to be asked about? */
bool spf_blame_barred(struct spf_blame *b, const char *domain);

#endif
