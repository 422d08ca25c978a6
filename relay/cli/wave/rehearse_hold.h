/* SPDX-License-Identifier: ISC
 *
 * How much mail a hold will keep: what the members got lately (ledger.db), by
 * the size of the newest messages (the audit index), for as long as a mailbox
 * may be held. An average over days: office hours have more. One thread.
 */
#ifndef RELAY_CLI_WAVE_REHEARSE_HOLD_H
#define RELAY_CLI_WAVE_REHEARSE_HOLD_H

#include "conf/conf.h"
#include "relay/base/error.h"

enum { HOLD_LOOK_DAYS = 7 };

struct hold_look;
/* `now_us`: wall clock. Looks at no file if it is told of no member. */
struct hold_look *hold_look_new(const struct conf *conf, struct names *names,
    int64_t now_us);
/* A member that would be held, and the route that it has now. */
void hold_look_member(struct hold_look *l, struct slice address,
    const char *route);

struct hold_expected {
	uint64_t members;
	uint64_t messages;     /* that these got in `window_s` */
	int64_t window_s;      /* ended now; 7 days, less if less is counted */
	uint64_t message_bytes; /* the mean */
	uint64_t bytes; /* of a slice that is held until its deadline */
};
struct hold_of {
	uint64_t slice; /* members that are held at a time */
	int64_t deadline_s;
};
/* Frees `l`. -1: it is not known, with the reason. */
int hold_look_end(struct hold_look *l, const struct hold_of *of,
    struct hold_expected *out, struct error *err) PH_CHECK;

#endif
