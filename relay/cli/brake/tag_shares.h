/* SPDX-License-Identifier: ISC
 *
 * First outcomes and complaints by tag, each against all recipients that do not
 * bear it. In memory; one thread.
 */
#ifndef RELAY_CLI_BRAKE_TAG_SHARES_H
#define RELAY_CLI_BRAKE_TAG_SHARES_H

#include "policy/brake/brake.h"
#include "relay/base/slice.h"

struct tag_shares;

struct tag_shares *tag_shares_new(void);
void tag_shares_free(struct tag_shares *t); /* NULL is fine */

/* A recipient. */
struct tag_met {
	struct brake_share share; /* failed of those tried */
	uint64_t complaints;
};
/* `tags` in canonical form; of more than TAG_SHARES_MAX tags the rest are left
 * out. */
enum { TAG_SHARES_MAX = 100000 };
void tag_shares_add(struct tag_shares *t, struct slice tags,
    const struct tag_met *met);

struct tag_share {
	const char *tag; /* NULL: all */
	uint64_t recipients;
	struct tag_met met;
	struct brake_interval interval; /* against all others */
	double times; /* as large as the share of all others; below 0: that is
		       * 0, or nothing was tried */
};
/* All together, then each tag, by the lower end of its difference, the largest
 * first. `fn` gets them once. */
void tag_shares_each(struct tag_shares *t,
    void (*fn)(void *arg, const struct tag_share *s), void *arg);

#endif
