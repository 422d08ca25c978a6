/* SPDX-License-Identifier: ISC
 *
 * Which logins are not even looked at. Five failures within a minute block
 * their client, whatever name it says. Five failures of a name block the name
 * for clients that have not logged in under it within a day: strangers who
 * guess cannot lock its user out. Pure: the caller has the time (monotonic
 * ms) and the lock. What there is no room for is forgotten, the oldest first.
 */
#ifndef RELAY_LOGIN_THROTTLE_H
#define RELAY_LOGIN_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	THROTTLE_FAILURES = 5,
	THROTTLE_WINDOW_MS = 60 * 1000,
};

struct throttle;

/* Keyed hashes (hash.h); of an IPv6 client its /64. */
struct login_who {
	uint64_t client, name;
};

struct throttle *throttle_new(void);
void throttle_free(struct throttle *t); /* NULL is fine */

bool throttle_blocks(const struct throttle *t, struct login_who w,
    int64_t now_ms);
void throttle_failed(struct throttle *t, struct login_who w, int64_t now_ms);
void throttle_passed(struct throttle *t, struct login_who w, int64_t now_ms);

#endif
